#include "base/thread_pool.h"

#include <algorithm>
#include <new>

namespace hotrow {

// One run: parts are handed out by `next`, and counted off by `left`. The shared_ptr keeps it
// alive for a helper that arrives after the last part was taken; such a helper touches only
// `next`, never `work`, which dies with the caller's frame.
struct ThreadPool::Job {
  Job(uint32_t part_count, Callable callable)
      : parts(part_count), work(callable), left(part_count) {}

  /// Takes parts until none is left. The last to finish wakes the caller.
  void help() {
    for (;;) {
      const uint32_t part = next.fetch_add(1, std::memory_order_relaxed);
      if (part >= parts) return;
      perform(part);
      // Release: the part's writes are visible to the caller, which reads `left` with acquire.
      if (left.fetch_sub(1, std::memory_order_acq_rel) == 1) {
        MutexLock lock(mutex);
        finished = true;
        done.notify_all();
      }
    }
  }

  void wait() {
    (void)spin_briefly([this] { return left.load(std::memory_order_acquire) == 0; });
    MutexLock lock(mutex);
    while (!finished) done.wait(mutex);
    if (failure) std::rethrow_exception(failure);
  }

  void perform(uint32_t part) {
    try {
      work.call(work.object, part);
    } catch (...) {
      MutexLock lock(mutex);
      if (!failure) failure = std::current_exception();
    }
  }

  const uint32_t parts;
  const Callable work;
  std::atomic<uint32_t> next{0};
  std::atomic<uint32_t> left;
  Mutex mutex;
  CondVar done;
  bool finished HOTROW_GUARDED_BY(mutex) = false;
  std::exception_ptr failure HOTROW_GUARDED_BY(mutex);
};

ThreadPool::ThreadPool(uint32_t threads) : threads_(threads == 0 ? 1 : threads) {}

ThreadPool::~ThreadPool() {
  std::vector<std::thread> helpers;
  {
    MutexLock lock(mutex_);
    stopping_ = true;
    helpers.swap(helpers_);
    wake_.notify_all();
  }
  for (std::thread& helper : helpers) helper.join();
}

void ThreadPool::invite(const std::shared_ptr<Job>& job, uint32_t count) {
  MutexLock lock(mutex_);
  try {
    while (helpers_.size() + 1 < threads_) {
      helpers_.emplace_back([this] { helper_loop(); });
    }
    for (uint32_t i = 0; i < count; ++i) {
      jobs_.push_back(job);
      waiting_.store(jobs_.size(), std::memory_order_relaxed);
      wake_.notify_one();
    }
  } catch (const std::exception&) {
    // The caller does alone whatever nobody was invited to.
  }
}

void ThreadPool::helper_loop() {
  for (;;) {
    std::shared_ptr<Job> job;
    // A call that splits its work mostly does so again at once.
    (void)spin_briefly([this] { return waiting_.load(std::memory_order_relaxed) > 0; });
    {
      MutexLock lock(mutex_);
      while (jobs_.empty() && !stopping_) wake_.wait(mutex_);
      if (stopping_) return;
      job = jobs_.front();
      jobs_.pop_front();
      waiting_.store(jobs_.size(), std::memory_order_relaxed);
    }
    job->help();
  }
}

void ThreadPool::run_parts(uint32_t parts, Callable work) {
  std::shared_ptr<Job> job;
  if (parts > 1 && threads_ > 1) {
    try {
      job = std::make_shared<Job>(parts, work);
    } catch (const std::bad_alloc&) {
      // Alone, then.
    }
  }
  if (!job) {
    for (uint32_t part = 0; part < parts; ++part) work.call(work.object, part);
    return;
  }
  invite(job, std::min(parts, threads_) - 1);
  job->help();
  job->wait();
}

}  // namespace hotrow
