// Engine: the rows of a store in a folder on disk, by RocksDB.
//
// A row's key on disk is its hash, big-endian: rows then lie in the order of a table's shards and
// buckets, so that a version is written and read in one pass over them. Each table is a column
// family under a number that no other table ever gets. A version's rows are written as sorted files
// and become part of the database together with the version's manifest, in one atomic step; then
// the version gets a folder of its own (version_folders.h), which shares the files.
//
// Threads: one writer of versions at a time; reading from any thread.
#ifndef HOTROW_STORAGE_ENGINE_H_
#define HOTROW_STORAGE_ENGINE_H_

#include <cstddef>
#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <set>
#include <span>
#include <string>
#include <vector>

#include "hotrow/options.h"
#include "hotrow/status.h"
#include "hotrow/store.h"
#include "storage/delta.h"
#include "storage/version_folders.h"

namespace hotrow {

/// Hashes from `first` to `last`, both included.
struct HashRange {
  uint64_t first = 0;
  uint64_t last = UINT64_MAX;
};

class Engine {
 public:
  /// The number of the version that a manifest is of.
  using VersionOf = std::function<Result<uint64_t>(const std::string& manifest)>;
  /// Where only what is whole is wanted, see recovery.cc.
  struct Recover {
    VersionOf version_of;
    Recovery recovery;  // completed by who opens
  };
  /// Opens the folder, creating it when there is none. ERR_LOCKED when another process or store has
  /// it open, naming its pid.
  static Result<std::unique_ptr<Engine>> open(const std::string& path,
                                              SyncMode sync = SyncMode::kDisk,
                                              Recover* recover = nullptr);
  /// The newest kept version that is whole. ERR_CORRUPTION when none is.
  static Result<uint64_t> newest_intact(const std::string& path, Recover& recover);
  /// The highest number of a version that was given up; 0: none was.
  Result<uint64_t> last_given_up() const;
  /// Opens one version that the folder keeps, for reading; 0: the newest of them. ERR_NOT_FOUND
  /// when there is none.
  static Result<std::unique_ptr<Engine>> open_version(const std::string& path, uint64_t version);
  ~Engine();
  Engine(const Engine&) = delete;
  Engine& operator=(const Engine&) = delete;

  /// That of the version; empty when there is none.
  const std::string& manifest() const { return manifest_; }
  const VersionFolders& versions() const { return versions_; }

  using Row = std::span<const std::byte>;
  /// Calls visit(hash, row) for every row of a table, or of a part of it, in rising order of
  /// hashes, until it fails. Rows that cannot be read are an error, never left out.
  using Visit = std::function<Status(uint64_t hash, Row row)>;
  /// kLatelyChanged: only rows that changed so lately that they lie apart from the others on disk,
  /// if these are few.
  enum class Which : uint8_t { kAll, kLatelyChanged };
  Status read(TableId table, const Visit& visit, HashRange part = {},
              Which which = Which::kAll) const;
  /// Appends the hashes of at most `most` rows from `from` on, rising; `next` is the one after
  /// them, or nothing.
  Status walk(TableId table, uint64_t from, size_t most, std::vector<uint64_t>& hashes,
              std::optional<uint64_t>& next) const;
  /// Calls visit(i, row) for the row of each of these hashes, or null; in any order.
  using VisitOne = std::function<Status(size_t i, const Row* row)>;
  Status read_rows(TableId table, std::span<const uint64_t> hashes, const VisitOne& visit) const;
  /// Calls visit(hash, row here, row there) for every row that is not the same in both; null where
  /// there is none.
  using VisitBoth = std::function<Status(uint64_t hash, const Row* here, const Row* there)>;
  Status compare(const Engine& there, TableId table, const VisitBoth& visit) const;
  /// Reads everything and checks every checksum.
  Status verify() const;
  /// Merges files until each row lies once.
  Status compact();

  /// The files of one version. Nothing of it is there until install(); files that are not installed
  /// are removed.
  class Version;
  Result<std::unique_ptr<Version>> begin();
  /// Files that become part of nothing: they get their folder by Version::describe().
  std::unique_ptr<Version> begin_in(const std::string& folder);
  /// Gives the newest version its folder, if it has none yet.
  Status keep(uint64_t version);

 private:
  struct Database;

  // recovery.cc
  static Result<uint64_t> check(const std::string& path, const std::string& folder,
                                const VersionOf& version_of);
  static Result<uint64_t> check_version(const VersionFolders& versions, const std::string& path,
                                        uint64_t version, const VersionOf& version_of);
  static Result<uint64_t> newest_whole(const std::string& path, std::span<const uint64_t> kept,
                                       uint64_t floor, const VersionOf& version_of, Status& first);
  Status recover(Recover& recover) const;
  Status go_back(std::span<const uint64_t> kept, const Recovery& recovery, bool rebuild) const;
  Recovery begun_before(uint64_t newest, uint64_t to) const;
  std::string note() const;
  Status finish_recovery() const;
  bool has_database() const;
  Status no_database() const;
  Status check_database() const;

  explicit Engine(const std::string& path, SyncMode sync = SyncMode::kDisk);
  /// The folder of files that are not installed.
  std::string incoming() const;
  Status open_database(const std::string& folder, bool for_writing);

  const std::string path_;
  const SyncMode sync_;
  const VersionFolders versions_;
  std::unique_ptr<FileLock> lock_;
  std::unique_ptr<Database> database_;
  std::string manifest_;
};

class Engine::Version {
 public:
  explicit Version(Engine& engine);
  /// Of begin_in().
  Version(Engine& engine, std::string folder);
  ~Version();
  Version(const Version&) = delete;
  Version& operator=(const Version&) = delete;

  /// Keys that are gone: hashes in rising order.
  Status erase(TableId table, std::span<const uint64_t> hashes);
  /// Begins a file of rows of one table. Of several files of one table, a later one's rows replace
  /// an earlier one's, and what erase() said before.
  Status begin_file(TableId table);
  /// A row; hashes rise within a file.
  Status put(uint64_t hash, Row row);
  Status end_file();
  /// The files of the table are all rows that it has.
  void has_all_of(TableId table) { whole_.insert(table); }
  /// All files of a delta that lies in a folder.
  Status add(const Delta& delta, const std::string& folder);

  /// Makes all of it the newest version, by the number and manifest that `delta` names; rows of
  /// tables that it names as dropped go. Completes `delta` with the files.
  Status install(Delta& delta);
  /// Makes all of it a delta in its folder, and gives that its name. Completes `delta` with the
  /// files.
  Status describe(Delta& delta, const std::string& name);
  /// Why the installed version has no folder of its own, if it has none.
  const Status& kept() const { return kept_; }

 private:
  struct File;

  std::string next_name(TableId table, const char* ending) const;
  Status put_tombstones(TableId table, std::span<const uint64_t> hashes, const std::string& path);
  Status write_manifest(const std::string& manifest, const std::string& path);
  /// The table's bytes in the version's files.
  uint64_t bytes_of(TableId table) const;
  Status ingest(const Delta& delta);
  void drop(std::span<const TableId> tables);

  Engine& engine_;
  const std::string folder_;
  std::unique_ptr<File> file_;  // being written
  std::vector<DeltaFile> files_;
  std::map<TableId, std::vector<std::string>> sorted_;  // paths, to become part of the database
  std::set<TableId> whole_;
  Status kept_;
};

}  // namespace hotrow

#endif  // HOTROW_STORAGE_ENGINE_H_
