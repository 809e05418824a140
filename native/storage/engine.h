// Engine: the rows of the newest version in a folder on disk, by RocksDB.
//
// A row's key on disk is its hash, big-endian: rows then lie in the order of a table's shards and
// buckets, so that a version is written and read in one pass over them. Each table is a column
// family under a number that no other table ever gets. A version's rows are written as sorted files
// and become part of the database together with the version's manifest, in one atomic step.
//
// Threads: one writer of versions at a time; reading from any thread.
#ifndef HOTROW_STORAGE_ENGINE_H_
#define HOTROW_STORAGE_ENGINE_H_

#include <cstddef>
#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <span>
#include <string>
#include <vector>

#include "hotrow/status.h"

namespace hotrow {

/// A table's number on disk; 0 is that of the manifest.
using TableId = uint32_t;

class Engine {
 public:
  /// Opens the folder, creating it when there is none. ERR_LOCKED when another process or store has
  /// it open, naming its pid.
  static Result<std::unique_ptr<Engine>> open(const std::string& path);
  ~Engine();
  Engine(const Engine&) = delete;
  Engine& operator=(const Engine&) = delete;

  /// That of the newest version; empty when there is none.
  const std::string& manifest() const { return manifest_; }

  /// Calls visit(hash, row) for every row of a table in rising order of hashes, until it fails.
  using Visit = std::function<Status(uint64_t hash, std::span<const std::byte> row)>;
  Status read(TableId table, const Visit& visit) const;

  /// The files of one version. Nothing of it is there until install(); files that are not installed
  /// are removed.
  class Version;
  Result<std::unique_ptr<Version>> begin();

 private:
  struct Database;
  class Lock;

  Engine();
  /// The folder of files that are not installed.
  std::string incoming() const;

  std::string path_;
  std::unique_ptr<Lock> lock_;
  std::unique_ptr<Database> database_;
  std::string manifest_;
};

class Engine::Version {
 public:
  explicit Version(Engine& engine);
  ~Version();
  Version(const Version&) = delete;
  Version& operator=(const Version&) = delete;

  /// Begins a file of rows of one table. Of several files of one table, a later one's rows replace
  /// an earlier one's.
  Status begin_file(TableId table);
  /// A row, or that there is none any more; hashes rise within a file.
  Status put(uint64_t hash, std::span<const std::byte> row);
  Status erase(uint64_t hash);
  Status end_file();

  /// Makes all of it the newest version, with `manifest`; the rows of `dropped` tables go.
  Status install(const std::string& manifest, std::span<const TableId> dropped);
  /// Bytes of the files.
  uint64_t bytes() const { return bytes_; }

 private:
  struct File;

  Engine& engine_;
  std::string folder_;
  std::unique_ptr<File> file_;  // being written
  std::map<TableId, std::vector<std::string>> files_;
  uint64_t bytes_ = 0;
};

}  // namespace hotrow

#endif  // HOTROW_STORAGE_ENGINE_H_
