#include "server/clocks.h"

#include <algorithm>
#include <utility>

#include "base/random_id.h"

namespace hotrow::server {

namespace {

using std::chrono::milliseconds;

std::string worker_name(uint32_t index, const std::string& group) {
  return "worker " + std::to_string(index) + " of group '" + group + "'";
}

}  // namespace

bool Clocks::live(const Group& group) {
  return std::ranges::any_of(group.members,
                             [](const Member& each) { return each.presence == Presence::kLive; });
}

bool Clocks::awaits(const Group& group) {
  return std::ranges::any_of(
      group.members, [](const Member& each) { return each.presence == Presence::kAwaited; });
}

// A follower's workers are there as long as they are heard of.
bool Clocks::in_use(const Group& group, Time now) {
  return std::ranges::any_of(group.members, [&](const Member& each) {
    return each.presence == Presence::kLive && (group.leads || each.expires > now);
  });
}

// In kBulk clocks are ahead of what was applied by one at most, and that is what counts.
void Clocks::settle_floor(Group& group) {
  if (group.rules.mode == ClockMode::kBulk || !group.leads) return;
  std::optional<uint64_t> slowest;
  for (const Member& each : group.members) {
    if (each.presence == Presence::kAwaited) return;  // it is waited for where all began
    if (each.presence == Presence::kLive)
      slowest = std::min(slowest.value_or(each.clock), each.clock);
  }
  if (slowest) group.floor = std::max(group.floor, *slowest);
}

void Clocks::settle_behind(Group& group, Time now) {
  uint64_t foremost = 0;
  for (const Member& each : group.members) {
    if (each.presence == Presence::kLive) foremost = std::max(foremost, each.clock);
  }
  for (Member& each : group.members) {
    if (each.presence != Presence::kLive || each.clock == foremost) {
      each.behind_since.reset();
    } else if (!each.behind_since) {
      each.behind_since = now;
    }
  }
}

Status Clocks::same_rules(const WorkerOptions& its, const WorkerOptions& given) {
  const auto differs = [&](const char* field, uint64_t one, uint64_t other) {
    return Status::conflict("group '" + its.group + "' has another " + field + ": " +
                            std::to_string(one) + ", and this worker " + std::to_string(other));
  };
  if (its.mode != given.mode) {
    return differs("mode", static_cast<uint64_t>(its.mode), static_cast<uint64_t>(given.mode));
  }
  if (its.of != given.of) return differs("of", its.of, given.of);
  if (its.staleness != given.staleness) {
    return differs("staleness", its.staleness, given.staleness);
  }
  if (its.lease_ms != given.lease_ms) return differs("leaseMs", its.lease_ms, given.lease_ms);
  return {};
}

Status Clocks::conflict_of_owner(const std::string& owner, const WorkerOptions& options) const {
  const auto owned = owners_.find(owner);
  if (owned == owners_.end()) return {};
  const auto& [group, index] = owned->second;
  if (group == options.group && index == options.index) return {};
  const Group* const its = find(group);
  const bool there = its != nullptr && its->members[index].owner == owner &&
                     its->members[index].presence == Presence::kLive;
  if (!there) return {};
  return Status::conflict("this client is " + worker_name(index, group) + " already");
}

const Clocks::Group* Clocks::find(const std::string& name) const {
  const auto found = groups_.find(name);
  return found == groups_.end() ? nullptr : &found->second;
}

void Clocks::forget(std::map<std::string, Group>::iterator group) {
  std::erase_if(owners_, [&](const auto& each) { return each.second.group == group->first; });
  groups_.erase(group);
}

std::vector<std::string> Clocks::forget_idle(Time now) {
  std::vector<std::string> ids;
  for (auto each = groups_.begin(); each != groups_.end();) {
    const auto next = std::next(each);
    if (!in_use(each->second, now) && !each->second.applying) {
      ids.push_back(each->second.id);
      forget(each);
    }
    each = next;
  }
  return ids;
}

Result<Clocks::Group*> Clocks::group_to_join(const WorkerOptions& options, const std::string& id,
                                             uint64_t clock, Time now, Joined& joined) {
  const bool leads = id.empty();
  auto found = groups_.find(options.group);
  if (found != groups_.end()) {
    Group& its = found->second;
    if (its.applying) {
      return Status(StatusCode::kBusy, "a step of group '" + options.group + "' is being applied");
    }
    const Status same = same_rules(its.rules, options);
    const bool another = its.leads != leads || (!leads && its.id != id);
    if (same.ok() && !another) return &its;
    // A leader's word about another life of the group ends this one; rules change with nobody in.
    if (leads && in_use(its, now)) {
      return another ? Status::conflict("group '" + options.group + "' is led by another server")
                     : same;
    }
    if (!another && in_use(its, now)) return same;
    if (its.leads && in_use(its, now)) {
      return Status::conflict("group '" + options.group + "' is led by this server");
    }
    joined.forgotten.push_back(its.id);
    forget(found);
  }
  if (groups_.size() >= kMostGroups) {
    const auto idle = forget_idle(now);
    joined.forgotten.insert(joined.forgotten.end(), idle.begin(), idle.end());
  }
  if (groups_.size() >= kMostGroups) {
    return Status::capacity("the server has " + std::to_string(kMostGroups) +
                            " groups of workers, and all are in use");
  }
  // What is held and applied is known by the id.
  const auto has_it = [&](const auto& each) { return each.second.id == id; };
  if (!leads && std::ranges::any_of(groups_, has_it)) {
    return Status::conflict("id: it is another group's");
  }
  Group& made = groups_[options.group];
  made.id = leads ? random_id() : id;
  made.leads = leads;
  made.rules = options;
  made.floor = clock;
  made.members.resize(options.of);
  return &made;
}

Result<Clocks::Joined> Clocks::join(const std::string& owner, const WorkerOptions& options,
                                    const std::string& id, uint64_t clock, Time now) {
  HOTROW_RETURN_IF_ERROR(options.validate());
  HOTROW_RETURN_IF_ERROR(conflict_of_owner(owner, options));
  if (clock > kMostSteps) return Status::invalid_argument("step: it is too large");
  if (id.size() > kMostIdBytes) {
    return Status::invalid_argument("id: expected at most " + std::to_string(kMostIdBytes) +
                                    " bytes, received " + std::to_string(id.size()));
  }
  Joined joined;
  auto group = group_to_join(options, id, id.empty() ? 0 : clock, now, joined);
  if (!group.ok()) return group.status();
  Group& its = *group.value();
  Member& member = its.members[options.index];
  const bool taken = member.presence == Presence::kLive && member.owner != owner;
  if (taken && its.leads) {
    return Status::conflict(worker_name(options.index, options.group) +
                            " is somebody else, or was and its lease has not run out yet");
  }
  if (!its.leads && clock != its.floor) {
    return Status::conflict("group '" + options.group + "' is at step " +
                            std::to_string(its.floor) + " here, not at " + std::to_string(clock));
  }
  // Whose place it was may be another worker by now.
  const auto was = owners_.find(member.owner);
  const bool still_here = was != owners_.end() && was->second.group == options.group &&
                          was->second.index == options.index;
  if (still_here) owners_.erase(was);
  member = {.presence = Presence::kLive,
            .owner = owner,
            .clock = its.floor,
            .expires = now + milliseconds(its.rules.lease_ms)};
  owners_[owner] = {options.group, options.index};
  settle_floor(its);
  settle_behind(its, now);
  joined.id = its.id;
  joined.clock = member.clock;
  joined.last = its.last;
  return joined;
}

Result<Clocks::Place> Clocks::place(const std::string& owner, const std::string& group) const {
  const auto owned = owners_.find(owner);
  const Group* const its =
      owned != owners_.end() && owned->second.group == group ? find(group) : nullptr;
  if (its == nullptr) {
    return Status::not_found("this client is no worker of group '" + group + "'");
  }
  const uint32_t index = owned->second.index;
  const Member& member = its->members[index];
  if (member.presence != Presence::kLive) {
    return Status::closed(worker_name(index, group) + " is in the clock no more: its lease of " +
                          std::to_string(its->rules.lease_ms) + " ms ran out; join again");
  }
  return Place{its->id, index, member.clock, its->floor, its->rules.mode};
}

std::optional<Clocks::Place> Clocks::place(const std::string& owner) const {
  const auto owned = owners_.find(owner);
  if (owned == owners_.end()) return std::nullopt;
  auto its = place(owner, owned->second.group);
  if (!its.ok()) return std::nullopt;
  return std::move(its).value();
}

Result<Clocks::Group*> Clocks::group_of(const std::string& owner, const std::string& group) {
  const auto its = place(owner, group);
  if (!its.ok()) return its.status();
  return &groups_.find(group)->second;
}

Status Clocks::renew(const std::string& owner, const std::string& group, Time now) {
  auto its = group_of(owner, group);
  if (!its.ok()) return its.status();
  Group& found = *its.value();
  found.members[owners_[owner].index].expires = now + milliseconds(found.rules.lease_ms);
  return {};
}

Result<Clocks::Left> Clocks::leave(const std::string& owner, const std::string& group, Time now) {
  auto its = place(owner, group);
  if (!its.ok()) return its.status();
  const auto found = groups_.find(group);
  Group& left_group = found->second;
  Left left{.place = its.value(), .last = left_group.last};
  Member& member = left_group.members[left.place.index];
  // One that could not stay, because it came no further than here, has not come.
  const bool came = member.clock > 0 || !left_group.leads || !awaits(left_group);
  member = {.presence = came ? Presence::kGone : Presence::kAwaited, .clock = member.clock};
  owners_.erase(owner);
  settle_floor(left_group);
  settle_behind(left_group, now);
  left.over = !live(left_group) && !left_group.applying;
  if (left.over) forget(found);
  return left;
}

Status Clocks::end_step(const std::string& owner, const std::string& group, uint64_t step,
                        Time now) {
  auto its = group_of(owner, group);
  if (!its.ok()) return its.status();
  Group& found = *its.value();
  Member& member = found.members[owners_[owner].index];
  if (!found.leads) return Status::conflict("group '" + group + "' is led by another server");
  member.expires = now + milliseconds(found.rules.lease_ms);
  if (step == member.clock) return {};
  if (step != member.clock + 1 || step > kMostSteps) {
    return Status::conflict("step " + std::to_string(step) +
                            " cannot end: " + worker_name(owners_[owner].index, group) +
                            " has ended " + std::to_string(member.clock));
  }
  member.clock = step;
  settle_floor(found);
  settle_behind(found, now);
  return {};
}

Result<bool> Clocks::passes(const std::string& owner, const std::string& group,
                            uint64_t step) const {
  const auto its = place(owner, group);
  if (!its.ok()) return its.status();
  const Group& found = *find(group);
  switch (found.rules.mode) {
    case ClockMode::kAsync:
      return true;
    case ClockMode::kBounded:
      return step <= found.floor + found.rules.staleness;
    case ClockMode::kBulk:
      break;
  }
  if (step > found.floor) return false;
  if (step == found.floor) return true;
  return Status::closed("group '" + group + "' has gone on without this worker: it is at step " +
                        std::to_string(found.floor));
}

std::string Clocks::waits_for(const std::string& group) const {
  constexpr size_t kMostNamed = 8;
  const Group* const its = find(group);
  if (its == nullptr) return {};
  if (its->applying) return "step " + std::to_string(its->floor + 1) + " is being applied";
  std::string text;
  size_t named = 0;
  for (uint32_t i = 0; i < its->members.size(); ++i) {
    const Member& each = its->members[i];
    if (each.presence == Presence::kGone || each.clock > its->floor) continue;
    if (++named > kMostNamed) continue;
    if (!text.empty()) text += ", ";
    text += "worker " + std::to_string(i) +
            (each.presence == Presence::kAwaited ? ", which has not come yet"
                                                 : " at clock " + std::to_string(each.clock));
  }
  if (named > kMostNamed) text += " and " + std::to_string(named - kMostNamed) + " more";
  return text;
}

Clocks::Decision Clocks::last_decision(const std::string& group) const {
  const Group* const its = find(group);
  return its == nullptr ? Decision() : its->last;
}

Result<uint64_t> Clocks::applied(const std::string& group) const {
  const Group* const its = find(group);
  if (its == nullptr) return Status::not_found("there is no group '" + group + "' of workers");
  return its->floor;
}

Status Clocks::outcome(const std::string& group) const {
  const Group* const its = find(group);
  return its == nullptr ? Status() : its->outcome;
}

std::optional<Clocks::Decision> Clocks::decide() {
  for (auto& [name, its] : groups_) {
    if (!its.leads || its.rules.mode != ClockMode::kBulk || its.applying) continue;
    Decision decision{.id = its.id, .step = its.floor + 1};
    bool all = true;
    for (uint32_t i = 0; i < its.members.size() && all; ++i) {
      const Member& each = its.members[i];
      if (each.presence == Presence::kGone) continue;
      all = each.presence == Presence::kLive && each.clock == decision.step;
      decision.members.push_back(i);
    }
    if (!all || decision.members.empty()) continue;
    its.last = decision;
    its.applying = true;
    return decision;
  }
  return std::nullopt;
}

Result<bool> Clocks::told(const std::string& group, const Decision& decision) {
  const auto found = groups_.find(group);
  if (found == groups_.end() || found->second.id != decision.id) {
    return Status::not_found("this server knows nothing of group '" + group +
                             "' as its leader has it");
  }
  Group& its = found->second;
  if (its.leads) return Status::conflict("group '" + group + "' is led by this server");
  if (decision.step == its.floor) return false;
  if (decision.step != its.floor + 1) {
    return Status::closed("group '" + group + "' is at step " + std::to_string(its.floor) +
                          " here: it has gone on without this worker");
  }
  if (its.applying) return false;
  for (const uint32_t member : decision.members) {
    if (member >= its.rules.of) return Status::invalid_argument("members: one is not of the group");
  }
  if (!std::ranges::is_sorted(decision.members, std::ranges::less_equal())) {
    return Status::invalid_argument("members: expected them to rise");
  }
  its.last = decision;
  its.applying = true;
  return true;
}

void Clocks::finish(const Decision& decision, const Status& outcome) {
  for (auto& [name, its] : groups_) {
    if (its.id != decision.id) continue;
    its.applying = false;
    its.floor = decision.step;
    its.outcome = outcome;
    if (its.leads) return;
    for (Member& each : its.members) each.clock = decision.step;
    return;
  }
}

std::vector<Clocks::Dropped> Clocks::expire(Time now) {
  std::vector<Dropped> dropped;
  for (auto& [name, its] : groups_) {
    if (!its.leads) continue;
    bool any = false;
    for (uint32_t i = 0; i < its.members.size(); ++i) {
      Member& each = its.members[i];
      if (each.presence != Presence::kLive || each.expires > now) continue;
      each.presence = Presence::kGone;
      each.expired = true;
      ++its.dropped;
      dropped.push_back({its.id, i});
      any = true;
    }
    if (!any) continue;
    settle_floor(its);
    settle_behind(its, now);
  }
  return dropped;
}

std::optional<Clocks::Time> Clocks::next_expiry() const {
  std::optional<Time> next;
  for (const auto& [name, its] : groups_) {
    if (!its.leads) continue;
    for (const Member& each : its.members) {
      if (each.presence != Presence::kLive) continue;
      next = std::min(next.value_or(each.expires), each.expires);
    }
  }
  return next;
}

void Clocks::extend_leases(Time::duration by) {
  for (auto& [name, its] : groups_) {
    for (Member& each : its.members) each.expires += by;
  }
}

Result<GroupFigures> Clocks::look(const std::string& group, Time now) const {
  const Group* const its = find(group);
  if (its == nullptr) return Status::not_found("there is no group '" + group + "' of workers");
  GroupFigures figures{.group = group,
                       .mode = its->rules.mode,
                       .staleness = its->rules.staleness,
                       .leads = its->leads,
                       .slowest = its->floor,
                       .dropped = its->dropped};
  for (uint32_t i = 0; i < its->members.size(); ++i) {
    const Member& each = its->members[i];
    const auto behind = each.behind_since ? now - *each.behind_since : Time::duration::zero();
    figures.workers.push_back(
        {.index = i,
         .clock = each.clock,
         .alive = each.presence == Presence::kLive,
         .behind_ms = static_cast<uint64_t>(
             std::chrono::duration_cast<milliseconds>(std::max(behind, Time::duration::zero()))
                 .count())});
  }
  return figures;
}

std::vector<std::string> Clocks::names() const {
  std::vector<std::string> names;
  names.reserve(groups_.size());
  for (const auto& [name, its] : groups_) names.push_back(name);
  return names;
}

std::string Clocks::id_of(const std::string& group) const {
  const Group* const its = find(group);
  return its == nullptr ? std::string() : its->id;
}

}  // namespace hotrow::server
