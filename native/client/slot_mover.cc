#include "client/slot_mover.h"

#include <algorithm>
#include <optional>
#include <thread>

#include "base/dense_chunks.h"
#include "base/guarded.h"
#include "base/hash.h"
#include "base/random_id.h"
#include "base/slot_set.h"

namespace hotrow::client {

namespace {

using wire::Kind;
using wire::Verb;

// Of a page: pages of both servers are no longer than either of them takes.
constexpr uint64_t kMovedPageBytes = uint64_t{2} << 20;
// Longer than a leader waits for whoever makes a version.
constexpr std::chrono::seconds kPauseTime{75};
constexpr std::chrono::milliseconds kPauseLook{10};

uint64_t row_bytes(uint32_t dim, uint64_t state_values) {
  return sizeof(uint64_t) + sizeof(float) * (dim + state_values);
}

}  // namespace

RemoteSlotMover::~RemoteSlotMover() {
  resume_versions();
  cluster_->close();
}

Status RemoteSlotMover::greet() {
  for (uint32_t server = 0; server < servers_.size(); ++server) {
    const auto welcome = cluster_->peer(server).welcome(cluster_->deadline());
    if (!welcome.ok()) return welcome.status();
  }
  return {};
}

Result<uint32_t> RemoteSlotMover::position(std::string_view server) const {
  const auto at = std::ranges::find(servers_, server);
  if (at == servers_.end()) {
    return Status::invalid_argument("server: '" + std::string(server) +
                                    "' is not one of the servers of this mover");
  }
  return static_cast<uint32_t>(at - servers_.begin());
}

Result<std::string> RemoteSlotMover::call(uint32_t server, wire::Call call, Effect effect) {
  auto text = cluster_->call(server, call, Cluster::long_deadline(), effect);
  if (text.ok()) return text;
  return Status(text.status().code(), servers_[server] + ": " + text.status().message());
}

Result<MovedRows> RemoteSlotMover::held(std::string_view server) {
  return guarded([&]() -> Result<MovedRows> {
    const auto at = position(server);
    if (!at.ok()) return at.status();
    const auto all = ask<std::vector<ParameterInfo>>(at.value(), {.call = "list"});
    if (!all.ok()) return all.status();
    MovedRows held;
    for (const ParameterInfo& info : all.value()) {
      if (info.kind != ParameterKind::kTable || info.rows == 0) continue;
      const auto table = ask<wire::OpenedTable>(at.value(), {.call = "table", .name = info.name});
      if (!table.ok()) return table.status();
      held.rows += info.rows;
      held.bytes += info.rows * row_bytes(table.value().options.dim, table.value().state_values);
    }
    return held;
  });
}

Status RemoteSlotMover::pause_versions() {
  return guarded([&]() -> Status {
    resume_versions();
    leader_ = static_cast<uint32_t>(std::ranges::min_element(servers_) - servers_.begin());
    const std::string id = random_id() + " " + servers_[leader_];
    const auto end = std::chrono::steady_clock::now() + kPauseTime;
    for (;;) {
      const Status status = call(leader_, {.call = "begin", .name = id}).status();
      if (status.ok()) pause_ = id;
      const bool busy = status.code() == StatusCode::kBusy;
      if (!busy || std::chrono::steady_clock::now() >= end) return status;
      std::this_thread::sleep_for(kPauseLook);
    }
  });
}

void RemoteSlotMover::resume_versions() {
  if (pause_.empty()) return;
  // A leader that is gone forgets it; one that is not drops it with this session.
  (void)cluster_->call(leader_, {.call = "resolve", .name = pause_}, cluster_->deadline(),
                       Effect::kReads);
  pause_.clear();
}

Result<uint64_t> RemoteSlotMover::version_of(uint32_t server) {
  const auto info = ask<VersionInfo>(server, {.call = "version"});
  if (info.status().code() == StatusCode::kUnsupported) return uint64_t{0};
  if (!info.ok()) return info.status();
  return info.value().version;
}

Result<RemoteSlotMover::OfTable> RemoteSlotMover::open(const std::string& name) {
  const auto from = ask<wire::OpenedTable>(from_, {.call = "table", .name = name});
  if (!from.ok()) return from.status();
  const TableOptions& options = from.value().options;
  const auto to =
      ask<wire::OpenedTable>(to_, {.call = "table", .name = name, .flag = true, .table = options});
  if (!to.ok()) return to.status();
  if (!(to.value().options == options)) {
    return Status::conflict("table '" + name + "' has other options on " + servers_[to_] +
                            " than on " + servers_[from_]);
  }
  return OfTable{.options = options,
                 .state_values = from.value().state_values,
                 .from = from.value().parameter,
                 .to = to.value().parameter};
}

Result<MovedRows> RemoteSlotMover::copy(const SlotGroup& group) {
  return guarded([&]() -> Result<MovedRows> {
    const auto from = position(group.from);
    const auto to = position(group.to);
    if (!from.ok()) return from.status();
    if (!to.ok()) return to.status();
    from_ = from.value();
    to_ = to.value();
    slots_ = group.slots;
    tables_.clear();
    stamps_.clear();
    // Lets the old server know of this mover, so that it refuses those before.
    HOTROW_RETURN_IF_ERROR(thaw());
    const auto version = version_of(from_);
    if (!version.ok()) return version.status();
    version_ = version.value();
    const auto erased =
        ask<uint64_t>(to_, {.call = "expectSlots", .other = slots_, .number = lock_});
    if (!erased.ok()) return erased.status();
    MovedRows moved;
    HOTROW_RETURN_IF_ERROR(bring_all(moved));
    const auto made = ask<VersionInfo>(to_, {.call = "commit", .flag = true}, Effect::kOnce);
    if (!made.ok() && made.status().code() != StatusCode::kUnsupported) return made.status();
    return moved;
  });
}

Result<MovedRows> RemoteSlotMover::freeze() {
  return guarded([&]() -> Result<MovedRows> {
    const auto version =
        ask<uint64_t>(from_, {.call = "freezeSlots", .other = slots_, .number = lock_});
    if (!version.ok()) return version.status();
    if (version.value() != version_) {
      HOTROW_RETURN_IF_ERROR(thaw());
      return Status(StatusCode::kBusy,
                    servers_[from_] + " has made a version since its rows were copied");
    }
    MovedRows moved;
    HOTROW_RETURN_IF_ERROR(bring_all(moved));
    HOTROW_RETURN_IF_ERROR(
        call(from_, {.call = "closeSlots", .other = slots_, .number = lock_}).status());
    return moved;
  });
}

Status RemoteSlotMover::thaw() {
  return call(from_, {.call = "thawSlots", .other = slots_, .number = lock_}).status();
}

Status RemoteSlotMover::tell(std::string_view placement) {
  return guarded([&] {
    // In any order: the old one refuses the group already.
    const std::vector<uint32_t> both = {from_, to_};
    std::vector<wire::Call> calls;
    for (const uint32_t server : both) {
      calls.push_back(
          {.call = "setPlacement", .name = servers_[server], .other = std::string(placement)});
    }
    return cluster_->call_each(both, calls, cluster_->deadline(), Effect::kReads).status();
  });
}

Status RemoteSlotMover::bring_all(MovedRows& moved) {
  const auto slots = parse_slots(slots_);
  if (!slots.ok()) return slots.status();
  const auto all = ask<std::vector<ParameterInfo>>(from_, {.call = "list", .chunks = true});
  if (!all.ok()) return all.status();
  for (const ParameterInfo& info : all.value()) {
    if (info.kind == ParameterKind::kDense) {
      if (!slots.value()[slot_of_dense(info.name, info.chunk)]) continue;
      const Status its = bring_dense(info, moved);
      // Dropped meanwhile.
      if (its.code() != StatusCode::kNotFound) HOTROW_RETURN_IF_ERROR(its);
      continue;
    }
    if (!tables_.contains(info.name)) {
      auto opened = open(info.name);
      // Dropped meanwhile.
      if (opened.status().code() == StatusCode::kNotFound) continue;
      if (!opened.ok()) return opened.status();
      tables_.emplace(info.name, std::move(opened).value());
    }
    HOTROW_RETURN_IF_ERROR(bring(tables_.at(info.name), moved));
  }
  return {};
}

RemoteSlotMover::Differs RemoteSlotMover::note(OfTable& table, Digests& before,
                                               const ScanPage& page, uint32_t i) {
  Xxh3 sum;
  const auto add = [&sum, i](const std::vector<float>& values, size_t width) {
    sum.add({reinterpret_cast<const char*>(values.data() + i * width), width * sizeof(float)});
  };
  add(page.rows, table.options.dim);
  add(page.state, table.state_values);
  const Digest digest{sum.value(), page.heats.empty() ? kNoHeat : page.heats[i]};
  table.digests[page.keys[i]] = digest;
  const auto known = before.find(page.keys[i]);
  Differs differs{true, digest.heat != kNoHeat};
  if (known == before.end()) return differs;
  differs.row = known->second.row != digest.row;
  // A row that comes again is as if just used.
  differs.heat = differs.heat && (differs.row || known->second.heat != digest.heat);
  before.erase(known);
  return differs;
}

Status RemoteSlotMover::bring(OfTable& table, MovedRows& moved) {
  const auto stats = ask<TableStats>(from_, {.call = "tableStats", .parameter = table.from});
  if (!stats.ok()) return stats.status();
  const bool steps = stats.value().steps > table.steps;
  table.steps = stats.value().steps;
  Digests before = std::exchange(table.digests, {});
  table.digests.reserve(before.size());
  std::vector<uint32_t> changed;
  std::vector<uint32_t> used;
  bool sent = false;
  std::optional<uint64_t> at = 0;
  while (at) {
    const auto read = read_page(table, *at);
    if (!read.ok()) return read.status();
    const ScanPage& page = read.value();
    at = page.next;
    changed.clear();
    used.clear();
    for (uint32_t i = 0; i < page.keys.size(); ++i) {
      const Differs differs = note(table, before, page, i);
      if (differs.row) changed.push_back(i);
      if (differs.heat) used.push_back(i);
    }
    // Once at least where only the count of steps has changed.
    if (!changed.empty() || (!at && steps && !sent)) {
      HOTROW_RETURN_IF_ERROR(send_rows(table, page, changed));
      sent = true;
    }
    if (!used.empty()) HOTROW_RETURN_IF_ERROR(send_heats(table, page, used));
    moved.rows += changed.size();
    moved.bytes += changed.size() * row_bytes(table.options.dim, table.state_values);
  }
  std::vector<uint64_t> gone;
  gone.reserve(before.size());
  for (const auto& [key, digest] : before) gone.push_back(key);
  moved.rows += gone.size();
  return gone.empty() ? Status() : erase(table, gone);
}

Result<ScanPage> RemoteSlotMover::read_page(const OfTable& table, uint64_t from) {
  wire::CallOptions options;
  options.flags = wire::kWantsState;
  const auto knows = [&](size_t server) { return cluster_->peer(server).knows(wire::kKnowsHeats); };
  if (knows(from_) && knows(to_)) options.flags |= wire::kWantsHeats;
  options.from = from;
  options.most = std::max<uint64_t>(cluster_->most_piece_bytes(kMovedPageBytes) /
                                        row_bytes(table.options.dim, table.state_values),
                                    1);
  Exchange exchange(Verb::kScanSlots, Effect::kReads);
  exchange.generation = cluster_->peer(from_).generation();
  exchange.request.add(0, table.from, options);
  exchange.request.add_text(slots_);
  PageReply reply;
  HOTROW_RETURN_IF_ERROR(cluster_->peer(from_).run(exchange, reply, cluster_->deadline()));
  return reply.page(table.options.dim, table.state_values);
}

Status RemoteSlotMover::take(Exchange& exchange, uint32_t parameter, uint64_t steps) {
  wire::CallOptions options;
  options.steps = steps;
  options.from = lock_;
  exchange.generation = cluster_->peer(to_).generation();
  exchange.request.add(0, parameter, options);
  CountReply reply;
  return cluster_->peer(to_).run(exchange, reply, cluster_->deadline());
}

Status RemoteSlotMover::send_rows(const OfTable& table, const ScanPage& page,
                                  std::span<const uint32_t> rows) {
  std::vector<uint64_t> keys;
  keys.reserve(rows.size());
  for (const uint32_t row : rows) keys.push_back(page.keys[row]);
  const std::vector<float> values = gather(page.rows, table.options.dim, rows);
  const std::vector<float> state = gather(page.state, table.state_values, rows);
  Exchange exchange(Verb::kTake, Effect::kChanges);
  exchange.request.add<uint64_t>(0, table.to, Kind::kKeys, keys);
  exchange.request.add<float>(0, table.to, Kind::kRows, values, table.options.dim);
  if (table.state_values > 0) {
    exchange.request.add<float>(0, table.to, Kind::kState, state,
                                static_cast<uint32_t>(table.state_values));
  }
  return take(exchange, table.to, table.steps);
}

Status RemoteSlotMover::send_heats(const OfTable& table, const ScanPage& page,
                                   std::span<const uint32_t> rows) {
  const std::vector<uint64_t> keys = gather(page.keys, 1, rows);
  std::vector<uint32_t> heats = gather(page.heats, 1, rows);
  heats.push_back(page.heats.back());
  Exchange exchange(Verb::kTake, Effect::kChanges);
  exchange.request.add<uint64_t>(0, table.to, Kind::kKeys, keys);
  exchange.request.add<uint32_t>(0, table.to, Kind::kHeats, heats);
  return take(exchange, table.to, 0);
}

Status RemoteSlotMover::erase(const OfTable& table, std::span<const uint64_t> keys) {
  constexpr size_t kMost = 4096;
  for (size_t at = 0; at < keys.size(); at += kMost) {
    Exchange exchange(Verb::kTake, Effect::kChanges);
    exchange.request.add<uint64_t>(0, table.to, Kind::kKeys,
                                   keys.subspan(at, std::min(kMost, keys.size() - at)));
    HOTROW_RETURN_IF_ERROR(take(exchange, table.to, 0));
  }
  return {};
}

Status RemoteSlotMover::bring_dense(const ParameterInfo& info, MovedRows& moved) {
  if (info.chunk.used() && !cluster_->peer(to_).knows(wire::kKnowsDenseChunks)) {
    return {StatusCode::kUnsupported, servers_[to_] + " knows no chunks of dense parameters"};
  }
  const auto from =
      ask<wire::OpenedDense>(from_, {.call = "dense", .name = info.name, .chunks = true});
  if (!from.ok()) return from.status();
  const auto to = ask<wire::OpenedDense>(to_, {.call = "dense",
                                               .name = info.name,
                                               .flag = true,
                                               .chunks = true,
                                               .dense = from.value().options});
  if (!to.ok()) return to.status();
  DenseStamp& known = stamps_[info.name];
  DenseStamp stamp;
  std::vector<float> values;
  std::vector<float> state;
  uint64_t steps = 0;
  Reply pulled([&](const wire::Section& section) -> std::span<std::byte> {
    if (section.kind == Kind::kCount) return std::as_writable_bytes(std::span(&steps, 1));
    if (section.kind == Kind::kStamp) return std::as_writable_bytes(std::span(&stamp, 1));
    std::vector<float>& its = section.kind == Kind::kValues ? values : state;
    its.resize(section.bytes / sizeof(float));
    return std::as_writable_bytes(std::span(its));
  });
  wire::CallOptions options;
  options.flags = wire::kWantsState;
  Exchange pull(Verb::kPull, Effect::kReads);
  pull.generation = cluster_->peer(from_).generation();
  pull.request.add(0, from.value().parameter, options);
  if (cluster_->peer(from_).knows(wire::kKnowsDenseChunks)) {
    pull.request.add(0, from.value().parameter, known);
  }
  HOTROW_RETURN_IF_ERROR(cluster_->peer(from_).run(pull, pulled, cluster_->deadline()));
  // The new server has it as it is.
  if (stamp.run != 0 && stamp == known) return {};
  Exchange exchange(Verb::kTake, Effect::kChanges);
  exchange.request.add<float>(0, to.value().parameter, Kind::kValues, values);
  if (!state.empty()) exchange.request.add<float>(0, to.value().parameter, Kind::kState, state);
  HOTROW_RETURN_IF_ERROR(take(exchange, to.value().parameter, steps));
  moved.bytes += (values.size() + state.size()) * sizeof(float);
  known = stamp;
  return {};
}

}  // namespace hotrow::client

namespace hotrow {

Result<std::unique_ptr<SlotMover>> SlotMover::connect(const ConnectOptions& options,
                                                      uint64_t lock) {
  using Made = Result<std::unique_ptr<SlotMover>>;
  return guarded([&]() -> Made {
    HOTROW_RETURN_IF_ERROR(options.validate());
    if (lock == 0) return Status::invalid_argument("lock: expected a number above 0");
    std::vector<net::Address> addresses;
    for (const std::string& server : options.servers) {
      auto address = net::parse_address(server);
      if (!address.ok()) return address.status();
      addresses.push_back(std::move(address).value());
    }
    auto credentials = client::read_credentials(options.tls);
    if (!credentials.ok()) return credentials.status();
    auto cluster =
        std::make_shared<client::Cluster>(options, addresses, std::move(credentials).value());
    auto mover =
        std::make_unique<client::RemoteSlotMover>(std::move(cluster), options.servers, lock);
    HOTROW_RETURN_IF_ERROR(mover->greet());
    return Made(std::move(mover));
  });
}

}  // namespace hotrow
