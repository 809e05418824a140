// Versions of a store: the cut, its writing, and what table() and dense() bring back.
//
// A commit has three steps. cut: with the capacity gate held exclusively no call is under way that
// changes anything; every table freezes its changed rows and dense parameters are copied. write:
// the frozen rows of one shard after the other go into sorted files, while calls go on and save for
// themselves the frozen rows they are about to change. install: the files become the newest version
// together with its manifest, or, if anything failed before, everything counts as changed again.
#include <algorithm>
#include <chrono>
#include <cstring>
#include <utility>
#include <vector>

#include "base/failpoint.h"
#include "memory/epoch.h"
#include "store/local_store.h"

namespace hotrow {

namespace {

// Values of a dense parameter in one record on disk: 1 MiB.
constexpr uint64_t kChunkValues = uint64_t{1} << 18;
// Rows brought back at once.
constexpr size_t kRestoredRows = 4096;

uint64_t dense_key(uint32_t id, uint64_t chunk) { return uint64_t{id} << 32 | chunk; }

VersionInfo info_of(const Manifest& manifest, uint64_t bytes) {
  return {manifest.version, manifest.parent, manifest.time_ms, manifest.cursor, bytes};
}

Status put_images(Engine::Version& version, const RowImages& images, size_t row_bytes) {
  for (const uint32_t i : images.sorted()) {
    HOTROW_RETURN_IF_ERROR(
        version.put(images.hashes[i], std::span(images.bytes).subspan(i * row_bytes, row_bytes)));
  }
  return {};
}

}  // namespace

/// What a commit writes.
struct LocalStore::Cut {
  struct TablePart {
    std::shared_ptr<SparseTable> table;
    TableId id;
  };
  struct DensePart {
    std::shared_ptr<DenseParameter> dense;
    uint32_t id;
    DenseParameter::Image image;
  };
  Manifest manifest;
  std::vector<TablePart> tables;
  std::vector<DensePart> dense;
  std::vector<TableId> dropped;
  uint64_t bytes = 0;
};

Result<std::shared_ptr<LocalStore>> LocalStore::open(std::string path,
                                                     const StoreOptions& options) {
  std::shared_ptr<LocalStore> store(new LocalStore(std::move(path), options));
  if (store->path_.starts_with(":memory:")) return store;
  auto engine = Engine::open(store->path_);
  if (!engine.ok()) return engine.status();
  store->engine_ = std::move(engine).value();
  auto manifest = Manifest::parse(store->engine_->manifest());
  if (!manifest.ok()) return manifest.status();
  const MutexLock lock(store->mutex_);
  store->manifest_ = std::move(manifest).value();
  return store;
}

Result<VersionInfo> LocalStore::version() {
  const MutexLock lock(mutex_);
  HOTROW_RETURN_IF_ERROR(check_open());
  return info_of(manifest_, newest_bytes_);
}

Result<VersionInfo> LocalStore::commit(const CommitOptions& options) {
  if (path_.starts_with(":memory:")) {
    return Status(StatusCode::kUnsupported, "a store in memory has no versions: '" + path_ + "'");
  }
  if (options.cursor.size() > kMaxCursorBytes) {
    return Status::invalid_argument("cursor: expected at most 1048576 bytes, received " +
                                    std::to_string(options.cursor.size()));
  }
  const MutexLock committing(commit_mutex_);
  auto cut = this->cut(options);
  if (!cut.ok()) return cut.status();
  failpoint("commit.cut");
  Status written;
  try {
    written = write(*cut.value());
  } catch (const std::bad_alloc&) {
    written = Status::capacity("no memory to write a version with");
  }
  {
    const ExclusiveLock gate(context_.capacity_gate);
    const EpochGuard guard;
    for (const Cut::TablePart& part : cut.value()->tables) {
      RowMap& rows = part.table->rows_for_versions();
      if (!written.ok()) (void)rows.collected();
      rows.finish_cut(written.ok());
    }
    if (!written.ok()) {
      for (const Cut::DensePart& part : cut.value()->dense) part.dense->image_lost();
    }
  }
  if (!written.ok()) return written;
  const MutexLock lock(mutex_);
  const Manifest& made = cut.value()->manifest;
  manifest_.version = made.version;
  manifest_.parent = made.parent;
  manifest_.time_ms = made.time_ms;
  manifest_.cursor = made.cursor;
  newest_bytes_ = cut.value()->bytes;
  for (const TableId gone : cut.value()->dropped) std::erase(dropped_, gone);
  return info_of(manifest_, newest_bytes_);
}

Result<std::unique_ptr<LocalStore::Cut>> LocalStore::cut(const CommitOptions& options) {
  auto cut = std::make_unique<Cut>();
  const MutexLock lock(mutex_);
  HOTROW_RETURN_IF_ERROR(check_open());
  cut->manifest = manifest_;
  cut->manifest.parent = manifest_.version;
  cut->manifest.version = manifest_.version + 1;
  cut->manifest.time_ms = context_.clock.now_ms();
  cut->manifest.cursor = options.cursor;
  cut->dropped = dropped_;
  for (StoredTable& stored : cut->manifest.tables) {
    const auto open = parameters_.find(stored.name);
    // Tables that nobody asked for are as they were.
    if (open == parameters_.end()) continue;
    cut->tables.push_back({std::get<std::shared_ptr<SparseTable>>(open->second), stored.id});
  }
  cut->dense.reserve(cut->manifest.dense.size());
  // Nothing below may fail before the last table is frozen: a cut is whole.
  const ExclusiveLock gate(context_.capacity_gate);
  try {
    for (StoredDense& stored : cut->manifest.dense) {
      const auto open = parameters_.find(stored.name);
      if (open == parameters_.end()) continue;
      auto& dense = std::get<std::shared_ptr<DenseParameter>>(open->second);
      cut->dense.push_back({dense, stored.id, dense->image()});
      stored.steps = cut->dense.back().image.steps;
    }
  } catch (...) {
    for (const Cut::DensePart& part : cut->dense) part.dense->image_lost();
    throw;
  }
  for (const Cut::TablePart& part : cut->tables) {
    part.table->rows_for_versions().freeze();
    for (StoredTable& stored : cut->manifest.tables) {
      if (stored.id != part.id) continue;
      stored.steps = part.table->steps();
      stored.rows = part.table->size();
    }
  }
  return cut;
}

Status LocalStore::write(Cut& cut) {
  auto version = engine_->begin();
  if (!version.ok()) return version.status();
  Engine::Version& files = *version.value();
  for (const Cut::TablePart& part : cut.tables) {
    HOTROW_RETURN_IF_ERROR(write_table(files, *part.table, part.id));
  }
  HOTROW_RETURN_IF_ERROR(files.begin_file(kDenseTable));
  for (const Cut::DensePart& part : cut.dense) {
    const std::span<const std::byte> bytes = std::as_bytes(std::span(part.image.values));
    constexpr uint64_t kChunkBytes = kChunkValues * sizeof(float);
    for (uint64_t first = 0; first < bytes.size(); first += kChunkBytes) {
      HOTROW_RETURN_IF_ERROR(
          files.put(dense_key(part.id, first / kChunkBytes),
                    bytes.subspan(first, std::min(kChunkBytes, bytes.size() - first))));
    }
  }
  HOTROW_RETURN_IF_ERROR(files.end_file());
  HOTROW_RETURN_IF_ERROR(files.install(cut.manifest.to_text(), cut.dropped));
  cut.bytes = files.bytes();
  return {};
}

// Of three files, later ones replace: keys that went, some of which have come back; frozen rows as
// they lie; those that others saved.
Status LocalStore::write_table(Engine::Version& version, SparseTable& table, TableId id) const {
  RowMap& rows = table.rows_for_versions();
  const size_t row_bytes = table.rules().row_bytes();
  HOTROW_RETURN_IF_ERROR(version.begin_file(id));
  std::vector<uint64_t> removed = rows.removed();
  std::ranges::sort(removed);
  removed.erase(std::ranges::unique(removed).begin(), removed.end());
  for (const uint64_t hash : removed) HOTROW_RETURN_IF_ERROR(version.erase(hash));
  HOTROW_RETURN_IF_ERROR(version.end_file());
  HOTROW_RETURN_IF_ERROR(version.begin_file(id));
  RowImages images;
  for (uint32_t shard = 0; shard < IndexShards::kCount; ++shard) {
    images.clear();
    {
      const EpochGuard guard;
      rows.collect(shard, images);
    }
    HOTROW_RETURN_IF_ERROR(put_images(version, images, row_bytes));
  }
  HOTROW_RETURN_IF_ERROR(version.end_file());
  images.clear();
  for (const RowImages& saved : rows.collected()) {
    images.hashes.insert(images.hashes.end(), saved.hashes.begin(), saved.hashes.end());
    images.bytes.insert(
        images.bytes.end(), saved.bytes.begin(),
        saved.bytes.begin() + static_cast<ptrdiff_t>(saved.hashes.size() * row_bytes));
  }
  HOTROW_RETURN_IF_ERROR(version.begin_file(id));
  HOTROW_RETURN_IF_ERROR(put_images(version, images, row_bytes));
  return version.end_file();
}

Status LocalStore::restore(SparseTable& table, const StoredTable& stored) const {
  HOTROW_RETURN_IF_ERROR(table.track_changes());
  const size_t row_bytes = table.rules().row_bytes();
  RowMap& rows = table.rows_for_versions();
  const EpochGuard guard;
  RowImages images;
  const auto add = [&]() -> Status {
    if (rows.restore(images)) {
      images.clear();
      return {};
    }
    return Status::capacity("table '" + stored.name + "': its " + std::to_string(stored.rows) +
                            " rows would not fit: " + std::to_string(context_.budget.used()) +
                            " of memoryBytes " + std::to_string(context_.budget.limit()) +
                            " are in use");
  };
  HOTROW_RETURN_IF_ERROR(engine_->read(stored.id, [&](uint64_t hash, auto row) -> Status {
    if (row.size() != row_bytes) {
      return {StatusCode::kCorruption, "table '" + stored.name + "': a row of " +
                                           std::to_string(row.size()) + " bytes instead of " +
                                           std::to_string(row_bytes)};
    }
    images.add(hash, row.data(), row_bytes);
    return images.hashes.size() < kRestoredRows ? Status() : add();
  }));
  HOTROW_RETURN_IF_ERROR(add());
  table.restore_steps(stored.steps);
  return {};
}

Status LocalStore::restore(DenseParameter& dense, const StoredDense& stored) const {
  uint64_t seen = 0;
  const uint64_t all = dense.image_values();
  std::vector<float> values;  // bytes on disk lie anywhere
  HOTROW_RETURN_IF_ERROR(engine_->read(kDenseTable, [&](uint64_t key, auto bytes) -> Status {
    if (key >> 32 != stored.id) return {};
    const uint64_t from = (key & UINT32_MAX) * kChunkValues;
    values.resize(bytes.size() / sizeof(float));
    std::memcpy(values.data(), bytes.data(), values.size() * sizeof(float));
    if (from != seen || values.size() > all - seen) {
      return {StatusCode::kCorruption, "dense '" + stored.name + "': chunks do not fit together"};
    }
    dense.restore(from, values);
    seen += values.size();
    return {};
  }));
  if (seen == all) {
    dense.restore_steps(stored.steps);
    return {};
  }
  // Made since the newest version.
  if (seen == 0) return {};
  return {StatusCode::kCorruption, "dense '" + stored.name + "': " + std::to_string(seen) + " of " +
                                       std::to_string(all) + " values are there"};
}

}  // namespace hotrow
