#include "client/cluster.h"

#include <algorithm>
#include <random>
#include <set>
#include <utility>

namespace hotrow::client {

namespace {

// Between two looks at whether the server that refused, or this client, has heard of another map.
constexpr std::chrono::milliseconds kCatchUpPause{10};
// A last attempt that has no time for its answer would make an unknown outcome of a refusal.
constexpr std::chrono::milliseconds kLastAttempt{100};

std::vector<uint32_t> first(size_t n) {
  std::vector<uint32_t> all(n);
  for (uint32_t i = 0; i < n; ++i) all[i] = i;
  return all;
}

}  // namespace

Status check_servers(std::span<const std::string> servers, const ClientTls& tls,
                     std::string_view field) {
  const auto wrong = [field](const std::string& what) {
    return Status::invalid_argument(std::string(field) + ": " + what);
  };
  if (servers.empty()) return wrong("expected HOST:PORT of a server but received none");
  if (servers.size() > kMostServers) {
    return wrong("expected at most 1024 but received " + std::to_string(servers.size()));
  }
  std::set<std::string_view> seen;
  for (const std::string& server : servers) {
    const auto address = net::parse_address(server);
    if (!address.ok()) return wrong(address.status().message());
    if (address.value().port == 0) return wrong("'" + server + "' has no port");
    if (!net::is_loopback(address.value().host) && !tls.used()) {
      return wrong(
          "expected an address of this machine only (127.0.0.1, ::1, localhost) "
          "but received '" +
          server + "': beyond it nothing would be encrypted or authenticated without tls");
    }
    if (!seen.insert(server).second) return wrong("'" + server + "' appears twice");
  }
  return {};
}

Status check_followers(const ConnectOptions& options) {
  std::vector<std::string> all = options.servers;
  std::set<std::string_view> followed;
  for (const Followers& followers : options.followers) {
    if (std::ranges::find(options.servers, followers.of) == options.servers.end()) {
      return Status::invalid_argument("followers: '" + followers.of + "' is none of the servers");
    }
    if (!followed.insert(followers.of).second) {
      return Status::invalid_argument("followers: '" + followers.of + "' appears twice");
    }
    HOTROW_RETURN_IF_ERROR(check_servers(followers.servers, options.tls, "followers"));
    all.insert(all.end(), followers.servers.begin(), followers.servers.end());
  }
  if (!options.followers.empty() && options.transport != Transport::kTcp) {
    return {StatusCode::kUnsupported, "followers: with transport 'tcp' only"};
  }
  // Each is one server's, and no server itself.
  return options.followers.empty() ? Status() : check_servers(all, options.tls, "followers");
}

Cluster::Cluster(const ConnectOptions& options, const std::vector<net::Address>& addresses,
                 std::shared_ptr<const Credentials> credentials,
                 std::shared_ptr<net::TraceFile> trace)
    : options_(options),
      timeout_(options.timeout_ms),
      credentials_(std::move(credentials)),
      sight_(std::make_shared<Sight>(std::move(trace))) {
  for (size_t i = 0; i < addresses.size(); ++i) {
    peers_[i] = std::make_unique<Peer>(addresses[i], options, credentials_, sight_);
    names_[i] = options.servers[i];
    path_ += (path_.empty() ? "hotrow://" : ",") + addresses[i].to_string();
  }
  hedges_.resize(addresses.size());
  const MutexLock lock(mutex_);
  positions_ = addresses.size();
  for (const Followers& followers : options.followers) {
    std::vector<uint32_t> its;
    // As check_followers() has said they are good addresses, and not too many.
    for (const std::string& name : followers.servers) its.push_back(position(name).value());
    const auto of = std::ranges::find(options.servers, followers.of) - options.servers.begin();
    hedges_[static_cast<size_t>(of)] = std::make_unique<Hedge>(std::move(its));
  }
  view_ = std::make_shared<const View>(View{.epoch = 0,
                                            .digest = 0,
                                            .members = first(addresses.size()),
                                            .positions = positions_,
                                            .placement = Placement(options.servers)});
}

std::shared_ptr<const View> Cluster::view() const {
  const MutexLock lock(mutex_);
  return view_;
}

Result<uint32_t> Cluster::position(const std::string& name) {
  for (uint32_t i = 0; i < positions_; ++i) {
    if (names_[i] == name) return i;
  }
  if (positions_ == kMostServers) {
    return Status(StatusCode::kCapacity,
                  "placement: this client has known 1024 servers; connect again");
  }
  const auto address = net::parse_address(name);
  if (!address.ok()) return address.status();
  const auto made = static_cast<uint32_t>(positions_);
  peers_[made] = std::make_unique<Peer>(address.value(), options_, credentials_, sight_);
  names_[made] = name;
  ++positions_;
  return made;
}

Status Cluster::adopt(std::string_view text) {
  auto parsed = SlotMap::parse(text);
  if (!parsed.ok()) return parsed.status();
  const SlotMap& map = parsed.value();
  HOTROW_RETURN_IF_ERROR(check_servers(map.servers, options_.tls));
  const uint64_t digest = map.digest();
  const MutexLock lock(mutex_);
  if (map.epoch == view_->epoch && digest != view_->digest) {
    return Status::conflict("placement: another one of epoch " + std::to_string(map.epoch) +
                            " is known");
  }
  if (map.epoch <= view_->epoch) return {};
  std::vector<uint32_t> members;
  for (const std::string& server : map.servers) {
    auto its = position(server);
    if (!its.ok()) return its.status();
    members.push_back(its.value());
  }
  std::vector<uint16_t> slots;
  slots.reserve(kSlots);
  for (const uint16_t server : map.slots) slots.push_back(static_cast<uint16_t>(members[server]));
  inherit(slots);
  view_ = std::make_shared<const View>(View{.epoch = map.epoch,
                                            .digest = digest,
                                            .members = std::move(members),
                                            .positions = positions_,
                                            .placement = Placement(std::move(slots))});
  changed_.notify_all();
  return {};
}

void Cluster::inherit(const std::vector<uint16_t>& slots) {
  std::vector<bool> told(positions_);
  for (uint32_t slot = 0; slot < kSlots; ++slot) {
    const uint32_t before = view_->placement.server_of_slot(slot);
    const uint32_t now = slots[slot];
    if (before == now || told[now] || !peers_[before]->changed()) continue;
    told[now] = true;
    peers_[now]->inherit();
  }
}

Status Cluster::greet() {
  // Maps may name servers that nobody has asked yet: until no newer one comes.
  for (uint32_t known = 0;; known = view()->epoch) {
    const auto before = view();
    for (const uint32_t server : before->members) {
      const auto welcome = peer(server).welcome(deadline());
      if (!welcome.ok()) return welcome.status();
      if (welcome.value().epoch <= view()->epoch) continue;
      HOTROW_RETURN_IF_ERROR(take_map_of(server, deadline()));
    }
    if (view()->epoch == known) return {};
  }
}

// The newest version of a follower is one of its server's, who keeps the last ones only.
bool Cluster::may_follow(const Versions& follower, const Versions& server) {
  if (follower.empty() || server.empty()) return false;
  const auto newest = std::ranges::max(follower, {}, &VersionInfo::version);
  const auto oldest = std::ranges::min(server, {}, &VersionInfo::version);
  if (newest.version < oldest.version) return newest.time_ms <= oldest.time_ms;
  return std::ranges::any_of(server, [&](const VersionInfo& version) {
    return version.version == newest.version && version.time_ms == newest.time_ms;
  });
}

Status Cluster::meet_followers() {
  for (size_t server = 0; server < hedges_.size(); ++server) {
    if (hedges_[server] == nullptr) continue;
    for (const uint32_t follower : hedges_[server]->followers()) {
      const Deadline soon =
          std::min(deadline(), std::chrono::steady_clock::now() + std::chrono::seconds(1));
      const wire::Call call{.call = "versions"};
      const auto its = ask<Versions>(follower, call, soon, Effect::kReads);
      const StatusCode code = its.status().code();
      const bool later = code == StatusCode::kTimeout || code == StatusCode::kBusy;
      if (later || is_of_connection(its.status())) continue;
      const auto all = ask<Versions>(server, call, deadline(), Effect::kReads);
      if (!its.ok() || !all.ok()) return its.ok() ? all.status() : its.status();
      if (may_follow(its.value(), all.value())) continue;
      return Status::invalid_argument("followers: '" + names_[follower] + "' does not follow '" +
                                      names_[server] + "': it has other versions");
    }
  }
  return {};
}

void Cluster::count_hedges(RemoteStats& stats) const {
  for (const auto& hedge : hedges_) {
    if (hedge == nullptr) continue;
    const auto [sent, won] = hedge->sent_and_won();
    stats.hedged += sent;
    stats.hedges_won += won;
  }
}

bool Cluster::catch_up(size_t server, uint32_t its, uint32_t known, Deadline deadline) {
  // What cannot be used is none; the deadline ends the wait for a better one.
  if (its > known) (void)take_map_of(server, deadline);
  const MutexLock lock(mutex_);
  if (view_->epoch > known) return true;
  thread_local std::minstd_rand random{std::random_device{}()};
  const auto pause = kCatchUpPause + std::chrono::milliseconds(random() % kCatchUpPause.count());
  const auto answer = std::min(kLastAttempt, timeout_ / 8);
  if (std::chrono::steady_clock::now() + pause + answer >= deadline) return false;
  changed_.wait_for(mutex_, pause);
  return true;
}

Status Cluster::take_map_of(size_t server, Deadline deadline) {
  const auto text = call(server, {.call = "placement"}, deadline, Effect::kReads);
  return text.ok() ? adopt(text.value()) : text.status();
}

void Cluster::heard(size_t server, uint32_t epoch) {
  // What cannot be used is none.
  if (epoch > view()->epoch) (void)take_map_of(server, deadline());
}

std::shared_ptr<const View> Cluster::newest_view() {
  const auto known = view();
  // Without a placement the list of servers holds. A server that is gone fails the call itself.
  if (known->epoch != 0) heard(known->only(), UINT32_MAX);
  return view();
}

void Cluster::close() {
  size_t known = 0;
  {
    const MutexLock lock(mutex_);
    known = positions_;
  }
  for (size_t server = 0; server < known; ++server) peers_[server]->close();
  if (sight_->trace() != nullptr) sight_->trace()->close();
}

Result<std::string> Cluster::call(size_t server, const wire::Call& call, Deadline deadline,
                                  Effect effect, uint64_t generation) {
  Exchange exchange(wire::Verb::kCall, effect);
  exchange.generation = generation;
  exchange.request.add_text(wire::to_text(call));
  TextReply reply;
  const Status status = peer(server).run(exchange, reply, deadline);
  if (call.call != "placement") heard(server, reply.epoch);
  if (!status.ok()) return status;
  return std::move(reply.text);
}

Result<std::vector<std::string>> Cluster::call_each(std::span<const uint32_t> servers,
                                                    std::span<const wire::Call> calls,
                                                    Deadline deadline, Effect effect) {
  struct Sent {
    explicit Sent(Effect its_effect) : exchange(wire::Verb::kCall, its_effect) {}
    TextReply reply;
    Exchange exchange;
    Status begun;
  };
  std::vector<std::unique_ptr<Sent>> all;
  for (size_t i = 0; i < servers.size(); ++i) {
    Sent& sent = *all.emplace_back(std::make_unique<Sent>(effect));
    sent.exchange.request.add_text(wire::to_text(calls[i]));
    sent.begun = peer(servers[i]).begin(sent.exchange, sent.reply, deadline);
  }
  std::vector<std::string> texts;
  Status first;
  for (size_t i = 0; i < servers.size(); ++i) {
    Sent& sent = *all[i];
    Status status = sent.begun;
    if (status.ok()) status = peer(servers[i]).end(sent.exchange, sent.reply, deadline);
    if (first.ok()) first = std::move(status);
    heard(servers[i], sent.reply.epoch);
    texts.push_back(std::move(sent.reply.text));
  }
  if (!first.ok()) return first;
  return texts;
}

uint64_t Cluster::most_piece_bytes(uint64_t wanted) const {
  const auto its = view();
  for (const uint32_t server : its->members) {
    wanted = std::min(wanted, peers_[server]->most_body_bytes() / 2);
  }
  return wanted;
}

bool Cluster::know_times(const View& view) const {
  return std::ranges::all_of(
      view.members, [&](uint32_t server) { return peers_[server]->knows(wire::kKnowsTimes); });
}

Cut cut(const View& view, KeyBatch keys, const std::vector<uint32_t>* some) {
  Cut cut;
  cut.parts.resize(view.positions);
  const size_t n = some == nullptr ? keys.size() : some->size();
  const size_t share = n / view.members.size() * 9 / 8 + 64;
  for (const uint32_t server : view.members) {
    cut.parts[server].keys.reserve(share);
    cut.parts[server].from.reserve(share);
  }
  for (size_t i = 0; i < n; ++i) {
    const size_t from = some == nullptr ? i : (*some)[i];
    Cut::Part& part = cut.parts[view.placement.server_of(keys[from])];
    part.keys.push_back(keys[from]);
    part.from.push_back(static_cast<uint32_t>(from));
  }
  return cut;
}

Status about_slot(const View& view, KeyBatch keys, Status status) {
  const bool of_server =
      status.code() == StatusCode::kUnavailable || status.code() == StatusCode::kTimeout;
  if (!of_server || view.epoch == 0 || keys.empty()) return status;
  return {status.code(), "slot " + std::to_string(placement_slot(keys.front())) + " in epoch " +
                             std::to_string(view.epoch) + ": " + status.message()};
}

}  // namespace hotrow::client
