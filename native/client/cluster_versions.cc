#include "client/cluster_versions.h"

#include <algorithm>
#include <chrono>
#include <map>
#include <optional>
#include <thread>

#include "base/cluster_names.h"
#include "base/random_id.h"
#include "base/version_name.h"

namespace hotrow::client {

namespace {

namespace names = cluster_names;

constexpr std::chrono::seconds kGiveUpTime{2};
// Longer than a leader waits for whoever makes a version.
constexpr std::chrono::seconds kBeginTime{75};
constexpr int kAgain = 8;

// Names that a user has given.
void strip(VersionInfo& info) {
  std::erase_if(info.names, [](const std::string& name) { return names::is_one(name); });
  info.cluster = {};
}

Status other_servers() {
  return {StatusCode::kBusy, "the cluster's servers have changed meanwhile"};
}

}  // namespace

uint32_t ClusterVersions::leader(const Servers& servers) const {
  return *std::ranges::min_element(servers, {}, [this](uint32_t server) -> const std::string& {
    return cluster_->name(server);
  });
}

Status ClusterVersions::settle() {
  const Servers servers = cluster_->members();
  Status settled = settle_doubts(servers);
  if (settled.ok() && servers.size() > 1) settled = finish_open(servers);
  // A reader's; a trainer will come.
  return settled.code() == StatusCode::kDenied ? Status() : settled;
}

Status ClusterVersions::settle_doubts(const Servers& servers) {
  for (const uint32_t server : servers) {
    const Deadline deadline = Cluster::long_deadline();
    auto welcome = cluster_->peer(server).welcome(cluster_->deadline());
    if (!welcome.ok()) return welcome.status();
    const std::string& id = welcome.value().in_doubt;
    if (id.empty()) continue;
    const std::string its_leader = id.substr(id.find(' ') + 1);
    // Who led then, which another server may do by now.
    const auto led = std::ranges::find(
        servers, its_leader,
        [this](uint32_t each) -> const std::string& { return cluster_->name(each); });
    if (led == servers.end()) {
      return {StatusCode::kUnavailable, "the server at " + cluster_->name(server) +
                                            " does not know what became of a version that " +
                                            its_leader +
                                            " led: connect to all servers of the cluster at once"};
    }
    const auto decided =
        cluster_->ask<uint64_t>(*led, {.call = "resolve", .name = id}, deadline, Effect::kReads);
    if (!decided.ok()) return decided.status();
    HOTROW_RETURN_IF_ERROR(cluster_
                               ->call(server,
                                      {.call = "settle", .name = id, .flag = decided.value() != 0},
                                      deadline, Effect::kReads)
                               .status());
  }
  return {};
}

// Of clients that died after their decision, or could not reach a server.
// Each server is asked: another than leads now may have led them.
Status ClusterVersions::finish_open(const Servers& servers) {
  for (const uint32_t led : servers) {
    const auto ids =
        cluster_->call(led, {.call = "notClosed"}, cluster_->deadline(), Effect::kReads);
    if (!ids.ok()) return ids.status();
    for (std::string_view rest = ids.value(); !rest.empty();) {
      const std::string id(rest.substr(0, rest.find('\n')));
      rest.remove_prefix(std::min(rest.size(), id.size() + 1));
      HOTROW_RETURN_IF_ERROR(make_known(servers, led, id));
    }
  }
  return {};
}

// Whoever has a later version needs no word of this one.
Status ClusterVersions::make_known(const Servers& servers, uint32_t leads, const std::string& id) {
  for (const uint32_t server : servers) {
    if (server == leads) continue;
    const Status status =
        cluster_
            ->call(server, {.call = "decide", .name = id}, Cluster::long_deadline(), Effect::kReads)
            .status();
    if (!status.ok() && status.code() != StatusCode::kNotFound) return status;
  }
  return cluster_
      ->call(leads, {.call = "close", .name = id}, Cluster::long_deadline(), Effect::kReads)
      .status();
}

// Each for itself: one that is gone takes its time and nobody else's.
void ClusterVersions::give_up(const Servers& servers, uint32_t leads, const std::string& id) {
  const auto tell = [&](size_t server, const char* call) {
    const Deadline soon = std::chrono::steady_clock::now() + kGiveUpTime;
    (void)cluster_->call(server, {.call = call, .name = id}, soon, Effect::kReads);
  };
  tell(leads, "resolve");
  for (const uint32_t server : servers) tell(server, "settle");
}

// Waits for those who make a version before.
Status ClusterVersions::begin(uint32_t leads, const std::string& id, Deadline deadline) {
  constexpr std::chrono::milliseconds kPause{10};
  for (;;) {
    const Status status =
        cluster_->call(leads, {.call = "begin", .name = id}, deadline, Effect::kReads).status();
    const bool busy = status.code() == StatusCode::kBusy;
    if (!busy || std::chrono::steady_clock::now() + kPause >= deadline) return status;
    std::this_thread::sleep_for(kPause);
  }
}

Result<VersionInfo> ClusterVersions::make(const Servers& servers, wire::Call prepare,
                                          const Parts& rollback_to, bool& moved) {
  moved = false;
  // One for all steps, whatever the placement becomes meanwhile.
  const uint32_t leads = leader(servers);
  const std::string id = random_id() + " " + cluster_->name(leads);
  const Deadline deadline = Cluster::long_deadline();
  // Where a server is gone none of the others makes a part in vain.
  for (const uint32_t server : servers) {
    HOTROW_RETURN_IF_ERROR(cluster_->peer(server).welcome(cluster_->deadline()).status());
  }
  HOTROW_RETURN_IF_ERROR(begin(leads, id, std::chrono::steady_clock::now() + kBeginTime));
  Status ready = finish_open(servers);
  prepare.call = "prepare";
  prepare.name = id;
  std::vector<wire::Call> calls(servers.size(), prepare);
  std::vector<uint64_t> acknowledged;
  for (size_t i = 0; i < servers.size(); ++i) {
    if (!rollback_to.empty()) calls[i].number = rollback_to[i];
    // What was acknowledged before it was asked for is in it.
    acknowledged.push_back(cluster_->peer(servers[i]).acknowledged());
  }
  Result<std::vector<std::string>> prepared = std::vector<std::string>();
  if (ready.ok()) prepared = cluster_->call_each(servers, calls, deadline, Effect::kOnce);
  if (ready.ok()) ready = prepared.status();
  if (ready.ok()) ready = check_parts(servers, prepared.value());
  if (!ready.ok()) {
    moved = ready.code() == StatusCode::kBusy;
    give_up(servers, leads, id);
    return ready;
  }
  auto made = cluster_->ask<VersionInfo>(leads, {.call = "decide", .name = id, .flag = true},
                                         deadline, Effect::kReads);
  if (!made.ok()) return undecided(servers, leads, id, made.status());
  VersionInfo info = std::move(made).value();
  info.rows = 0;
  info.bytes = 0;
  for (size_t i = 0; i < servers.size(); ++i) {
    const auto part = wire::from_text<VersionInfo>(prepared.value()[i]);
    if (!part.ok()) return part.status();
    info.rows += part.value().rows;
    info.bytes += part.value().bytes;
    cluster_->peer(servers[i]).committed(acknowledged[i]);
  }
  strip(info);
  // The version exists. Whoever does not hear of it now hears of it from a later client.
  (void)make_known(servers, leads, id);
  return info;
}

// Rows of a slot that moved meanwhile may be in no part, or in two.
Status ClusterVersions::check_parts(const Servers& servers,
                                    std::span<const std::string> parts) const {
  std::optional<uint32_t> epoch;
  for (const std::string& text : parts) {
    const auto part = wire::from_text<VersionInfo>(text);
    if (!part.ok()) return part.status();
    const uint32_t its = part.value().cluster.epoch;
    if (epoch.value_or(its) != its) return other_servers();
    epoch = its;
  }
  return cluster_->members() == servers ? Status() : other_servers();
}

// What the leader's answer, or that there is none, says of the version.
Status ClusterVersions::undecided(const Servers& servers, uint32_t leads, const std::string& id,
                                  const Status& status) {
  const bool answered =
      status.code() != StatusCode::kUnavailable && status.code() != StatusCode::kTimeout;
  if (answered) {
    give_up(servers, leads, id);
    return status;
  }
  return {StatusCode::kTimeout,
          "it is not known whether the version was made: " + status.message()};
}

Result<VersionInfo> ClusterVersions::commit(const CommitOptions& options) {
  if (!options.name.empty()) HOTROW_RETURN_IF_ERROR(check_version_name(options.name));
  bool moved = false;
  const auto attempt = [&] {
    return make(cluster_->members(),
                {.other = std::string(options.cursor), .flag = options.keep_cursor}, {}, moved);
  };
  auto made = attempt();
  // Movers wait for versions that begin after them.
  for (int again = 0; again < kAgain && moved; ++again) {
    (void)cluster_->newest_view();
    made = attempt();
  }
  if (!made.ok() || options.name.empty()) return made;
  // As with one store: the version is there, even if it cannot be named.
  if (name_version(options.name, made.value().version).ok()) {
    made.value().names.emplace_back(options.name);
  }
  return made;
}

Result<VersionInfo> ClusterVersions::rollback(std::string_view version) {
  auto to = find(version);
  if (!to.ok()) return to.status();
  const uint32_t epoch = cluster_->newest_view()->epoch;
  if (to.value().epoch != epoch) {
    return Status::conflict("version " + std::to_string(to.value().info.version) + " is of epoch " +
                            std::to_string(to.value().epoch) +
                            " of the placement, which is in epoch " + std::to_string(epoch) +
                            ": slots have moved since, and their rows would be with servers "
                            "that do not have these slots any more");
  }
  bool moved = false;
  return make(to.value().servers, {}, to.value().parts, moved);
}

Result<std::vector<ClusterVersions::Whole>> ClusterVersions::whole_versions() {
  const Servers servers = cluster_->members();
  const std::vector<wire::Call> calls(servers.size(), {.call = "versions"});
  auto texts = cluster_->call_each(servers, calls, Cluster::long_deadline(), Effect::kReads);
  if (!texts.ok()) return texts.status();
  std::vector<std::vector<VersionInfo>> all;
  for (const std::string& text : texts.value()) {
    auto its = wire::from_text<std::vector<VersionInfo>>(text);
    if (!its.ok()) return its.status();
    all.push_back(std::move(its).value());
  }
  // Where each server has its part of an id, decided as far as it knows or not.
  std::vector<std::map<std::string, const VersionInfo*, std::less<>>> parts(all.size());
  for (size_t i = 0; i < all.size(); ++i) {
    for (const VersionInfo& info : all[i]) parts[i][info.cluster.id] = &info;
  }
  std::vector<Whole> wholes;
  const auto of_leader = std::ranges::find(servers, leader(servers)) - servers.begin();
  for (const VersionInfo& its : all[static_cast<size_t>(of_leader)]) {
    if (!names::is_decided_part(its)) continue;
    Whole whole{.info = its, .servers = servers, .parts = {}, .epoch = its.cluster.epoch};
    whole.info.rows = 0;
    whole.info.bytes = 0;
    for (const auto& of_server : parts) {
      const auto part = of_server.find(its.cluster.id);
      if (part == of_server.end()) break;
      whole.parts.push_back(part->second->version);
      whole.info.rows += part->second->rows;
      whole.info.bytes += part->second->bytes;
    }
    if (whole.parts.size() < all.size()) continue;
    whole.info.parent = wholes.empty() ? 0 : wholes.back().info.version;
    strip(whole.info);
    wholes.push_back(std::move(whole));
  }
  return wholes;
}

Result<ClusterVersions::Whole> ClusterVersions::find(std::string_view version) {
  auto all = whole_versions();
  if (!all.ok()) return all.status();
  const uint64_t number = version_number(version);
  for (Whole& whole : all.value()) {
    const bool named = names::has(whole.info, version);
    if (named || (number != 0 && whole.info.version == number)) return std::move(whole);
  }
  return Status::not_found("the servers do not all keep a version '" + std::string(version) + "'");
}

Result<VersionInfo> ClusterVersions::version() {
  auto all = whole_versions();
  if (!all.ok()) return all.status();
  if (all.value().empty()) return VersionInfo{};
  return std::move(all.value().back().info);
}

Result<std::vector<VersionInfo>> ClusterVersions::versions() {
  auto all = whole_versions();
  if (!all.ok()) return all.status();
  std::vector<VersionInfo> infos;
  for (Whole& whole : all.value()) infos.push_back(std::move(whole.info));
  return infos;
}

Status ClusterVersions::tell_parts(const Servers& servers, const Parts& parts,
                                   const wire::Call& call) {
  const auto tell = [&](size_t i) {
    wire::Call its = call;
    its.number = parts[i];
    return cluster_->call(servers[i], its, Cluster::long_deadline(), Effect::kReads).status();
  };
  const uint32_t last = leader(servers);
  Status told;
  for (size_t i = 0; i < servers.size() && told.ok(); ++i) {
    if (servers[i] != last) told = tell(i);
  }
  for (size_t i = 0; i < servers.size() && told.ok(); ++i) {
    if (servers[i] == last) told = tell(i);
  }
  return told;
}

Status ClusterVersions::name_version(std::string_view name, uint64_t version) {
  HOTROW_RETURN_IF_ERROR(check_version_name(name));
  const wire::Call call{.call = "nameVersion", .name = std::string(name)};
  if (version == 0) {
    const Servers servers = cluster_->members();
    return tell_parts(servers, Parts(servers.size()), call);
  }
  const auto whole = find(std::to_string(version));
  if (!whole.ok()) return whole.status();
  return tell_parts(whole.value().servers, whole.value().parts, call);
}

Status ClusterVersions::pin_version(uint64_t version, bool pinned) {
  const auto whole = find(std::to_string(version));
  if (!whole.ok()) return whole.status();
  return tell_parts(whole.value().servers, whole.value().parts,
                    {.call = "pinVersion", .flag = pinned});
}

Result<std::vector<TableDiff>> ClusterVersions::diff(std::string_view from, std::string_view to) {
  const auto before = find(from);
  if (!before.ok()) return before.status();
  const auto after = find(to);
  if (!after.ok()) return after.status();
  std::vector<wire::Call> calls;
  const Servers& servers = before.value().servers;
  calls.reserve(servers.size());
  if (servers != after.value().servers) {
    return other_servers();
  }
  for (size_t i = 0; i < servers.size(); ++i) {
    calls.push_back({.call = "diff",
                     .name = std::to_string(before.value().parts[i]),
                     .other = std::to_string(after.value().parts[i])});
  }
  const auto texts = cluster_->call_each(servers, calls, Cluster::long_deadline(), Effect::kReads);
  if (!texts.ok()) return texts.status();
  std::map<std::string, TableDiff> sums;
  for (const std::string& text : texts.value()) {
    const auto its = wire::from_text<std::vector<TableDiff>>(text);
    if (!its.ok()) return its.status();
    for (const TableDiff& diff : its.value()) {
      TableDiff& sum = sums.try_emplace(diff.name, TableDiff{.name = diff.name}).first->second;
      sum.added += diff.added;
      sum.removed += diff.removed;
      sum.changed += diff.changed;
    }
  }
  std::vector<TableDiff> diffs;
  for (auto& [name, sum] : sums) diffs.push_back(std::move(sum));
  return diffs;
}

}  // namespace hotrow::client
