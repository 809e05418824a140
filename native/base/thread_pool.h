// A small pool that splits one call over several threads.
//
// `run(parts, work)` calls work(0) … work(parts - 1), each once, on the calling thread and on the
// pool's helpers, and returns when all are done. Several callers may run at once: each part is
// taken by whoever is free, and a caller always works on its own parts, so a run never waits for
// helpers that are busy elsewhere. Work must not call run() on the same pool. When work throws, the
// other parts still run, and then run() throws what the first did.
#ifndef HOTROW_BASE_THREAD_POOL_H_
#define HOTROW_BASE_THREAD_POOL_H_

#include <atomic>
#include <cstdint>
#include <deque>
#include <exception>
#include <memory>
#include <thread>
#include <vector>

#include "base/sync.h"

namespace hotrow {

class ThreadPool {
 public:
  /// `threads` counts the caller: threads - 1 helpers are started, on the first split run.
  explicit ThreadPool(uint32_t threads);
  /// Joins the helpers. No run may be under way.
  ~ThreadPool();
  ThreadPool(const ThreadPool&) = delete;
  ThreadPool& operator=(const ThreadPool&) = delete;

  uint32_t threads() const { return threads_; }

  /// Needs no memory: when there is none for the helpers' sake, the caller does all parts.
  template <class Work>
  void run(uint32_t parts, const Work& work) {
    run_parts(parts, {&work, [](const void* object, uint32_t part) {
                        (*static_cast<const Work*>(object))(part);
                      }});
  }

 private:
  struct Job;
  /// A callable that its caller keeps alive.
  struct Callable {
    const void* object;
    void (*call)(const void* object, uint32_t part);
  };

  void run_parts(uint32_t parts, Callable work);
  /// Asks up to `count` helpers for help; fewer, or none, when memory or threads are short.
  void invite(const std::shared_ptr<Job>& job, uint32_t count) HOTROW_EXCLUDES(mutex_);
  void helper_loop();

  const uint32_t threads_;
  Mutex mutex_;
  CondVar wake_;
  std::deque<std::shared_ptr<Job>> jobs_ HOTROW_GUARDED_BY(mutex_);
  std::atomic<size_t> waiting_{0};  // jobs_.size() as a hint for idle helpers; publishes nothing
  bool stopping_ HOTROW_GUARDED_BY(mutex_) = false;
  std::vector<std::thread> helpers_ HOTROW_GUARDED_BY(mutex_);
};

}  // namespace hotrow

#endif  // HOTROW_BASE_THREAD_POOL_H_
