#include "client/remote_store.h"

#include <algorithm>
#include <map>
#include <optional>
#include <utility>

#include "base/batch_check.h"
#include "base/check.h"
#include "base/guarded.h"
#include "client/remote_dense.h"
#include "client/remote_table.h"

namespace hotrow {

namespace client {

namespace {

using wire::Kind;

constexpr uint32_t kMostTimeoutMs = 86'400'000;
constexpr uint32_t kMostSpinUs = 1'000'000;
// Of the rows of one message about several tables: beyond it one message a table is no slower.
constexpr uint64_t kMostTogetherBytes = uint64_t{16} << 20;

// What a server says of a table decides how long arrays are.
template <class Options>
Status believable(const Options& options, uint64_t state_values) {
  constexpr uint64_t kMostState = uint64_t{kMaxDenseValues} * 4;
  if (options.validate().ok() && state_values <= kMostState) return {};
  return {StatusCode::kProtocol, "the server says of a table what cannot be"};
}

void add(StoreStats& sum, const StoreStats& its) {
  sum.memory_bytes += its.memory_bytes;
  sum.memory_used_bytes += its.memory_used_bytes;
  sum.row_memory_bytes += its.row_memory_bytes;
  sum.index_memory_bytes += its.index_memory_bytes;
  sum.filter_memory_bytes += its.filter_memory_bytes;
  sum.hot_keys_memory_bytes += its.hot_keys_memory_bytes;
  sum.dense_memory_bytes += its.dense_memory_bytes;
  sum.tables = std::max(sum.tables, its.tables);
  sum.dense += its.dense;
  sum.rows += its.rows;
  sum.threads += its.threads;
  // Percentiles of several servers cannot be added: those of the slowest to look up.
  if (its.latency.lookup.p99_ns >= sum.latency.lookup.p99_ns) sum.latency = its.latency;
}

// Where the rows of one of several lookups come in.
struct LookupPart {
  std::vector<float> landed;  // of rows that do not lie side by side
  std::span<float> rows;
  std::optional<Fold> fold;
  bool whole = false;  // the reply has had rows
};

// Copies rows that landed apart to where they are wanted.
void spread(std::span<const TableLookup> lookups, const std::vector<LookupPart>& parts) {
  for (size_t i = 0; i < lookups.size(); ++i) {
    if (parts[i].landed.empty()) continue;
    const TableLookup& its = lookups[i];
    const size_t dim = its.table->options().dim;
    const size_t stride = its.stride == 0 ? dim : its.stride;
    for (size_t row = 0; row < its.keys.size() * its.repeat; ++row) {
      std::copy_n(parts[i].landed.data() + row / its.repeat * dim, dim,
                  its.rows.data() + row * stride);
    }
  }
}

/// `bytes`: of all rows.
Status check_lookups(std::span<const TableLookup> lookups, const Cluster& cluster,
                     uint64_t& bytes) {
  for (size_t i = 0; i < lookups.size(); ++i) {
    const TableLookup& its = lookups[i];
    const auto table = table_of(its.table, cluster, i);
    if (!table.ok()) return table.status();
    HOTROW_RETURN_IF_ERROR(check_lookup(its, its.table->options().dim));
    if (!its.times.empty()) return own_times();
    bytes += its.keys.size() * its.table->options().dim * sizeof(float);
  }
  return check_apart(lookups);
}

}  // namespace

Result<RemoteTable*> table_of(Table* table, const Cluster& cluster, size_t i) {
  auto* const remote = dynamic_cast<RemoteTable*>(table);
  if (remote == nullptr || &remote->cluster() != &cluster) {
    return Status::invalid_argument("requests[" + std::to_string(i) +
                                    "]: expected a table of this store");
  }
  return remote;
}

Result<std::shared_ptr<Table>> RemoteStore::open_table(const wire::Call& call) {
  return guarded([&]() -> Result<std::shared_ptr<Table>> {
    const Deadline deadline = Cluster::long_deadline();  // its rows may have to be read first
    std::vector<wire::OpenedTable> opened;
    std::vector<uint64_t> generations;
    std::vector<uint32_t> servers;
    Status missing;
    const auto view = cluster_->view();
    for (const uint32_t server : view->members) {
      HOTROW_RETURN_IF_ERROR(cluster_->peer(server).welcome(deadline).status());
      const uint64_t generation = cluster_->peer(server).generation();
      auto its = cluster_->ask<wire::OpenedTable>(server, call, deadline, Effect::kReads);
      // One that joined later makes it when it is first asked for rows: Numbers::of().
      const bool joined = its.status().code() == StatusCode::kNotFound && view->epoch != 0;
      if (joined && !call.flag && view->several()) {
        missing = its.status();
        continue;
      }
      if (!its.ok()) return its.status();
      HOTROW_RETURN_IF_ERROR(believable(its.value().options, its.value().state_values));
      if (!opened.empty() && !(its.value().options == opened.front().options)) {
        return Status::conflict("table '" + call.name + "' has other options on " +
                                cluster_->peer(server).address().to_string() + " than on " +
                                cluster_->peer(view->only()).address().to_string());
      }
      servers.push_back(server);
      generations.push_back(generation);
      opened.push_back(std::move(its).value());
    }
    if (opened.empty()) return missing;
    return std::shared_ptr<Table>(
        std::make_shared<RemoteTable>(cluster_, servers, opened, generations));
  });
}

Result<std::shared_ptr<Table>> RemoteStore::table(std::string_view name,
                                                  const TableOptions& options) {
  return open_table({.call = "table", .name = std::string(name), .flag = true, .table = options});
}

Result<std::shared_ptr<Table>> RemoteStore::table(std::string_view name) {
  return open_table({.call = "table", .name = std::string(name)});
}

Result<std::shared_ptr<Dense>> RemoteStore::dense(std::string_view name,
                                                  const DenseOptions& options) {
  return RemoteDense::open(
      cluster_,
      {.call = "dense", .name = std::string(name), .flag = true, .chunks = true, .dense = options});
}

Result<std::shared_ptr<Dense>> RemoteStore::dense(std::string_view name) {
  return RemoteDense::open(cluster_, {.call = "dense", .name = std::string(name), .chunks = true});
}

// Of one server: one message with all tables. Rows of a request that are not side by side, or
// repeated, land apart and are copied. Several servers: one table after the other.
Status RemoteStore::lookup_all(std::span<const TableLookup> lookups) {
  const Traced traced(cluster_->sight(), "lookupAll");
  return guarded([&]() -> Status {
    std::vector<LookupPart> parts(lookups.size());
    const Deadline deadline = cluster_->deadline();
    Exchange exchange(wire::Verb::kLookup, Effect::kReads);
    uint64_t bytes = 0;
    HOTROW_RETURN_IF_ERROR(check_lookups(lookups, *cluster_, bytes));
    const auto view = cluster_->view();
    const bool several =
        view->several() || lookups.size() >= wire::kMostSections / 3 || bytes > kMostTogetherBytes;
    for (size_t i = 0; i < lookups.size(); ++i) {
      const TableLookup& its = lookups[i];
      const uint32_t dim = its.table->options().dim;
      const bool plain = its.repeat == 1 && (its.stride == 0 || its.stride == dim);
      if (!plain) parts[i].landed.resize(its.keys.size() * dim);
      parts[i].rows = plain ? its.rows.first(its.keys.size() * dim) : std::span(parts[i].landed);
      if (several) {
        HOTROW_RETURN_IF_ERROR(its.table->lookup(its.keys, parts[i].rows, its.options));
        continue;
      }
      auto* const table = static_cast<RemoteTable*>(its.table);
      auto number = table->number(view->only(), deadline);
      if (!number.ok()) return number.status();
      const Fold& fold = parts[i].fold.emplace(table->fold(its.keys));
      const auto part = static_cast<uint16_t>(i);
      exchange.names(number.value().generation);
      exchange.request.add(part, number.value().number, Kind::kKeys, fold.keys());
      table->add_times(view->only(), exchange.request, number.value().number, fold.times(), part);
      exchange.request.add(part, number.value().number, call_options(its.options));
    }
    if (!several && !lookups.empty()) {
      Reply reply([&](const wire::Section& section) -> std::span<std::byte> {
        if (section.part >= parts.size()) return {};
        if (section.kind == Kind::kRows) {
          LookupPart& its = parts[section.part];
          its.whole = true;
          const size_t dim = lookups[section.part].table->options().dim;
          return std::as_writable_bytes(its.rows.first(its.fold->keys().size() * dim));
        }
        if (section.kind != Kind::kFound) return {};
        const auto found = lookups[section.part].options.found;
        return std::as_writable_bytes(found.first(std::min<size_t>(found.size(), section.bytes)));
      });
      exchange.request.header().epoch = view->epoch;
      Traced::phase("wait");
      const Status status = cluster_->peer(view->only()).run(exchange, reply, deadline);
      const bool refused = status.code() == StatusCode::kWrongOwner;
      if (!refused) HOTROW_RETURN_IF_ERROR(status);
      for (size_t i = 0; i < parts.size(); ++i) {
        const TableLookup& its = lookups[i];
        // Its keys are with others by now: the table finds them.
        if (refused) {
          HOTROW_RETURN_IF_ERROR(its.table->lookup(its.keys, parts[i].rows, its.options));
        } else if (!parts[i].whole) {
          return {StatusCode::kProtocol, "a reply without rows"};
        } else {
          parts[i].fold->spread(parts[i].rows, its.table->options().dim);
          parts[i].fold->spread_bits(its.options.found);
        }
      }
    }
    Traced::phase("join");
    spread(lookups, parts);
    return {};
  });
}

Result<std::shared_ptr<SyncWorker>> RemoteStore::worker(const WorkerOptions& options) {
  const MutexLock lock(worker_mutex_);
  if (worker_ != nullptr && !worker_->gone()) {
    return Status::conflict("this store is worker " + std::to_string(worker_->options().index) +
                            " of group '" + worker_->options().group + "' already");
  }
  auto joined = RemoteWorker::join(cluster_, options);
  if (!joined.ok()) return joined.status();
  worker_ = std::move(joined).value();
  return std::shared_ptr<SyncWorker>(worker_);
}

Result<std::vector<ParameterInfo>> RemoteStore::list() {
  return guarded([&]() -> Result<std::vector<ParameterInfo>> {
    std::map<std::string, ParameterInfo> all;
    const auto view = cluster_->newest_view();
    for (const uint32_t server : view->members) {
      auto its = cluster_->ask<std::vector<ParameterInfo>>(server, {.call = "list"},
                                                           cluster_->deadline(), Effect::kReads);
      if (!its.ok()) return its.status();
      for (ParameterInfo& info : its.value()) {
        const uint64_t rows = info.rows;
        const auto [known, added] = all.try_emplace(info.name, std::move(info));
        if (!added) known->second.rows += rows;
      }
    }
    std::vector<ParameterInfo> infos;
    for (auto& [name, info] : all) infos.push_back(std::move(info));
    return infos;
  });
}

Status RemoteStore::of_all(const View& view, const wire::Call& call) {
  return guarded([&]() -> Status {
    for (const uint32_t server : view.members) {
      HOTROW_RETURN_IF_ERROR(cluster_->call(server, call, Cluster::long_deadline()).status());
    }
    return {};
  });
}

// Some have chunks of a dense parameter, and some have none.
Status RemoteStore::drop(std::string_view name) {
  return guarded([&]() -> Status {
    Status missing;
    bool dropped = false;
    const auto view = cluster_->newest_view();
    for (const uint32_t server : view->members) {
      const Status status =
          cluster_
              ->call(server, {.call = "drop", .name = std::string(name)}, Cluster::long_deadline())
              .status();
      if (status.ok()) {
        dropped = true;
      } else if (status.code() == StatusCode::kNotFound) {
        missing = status;
      } else {
        return status;
      }
    }
    return dropped ? Status() : missing;
  });
}

template <class T>
Result<T> RemoteStore::of_versions(uint32_t server, const wire::Call& call, Effect effect) {
  return guarded([&] { return cluster_->ask<T>(server, call, Cluster::long_deadline(), effect); });
}

Result<VersionInfo> RemoteStore::make_version(uint32_t server, const wire::Call& call) {
  // What was acknowledged before it was asked for is in it.
  const uint64_t acknowledged = cluster_->peer(server).acknowledged();
  auto made = of_versions<VersionInfo>(server, call, Effect::kOnce);
  if (made.ok()) cluster_->peer(server).committed(acknowledged);
  return made;
}

Result<VersionInfo> RemoteStore::commit(const CommitOptions& options) {
  const Traced traced(cluster_->sight(), "commit");
  const auto view = cluster_->newest_view();
  if (view->several()) return guarded([&] { return versions_.commit(options); });
  return make_version(view->only(), {.call = "commit",
                                     .name = std::string(options.name),
                                     .other = std::string(options.cursor),
                                     .flag = options.keep_cursor});
}

Result<VersionInfo> RemoteStore::version() {
  const auto view = cluster_->newest_view();
  if (view->several()) return guarded([&] { return versions_.version(); });
  return of_versions<VersionInfo>(view->only(), {.call = "version"}, Effect::kReads);
}

Result<std::vector<VersionInfo>> RemoteStore::versions() {
  const auto view = cluster_->newest_view();
  if (view->several()) return guarded([&] { return versions_.versions(); });
  return of_versions<std::vector<VersionInfo>>(view->only(), {.call = "versions"}, Effect::kReads);
}

Result<VersionInfo> RemoteStore::rollback(std::string_view version, const ClusterPart& /*part*/) {
  const auto view = cluster_->newest_view();
  if (view->several()) return guarded([&] { return versions_.rollback(version); });
  return make_version(view->only(), {.call = "rollback", .name = std::string(version)});
}

Status RemoteStore::name_version(std::string_view name, uint64_t version) {
  const auto view = cluster_->newest_view();
  if (view->several()) return guarded([&] { return versions_.name_version(name, version); });
  return of_all(*view, {.call = "nameVersion", .name = std::string(name), .number = version});
}

Status RemoteStore::pin_version(uint64_t version, bool pinned) {
  const auto view = cluster_->newest_view();
  if (view->several()) return guarded([&] { return versions_.pin_version(version, pinned); });
  return of_all(*view, {.call = "pinVersion", .number = version, .flag = pinned});
}

Result<VersionInfo> RemoteStore::apply(std::string_view) {
  return Status(StatusCode::kUnsupported, "apply: a delta's folder is the server's to apply");
}

Status RemoteStore::snapshot(std::string_view, std::string_view) {
  return {StatusCode::kUnsupported, "snapshot: a folder is the server's to write"};
}

Result<VersionInfo> RemoteStore::refresh() {
  const auto view = cluster_->newest_view();
  if (view->several()) {
    HOTROW_RETURN_IF_ERROR(of_all(*view, {.call = "refresh"}));
    return guarded([&] { return versions_.version(); });
  }
  return of_versions<VersionInfo>(view->only(), {.call = "refresh"}, Effect::kReads);
}

Result<std::vector<TableDiff>> RemoteStore::diff(std::string_view from, std::string_view to) {
  const auto view = cluster_->newest_view();
  if (view->several()) return guarded([&] { return versions_.diff(from, to); });
  return of_versions<std::vector<TableDiff>>(
      view->only(), {.call = "diff", .name = std::string(from), .other = std::string(to)},
      Effect::kReads);
}

Status RemoteStore::verify() { return of_all(*cluster_->newest_view(), {.call = "verify"}); }
Status RemoteStore::compact() { return of_all(*cluster_->newest_view(), {.call = "compact"}); }

Result<StoreStats> RemoteStore::stats() {
  return guarded([&]() -> Result<StoreStats> {
    StoreStats sum;
    RemoteStats remote;
    const auto view = cluster_->newest_view();
    for (const uint32_t server : view->members) {
      auto its = cluster_->ask<StoreStats>(server, {.call = "stats"}, cluster_->deadline(),
                                           Effect::kReads);
      if (!its.ok()) return its.status();
      add(sum, its.value());
      auto figures = cluster_->ask<ServerFigures>(server, {.call = "serverStats"},
                                                  cluster_->deadline(), Effect::kReads);
      if (figures.status().code() == StatusCode::kUnsupported) figures = ServerFigures();
      if (!figures.ok()) return figures.status();
      figures.value().server = cluster_->name(server);
      remote.servers.push_back(std::move(figures).value());
    }
    remote.latency = cluster_->sight().summaries();
    cluster_->count_hedges(remote);
    sum.remote = std::move(remote);
    return sum;
  });
}

void RemoteStore::close() {
  std::shared_ptr<RemoteWorker> worker;
  {
    const MutexLock lock(worker_mutex_);
    worker = std::move(worker_);
  }
  // Nobody is to wait for its lease.
  if (worker != nullptr) (void)worker->leave();
  cluster_->close();
}

}  // namespace client

Status ConnectOptions::validate() const {
  HOTROW_RETURN_IF_ERROR(client::check_servers(servers, tls));
  HOTROW_RETURN_IF_ERROR(client::check_followers(*this));
  HOTROW_RETURN_IF_ERROR(tls.validate());
  HOTROW_RETURN_IF_ERROR(expect_between(timeout_ms, "timeoutMs", 1, client::kMostTimeoutMs));
  return expect_between(spin_us, "spinUs", 0, client::kMostSpinUs);
}

Result<std::shared_ptr<Store>> connect(const ConnectOptions& options) {
  return guarded([&]() -> Result<std::shared_ptr<Store>> {
    HOTROW_RETURN_IF_ERROR(options.validate());
    std::vector<net::Address> addresses;
    for (const std::string& server : options.servers) {
      addresses.push_back(net::parse_address(server).value());
    }
    auto credentials = client::read_credentials(options.tls);
    if (!credentials.ok()) return credentials.status();
    std::shared_ptr<net::TraceFile> trace;
    if (!options.trace.empty()) {
      auto made = net::TraceFile::open(options.trace, "hotrow client");
      if (!made.ok()) return made.status();
      trace = std::move(made).value();
    }
    auto cluster = std::make_shared<client::Cluster>(
        options, addresses, std::move(credentials).value(), std::move(trace));
    if (!options.placement.empty()) HOTROW_RETURN_IF_ERROR(cluster->adopt(options.placement));
    HOTROW_RETURN_IF_ERROR(cluster->greet());
    HOTROW_RETURN_IF_ERROR(cluster->meet_followers());
    auto store = std::make_shared<client::RemoteStore>(std::move(cluster));
    HOTROW_RETURN_IF_ERROR(store->settle());
    return std::shared_ptr<Store>(std::move(store));
  });
}

}  // namespace hotrow
