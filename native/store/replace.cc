// Going to another version in place: rollback(), apply(), refresh().
//
// All three find out which rows differ, read them while calls go on, promise the memory, and then
// keep all calls out for the moment in which the rows are replaced.
#include <algorithm>
#include <cstring>
#include <set>
#include <utility>

#include "base/sort_unique.h"
#include "memory/epoch.h"
#include "store/cut.h"

namespace hotrow {

/// What changes, step by step: of one table's steps a later one replaces what an earlier one did.
struct LocalStore::Replacement {
  struct TableStep {
    std::shared_ptr<SparseTable> table;
    StoredTable stored;
    RowImages rows;
    std::vector<uint64_t> gone;  // hashes; removed before the rows are put
    RestorePlan plan = {};

    /// Adds the rows of these hashes as `engine` has them.
    Status read(const Engine& engine, std::span<const uint64_t> hashes);
  };
  struct DenseStep {
    std::shared_ptr<DenseParameter> dense;
    StoredDense stored;
    std::vector<float> image;
    uint64_t chunks = 0;  // that were read, where they come one by one

    Status take_chunk(uint64_t chunk, Engine::Row bytes);
  };
  bool changes = false;  // rows count as changed since the last version
  std::vector<TableStep> tables;
  std::vector<DenseStep> dense;

  /// The table's step, of those from `from` on, or null.
  TableStep* step_of(TableId id, size_t from) {
    const auto of_table = [&](const TableStep& step) { return step.stored.id == id; };
    const auto found =
        std::find_if(tables.begin() + static_cast<ptrdiff_t>(from), tables.end(), of_table);
    return found == tables.end() ? nullptr : &*found;
  }
};

Status LocalStore::Replacement::TableStep::read(const Engine& engine,
                                                std::span<const uint64_t> hashes) {
  const size_t row_bytes = table->rules().row_bytes();
  return engine.read_rows(stored.id, hashes, [&](size_t i, const Engine::Row* row) -> Status {
    if (row == nullptr) {
      gone.push_back(hashes[i]);
      return {};
    }
    HOTROW_RETURN_IF_ERROR(check_row(stored, row->size(), row_bytes));
    rows.add(hashes[i], row->data(), row_bytes);
    return {};
  });
}

Status LocalStore::Replacement::DenseStep::take_chunk(uint64_t chunk, Engine::Row bytes) {
  const uint64_t all = image.size() * sizeof(float);
  const uint64_t from = chunk * kDenseChunkBytes;
  if (from >= all || bytes.size() != std::min(kDenseChunkBytes, all - from)) {
    return {StatusCode::kCorruption, "dense '" + stored.name + "': a chunk of another size"};
  }
  std::memcpy(reinterpret_cast<std::byte*>(image.data()) + from, bytes.data(), bytes.size());
  ++chunks;
  return {};
}

namespace {

/// Opens again when this ends.
class Closed {
 public:
  explicit Closed(CallGate& gate) : gate_(gate) { gate.close(); }
  ~Closed() { gate_.open(); }
  Closed(const Closed&) = delete;
  Closed& operator=(const Closed&) = delete;

 private:
  CallGate& gate_;
};

template <class Stored>
const Stored* with_id(const std::vector<Stored>& all, decltype(Stored::id) id) {
  const auto found = std::ranges::find(all, id, &Stored::id);
  return found == all.end() ? nullptr : &*found;
}

}  // namespace

// While the calls are kept out, so that what is counted stays so.
Status LocalStore::promise(Replacement& all) const {
  const EpochGuard guard;
  for (Replacement::TableStep& step : all.tables) {
    RowMap& rows = step.table->rows_for_versions();
    step.plan.changes = all.changes;
    if (step.table->demotes()) continue;
    if (!rows.promise_restore(step.rows, step.gone, step.plan)) {
      return restore_refused(step.stored);
    }
  }
  return {};
}

// While the calls are kept out.
Status LocalStore::replace(Replacement& all) {
  const EpochGuard guard;
  for (Replacement::TableStep& step : all.tables) {
    RowMap& rows = step.table->rows_for_versions();
    if (step.table->demotes()) {
      HOTROW_RETURN_IF_ERROR(
          step.table->replace_demoted(step.rows, step.gone, all.changes, step.stored.rows));
      step.table->restore_steps(step.stored.steps);
      continue;
    }
    std::vector<uint64_t> keys;
    keys.reserve(step.gone.size());
    for (const uint64_t hash : step.gone) keys.push_back(unmix64(hash));
    (void)rows.erase(keys);
    if (!rows.restore(step.rows, step.plan)) return restore_refused(step.stored);
    if (!all.changes) rows.forget_removed();
    step.table->restore_steps(step.stored.steps);
  }
  for (Replacement::DenseStep& step : all.dense) {
    step.dense->restore(step.image, step.stored.steps, all.changes);
  }
  return {};
}

// What fails now has replaced some rows and not others: the store is of no use until it is opened
// again.
Status LocalStore::replace_whole(Replacement& all) {
  if (gpu_) gpu_->forget();
  const Status replaced = guarded([&] { return replace(all); });
  if (replaced.ok()) return {};
  return {StatusCode::kInternal,
          "the store '" + path_ +
              "' is half at another version and must be opened again: " + replaced.message()};
}

// The hashes of a table's keys that versions after `from` up to the newest have changed.
Status LocalStore::changed_since(const Engine& then, uint64_t from, uint64_t to, TableId id,
                                 std::vector<uint64_t>& hashes) const {
  const VersionFolders& versions = engine_->versions();
  const size_t before = hashes.size();
  for (uint64_t version = from + 1; version <= to; ++version) {
    const auto delta = Delta::read(versions.delta(version));
    const bool fits = delta.ok() && delta.value().parent == version - 1 &&
                      delta.value().verify(versions.delta(version)).ok();
    if (fits) {
      HOTROW_RETURN_IF_ERROR(delta.value().each(
          versions.delta(version), [&](TableId table, uint64_t hash, const auto*) -> Status {
            if (table == id) hashes.push_back(hash);
            return {};
          }));
      continue;
    }
    // What lies between is not known any more: every row is compared.
    hashes.resize(before);
    return engine_->compare(then, id, [&](uint64_t hash, const auto*, const auto*) -> Status {
      hashes.push_back(hash);
      return {};
    });
  }
  return {};
}

Result<VersionInfo> LocalStore::rollback(std::string_view version, const ClusterPart& part) {
  if (in_memory()) return no_versions();
  HOTROW_RETURN_IF_ERROR(check_writable());
  const auto number = resolve(version);
  if (!number.ok()) return number.status();
  const MutexLock committing(commit_mutex_);
  const auto then = Engine::open_version(path_, number.value());
  if (!then.ok()) return then.status();
  const auto old = Manifest::parse(then.value()->manifest());
  if (!old.ok()) return old.status();
  // Tables and parameters are those of the version again.
  HOTROW_RETURN_IF_ERROR(drop_all_but(old.value()));
  for (const StoredTable& stored : old.value().tables) {
    HOTROW_RETURN_IF_ERROR(table(stored.name, stored.options).status());
  }
  for (const StoredDense& stored : old.value().dense) {
    HOTROW_RETURN_IF_ERROR(dense(stored.name, stored.options).status());
  }
  HOTROW_RETURN_IF_ERROR(wait_until_warm());
  // As in commit().
  ClusterPart its = part;
  std::unique_ptr<Cut> cut;
  HOTROW_RETURN_IF_ERROR(roll_back_to(*then.value(), old.value(), cut));
  cut->manifest.cluster = std::move(its);
  return finish(*cut, {});
}

Status LocalStore::drop_all_but(const Manifest& old) {
  std::vector<std::string> names;
  {
    const MutexLock lock(mutex_);
    HOTROW_RETURN_IF_ERROR(check_open());
    for (const StoredTable& now : manifest_.tables) {
      if (with_id(old.tables, now.id) == nullptr) names.push_back(now.name);
    }
    for (const StoredDense& now : manifest_.dense) {
      if (with_id(old.dense, now.id) == nullptr) names.push_back(now.name);
    }
  }
  for (const std::string& name : names) HOTROW_RETURN_IF_ERROR(drop_now(name));
  return {};
}

// A table is warm once and for all, and none is opened while mutex_ is held: whoever finds all of
// them warm with it held may go on.
Status LocalStore::wait_until_warm() {
  std::vector<std::shared_ptr<SparseTable>> tables;
  {
    const MutexLock lock(mutex_);
    for (const auto& [name, parameter] : parameters_) {
      const auto* const table = std::get_if<std::shared_ptr<SparseTable>>(&parameter);
      if (table != nullptr) tables.push_back(*table);
    }
  }
  for (const auto& table : tables) HOTROW_RETURN_IF_ERROR(table->wait_until_warm());
  return {};
}

Status LocalStore::check_warm() const {
  for (const auto& [name, parameter] : parameters_) {
    const auto* const table = std::get_if<std::shared_ptr<SparseTable>>(&parameter);
    if (table == nullptr || !(*table)->cold() || (*table)->demotes()) continue;
    return Status::conflict("table '" + name + "' was opened at the same time; once more");
  }
  return {};
}

// Reads what differs, twice: while calls go on, and what they have changed meanwhile once they are
// kept out.
Status LocalStore::roll_back_to(const Engine& then, const Manifest& old,
                                std::unique_ptr<Cut>& cut) {
  const MutexLock lock(mutex_);
  HOTROW_RETURN_IF_ERROR(check_open());
  HOTROW_RETURN_IF_ERROR(check_warm());
  Replacement all{.changes = true};
  std::vector<std::vector<uint64_t>> read(old.tables.size());
  std::vector<std::shared_ptr<SparseTable>> tables;
  tables.reserve(old.tables.size());
  for (const StoredTable& stored : old.tables) {
    tables.push_back(std::get<std::shared_ptr<SparseTable>>(*find(stored.name)));
  }
  const auto changed_now = [&](size_t i, std::vector<uint64_t>& hashes) {
    const EpochGuard guard;
    tables[i]->changed(hashes);
  };
  const auto read_some = [&](size_t i, std::span<const uint64_t> hashes) -> Status {
    Replacement::TableStep& step = all.tables.emplace_back(
        Replacement::TableStep{.table = tables[i], .stored = old.tables[i]});
    return step.read(then, hashes);
  };
  for (size_t i = 0; i < old.tables.size(); ++i) {
    changed_now(i, read[i]);
    if (with_id(manifest_.tables, old.tables[i].id) != nullptr) {
      HOTROW_RETURN_IF_ERROR(
          changed_since(then, old.version, manifest_.version, old.tables[i].id, read[i]));
    } else {
      // Dropped since: all of its rows come back, under a new number.
      HOTROW_RETURN_IF_ERROR(then.read(old.tables[i].id, [&](uint64_t hash, auto) -> Status {
        read[i].push_back(hash);
        return {};
      }));
    }
    sort_unique(read[i]);
    HOTROW_RETURN_IF_ERROR(read_some(i, read[i]));
  }
  for (const StoredDense& stored : old.dense) {
    auto& dense = std::get<std::shared_ptr<DenseParameter>>(*find(stored.name));
    auto image = read_dense(then, stored, dense->image_values());
    if (!image.ok()) return image.status();
    if (image.value().empty()) continue;
    all.dense.push_back({.dense = dense, .stored = stored, .image = std::move(image).value()});
  }
  const Closed closed(*context_.call_gate);
  for (size_t i = 0; i < old.tables.size(); ++i) {
    std::vector<uint64_t> now;
    changed_now(i, now);
    sort_unique(now);
    std::vector<uint64_t> more;
    std::ranges::set_difference(now, read[i], std::back_inserter(more));
    HOTROW_RETURN_IF_ERROR(read_some(i, more));
  }
  HOTROW_RETURN_IF_ERROR(promise(all));
  broken_ = replace_whole(all);
  HOTROW_RETURN_IF_ERROR(broken_);
  auto made = this->cut(old.cursor, old.version);
  if (!made.ok()) return made.status();
  cut = std::move(made).value();
  return {};
}

Status LocalStore::check_applicable(const Delta& delta) const {
  const auto refused = [&](const std::string& why) {
    return Status::conflict("the delta of version " + std::to_string(delta.version) + ": " + why);
  };
  if (delta.run != manifest_.run && manifest_.version != 0) {
    return refused("it is of another store (run " + delta.run + ", not " + manifest_.run + ")");
  }
  if (delta.parent != manifest_.version && delta.parent != 0) {
    return refused("it goes on from version " + std::to_string(delta.parent) +
                   ", the store is at " + std::to_string(manifest_.version));
  }
  for (const auto& [name, parameter] : parameters_) {
    const auto* const table = std::get_if<std::shared_ptr<SparseTable>>(&parameter);
    const bool changed = table != nullptr
                             ? (*table)->any_changed()
                             : std::get<std::shared_ptr<DenseParameter>>(parameter)->changed();
    const auto front = gpu_ && table != nullptr ? gpu_->in_front_of(table->get()) : nullptr;
    if (changed || (front != nullptr && front->dirty())) {
      return refused("'" + name + "' has changes of its own");
    }
  }
  return {};
}

// What is open of a version's table: of its name, kind and number. Another table that had the name
// before is not it.
std::shared_ptr<SparseTable> LocalStore::open_as(const StoredTable& stored) {
  const StoredTable* const now = with_id(manifest_.tables, stored.id);
  const Parameter* const open = find(stored.name);
  if (now == nullptr || now->name != stored.name || open == nullptr) return nullptr;
  const auto* const table = std::get_if<std::shared_ptr<SparseTable>>(open);
  return table != nullptr && (*table)->options() == stored.options ? *table : nullptr;
}

std::shared_ptr<DenseParameter> LocalStore::open_as(const StoredDense& stored) {
  const StoredDense* const now = with_id(manifest_.dense, stored.id);
  const Parameter* const open = find(stored.name);
  if (now == nullptr || now->name != stored.name || open == nullptr) return nullptr;
  const auto* const dense = std::get_if<std::shared_ptr<DenseParameter>>(open);
  return dense != nullptr && (*dense)->options() == stored.options ? *dense : nullptr;
}

// Adds the steps of one delta for what is open.
Status LocalStore::read_delta(const EachChange& each, const Manifest& manifest, Replacement& all) {
  const size_t first_table = all.tables.size();
  const size_t first_dense = all.dense.size();
  for (const StoredTable& stored : manifest.tables) {
    if (auto table = open_as(stored)) all.tables.push_back({.table = table, .stored = stored});
  }
  for (const StoredDense& stored : manifest.dense) {
    auto dense = open_as(stored);
    if (dense == nullptr) continue;
    const uint64_t values = dense->image_values();
    all.dense.push_back({.dense = dense, .stored = stored, .image = std::vector<float>(values)});
  }
  const auto add = [&](TableId id, uint64_t hash, const Engine::Row* row) -> Status {
    if (id == kDenseTable) {
      for (size_t i = first_dense; row != nullptr && i < all.dense.size(); ++i) {
        if (all.dense[i].stored.id != hash >> 32) continue;
        return all.dense[i].take_chunk(hash & UINT32_MAX, *row);
      }
      return {};
    }
    Replacement::TableStep* const step = all.step_of(id, first_table);
    if (step == nullptr) return {};  // nobody has it open
    if (row == nullptr) {
      step->gone.push_back(hash);
      return {};
    }
    const size_t row_bytes = step->table->rules().row_bytes();
    HOTROW_RETURN_IF_ERROR(check_row(step->stored, row->size(), row_bytes));
    step->rows.add(hash, row->data(), row_bytes);
    return {};
  };
  HOTROW_RETURN_IF_ERROR(each(add));
  for (size_t i = first_dense; i < all.dense.size(); ++i) {
    const Replacement::DenseStep& step = all.dense[i];
    const uint64_t bytes = step.image.size() * sizeof(float);
    const uint64_t chunks = (bytes + kDenseChunkBytes - 1) / kDenseChunkBytes;
    if (step.chunks == 0 || step.chunks == chunks) continue;
    return {StatusCode::kCorruption, "dense '" + step.stored.name +
                                         "': " + std::to_string(step.chunks) + " of " +
                                         std::to_string(chunks) + " chunks are there"};
  }
  // Those that have not changed.
  const auto begin = all.dense.begin() + static_cast<ptrdiff_t>(first_dense);
  all.dense.erase(
      std::remove_if(begin, all.dense.end(), [](const auto& step) { return step.chunks == 0; }),
      all.dense.end());
  return {};
}

// Adds the values of every open dense parameter, as `engine` has them.
Status LocalStore::read_all_dense(const Engine& engine, const Manifest& manifest,
                                  Replacement& all) {
  for (const StoredDense& stored : manifest.dense) {
    const auto dense = open_as(stored);
    if (dense == nullptr) continue;
    auto image = read_dense(engine, stored, dense->image_values());
    if (!image.ok()) return image.status();
    if (image.value().empty()) continue;
    all.dense.push_back({.dense = dense, .stored = stored, .image = std::move(image).value()});
  }
  return {};
}

// What a delta changes in memory and on disk.
Status LocalStore::read_applied(Delta& delta, const Manifest& manifest, const std::string& folder,
                                Engine::Version& version, Replacement& all) {
  if (delta.parent == manifest_.version) {
    const auto each = [&](const Delta::Visit& visit) { return delta.each(folder, visit); };
    HOTROW_RETURN_IF_ERROR(read_delta(each, manifest, all));
    return version.add(delta, folder);
  }
  // A snapshot, over what there is.
  const auto each = [&](const Delta::Visit& visit) {
    return go_over(delta, manifest, folder, version, visit);
  };
  HOTROW_RETURN_IF_ERROR(read_delta(each, manifest, all));
  delta.parent = manifest_.version;
  for (const StoredTable& now : manifest_.tables) {
    if (with_id(manifest.tables, now.id) == nullptr) delta.dropped.push_back(now.id);
  }
  return {};
}

Result<VersionInfo> LocalStore::apply(std::string_view delta_folder) {
  if (in_memory()) return no_versions();
  HOTROW_RETURN_IF_ERROR(check_writable());
  const std::string folder(delta_folder);
  const auto read = Delta::read(folder);
  if (!read.ok()) return read.status();
  Delta delta = read.value();
  HOTROW_RETURN_IF_ERROR(delta.verify(folder));
  const auto parsed = Manifest::parse(delta.manifest);
  if (!parsed.ok()) return parsed.status();
  const Manifest& manifest = parsed.value();
  if (manifest.version != delta.version || manifest.run != delta.run) {
    return Status(StatusCode::kCorruption, "'" + folder + "': its manifest is another version's");
  }
  const MutexLock committing(commit_mutex_);
  HOTROW_RETURN_IF_ERROR(wait_until_warm());
  {
    const MutexLock lock(mutex_);
    HOTROW_RETURN_IF_ERROR(check_open());
    HOTROW_RETURN_IF_ERROR(check_warm());
    if (delta.run == manifest_.run && delta.version <= manifest_.version) {
      return manifest_.info();
    }
    Replacement all;
    HOTROW_RETURN_IF_ERROR(check_applicable(delta));
    auto version = engine_->begin();
    if (!version.ok()) return version.status();
    HOTROW_RETURN_IF_ERROR(read_applied(delta, manifest, folder, *version.value(), all));
    const Closed closed(*context_.call_gate);
    // Calls that were under way have ended: once more.
    HOTROW_RETURN_IF_ERROR(check_applicable(delta));
    HOTROW_RETURN_IF_ERROR(promise(all));
    HOTROW_RETURN_IF_ERROR(version.value()->install(delta));
    broken_ = replace_whole(all);
    HOTROW_RETURN_IF_ERROR(broken_);
    adopt_whole(manifest);
    newest_bytes_ = delta.bytes();
  }
  close_parting();
  remove_old_versions();
  return version();
}

Result<VersionInfo> LocalStore::refresh() {
  if (!options_.read_only) {
    return Status(StatusCode::kUnsupported, "a store opened for writing makes its own versions");
  }
  const MutexLock committing(commit_mutex_);
  HOTROW_RETURN_IF_ERROR(wait_until_warm());
  HOTROW_RETURN_IF_ERROR(go_to_newest());
  close_parting();
  return version();
}

Status LocalStore::go_to_newest() {
  const MutexLock lock(mutex_);
  HOTROW_RETURN_IF_ERROR(check_open());
  HOTROW_RETURN_IF_ERROR(check_warm());
  const auto kept = engine_->versions().list();
  if (!kept.ok()) return kept.status();
  if (kept.value().empty() || kept.value().back() <= manifest_.version) return {};
  auto next = Engine::open_version(path_, 0);
  if (!next.ok()) return next.status();
  const auto parsed = Manifest::parse(next.value()->manifest());
  if (!parsed.ok()) return parsed.status();
  Replacement all;
  HOTROW_RETURN_IF_ERROR(read_difference(*next.value(), parsed.value(), all));
  const Closed closed(*context_.call_gate);
  HOTROW_RETURN_IF_ERROR(promise(all));
  broken_ = replace_whole(all);
  HOTROW_RETURN_IF_ERROR(broken_);
  engine_ = std::move(next).value();
  adopt_whole(parsed.value());
  return {};
}

// By the deltas from here to there, or by comparing every row where one is missing.
Status LocalStore::read_difference(const Engine& there, const Manifest& manifest,
                                   Replacement& all) {
  const VersionFolders& versions = engine_->versions();
  std::vector<Delta> deltas;
  for (uint64_t at = manifest_.version + 1; at <= manifest.version; ++at) {
    auto delta = Delta::read(versions.delta(at));
    if (!delta.ok() || delta.value().parent != at - 1 || delta.value().run != manifest_.run ||
        !delta.value().verify(versions.delta(at)).ok()) {
      break;
    }
    deltas.push_back(std::move(delta).value());
  }
  if (deltas.size() == manifest.version - manifest_.version) {
    for (const Delta& delta : deltas) {
      const auto each = [&](const Delta::Visit& visit) {
        return delta.each(versions.delta(delta.version), visit);
      };
      const Status status = read_delta(each, manifest, all);
      // Removed while it was read: compared instead.
      if (status.ok()) continue;
      all.tables.clear();
      all.dense.clear();
      return compare_all(there, manifest, all);
    }
    return {};
  }
  return compare_all(there, manifest, all);
}

Status LocalStore::compare_all(const Engine& there, const Manifest& manifest, Replacement& all) {
  for (const StoredTable& stored : manifest.tables) {
    const auto table = open_as(stored);
    if (table == nullptr) continue;
    Replacement::TableStep& step =
        all.tables.emplace_back(Replacement::TableStep{.table = table, .stored = stored});
    const size_t row_bytes = table->rules().row_bytes();
    const auto add = [&](uint64_t hash, const auto*, const Engine::Row* row) -> Status {
      if (row == nullptr) {
        step.gone.push_back(hash);
        return {};
      }
      HOTROW_RETURN_IF_ERROR(check_row(stored, row->size(), row_bytes));
      step.rows.add(hash, row->data(), row_bytes);
      return {};
    };
    HOTROW_RETURN_IF_ERROR(engine_->compare(there, stored.id, add));
  }
  return read_all_dense(there, manifest, all);
}

// Tables and parameters that the version does not have any more are closed.
void LocalStore::adopt_whole(const Manifest& manifest) {
  std::set<std::string> stay;
  for (const StoredTable& stored : manifest.tables) {
    if (open_as(stored) != nullptr) stay.insert(stored.name);
  }
  for (const StoredDense& stored : manifest.dense) {
    if (open_as(stored) != nullptr) stay.insert(stored.name);
  }
  std::vector<std::string> gone;
  for (const auto& [name, parameter] : parameters_) {
    if (!stay.contains(name)) gone.push_back(name);
  }
  for (const std::string& name : gone) {
    parting_.push_back(std::move(parameters_.at(name)));
    parameters_.erase(name);
  }
  manifest_ = manifest;
  context_.version_time_ms.store(manifest.time_ms, std::memory_order_relaxed);
  dropped_.clear();
}

void LocalStore::close_parting() {
  std::vector<Parameter> parting;
  {
    const MutexLock lock(mutex_);
    parting.swap(parting_);
  }
  for (const Parameter& each : parting) end(each);
}

}  // namespace hotrow
