#include "client/remote_worker.h"

#include <algorithm>
#include <system_error>
#include <utility>

#include "base/guarded.h"

namespace hotrow::client {

namespace {

using SteadyClock = std::chrono::steady_clock;
using std::chrono::milliseconds;

// A step that is being applied, or a worker's place whose lease is about to run out.
constexpr milliseconds kPause{20};
// Of leaving when a store is closed: the lease does it otherwise.
constexpr milliseconds kMostLeaving{2000};

Status has_left() { return Status::closed("the worker has left"); }

Deadline leaving_deadline(const Cluster& cluster) {
  return std::min(cluster.deadline(), SteadyClock::now() + kMostLeaving);
}

// What a server may wait so that its answer comes in time.
milliseconds half_until(Deadline deadline) {
  return std::chrono::duration_cast<milliseconds>(deadline - SteadyClock::now()) / 2;
}

Status outcome_of(const wire::ClockReply& reply, const std::string& server) {
  if (reply.code == 0) return {};
  const auto code = static_cast<StatusCode>(std::min<uint32_t>(reply.code, UINT8_MAX));
  return {status_traits(code).name == status_traits(StatusCode::kInternal).name
              ? StatusCode::kInternal
              : code,
          server + ": " + reply.message};
}

}  // namespace

RemoteWorker::RemoteWorker(std::shared_ptr<Cluster> cluster, const WorkerOptions& options)
    : cluster_(std::move(cluster)), servers_(cluster_->members().size()), options_(options) {
  for (size_t i = 1; i < servers_; ++i) {
    if (cluster_->name(i) < cluster_->name(leader_)) leader_ = i;
  }
}

RemoteWorker::~RemoteWorker() {
  (void)leave();
  stop_renewing();
}

Result<std::shared_ptr<RemoteWorker>> RemoteWorker::join(const std::shared_ptr<Cluster>& cluster,
                                                         const WorkerOptions& options) {
  return guarded([&]() -> Result<std::shared_ptr<RemoteWorker>> {
    HOTROW_RETURN_IF_ERROR(options.validate());
    if (cluster->view()->epoch != 0) {
      return Status(StatusCode::kUnsupported,
                    "workers share a clock over a fixed list of servers, and the placement of this "
                    "store's servers may change");
    }
    auto worker = std::make_shared<RemoteWorker>(cluster, options);
    HOTROW_RETURN_IF_ERROR(worker->begin(cluster->deadline()));
    return worker;
  });
}

wire::ClockCall RemoteWorker::call(const char* name) const {
  return {.call = name,
          .group = options_.group,
          .index = options_.index,
          .of = options_.of,
          .mode = options_.mode,
          .staleness = options_.staleness,
          .lease_ms = options_.lease_ms};
}

// All of these calls may be said again.
Result<std::string> RemoteWorker::ask(size_t server, const wire::ClockCall& call,
                                      Deadline deadline) {
  Exchange exchange(wire::Verb::kCall, Effect::kReads);
  exchange.request.add_text(wire::to_text(call));
  TextReply reply;
  HOTROW_RETURN_IF_ERROR(cluster_->peer(server).run(exchange, reply, deadline));
  return std::move(reply.text);
}

Result<wire::ClockReply> RemoteWorker::ask_reply(size_t server, const wire::ClockCall& call,
                                                 Deadline deadline) {
  auto text = ask(server, call, deadline);
  if (!text.ok()) return text.status();
  return wire::read_clock_reply(text.value());
}

Result<std::string> RemoteWorker::ask_join(size_t server, const wire::ClockCall& call,
                                           Deadline deadline) {
  while (true) {
    auto joined = ask(server, call, deadline);
    const bool passes = joined.status().code() == StatusCode::kBusy;
    if (!passes || SteadyClock::now() + kPause >= deadline) return joined;
    std::this_thread::sleep_for(kPause);
  }
}

Status RemoteWorker::begin(Deadline deadline) {
  const auto text = ask_join(leader_, call("join"), deadline);
  if (!text.ok()) return text.status();
  const auto joined = wire::read_clock_reply(text.value());
  if (!joined.ok()) return joined.status();
  id_ = joined.value().id;
  // Those that follow may have missed what was decided last. If they know nothing of the group they
  // begin where it is.
  bool told = true;
  if (bulk() && joined.value().step > 0) {
    (void)tell(joined.value(), half_until(deadline), deadline, told);
  }
  Status status;
  for (size_t server = 0; server < servers_ && bulk() && status.ok(); ++server) {
    if (server == leader_) continue;
    wire::ClockCall follows = call("join");
    follows.id = id_;
    follows.step = joined.value().clock;
    status = ask_join(server, follows, deadline).status();
  }
  if (!status.ok()) {
    for (size_t server = 0; server < servers_; ++server) {
      if (server == leader_ || bulk()) (void)ask(server, call("leave"), cluster_->deadline());
    }
    return status;
  }
  open_next(joined.value().clock);
  {
    const MutexLock lock(mutex_);
    gone_ = false;
  }
  status = start_renewing();
  if (!status.ok()) (void)leave();
  return status;
}

Status RemoteWorker::start_renewing() {
  try {
    renewing_ = std::thread([this] { renew(); });
  } catch (const std::system_error&) {
    return Status::capacity("the system has no thread that would renew the worker's lease");
  }
  return {};
}

void RemoteWorker::open_next(uint64_t ended) {
  const MutexLock lock(mutex_);
  ended_ = ended;
  cluster_->open_step().open(static_cast<uint32_t>(ended + 1), bulk());
}

struct RemoteWorker::Asked {
  explicit Asked(size_t its_server)
      : server(its_server), exchange(wire::Verb::kCall, Effect::kReads) {}
  size_t server;
  TextReply reply;
  Exchange exchange;
  Status status;
};

std::vector<std::unique_ptr<RemoteWorker::Asked>> RemoteWorker::ask_followers(
    const wire::ClockCall& call, Deadline deadline) {
  std::vector<std::unique_ptr<Asked>> all;
  all.reserve(servers_);
  for (size_t server = 0; server < servers_; ++server) {
    if (server == leader_) continue;
    Asked& its = *all.emplace_back(std::make_unique<Asked>(server));
    its.exchange.request.add_text(wire::to_text(call));
    its.status = cluster_->peer(server).begin(its.exchange, its.reply, deadline);
  }
  for (const auto& its : all) {
    if (!its->status.ok()) continue;
    its->status = cluster_->peer(its->server).end(its->exchange, its->reply, deadline);
  }
  return all;
}

Status RemoteWorker::tell(const wire::ClockReply& decided, milliseconds wait, Deadline deadline,
                          bool& done) {
  wire::ClockCall told = call("applyStep");
  told.id = id_;
  told.step = decided.step;
  told.members = decided.members;
  told.wait_ms = static_cast<uint64_t>(std::max<int64_t>(wait.count(), 0));
  Status failed;
  Status outcome;
  for (const auto& its : ask_followers(told, deadline)) {
    const std::string& name = cluster_->name(its->server);
    Status status = its->status;
    if (status.ok()) {
      const auto reply = wire::read_clock_reply(its->reply.text);
      status = reply.status();
      if (reply.ok() && !reply.value().done) {
        status = {StatusCode::kBusy, name + ": " + reply.value().waits};
      } else if (reply.ok() && outcome.ok()) {
        outcome = outcome_of(reply.value(), name);
      }
    }
    if (failed.ok()) failed = std::move(status);
  }
  done = failed.ok();
  return done ? outcome : failed;
}

Status RemoteWorker::tick(uint32_t wait_ms) {
  return guarded([&]() -> Status {
    const MutexLock lock(ticking_);
    return tick_held(wait_ms);
  });
}

Status RemoteWorker::tick_held(uint32_t wait_ms) {
  uint64_t step = 0;
  {
    const MutexLock lock(mutex_);
    if (gone_ || leaving_) return has_left();
    step = ended_ + 1;
  }
  // In kAsync a push beside it harms nobody.
  if (options_.mode != ClockMode::kAsync) HOTROW_RETURN_IF_ERROR(cluster_->open_step().close());
  wire::ClockCall ends = call("tick");
  ends.step = step;
  ends.wait_ms = wait_ms;
  // The server's answer that it still waits is to come before nobody waits for that.
  const Deadline wait_until = SteadyClock::now() + milliseconds(wait_ms);
  const Deadline deadline = cluster_->deadline() + milliseconds(wait_ms);
  const auto reply = ask_reply(leader_, ends, deadline);
  if (!reply.ok()) return leaving() ? has_left() : reply.status();
  if (!reply.value().done) {
    return {StatusCode::kBusy, "step " + std::to_string(step) + " of group '" + options_.group +
                                   "' waits for " + reply.value().waits};
  }
  Status outcome = outcome_of(reply.value(), cluster_->name(leader_));
  if (bulk()) {
    bool done = false;
    const auto left = std::chrono::duration_cast<milliseconds>(wait_until - SteadyClock::now());
    Status elsewhere = tell(reply.value(), left, deadline, done);
    if (!done) return elsewhere;  // the next call tells them again
    if (outcome.ok()) outcome = std::move(elsewhere);
  }
  open_next(step);
  return outcome;
}

Result<GroupClock> RemoteWorker::clock() {
  return guarded([&]() -> Result<GroupClock> {
    if (leaving()) return has_left();
    auto text = ask(leader_, call("clock"), cluster_->deadline());
    if (!text.ok()) return text.status();
    auto figures = wire::read_group_figures(text.value());
    if (!figures.ok()) return figures.status();
    GroupClock clock{.slowest = figures.value().slowest,
                     .workers = std::move(figures.value().workers)};
    for (const WorkerFigures& each : clock.workers) {
      if (each.index == options_.index) clock.mine = each.clock;
    }
    return clock;
  });
}

bool RemoteWorker::gone() const {
  const MutexLock lock(mutex_);
  return gone_;
}

bool RemoteWorker::leaving() const {
  const MutexLock lock(mutex_);
  return gone_ || leaving_;
}

void RemoteWorker::stop_renewing() {
  {
    const MutexLock lock(mutex_);
    leaving_ = true;
    changed_.notify_all();
  }
  if (renewing_.joinable()) renewing_.join();
}

Status RemoteWorker::leave() {
  {
    const MutexLock lock(mutex_);
    if (leaving_) {
      while (!gone_) changed_.wait(mutex_);
    }
    if (gone_) return {};
    leaving_ = true;
    changed_.notify_all();
  }
  Status status = guarded([&] { return leave_servers(); });
  const MutexLock lock(mutex_);
  gone_ = true;
  changed_.notify_all();
  return status;
}

Status RemoteWorker::leave_servers() {
  Deadline deadline = leaving_deadline(*cluster_);
  // A tick that waits there ends by this.
  const auto left = ask_reply(leader_, call("leave"), deadline);
  const MutexLock lock(ticking_);
  cluster_->open_step().end();
  deadline = leaving_deadline(*cluster_);
  // What was decided with it is applied everywhere before its gradients go.
  bool done = false;
  if (bulk() && left.ok() && left.value().step > 0) {
    (void)tell(left.value(), half_until(deadline), deadline, done);
  }
  if (bulk()) (void)ask_followers(call("leave"), deadline);
  const bool knows_nothing =
      left.status().code() == StatusCode::kNotFound || left.status().code() == StatusCode::kClosed;
  return knows_nothing ? Status() : left.status();
}

// The leader first: the others only want to know whether anybody is still there.
void RemoteWorker::renew() {
  const milliseconds pause(std::max<uint32_t>(options_.lease_ms / 3, 10));
  const milliseconds patience = std::clamp(pause, milliseconds(100), milliseconds(1000));
  while (true) {
    {
      const MutexLock lock(mutex_);
      if (!leaving_) changed_.wait_for(mutex_, pause);
      if (leaving_) return;
    }
    // What it says of a worker that was dropped, the next tick says too.
    (void)guarded([&]() -> Status {
      (void)ask(leader_, call("renew"), SteadyClock::now() + patience);
      // All at once, and no longer than a pause: one that is silent is not to cost the lease.
      const auto others = std::min(pause, patience);
      if (bulk() && !leaving()) (void)ask_followers(call("renew"), SteadyClock::now() + others);
      return {};
    });
  }
}

}  // namespace hotrow::client
