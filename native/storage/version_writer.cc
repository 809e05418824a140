// Engine::Version: writing the files of a version, and making them the newest.
#include <rocksdb/db.h>
#include <rocksdb/sst_file_writer.h>

#include <algorithm>
#include <filesystem>
#include <iterator>
#include <utility>

#include "base/failpoint.h"
#include "base/guarded.h"
#include "base/hex.h"
#include "storage/checksum.h"
#include "storage/database.h"
#include "storage/disk.h"
#include "storage/rocks.h"
#include "storage/write_behind.h"

namespace hotrow {

namespace {

namespace fs = std::filesystem;

// What a file gathers before it gives it to the one under it, which gathers more.
constexpr size_t kGatherBytes = size_t{64} << 10;

// Keys that are gone are written twice: for deltas, and as the database takes them.
constexpr const char* kGone = ".gone";
constexpr const char* kTombstones = ".sst";

bool is_tombstones(const std::string& path) {
  return path.ends_with(std::string(kGone) + kTombstones);
}

rocksdb::Options writer_options(rocksdb::Env* env, SyncMode sync) {
  rocksdb::Options options(database_options(sync), family_options());
  options.env = env;
  return options;
}

rocksdb::EnvOptions gathering() {
  rocksdb::EnvOptions options;
  options.writable_file_max_buffer_size = kGatherBytes;
  return options;
}

rocksdb::Slice slice_of(const DiskKey& key) { return {key.data(), key.size()}; }

}  // namespace

/// One sorted file being written.
struct Engine::Version::File {
  File(std::string where, SyncMode sync, bool checksums = true)
      : path(std::move(where)),
        behind(disk_env(sync), checksums),
        // Its pages stay in memory: followers read the file at once, and to drop pages that are not
        // written yet is to wait for the disk between two rows.
        writer(gathering(), writer_options(behind.env(), sync), nullptr, false) {}

  const std::string path;
  WriteBehindEnv behind;
  rocksdb::SstFileWriter writer;
  DeltaFile of;

  Status open() { return status(writer.Open(path)); }
  // Asked for every row: no text where nothing is wrong.
  Status status(const rocksdb::Status& result) const {
    return result.ok() ? Status() : disk_status(result, "'" + path + "'");
  }
};

Engine::Version::Version(Engine& engine) : Version(engine, engine.incoming()) {}
Engine::Version::Version(Engine& engine, std::string folder)
    : engine_(engine), folder_(std::move(folder)) {}

Engine::Version::~Version() {
  file_.reset();
  (void)remove_path(folder_);
}

std::string Engine::Version::next_name(TableId table, const char* ending) const {
  return std::to_string(table) + "-" + std::to_string(files_.size()) + ending;
}

Status Engine::Version::begin_file(TableId table) {
  const std::string name = next_name(table, ".sst");
  file_ = std::make_unique<File>(folder_ + "/" + name, engine_.sync_);
  file_->of = {.table = table, .name = name};
  return file_->open();
}

Status Engine::Version::put(uint64_t hash, Row row) {
  const DiskKey key = disk_key(hash);
  ++file_->of.rows;
  return file_->status(
      file_->writer.Put(slice_of(key), {reinterpret_cast<const char*>(row.data()), row.size()}));
}

Status Engine::Version::end_file() {
  const std::unique_ptr<File> file = std::move(file_);
  // RocksDB makes no file without keys.
  if (file->of.rows == 0) return {};
  rocksdb::ExternalSstFileInfo info;
  HOTROW_RETURN_IF_ERROR(file->status(file->writer.Finish(&info)));
  file->of.bytes = info.file_size;
  file->of.checksum = to_hex(file->behind.checksum());
  failpoint("commit.file_written");
  sorted_[file->of.table].push_back(file->path);
  files_.push_back(file->of);
  return {};
}

Status Engine::Version::put_tombstones(TableId table, std::span<const uint64_t> hashes,
                                       const std::string& path) {
  File file(path, engine_.sync_, false);
  HOTROW_RETURN_IF_ERROR(file.open());
  for (const uint64_t hash : hashes) {
    const DiskKey key = disk_key(hash);
    HOTROW_RETURN_IF_ERROR(file.status(file.writer.Delete(slice_of(key))));
  }
  HOTROW_RETURN_IF_ERROR(file.status(file.writer.Finish()));
  sorted_[table].push_back(path);
  return {};
}

Status Engine::Version::erase(TableId table, std::span<const uint64_t> hashes) {
  if (hashes.empty()) return {};
  const std::string name = next_name(table, kGone);
  const std::string path = folder_ + "/" + name;
  HOTROW_RETURN_IF_ERROR(put_tombstones(table, hashes, path + kTombstones));
  HOTROW_RETURN_IF_ERROR(write_gone(path, hashes, engine_.sync_));
  const auto checksum = checksum_of_file(path);
  if (!checksum.ok()) return checksum.status();
  files_.push_back({.table = table,
                    .name = name,
                    .bytes = hashes.size_bytes(),
                    .tombstones = hashes.size(),
                    .checksum = checksum.value()});
  return {};
}

Status Engine::Version::add(const Delta& delta, const std::string& folder) {
  for (const DeltaFile& file : delta.files) {
    const std::string path = folder_ + "/" + file.name;
    HOTROW_RETURN_IF_ERROR(link_or_copy(folder + "/" + file.name, path, engine_.sync_));
    if (file.rows > 0) {
      sorted_[file.table].push_back(path);
    } else {
      const auto hashes = read_gone(path);
      if (!hashes.ok()) return hashes.status();
      HOTROW_RETURN_IF_ERROR(put_tombstones(file.table, hashes.value(), path + kTombstones));
    }
    files_.push_back(file);
  }
  return {};
}

Status Engine::Version::write_manifest(const std::string& manifest, const std::string& path) {
  File file(path, engine_.sync_, false);
  HOTROW_RETURN_IF_ERROR(file.open());
  HOTROW_RETURN_IF_ERROR(file.status(file.writer.Put(kManifestKey, manifest)));
  HOTROW_RETURN_IF_ERROR(file.status(file.writer.Finish()));
  sorted_[0] = {path};
  return {};
}

uint64_t Engine::Version::bytes_of(TableId table) const {
  uint64_t bytes = 0;
  for (const DeltaFile& file : files_) bytes += file.table == table ? file.bytes : 0;
  return bytes;
}

// Rows that are all of their table's come into a family of their own where that is less work:
// nothing in it is older, so tombstones are not needed there.
Status Engine::Version::ingest(const Delta& delta) {
  Database& database = *engine_.database_;
  HOTROW_RETURN_IF_ERROR(write_manifest(delta.manifest, folder_ + "/manifest.sst"));
  std::vector<rocksdb::IngestExternalFileArg> arguments;
  std::vector<Database::Family> families;
  std::map<TableId, Database::Family> successors;
  const auto prepare = [&]() -> Status {
    for (const auto& [table, paths] : sorted_) {
      auto successor = whole_.contains(table) ? database.successor(table, bytes_of(table))
                                              : Result<Database::Family>(nullptr);
      if (successor.ok() && successor.value() != nullptr) successors[table] = successor.value();
      const bool alone = successors.contains(table);
      auto family = alone || !successor.ok() ? std::move(successor) : database.family(table);
      if (!family.ok()) return family.status();
      rocksdb::IngestExternalFileArg argument;
      argument.column_family = families.emplace_back(std::move(family).value()).get();
      std::ranges::copy_if(paths, std::back_inserter(argument.external_files),
                           [&](const std::string& path) { return !alone || !is_tombstones(path); });
      argument.options.move_files = true;
      argument.options.write_global_seqno = false;
      arguments.push_back(std::move(argument));
    }
    failpoint("commit.before_install");
    return disk_status(database.db->IngestExternalFiles(arguments), "the version");
  };
  const Status status = guarded(prepare);
  failpoint("commit.after_install");
  // Whatever is installed is known to be: none of this fails.
  for (auto& [table, family] : successors) {
    if (status.ok()) {
      database.replace(table, std::move(family));
    } else {
      database.abandon(std::move(family));
    }
  }
  // What cannot be dropped now is before the next version.
  (void)guarded([&] { return database.drop_replaced(); });
  return status;
}

void Engine::Version::drop(std::span<const TableId> tables) {
  for (const TableId table : tables) {
    engine_.database_->drop(table);
    failpoint("commit.dropped");
  }
}

Status Engine::Version::install(Delta& delta) {
  delta.files = files_;
  const VersionFolders& versions = engine_.versions_;
  HOTROW_RETURN_IF_ERROR(versions.begin(delta.version));
  const auto prepare = [&]() -> Status {
    const std::string folder = versions.fresh_delta(delta.version);
    for (const DeltaFile& file : files_) {
      HOTROW_RETURN_IF_ERROR(
          link_or_copy(folder_ + "/" + file.name, folder + "/" + file.name, engine_.sync_));
    }
    return delta.write(folder, engine_.sync_);
  };
  std::string manifest = delta.manifest;
  Status status = prepare();
  if (status.ok()) status = ingest(delta);
  if (!status.ok()) {
    versions.abandon(delta.version);
    return status;
  }
  // The version is there, whatever becomes of its folder.
  engine_.manifest_.swap(manifest);
  kept_ = guarded([&] {
    drop(delta.dropped);
    return engine_.keep(delta.version);
  });
  failpoint("commit.kept");
  return {};
}

Status Engine::Version::describe(Delta& delta, const std::string& name) {
  delta.files = files_;
  HOTROW_RETURN_IF_ERROR(delta.write(folder_, engine_.sync_));
  return rename_path(folder_, name);
}

}  // namespace hotrow
