#include "store/local_store.h"

#include <algorithm>
#include <functional>
#include <utility>

#include "base/batch_check.h"
#include "base/dense_chunks.h"
#include "base/hash.h"

namespace hotrow {

namespace {

Status check_name(std::string_view name) {
  if (!name.empty() && name.size() <= kMaxNameBytes) return {};
  return Status::invalid_argument("name: expected 1 to 255 bytes of UTF-8, received " +
                                  std::to_string(name.size()));
}

/// The first option in which two sets differ, or empty.
std::string first_difference(const TableOptions& a, const TableOptions& b) {
  if (a.dim != b.dim) {
    return "dim: it has " + std::to_string(a.dim) + ", received " + std::to_string(b.dim);
  }
  if (a.value_type != b.value_type) return "valueType";
  if (a.rounding != b.rounding) return "rounding";
  if (a.optimizer != b.optimizer) return "optimizer";
  if (a.initializer != b.initializer) return "initializer";
  if (a.missing != b.missing) return "missing";
  if (a.non_finite != b.non_finite) return "nonFinite";
  if (a.admission != b.admission) return "admission";
  if (a.eviction != b.eviction) return "eviction";
  if (a.hot_keys != b.hot_keys) return "hotKeys";
  if (a.seed != b.seed) return "seed";
  if (a.groups != b.groups) return "groups";
  return {};
}

std::string first_difference(const DenseOptions& a, const DenseOptions& b) {
  if (a.shape != b.shape) return "shape";
  if (a.optimizer != b.optimizer) return "optimizer";
  if (a.initializer != b.initializer) return "initializer";
  if (a.non_finite != b.non_finite) return "nonFinite";
  if (a.seed != b.seed) return "seed";
  if (a.chunk != b.chunk) return "chunk";
  return {};
}

/// Of a parameter, and of a chunk of one, which has a longer name.
Status check_dense_name(std::string_view name, const DenseOptions& options) {
  return check_name(options.chunk.used() ? whole_name(name) : name);
}

Status wrong_kind(std::string_view name, const char* word) {
  return Status::conflict("'" + std::string(name) + "' exists and is not a " + word);
}

Status nothing_called(std::string_view name) {
  return Status::not_found("nothing is called '" + std::string(name) + "'");
}

/// What the newest version has under the name, or null.
template <class Stored>
const Stored* find_stored(const std::vector<Stored>& all, std::string_view name) {
  const auto found = std::ranges::find(all, name, &Stored::name);
  return found == all.end() ? nullptr : &*found;
}

template <class Stored, class Options>
Status check_same(const Stored& stored, const Options& options, const char* word) {
  const std::string difference = first_difference(stored.options, options);
  if (difference.empty()) return {};
  return Status::conflict(std::string(word) + " '" + stored.name +
                          "' exists with other options: " + difference);
}

/// An existing parameter, if it is of the kind and has the options asked for.
template <class Kind, class Options, class Parameter>
Result<std::shared_ptr<Kind>> reopen(const Parameter& parameter, std::string_view name,
                                     const Options& options, const char* word) {
  const auto* const same_kind = std::get_if<std::shared_ptr<Kind>>(&parameter);
  if (same_kind == nullptr) return wrong_kind(name, word);
  const std::string difference = first_difference((*same_kind)->options(), options);
  if (difference.empty()) return *same_kind;
  return Status::conflict(std::string(word) + " '" + std::string(name) +
                          "' exists with other options: " + difference);
}

}  // namespace

LocalStore::LocalStore(std::string path, const StoreOptions& options)
    : path_(std::move(path)),
      options_(options),
      context_(options.memory_bytes, options.threads),
      keeper_(options.background_share) {
  context_.read_only = options.read_only;
}

Status LocalStore::check_open() const {
  if (closed_) return Status::closed("the store '" + path_ + "' is closed");
  return broken_;
}

// What a store opened for reading does not have, it cannot make.
Status LocalStore::check_there(std::string_view name, const char* word) const {
  if (!options_.read_only) return {};
  return Status::not_found("the version has no " + std::string(word) + " '" + std::string(name) +
                           "'");
}

LocalStore::Parameter* LocalStore::find(std::string_view name) {
  const auto found = parameters_.find(name);
  return found == parameters_.end() ? nullptr : &found->second;
}

Result<std::shared_ptr<Table>> LocalStore::table(std::string_view name,
                                                 const TableOptions& options) {
  HOTROW_RETURN_IF_ERROR(check_name(name));
  HOTROW_RETURN_IF_ERROR(options.validate());
  TableOptions complete = options;
  if (complete.seed == 0) complete.seed = seed_of_name(name);
  // Of this process alone: no version and no other opener is asked about it.
  complete.gpu = kGpuHalfOfRest;
  const MutexLock lock(mutex_);
  HOTROW_RETURN_IF_ERROR(check_open());
  if (const Parameter* existing = find(name)) {
    auto table = reopen<SparseTable>(*existing, name, complete, "table");
    if (!table.ok()) return table.status();
    return handle_of(table.value());
  }
  if (find_stored(manifest_.dense, name) != nullptr) return wrong_kind(name, "table");
  const StoredTable* stored = find_stored(manifest_.tables, name);
  if (stored != nullptr) HOTROW_RETURN_IF_ERROR(check_same(*stored, complete, "table"));
  if (stored == nullptr) HOTROW_RETURN_IF_ERROR(check_there(name, "table"));
  if (complete.eviction.demote && !engine_) {
    return Status(StatusCode::kUnsupported,
                  "eviction.demote: expected a store on disk, where rows can go");
  }
  auto table = SparseTable::create(std::string(name), complete, context_);
  if (!table.ok()) return table.status();
  if (engine_) HOTROW_RETURN_IF_ERROR(put_behind(table.value(), stored, complete));
  const auto added = parameters_.emplace(name, table.value()).first;
  try {
    keeper_.keep(table.value());
  } catch (const std::exception& error) {
    parameters_.erase(added);
    warmer_.forget(table.value().get());
    return Status::capacity(std::string("no thread to keep the table: ") + error.what());
  }
  if (gpu_) gpu_->add(table.value(), options.gpu);
  return handle_of(table.value());
}

// A new table gets what the newest version has of it, or its place in the next one.
Status LocalStore::put_behind(const std::shared_ptr<SparseTable>& table, const StoredTable* stored,
                              const TableOptions& options) {
  const StoredTable fresh{.id = manifest_.next_table, .name = table->name(), .options = options};
  const Status restored = restore(table, stored != nullptr ? *stored : fresh);
  if (!restored.ok()) {
    warmer_.forget(table.get());
    return restored;
  }
  if (stored == nullptr) {
    manifest_.tables.push_back(fresh);
    ++manifest_.next_table;
  }
  return {};
}

std::shared_ptr<Table> LocalStore::handle_of(const std::shared_ptr<SparseTable>& table) const {
  if (gpu_) {
    if (auto front = gpu_->in_front_of(table.get())) return front;
  }
  return table;
}

Result<std::shared_ptr<Dense>> LocalStore::dense(std::string_view name,
                                                 const DenseOptions& options) {
  HOTROW_RETURN_IF_ERROR(check_dense_name(name, options));
  HOTROW_RETURN_IF_ERROR(options.validate());
  DenseOptions complete = options;
  if (complete.seed == 0) complete.seed = seed_of_name(name);
  const MutexLock lock(mutex_);
  HOTROW_RETURN_IF_ERROR(check_open());
  if (const Parameter* existing = find(name)) {
    auto dense = reopen<DenseParameter>(*existing, name, complete, "dense parameter");
    if (!dense.ok()) return dense.status();
    return std::shared_ptr<Dense>(std::move(dense).value());
  }
  if (find_stored(manifest_.tables, name) != nullptr) return wrong_kind(name, "dense parameter");
  const StoredDense* stored = find_stored(manifest_.dense, name);
  if (stored != nullptr) HOTROW_RETURN_IF_ERROR(check_same(*stored, complete, "dense parameter"));
  if (stored == nullptr) HOTROW_RETURN_IF_ERROR(check_there(name, "dense parameter"));
  auto dense = DenseParameter::create(std::string(name), complete, context_);
  if (!dense.ok()) return dense.status();
  if (engine_) {
    const StoredDense fresh{
        .id = manifest_.next_dense, .name = std::string(name), .options = complete};
    HOTROW_RETURN_IF_ERROR(restore(*dense.value(), stored != nullptr ? *stored : fresh));
    if (stored == nullptr) {
      manifest_.dense.push_back(fresh);
      ++manifest_.next_dense;
    }
  }
  parameters_.emplace(name, dense.value());
  return std::shared_ptr<Dense>(std::move(dense).value());
}

Result<std::shared_ptr<Table>> LocalStore::table(std::string_view name) {
  TableOptions options;
  {
    const MutexLock lock(mutex_);
    HOTROW_RETURN_IF_ERROR(check_open());
    if (const Parameter* existing = find(name)) {
      const auto* const table = std::get_if<std::shared_ptr<SparseTable>>(existing);
      if (table == nullptr) return wrong_kind(name, "table");
      return handle_of(*table);
    }
    const StoredTable* const stored = find_stored(manifest_.tables, name);
    if (stored == nullptr) {
      return find_stored(manifest_.dense, name) != nullptr ? wrong_kind(name, "table")
                                                           : nothing_called(name);
    }
    options = stored->options;
  }
  // Dropped meanwhile, it begins anew.
  return table(name, options);
}

Result<std::shared_ptr<Dense>> LocalStore::dense(std::string_view name) {
  DenseOptions options;
  {
    const MutexLock lock(mutex_);
    HOTROW_RETURN_IF_ERROR(check_open());
    if (const Parameter* existing = find(name)) {
      const auto* const dense = std::get_if<std::shared_ptr<DenseParameter>>(existing);
      if (dense == nullptr) return wrong_kind(name, "dense parameter");
      return std::shared_ptr<Dense>(*dense);
    }
    const StoredDense* const stored = find_stored(manifest_.dense, name);
    if (stored == nullptr) {
      return find_stored(manifest_.tables, name) != nullptr ? wrong_kind(name, "dense parameter")
                                                            : nothing_called(name);
    }
    options = stored->options;
  }
  return dense(name, options);
}

Result<LocalStore::OwnTable> LocalStore::own_table(const char* argument, size_t index,
                                                   Table* table) const {
  auto* const front = dynamic_cast<DeviceTable*>(table);
  auto* const sparse = front != nullptr ? &front->table() : dynamic_cast<SparseTable*>(table);
  if (sparse != nullptr && &sparse->context() == &context_) return OwnTable{sparse, front};
  return Status::invalid_argument(std::string(argument) + "[" + std::to_string(index) +
                                  "]: expected a table of this store");
}

Status LocalStore::lookup_all(std::span<const TableLookup> lookups) {
  std::vector<OwnTable> tables;
  for (size_t i = 0; i < lookups.size(); ++i) {
    const auto table = own_table("requests", i, lookups[i].table);
    if (!table.ok()) return table.status();
    tables.push_back(table.value());
    HOTROW_RETURN_IF_ERROR(table.value().table->check_lookup(lookups[i]));
  }
  HOTROW_RETURN_IF_ERROR(check_apart(lookups));
  // Of one version, all of them.
  const Call under_way(*context_.call_gate);
  for (size_t i = 0; i < lookups.size(); ++i) {
    const auto [table, front] = tables[i];
    HOTROW_RETURN_IF_ERROR(front != nullptr ? front->lookup_into(lookups[i])
                                            : table->lookup_into(lookups[i]));
  }
  return {};
}

Status LocalStore::push_all(std::span<const TablePush> pushes) {
  std::vector<SparseTable::PushRequest> requests;
  std::vector<DeviceTable*> fronts;
  for (size_t i = 0; i < pushes.size(); ++i) {
    const auto table = own_table("requests", i, pushes[i].table);
    if (!table.ok()) return table.status();
    const auto [sparse, front] = table.value();
    const auto same = [&, own = sparse](const auto& request) { return request.table == own; };
    if (std::any_of(requests.begin(), requests.end(), same)) {
      return Status::invalid_argument("requests[" + std::to_string(i) +
                                      "]: expected each table "
                                      "once, received '" +
                                      sparse->name() + "' again");
    }
    requests.push_back({.table = sparse,
                        .keys = pushes[i].keys,
                        .gradients = pushes[i].gradients,
                        .options = pushes[i].options,
                        .times = pushes[i].times});
    if (front != nullptr) fronts.push_back(front);
  }
  if (fronts.empty()) return SparseTable::push_all(requests);
  return DeviceTable::push_all(requests, fronts);
}

Result<std::vector<ParameterInfo>> LocalStore::list() {
  const MutexLock lock(mutex_);
  HOTROW_RETURN_IF_ERROR(check_open());
  std::vector<ParameterInfo> infos;
  for (const auto& [name, parameter] : parameters_) {
    if (const auto* table = std::get_if<std::shared_ptr<SparseTable>>(&parameter)) {
      infos.push_back(
          {name, ParameterKind::kTable, {(*table)->options().dim}, (*table)->size(), {}});
    } else {
      const auto& dense = std::get<std::shared_ptr<DenseParameter>>(parameter);
      const DenseOptions& its = dense->options();
      infos.push_back({name, ParameterKind::kDense, its.shape, 0, its.chunk});
    }
  }
  // And those on disk that nobody has asked for yet.
  for (const StoredTable& stored : manifest_.tables) {
    if (find(stored.name) != nullptr) continue;
    infos.push_back({stored.name, ParameterKind::kTable, {stored.options.dim}, stored.rows, {}});
  }
  for (const StoredDense& stored : manifest_.dense) {
    if (find(stored.name) != nullptr) continue;
    const DenseOptions& its = stored.options;
    infos.push_back({stored.name, ParameterKind::kDense, its.shape, 0, its.chunk});
  }
  std::ranges::sort(infos, {}, &ParameterInfo::name);
  return infos;
}

Status LocalStore::drop(std::string_view name) {
  HOTROW_RETURN_IF_ERROR(check_writable());
  const MutexLock committing(commit_mutex_);
  return drop_now(name);
}

Status LocalStore::drop_now(std::string_view name) {
  Parameter dropped;
  {
    const MutexLock lock(mutex_);
    HOTROW_RETURN_IF_ERROR(check_open());
    const StoredTable* const stored = find_stored(manifest_.tables, name);
    if (stored != nullptr) dropped_.push_back(stored->id);
    const bool on_disk = stored != nullptr || find_stored(manifest_.dense, name) != nullptr;
    std::erase_if(manifest_.tables, [&](const StoredTable& each) { return each.name == name; });
    std::erase_if(manifest_.dense, [&](const StoredDense& each) { return each.name == name; });
    const auto found = parameters_.find(name);
    if (found == parameters_.end()) {
      if (on_disk) return {};
      return nothing_called(name);
    }
    dropped = std::move(found->second);
    parameters_.erase(found);
  }
  end(dropped);
  return {};
}

void LocalStore::end(const Parameter& parameter) {
  const auto* const table = std::get_if<std::shared_ptr<SparseTable>>(&parameter);
  if (table != nullptr) {
    keeper_.forget(table->get());
    warmer_.forget(table->get());
  }
  std::visit([](const auto& each) { each->close(); }, parameter);
  // No call comes as far as the device any more.
  if (table != nullptr && gpu_) gpu_->remove(table->get());
}

Result<StoreStats> LocalStore::stats() {
  const MutexLock lock(mutex_);
  HOTROW_RETURN_IF_ERROR(check_open());
  StoreStats stats;
  stats.memory_bytes = context_.budget.limit();
  stats.memory_used_bytes = context_.budget.used();
  stats.threads = context_.pool.threads();
  for (const auto& [name, parameter] : parameters_) {
    if (const auto* table = std::get_if<std::shared_ptr<SparseTable>>(&parameter)) {
      ++stats.tables;
      // Closed tables are not in the map, and there is nothing else to refuse.
      const Result<TableStats> its = (*table)->memory_stats();
      if (!its.ok()) return its.status();
      stats.rows += its.value().rows;
      stats.row_memory_bytes += its.value().row_memory_bytes;
      stats.index_memory_bytes += its.value().index_memory_bytes;
      stats.filter_memory_bytes += its.value().filter_memory_bytes;
      stats.hot_keys_memory_bytes += its.value().hot_keys_memory_bytes;
    } else {
      const auto& dense = std::get<std::shared_ptr<DenseParameter>>(parameter);
      // One that is cut is counted where its first chunk is.
      if (dense->options().chunk.index == 0) ++stats.dense;
      stats.dense_memory_bytes += dense->memory_bytes();
    }
  }
  stats.latency = context_.latencies.summary();
  if (gpu_) stats.gpu = gpu_->stats();
  return stats;
}

void LocalStore::close() {
  const MutexLock committing(commit_mutex_);
  std::map<std::string, Parameter, std::less<>> parameters;
  {
    const MutexLock lock(mutex_);
    closed_ = true;
    parameters.swap(parameters_);
  }
  keeper_.stop();
  warmer_.stop();
  for (const auto& [name, parameter] : parameters) end(parameter);
  engine_.reset();
}

Result<std::shared_ptr<SyncWorker>> Store::worker(const WorkerOptions& options) {
  HOTROW_RETURN_IF_ERROR(options.validate());
  return Status(StatusCode::kUnsupported,
                "worker: the clock of a group is kept by servers, and '" + path() +
                    "' is a store of this process: connect() to a server of it");
}

}  // namespace hotrow
