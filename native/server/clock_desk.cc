#include "server/clock_desk.h"

#include <algorithm>
#include <array>
#include <system_error>
#include <utility>

#include "base/guarded.h"

namespace hotrow::server {

namespace {

using std::chrono::milliseconds;
using SteadyClock = std::chrono::steady_clock;

// A server that wakes up so much later than it meant to did not run: others' leases are not over,
// what renewed them has not been read yet.
constexpr milliseconds kOverslept{50};
// Of a single tick's wait.
constexpr uint64_t kMostWaitMs = 86'400'000;

struct ClockEntry {
  std::string_view name;
  Role role;
};
constexpr std::array kClockCalls{
    ClockEntry{"join", Role::kTrainer},      ClockEntry{"tick", Role::kTrainer},
    ClockEntry{"applyStep", Role::kTrainer}, ClockEntry{"renew", Role::kTrainer},
    ClockEntry{"leave", Role::kTrainer},     ClockEntry{"clock", Role::kReader}};

const ClockEntry* find_call(std::string_view name) {
  const auto found = std::ranges::find(kClockCalls, name, &ClockEntry::name);
  return found == kClockCalls.end() ? nullptr : found;
}

}  // namespace

bool ClockDesk::knows(std::string_view call) { return find_call(call) != nullptr; }

void ClockDesk::say(std::vector<Said> said) {
  for (Said& each : said) {
    // Without memory for its answer a client hears nothing, and asks again.
    (void)guarded([&]() -> Status {
      each.answer(std::move(each.text));
      return {};
    });
  }
}

void ClockDesk::answer(const Grant& grant, const std::string& owner, const wire::ClockCall& call,
                       Answer answer) {
  const ClockEntry* const entry = find_call(call.call);
  if (const Status may = grant.permits(entry->role, entry->name); !may.ok()) return answer(may);
  std::vector<Said> said;
  {
    const MutexLock lock(mutex_);
    if (stopping_) return;
    std::optional<Text> text;
    const Status status = guarded([&]() HOTROW_NO_THREAD_SAFETY_ANALYSIS -> Status {
      said.reserve(2);
      text = dispatch(owner, call);
      if (!text) wait(owner, call, answer, said);
      return {};
    });
    if (!status.ok()) text = Text(status);
    if (text) said.push_back({std::move(answer), std::move(*text)});
    advance(said);
    changed_.notify_all();
  }
  say(std::move(said));
}

std::optional<ClockDesk::Text> ClockDesk::dispatch(const std::string& owner,
                                                   const wire::ClockCall& call) {
  if (call.call == "tick") return tick(owner, call);
  if (call.call == "applyStep") return apply_step(owner, call);
  if (call.call == "join") return join(owner, call);
  if (call.call == "leave") return leave(owner, call);
  if (call.call == "clock") return look(call);
  HOTROW_RETURN_IF_ERROR(clocks_.renew(owner, call.group, SteadyClock::now()));
  return Text(std::string());
}

void ClockDesk::forget(const std::vector<std::string>& ids) {
  for (const std::string& id : ids) held_.drop(id);
}

ClockDesk::Text ClockDesk::join(const std::string& owner, const wire::ClockCall& call) {
  if (call.lease_ms > UINT32_MAX) return Status::invalid_argument("leaseMs: it is too large");
  const WorkerOptions options{.group = call.group,
                              .index = call.index,
                              .of = call.of,
                              .mode = call.mode,
                              .staleness = call.staleness,
                              .lease_ms = static_cast<uint32_t>(call.lease_ms)};
  HOTROW_RETURN_IF_ERROR(start());
  auto joined = clocks_.join(owner, options, call.id, call.step, SteadyClock::now());
  if (!joined.ok()) return joined.status();
  const Clocks::Joined& its = joined.value();
  forget(its.forgotten);
  held_.drop(its.id, options.index);  // of whoever was it before
  return wire::to_text(wire::ClockReply{
      .id = its.id, .clock = its.clock, .step = its.last.step, .members = its.last.members});
}

ClockDesk::Text ClockDesk::leave(const std::string& owner, const wire::ClockCall& call) {
  auto left = clocks_.leave(owner, call.group, SteadyClock::now());
  if (!left.ok()) return left.status();
  const Clocks::Left& its = left.value();
  // What was decided has been taken already.
  its.over ? held_.drop(its.place.id) : held_.drop(its.place.id, its.place.index);
  return wire::to_text(wire::ClockReply{.id = its.place.id,
                                        .clock = its.place.clock,
                                        .step = its.last.step,
                                        .members = its.last.members});
}

ClockDesk::Text ClockDesk::look(const wire::ClockCall& call) {
  auto figures = clocks_.look(call.group, SteadyClock::now());
  if (!figures.ok()) return figures.status();
  figures.value().held_bytes = held_.bytes(clocks_.id_of(call.group));
  return wire::to_text(figures.value());
}

std::optional<ClockDesk::Text> ClockDesk::tick(const std::string& owner,
                                               const wire::ClockCall& call) {
  HOTROW_RETURN_IF_ERROR(clocks_.end_step(owner, call.group, call.step, SteadyClock::now()));
  // The last of a step finds it decided below, and waits like the others until it is applied.
  const auto passes = clocks_.passes(owner, call.group, call.step);
  if (!passes.ok()) return Text(passes.status());
  if (passes.value()) return over(call.group, true);
  return std::nullopt;
}

std::optional<ClockDesk::Text> ClockDesk::apply_step(const std::string& /*owner*/,
                                                     const wire::ClockCall& call) {
  const Clocks::Decision decision{call.id, call.step, call.members};
  const auto told = clocks_.told(call.group, decision);
  if (!told.ok()) return Text(told.status());
  if (told.value()) begin_apply(decision);
  const auto applied = clocks_.applied(call.group);
  if (applied.ok() && applied.value() >= call.step) return over(call.group, true);
  return std::nullopt;
}

ClockDesk::Text ClockDesk::over(const std::string& group, bool done) const {
  const Clocks::Decision last = clocks_.last_decision(group);
  const Status outcome = done ? clocks_.outcome(group) : Status();
  return wire::to_text(wire::ClockReply{.id = clocks_.id_of(group),
                                        .done = done,
                                        .waits = done ? std::string() : clocks_.waits_for(group),
                                        .step = last.step,
                                        .members = last.members,
                                        .code = static_cast<uint32_t>(outcome.code()),
                                        .message = outcome.message()});
}

void ClockDesk::wait(const std::string& owner, const wire::ClockCall& call, const Answer& answer,
                     std::vector<Said>& said) {
  const bool tells = call.call == "applyStep";
  const auto until = SteadyClock::now() + milliseconds(std::min(call.wait_ms, kMostWaitMs));
  Waiter waiter{owner, call.group, call.step, tells, until, answer};
  // One tick of a worker waits: there are no more waiters than workers, whatever clients do.
  for (auto each = waiters_.begin(); each != waiters_.end(); ++each) {
    if (each->owner != owner || each->tells != tells) continue;
    Text text = over(each->group, false);
    said.push_back({std::move(each->answer), std::move(text)});
    *each = std::move(waiter);
    return;
  }
  waiters_.push_back(std::move(waiter));
}

std::optional<ClockDesk::Text> ClockDesk::end_of(const Waiter& waiter, Time now) const {
  if (waiter.tells) {
    const auto applied = clocks_.applied(waiter.group);
    if (!applied.ok()) return Text(applied.status());
    if (applied.value() >= waiter.step) return over(waiter.group, true);
  } else {
    const auto passes = clocks_.passes(waiter.owner, waiter.group, waiter.step);
    if (!passes.ok()) return Text(passes.status());
    if (passes.value()) return over(waiter.group, true);
  }
  if (waiter.until <= now) return over(waiter.group, false);
  return std::nullopt;
}

// What there is no memory for is done when the desk looks next.
void ClockDesk::advance(std::vector<Said>& said) {
  (void)guarded([&]() HOTROW_NO_THREAD_SAFETY_ANALYSIS -> Status {
    while (const auto decision = clocks_.decide()) begin_apply(*decision);
    const auto now = SteadyClock::now();
    said.reserve(said.size() + waiters_.size());
    std::erase_if(waiters_, [&](Waiter& waiter) HOTROW_NO_THREAD_SAFETY_ANALYSIS {
      auto text = guarded([&]() HOTROW_NO_THREAD_SAFETY_ANALYSIS { return end_of(waiter, now); });
      if (!text) return false;
      said.push_back({std::move(waiter.answer), std::move(*text)});
      return true;
    });
    return {};
  });
}

// A step that was not applied must not be told as what a clock says of itself.
Status ClockDesk::not_applied(const Clocks::Decision& decision, const Status& why) {
  if (why.ok()) return {};
  StatusCode code = why.code();
  if (code == StatusCode::kBusy) code = StatusCode::kCapacity;
  const bool of_clocks =
      code == StatusCode::kClosed || code == StatusCode::kNotFound || code == StatusCode::kConflict;
  if (of_clocks) code = StatusCode::kInvalidArgument;  // a parameter is there no more
  return {code, "step " + std::to_string(decision.step) + " was not applied: " + why.message()};
}

// What it applies is taken at once: whoever leaves from now on takes nothing with it.
void ClockDesk::begin_apply(const Clocks::Decision& decision) {
  uint64_t bytes = 0;
  Status status = guarded([&]() HOTROW_NO_THREAD_SAFETY_ANALYSIS -> Status {
    const auto taken = std::make_shared<HeldPushes::Taken>();
    held_.take(decision.id, decision.members, *taken);
    bytes = taken->bytes;
    if (applying_.submit([this, decision, taken] { apply(decision, std::move(*taken)); })) {
      return {};
    }
    return Status::capacity("the server has too many steps to apply");
  });
  if (status.ok()) return;
  held_.release(bytes);
  held_.drop(decision.id);  // where there was no memory to take it
  clocks_.finish(decision, not_applied(decision, status));
}

void ClockDesk::apply(const Clocks::Decision& decision, HeldPushes::Taken taken) {
  const Status status =
      guarded([&] { return HeldPushes::apply(*store_, std::move(taken.pushes)); });
  std::vector<Said> said;
  {
    const MutexLock lock(mutex_);
    held_.release(taken.bytes);
    clocks_.finish(decision, not_applied(decision, status));
    advance(said);
    changed_.notify_all();
  }
  say(std::move(said));
}

Status ClockDesk::hold(const std::string& owner, uint32_t step, HeldPush push) {
  HOTROW_RETURN_IF_ERROR(push.check());
  const MutexLock lock(mutex_);
  const auto place = open_place(owner, step);
  if (!place.ok()) return place.status();
  return held_.hold(place.value().id, place.value().index, std::move(push));
}

Status ClockDesk::may_hold(const std::string& owner, uint32_t step, uint64_t bytes) const {
  const MutexLock lock(mutex_);
  HOTROW_RETURN_IF_ERROR(open_place(owner, step).status());
  return held_.room(bytes);
}

Result<Clocks::Place> ClockDesk::open_place(const std::string& owner, uint32_t step) const {
  auto place = clocks_.place(owner);
  if (!place) {
    return Status::closed(
        "a push of a worker's step, and this client is in no clock: its lease ran out, or it has "
        "left");
  }
  if (place->mode != ClockMode::kBulk) {
    return Status::invalid_argument("clock: only pushes of mode 'bulk' belong to a step");
  }
  // Of a step that it has ended there is nothing more to come, and the next begins once that one
  // was applied.
  if (place->clock != place->floor || uint64_t{step} != place->floor + 1) {
    return Status::conflict("a push of step " + std::to_string(step) +
                            ", and the worker has ended " + std::to_string(place->clock) +
                            ", of which " + std::to_string(place->floor) + " were applied");
  }
  return std::move(*place);
}

std::vector<GroupFigures> ClockDesk::figures() const {
  const MutexLock lock(mutex_);
  std::vector<GroupFigures> all;
  for (const std::string& name : clocks_.names()) {
    auto its = clocks_.look(name, SteadyClock::now());
    if (!its.ok()) continue;
    its.value().held_bytes = held_.bytes(clocks_.id_of(name));
    all.push_back(std::move(its).value());
  }
  return all;
}

Status ClockDesk::start() {
  try {
    if (!watching_.joinable()) watching_ = std::thread([this] { watch(); });
  } catch (const std::system_error&) {
    return Status::capacity("the system has no thread for the server's clocks");
  }
  return {};
}

void ClockDesk::stop() {
  {
    const MutexLock lock(mutex_);
    stopping_ = true;
    waiters_.clear();
    changed_.notify_all();
  }
  applying_.stop();
  if (watching_.joinable()) watching_.join();
}

void ClockDesk::watch() {
  bool forgave = false;
  bool goes_on = true;
  while (goes_on) {
    std::vector<Said> said;
    (void)guarded([&]() -> Status {
      goes_on = watch_once(forgave, said);
      return {};
    });
    say(std::move(said));
  }
}

bool ClockDesk::watch_once(bool& forgave, std::vector<Said>& said) {
  constexpr milliseconds kLongest{1000};
  const MutexLock lock(mutex_);
  if (stopping_) return false;
  const auto before = SteadyClock::now();
  auto next = before + kLongest;
  if (const auto expiry = clocks_.next_expiry()) next = std::min(next, *expiry);
  for (const Waiter& waiter : waiters_) next = std::min(next, waiter.until);
  if (next > before) changed_.wait_for(mutex_, next - before);
  if (stopping_) return false;
  const auto now = SteadyClock::now();
  // Once: where there is always too much to do, leases end all the same. Whoever is woken before
  // its time was not late, nor in time.
  const bool forgives = now > next + kOverslept && !forgave;
  if (now >= next) forgave = forgives;
  if (forgives) {
    clocks_.extend_leases(now - next + kOverslept);
  } else {
    for (const auto& [id, worker] : clocks_.expire(now)) held_.drop(id, worker);
  }
  advance(said);
  return true;
}

}  // namespace hotrow::server
