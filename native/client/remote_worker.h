// RemoteWorker: a worker of a training job, at the servers of its store.
//
// The server whose name comes first leads the group (server/clocks.h). Of ClockMode::kBulk the
// others hold gradients too: they know nothing of each other, so it is the workers who tell them
// which step was decided and whose gradients are in it. All of them do, and each server does it
// once.
//
// Its lease is renewed by a thread, from a third of the lease to the next.
#ifndef HOTROW_CLIENT_REMOTE_WORKER_H_
#define HOTROW_CLIENT_REMOTE_WORKER_H_

#include <chrono>
#include <cstdint>
#include <memory>
#include <string>
#include <thread>
#include <vector>

#include "base/sync.h"
#include "client/cluster.h"
#include "wire/clock_call.h"

namespace hotrow::client {

class RemoteWorker final : public SyncWorker {
 public:
  static Result<std::shared_ptr<RemoteWorker>> join(const std::shared_ptr<Cluster>& cluster,
                                                    const WorkerOptions& options);
  RemoteWorker(std::shared_ptr<Cluster> cluster, const WorkerOptions& options);
  ~RemoteWorker() override;

  const WorkerOptions& options() const override { return options_; }
  Status tick(uint32_t wait_ms) override HOTROW_EXCLUDES(ticking_);
  Result<GroupClock> clock() override HOTROW_EXCLUDES(mutex_);
  Status leave() override HOTROW_EXCLUDES(ticking_, mutex_);
  /// It has left, and nothing of it is under way any more.
  bool gone() const HOTROW_EXCLUDES(mutex_);

 private:
  bool bulk() const { return options_.mode == ClockMode::kBulk; }
  wire::ClockCall call(const char* name) const;
  Result<std::string> ask(size_t server, const wire::ClockCall& call, Deadline deadline);
  Result<wire::ClockReply> ask_reply(size_t server, const wire::ClockCall& call, Deadline deadline);
  /// Again while a step is applied there.
  Result<std::string> ask_join(size_t server, const wire::ClockCall& call, Deadline deadline);
  Status begin(Deadline deadline) HOTROW_EXCLUDES(ticking_, mutex_);
  Status start_renewing() HOTROW_EXCLUDES(mutex_);
  bool leaving() const HOTROW_EXCLUDES(mutex_);
  Status leave_servers() HOTROW_EXCLUDES(ticking_, mutex_);
  Status tick_held(uint32_t wait_ms) HOTROW_REQUIRES(ticking_);
  /// Asks all servers that follow at once.
  struct Asked;
  std::vector<std::unique_ptr<Asked>> ask_followers(const wire::ClockCall& call, Deadline deadline);
  /// Tells the servers that follow of a decided step, which may take `wait` to apply it; what
  /// became of it there. `done`: all of them have done with it, one way or the other.
  Status tell(const wire::ClockReply& decided, std::chrono::milliseconds wait, Deadline deadline,
              bool& done);
  void open_next(uint64_t ended) HOTROW_EXCLUDES(mutex_);
  void renew() HOTROW_EXCLUDES(mutex_);
  void stop_renewing() HOTROW_EXCLUDES(mutex_);

  const std::shared_ptr<Cluster> cluster_;
  const size_t servers_;  // of the list
  const WorkerOptions options_;
  size_t leader_ = 0;
  std::string id_;  // of the group's life; set by begin()

  Mutex ticking_;  // one tick at a time
  mutable Mutex mutex_;
  CondVar changed_;
  uint64_t ended_ HOTROW_GUARDED_BY(mutex_) = 0;  // steps whose tick has returned
  bool gone_ HOTROW_GUARDED_BY(mutex_) = true;    // not between begin() and leave()'s end
  bool leaving_ HOTROW_GUARDED_BY(mutex_) = false;
  std::thread renewing_;
};

}  // namespace hotrow::client

#endif  // HOTROW_CLIENT_REMOTE_WORKER_H_
