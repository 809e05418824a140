// Worker: one thread that does jobs in the order in which they came.
#ifndef HOTROW_SERVER_WORKER_H_
#define HOTROW_SERVER_WORKER_H_

#include <deque>
#include <functional>
#include <thread>

#include "base/sync.h"

namespace hotrow::server {

class Worker {
 public:
  static constexpr size_t kMostJobs = 4096;

  Worker() = default;
  ~Worker() { stop(); }
  Worker(const Worker&) = delete;
  Worker& operator=(const Worker&) = delete;

  /// False when there are too many jobs, or when it has stopped. A job must not throw.
  [[nodiscard]] bool submit(std::function<void()> job) HOTROW_EXCLUDES(mutex_);
  /// Ends the job under way and drops the others.
  void stop() HOTROW_EXCLUDES(mutex_);

 private:
  void loop() HOTROW_EXCLUDES(mutex_);

  Mutex mutex_;
  CondVar wake_;
  std::deque<std::function<void()>> jobs_ HOTROW_GUARDED_BY(mutex_);
  bool stopping_ HOTROW_GUARDED_BY(mutex_) = false;
  std::thread thread_;  // started by the first job, under mutex_
};

}  // namespace hotrow::server

#endif  // HOTROW_SERVER_WORKER_H_
