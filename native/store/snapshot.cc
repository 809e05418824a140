// Snapshots: all of a version as one delta, from nothing to it; and going over an older version
// with one, where the deltas in between are not there any more.
#include <algorithm>
#include <filesystem>
#include <iterator>
#include <utility>

#include "store/local_store.h"

namespace hotrow {

namespace {

// Rows that are compared with those here at once.
constexpr size_t kCompareAtOnce = 1024;

Status write_all_rows(const Engine& engine, TableId id, Engine::Version& version, uint64_t& rows) {
  HOTROW_RETURN_IF_ERROR(version.begin_file(id));
  HOTROW_RETURN_IF_ERROR(engine.read(id, [&](uint64_t hash, Engine::Row row) -> Status {
    ++rows;
    return version.put(hash, row);
  }));
  return version.end_file();
}

Status damaged(const Delta& snapshot, const std::string& what) {
  return {StatusCode::kCorruption,
          "the snapshot of version " + std::to_string(snapshot.version) + ": " + what};
}

/// Rows of one file of a snapshot, some at a time.
class Batch {
 public:
  Batch(const Engine& engine, TableId id, Engine::Version& version, const Delta::Visit& visit)
      : engine_(engine), id_(id), version_(version), visit_(visit) {}

  Status add(uint64_t hash, Engine::Row row) {
    if (!hashes_.empty() && row.size() != row_bytes_) HOTROW_RETURN_IF_ERROR(flush());
    row_bytes_ = row.size();
    hashes_.push_back(hash);
    rows_.insert(rows_.end(), row.begin(), row.end());
    return hashes_.size() < kCompareAtOnce ? Status() : flush();
  }
  /// Writes and tells those that are not here already.
  Status flush() {
    std::vector<bool> same(hashes_.size());
    HOTROW_RETURN_IF_ERROR(
        engine_.read_rows(id_, hashes_, [&](size_t i, const Engine::Row* here) -> Status {
          same[i] = here != nullptr && std::ranges::equal(*here, row(i));
          return {};
        }));
    for (size_t i = 0; i < hashes_.size(); ++i) {
      if (same[i]) continue;
      const Engine::Row changed = row(i);
      HOTROW_RETURN_IF_ERROR(version_.put(hashes_[i], changed));
      HOTROW_RETURN_IF_ERROR(visit_(id_, hashes_[i], &changed));
    }
    hashes_.clear();
    rows_.clear();
    return {};
  }

 private:
  Engine::Row row(size_t i) const { return std::span(rows_).subspan(i * row_bytes_, row_bytes_); }

  const Engine& engine_;
  const TableId id_;
  Engine::Version& version_;
  const Delta::Visit& visit_;
  std::vector<uint64_t> hashes_;
  std::vector<std::byte> rows_;
  size_t row_bytes_ = 0;
};

}  // namespace

Status LocalStore::snapshot(std::string_view version, std::string_view folder) {
  if (in_memory()) return no_versions();
  const auto number = resolve(version);
  if (!number.ok()) return number.status();
  // Not removed while it is read.
  const auto engine = Engine::open_version(path_, number.value());
  if (!engine.ok()) return engine.status();
  const auto manifest = Manifest::parse(engine.value()->manifest());
  if (!manifest.ok()) return manifest.status();
  const std::string name(folder);
  const std::string fresh = name + ".new";
  std::error_code error;
  std::filesystem::create_directories(fresh, error);
  if (error) return file_status(error, "'" + fresh + "' cannot be made");
  const auto files = engine.value()->begin_in(fresh);
  for (const StoredTable& stored : manifest.value().tables) {
    uint64_t rows = 0;
    HOTROW_RETURN_IF_ERROR(write_all_rows(*engine.value(), stored.id, *files, rows));
    if (rows == stored.rows) continue;
    return {StatusCode::kCorruption, "table '" + stored.name + "': " + std::to_string(rows) +
                                         " of " + std::to_string(stored.rows) + " rows are there"};
  }
  uint64_t chunks = 0;
  HOTROW_RETURN_IF_ERROR(write_all_rows(*engine.value(), kDenseTable, *files, chunks));
  Delta delta = manifest.value().delta();
  delta.parent = 0;
  return files->describe(delta, name);
}

Status LocalStore::go_over(const Delta& snapshot, const Manifest& manifest,
                           const std::string& folder, Engine::Version& version,
                           const Delta::Visit& visit) const {
  const auto one_each = [&](const DeltaFile& file) {
    const auto same = [&](const DeltaFile& other) { return other.table == file.table; };
    return file.rows > 0 && std::ranges::count_if(snapshot.files, same) == 1;
  };
  if (!std::ranges::all_of(snapshot.files, one_each)) {
    return damaged(snapshot, "expected one file of rows for each table");
  }
  HOTROW_RETURN_IF_ERROR(go_over_table(snapshot, kDenseTable, folder, version, visit));
  for (const StoredTable& stored : manifest.tables) {
    HOTROW_RETURN_IF_ERROR(go_over_table(snapshot, stored.id, folder, version, visit));
  }
  return {};
}

Status LocalStore::go_over_table(const Delta& snapshot, TableId id, const std::string& folder,
                                 Engine::Version& version, const Delta::Visit& visit) const {
  // Chunks of dense parameters come all together, and those of dropped ones lie where they are.
  const bool dense = id == kDenseTable;
  std::vector<uint64_t> here;
  const auto note = [&](uint64_t hash, Engine::Row) -> Status {
    here.push_back(hash);
    return {};
  };
  if (!dense) HOTROW_RETURN_IF_ERROR(engine_->read(id, note));
  Delta its = snapshot;
  std::erase_if(its.files, [&](const DeltaFile& file) { return file.table != id; });
  std::vector<uint64_t> there;
  Batch batch(*engine_, id, version, visit);
  HOTROW_RETURN_IF_ERROR(version.begin_file(id));
  const auto take = [&](TableId, uint64_t hash, const Engine::Row* row) -> Status {
    if (row == nullptr) return damaged(snapshot, "a key that is gone");
    there.push_back(hash);
    if (!dense) return batch.add(hash, *row);
    HOTROW_RETURN_IF_ERROR(version.put(hash, *row));
    return visit(id, hash, row);
  };
  HOTROW_RETURN_IF_ERROR(its.each(folder, take));
  HOTROW_RETURN_IF_ERROR(batch.flush());
  HOTROW_RETURN_IF_ERROR(version.end_file());
  std::vector<uint64_t> gone;
  std::ranges::set_difference(here, there, std::back_inserter(gone));
  for (const uint64_t hash : gone) HOTROW_RETURN_IF_ERROR(visit(id, hash, nullptr));
  return version.erase(id, gone);
}

}  // namespace hotrow
