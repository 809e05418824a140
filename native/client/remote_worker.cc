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

Status RemoteWorker::begin(Deadline deadline) {
  Result<wire::ClockReply> joined{wire::ClockReply{}};
  while (true) {
    joined = ask_reply(leader_, call("join"), deadline);
    if (joined.ok()) break;
    const bool passes = joined.status().code() == StatusCode::kBusy;
    if (!passes || SteadyClock::now() + kPause >= deadline) return joined.status();
    std::this_thread::sleep_for(kPause);
  }
  id_ = joined.value().id;
  // Those that follow may have missed what was decided last. If they know nothing of the group they
  // begin where it is.
  bool told = true;
  if (bulk() && joined.value().step > 0) (void)tell(joined.value(), deadline, told);
  Status status;
  for (size_t server = 0; server < servers_ && bulk() && status.ok(); ++server) {
    if (server == leader_) continue;
    wire::ClockCall follows = call("join");
    follows.id = id_;
    follows.step = joined.value().clock;
    status = ask(server, follows, deadline).status();
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
  renewing_ = std::thread([this] { renew(); });
  return {};
}

void RemoteWorker::open_next(uint64_t ended) {
  const MutexLock lock(mutex_);
  ended_ = ended;
  cluster_->open_step().open(static_cast<uint32_t>(ended + 1), bulk());
}

Status RemoteWorker::tell(const wire::ClockReply& decided, Deadline deadline, bool& done) {
  struct Sent {
    Sent() : exchange(wire::Verb::kCall, Effect::kReads) {}
    TextReply reply;
    Exchange exchange;
    Status begun;
  };
  wire::ClockCall told = call("applyStep");
  told.id = id_;
  told.step = decided.step;
  told.members = decided.members;
  told.wait_ms = static_cast<uint64_t>(std::max<int64_t>(
      std::chrono::duration_cast<milliseconds>(deadline - SteadyClock::now()).count(), 0));
  std::vector<std::unique_ptr<Sent>> all(servers_);
  for (size_t server = 0; server < all.size(); ++server) {
    if (server == leader_) continue;
    all[server] = std::make_unique<Sent>();
    all[server]->exchange.request.add_text(wire::to_text(told));
    Peer& peer = cluster_->peer(server);
    all[server]->begun = peer.begin(all[server]->exchange, all[server]->reply, deadline);
  }
  Status failed;
  Status outcome;
  for (size_t server = 0; server < all.size(); ++server) {
    if (all[server] == nullptr) continue;
    Sent& sent = *all[server];
    Status status = sent.begun;
    if (status.ok()) status = cluster_->peer(server).end(sent.exchange, sent.reply, deadline);
    if (status.ok()) {
      const auto reply = wire::read_clock_reply(sent.reply.text);
      status = reply.status();
      if (reply.ok() && !reply.value().done) {
        status = {StatusCode::kBusy, cluster_->name(server) + ": " + reply.value().waits};
      } else if (reply.ok() && outcome.ok()) {
        outcome = outcome_of(reply.value(), cluster_->name(server));
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
    if (gone_) return Status::closed("the worker has left");
    step = ended_ + 1;
  }
  // In kAsync a push beside it harms nobody.
  if (options_.mode != ClockMode::kAsync) HOTROW_RETURN_IF_ERROR(cluster_->open_step().close());
  wire::ClockCall ends = call("tick");
  ends.step = step;
  ends.wait_ms = wait_ms;
  // The server's answer that it still waits is to come before nobody waits for that.
  const Deadline deadline = cluster_->deadline() + milliseconds(wait_ms);
  const auto reply = ask_reply(leader_, ends, deadline);
  if (!reply.ok()) return reply.status();
  if (!reply.value().done) {
    return {StatusCode::kBusy, "step " + std::to_string(step) + " of group '" + options_.group +
                                   "' waits for " + reply.value().waits};
  }
  Status outcome = outcome_of(reply.value(), cluster_->name(leader_));
  if (bulk()) {
    bool done = false;
    Status elsewhere = tell(reply.value(), deadline, done);
    if (!done) return elsewhere;  // the next call tells them again
    if (outcome.ok()) outcome = std::move(elsewhere);
  }
  open_next(step);
  return outcome;
}

Result<GroupClock> RemoteWorker::clock() {
  return guarded([&]() -> Result<GroupClock> {
    if (gone()) return Status::closed("the worker has left");
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

void RemoteWorker::stop_renewing() {
  {
    const MutexLock lock(mutex_);
    gone_ = true;
    changed_.notify_all();
  }
  if (renewing_.joinable()) renewing_.join();
}

Status RemoteWorker::leave() {
  return guarded([&]() -> Status {
    {
      const MutexLock lock(mutex_);
      if (gone_) return {};
      gone_ = true;
      changed_.notify_all();
    }
    const MutexLock lock(ticking_);
    cluster_->open_step().end();
    const Deadline deadline = std::min(cluster_->deadline(), SteadyClock::now() + kMostLeaving);
    const auto left = ask_reply(leader_, call("leave"), deadline);
    // What was decided with it is applied everywhere before its gradients go.
    bool done = false;
    if (bulk() && left.ok() && left.value().step > 0) (void)tell(left.value(), deadline, done);
    for (size_t server = 0; server < servers_ && bulk(); ++server) {
      if (server != leader_) (void)ask(server, call("leave"), deadline);
    }
    const bool knows_nothing = left.status().code() == StatusCode::kNotFound ||
                               left.status().code() == StatusCode::kClosed;
    return knows_nothing ? Status() : left.status();
  });
}

// The leader first: the others only want to know whether anybody is still there.
void RemoteWorker::renew() {
  const milliseconds pause(std::max<uint32_t>(options_.lease_ms / 3, 10));
  const milliseconds patience = std::clamp(pause, milliseconds(100), milliseconds(1000));
  while (true) {
    {
      const MutexLock lock(mutex_);
      if (!gone_) changed_.wait_for(mutex_, pause);
      if (gone_) return;
    }
    // What it says of a worker that was dropped, the next tick says too.
    const auto one = [&](size_t server) {
      (void)guarded(
          [&] { return ask(server, call("renew"), SteadyClock::now() + patience).status(); });
    };
    one(leader_);
    for (size_t server = 0; server < servers_ && bulk(); ++server) {
      if (server != leader_ && !gone()) one(server);
    }
  }
}

}  // namespace hotrow::client
