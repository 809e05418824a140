// Versions of a store: the cut, its writing, and what table() and dense() bring back.
//
// A commit has three steps. cut: with the capacity gate held exclusively no call is under way that
// changes anything; every table freezes its changed rows and dense parameters are copied. write:
// the frozen rows of one shard after the other go into sorted files, while calls go on and save for
// themselves the frozen rows they are about to change. install: the files become the newest version
// together with its manifest, or, if anything failed before, everything counts as changed again.
#include <algorithm>
#include <cstring>
#include <utility>
#include <vector>

#include "base/background.h"
#include "base/failpoint.h"
#include "base/sort_unique.h"
#include "memory/epoch.h"
#include "store/collector.h"
#include "store/cut.h"
#include "store/disk_rows.h"
#include "store/version_names.h"

namespace hotrow {

namespace {

Status put_images(Engine::Version& version, const RowImages& images,
                  std::span<const uint32_t> order, size_t row_bytes) {
  for (const uint32_t i : order) {
    HOTROW_RETURN_IF_ERROR(
        version.put(images.hashes[i], std::span(images.bytes).subspan(i * row_bytes, row_bytes)));
  }
  return {};
}

}  // namespace

Result<VersionInfo> LocalStore::commit(const CommitOptions& options) {
  if (in_memory()) return no_versions();
  HOTROW_RETURN_IF_ERROR(check_writable());
  if (options.cursor.size() > kMaxCursorBytes) {
    return Status::invalid_argument("cursor: expected at most 1048576 bytes, received " +
                                    std::to_string(options.cursor.size()));
  }
  if (!options.name.empty()) HOTROW_RETURN_IF_ERROR(check_version_name(options.name));
  const MutexLock committing(commit_mutex_);
  // Most of it while calls go on; what they change meanwhile at the cut.
  for (const auto& front : fronts()) HOTROW_RETURN_IF_ERROR(front->bring_down_ahead());
  // From the cut to finish() nothing may fail: tables would stay frozen.
  ClusterPart part = options.cluster;
  std::unique_ptr<Cut> cut;
  {
    const MutexLock lock(mutex_);
    const std::string kept = options.keep_cursor ? manifest_.cursor : std::string();
    auto made = this->cut(options.keep_cursor ? kept : options.cursor, 0);
    if (!made.ok()) return made.status();
    cut = std::move(made).value();
  }
  cut->manifest.cluster = std::move(part);
  failpoint("commit.cut");
  return finish(*cut, options.name);
}

// Writes a cut; what it was made of counts as changed again when that fails.
Result<VersionInfo> LocalStore::finish(Cut& cut, std::string_view name) {
  Status written;
  try {
    written = write(cut);
  } catch (const std::bad_alloc&) {
    written = Status::capacity("no memory to write a version with");
  }
  if (!written.ok()) {
    // Before the gate: whoever holds it may wait for memory that images of this cut have.
    const EpochGuard guard;
    for (const CutTable& part : cut.tables) {
      part.table->rows_for_versions().thaw();
      (void)part.table->rows_for_versions().collected();
    }
  }
  {
    const ExclusiveLock gate(context_.capacity_gate);
    const EpochGuard guard;
    for (const CutTable& part : cut.tables) {
      part.table->finish_cut(written.ok());
    }
    if (!written.ok()) {
      for (const Cut::DensePart& part : cut.dense) part.dense->image_lost();
    }
  }
  if (!written.ok()) return written;
  {
    const MutexLock lock(mutex_);
    manifest_.adopt(cut.manifest);
    newest_bytes_ = cut.bytes;
    for (const TableId gone : cut.dropped) std::erase(dropped_, gone);
  }
  // The version is there, even if it cannot be named.
  const bool named = !name.empty() && set_name(name, cut.manifest.version).ok();
  remove_old_versions();
  VersionInfo info = cut.manifest.info();
  info.bytes = cut.bytes;
  info.kept = cut.kept;
  if (named) info.names.emplace_back(name);
  return info;
}

Result<std::unique_ptr<LocalStore::Cut>> LocalStore::cut(std::string_view cursor,
                                                         uint64_t rolled_back_to) {
  auto cut = std::make_unique<Cut>();
  HOTROW_RETURN_IF_ERROR(check_open());
  cut->manifest = manifest_;
  cut->manifest.parent = manifest_.version;
  cut->manifest.version = std::max(manifest_.version, last_number_) + 1;
  cut->manifest.time_ms = context_.clock.now_ms();
  cut->manifest.cursor = cursor;
  cut->manifest.rolled_back_to = rolled_back_to;
  cut->manifest.cluster = {};
  cut->dropped = dropped_;
  for (StoredTable& stored : cut->manifest.tables) {
    const auto open = parameters_.find(stored.name);
    // Tables that nobody asked for are as they were.
    if (open == parameters_.end()) continue;
    cut->tables.push_back({std::get<std::shared_ptr<SparseTable>>(open->second), stored.id});
  }
  cut->dense.reserve(cut->manifest.dense.size());
  // From here to the cut no push comes to a device.
  const auto in_front = fronts();
  std::vector<DeviceTable*> devices;
  devices.reserve(in_front.size());
  for (const auto& front : in_front) devices.push_back(front.get());
  const DeviceTable::Alone alone(devices);
  for (DeviceTable* device : devices) HOTROW_RETURN_IF_ERROR(device->bring_down_now());
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
  for (CutTable& part : cut->tables) {
    part.table->freeze();
    for (StoredTable& stored : cut->manifest.tables) {
      if (stored.id != part.id) continue;
      stored.steps = part.table->steps();
      stored.rows = part.table->size();
      // Of the others some are on disk only.
      if (!part.table->cold()) part.rows = stored.rows;
    }
  }
  return cut;
}

Status LocalStore::write(Cut& cut) {
  auto version = engine_->begin();
  if (!version.ok()) return version.status();
  Engine::Version& files = *version.value();
  const bool large = std::ranges::any_of(
      cut.tables, [](const CutTable& part) { return part.table->size() >= kRowsForThread; });
  HOTROW_RETURN_IF_ERROR(large ? behind_calls([&] { return write_files(files, cut); })
                               : write_files(files, cut));
  Delta delta = cut.manifest.delta();
  delta.dropped = cut.dropped;
  // Not behind calls: it holds RocksDB's locks, which lookups of cold rows may wait for.
  HOTROW_RETURN_IF_ERROR(files.install(delta));
  cut.bytes = delta.bytes();
  cut.kept = files.kept().ok();
  return {};
}

Status LocalStore::write_files(Engine::Version& files, const Cut& cut) const {
  for (const CutTable& part : cut.tables) {
    HOTROW_RETURN_IF_ERROR(write_table(files, part));
  }
  HOTROW_RETURN_IF_ERROR(files.begin_file(kDenseTable));
  for (const Cut::DensePart& part : cut.dense) {
    const std::span<const std::byte> bytes = std::as_bytes(std::span(part.image.values));
    for (uint64_t first = 0; first < bytes.size(); first += kDenseChunkBytes) {
      HOTROW_RETURN_IF_ERROR(
          files.put(dense_key(part.id, first / kDenseChunkBytes),
                    bytes.subspan(first, std::min(kDenseChunkBytes, bytes.size() - first))));
    }
  }
  return files.end_file();
}

// Later files replace: keys that went, some of which have come back; spilled rows; frozen rows as
// they lie; those that others saved.
Status LocalStore::write_table(Engine::Version& version, const CutTable& part) const {
  SparseTable& table = *part.table;
  const TableId id = part.id;
  uint64_t written = 0;
  RowMap& rows = table.rows_for_versions();
  const size_t row_bytes = table.rules().row_bytes();
  std::vector<uint64_t> removed = rows.removed();
  sort_unique(removed);
  HOTROW_RETURN_IF_ERROR(version.erase(id, removed));
  if (table.demotes()) {
    HOTROW_RETURN_IF_ERROR(version.begin_file(id));
    HOTROW_RETURN_IF_ERROR(
        table.each_spilled([&](uint64_t hash, Engine::Row row) { return version.put(hash, row); }));
    HOTROW_RETURN_IF_ERROR(version.end_file());
  }
  HOTROW_RETURN_IF_ERROR(version.begin_file(id));
  {
    Collector collector(rows);
    Collector::Piece piece;
    for (;;) {
      HOTROW_RETURN_IF_ERROR(collector.next(piece));
      if (piece.order.empty()) break;
      written += piece.order.size();
      HOTROW_RETURN_IF_ERROR(put_images(version, piece.images, piece.order, row_bytes));
    }
  }
  HOTROW_RETURN_IF_ERROR(version.end_file());
  RowImages images;
  for (const RowImages& saved : rows.collected()) images.append(saved, row_bytes);
  HOTROW_RETURN_IF_ERROR(version.begin_file(id));
  HOTROW_RETURN_IF_ERROR(put_images(version, images, images.sorted(), row_bytes));
  // Each frozen row is in one of the two files.
  written += images.hashes.size();
  const bool all = written > 0 && written == part.rows && !table.demotes();
  if (all) version.has_all_of(id);
  return version.end_file();
}

// Rows are read when they are asked for, and all of them behind that. A table that evicts has to
// know all of its rows from the start; one that demotes never does.
Status LocalStore::restore(const std::shared_ptr<SparseTable>& table, const StoredTable& stored) {
  HOTROW_RETURN_IF_ERROR(table->track_changes());
  table->restore_steps(stored.steps);
  const bool demotes = table->demotes();
  if (stored.rows == 0 && !demotes) return {};
  table->rows_for_versions().remember_gone(demotes);
  auto rows = std::make_shared<DiskRows>(engine_, stored, table->rules().row_bytes(), path_,
                                         context_.budget);
  HOTROW_RETURN_IF_ERROR(table->begin_cold(std::move(rows), stored.rows));
  if (demotes) return {};
  warmer_.warm(table, *engine_, stored);
  return table->rules().evicts() ? table->wait_until_warm() : Status();
}

Status LocalStore::restore_refused(const StoredTable& stored) const {
  return Status::capacity("table '" + stored.name + "': its " + std::to_string(stored.rows) +
                          " rows would not fit: " + context_.budget.in_use());
}

Status LocalStore::restore(DenseParameter& dense, const StoredDense& stored) const {
  auto values = read_dense(*engine_, stored, dense.image_values());
  if (!values.ok()) return values.status();
  // Made since the newest version.
  if (values.value().empty()) return {};
  dense.restore(values.value(), stored.steps);
  return {};
}

Result<std::vector<float>> LocalStore::read_dense(const Engine& engine, const StoredDense& stored,
                                                  uint64_t count) {
  std::vector<float> values;
  const auto damaged = [&](const std::string& what) {
    return Status(StatusCode::kCorruption, "dense '" + stored.name + "': " + what);
  };
  std::vector<uint64_t> keys;
  for (uint64_t chunk = 0; chunk * kDenseChunkBytes < count * sizeof(float); ++chunk) {
    keys.push_back(dense_key(stored.id, chunk));
  }
  uint64_t seen = 0;
  values.resize(count);
  HOTROW_RETURN_IF_ERROR(
      engine.read_rows(kDenseTable, keys, [&](size_t i, const Engine::Row* row) -> Status {
        if (row == nullptr) return {};
        const uint64_t from = i * kDenseChunkBytes;
        const uint64_t bytes = std::min(kDenseChunkBytes, count * sizeof(float) - from);
        if (row->size() != bytes) return damaged("a chunk of another size");
        std::memcpy(reinterpret_cast<std::byte*>(values.data()) + from, row->data(), bytes);
        ++seen;
        return {};
      }));
  if (seen == keys.size()) return values;
  if (seen == 0) return std::vector<float>();
  return damaged(std::to_string(seen) + " of " + std::to_string(keys.size()) + " chunks are there");
}

}  // namespace hotrow
