#include "base/thread_pool.h"

#include <algorithm>

namespace hotrow {

// One run: parts are handed out by `next`, and counted off by `left`. The shared_ptr keeps it
// alive for a helper that arrives after the last part was taken; such a helper touches only
// `next`, never `work`, which dies with the caller's frame.
struct ThreadPool::Job {
  Job(uint32_t part_count, const std::function<void(uint32_t)>* function)
      : parts(part_count), work(function), left(part_count) {}

  /// Takes parts until none is left. The last to finish wakes the caller.
  void help() {
    for (;;) {
      const uint32_t part = next.fetch_add(1, std::memory_order_relaxed);
      if (part >= parts) return;
      (*work)(part);
      // Release: the part's writes are visible to the caller, which reads `left` with acquire.
      if (left.fetch_sub(1, std::memory_order_acq_rel) == 1) {
        MutexLock lock(mutex);
        finished = true;
        done.notify_all();
      }
    }
  }

  void wait() {
    MutexLock lock(mutex);
    while (!finished) done.wait(mutex);
  }

  const uint32_t parts;
  const std::function<void(uint32_t)>* const work;
  std::atomic<uint32_t> next{0};
  std::atomic<uint32_t> left;
  Mutex mutex;
  CondVar done;
  bool finished HOTROW_GUARDED_BY(mutex) = false;
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

void ThreadPool::start_helpers() {
  while (helpers_.size() + 1 < threads_) {
    helpers_.emplace_back([this] { helper_loop(); });
  }
}

void ThreadPool::helper_loop() {
  for (;;) {
    std::shared_ptr<Job> job;
    {
      MutexLock lock(mutex_);
      while (jobs_.empty() && !stopping_) wake_.wait(mutex_);
      if (stopping_) return;
      job = jobs_.front();
      jobs_.pop_front();
    }
    job->help();
  }
}

void ThreadPool::run(uint32_t parts, const std::function<void(uint32_t)>& work) {
  if (parts <= 1 || threads_ == 1) {
    for (uint32_t part = 0; part < parts; ++part) work(part);
    return;
  }
  const auto job = std::make_shared<Job>(parts, &work);
  {
    MutexLock lock(mutex_);
    start_helpers();
    const uint32_t invited = std::min(parts, threads_) - 1;
    for (uint32_t i = 0; i < invited; ++i) {
      jobs_.push_back(job);
      wake_.notify_one();
    }
  }
  job->help();
  job->wait();
}

}  // namespace hotrow
