// Threads that wait for work without sleeping, for fetches of some ten microseconds: to wake
// fifteen sleeping threads takes longer than that.
#ifndef HOTROW_BENCH_GPU_SPINNING_H_
#define HOTROW_BENCH_GPU_SPINNING_H_

#include <atomic>
#include <cstdint>
#include <functional>
#include <thread>
#include <vector>

#include "base/sync.h"

namespace hotrow::bench {

class SpinningThreads {
 public:
  /// `threads` counts the caller of run().
  explicit SpinningThreads(uint32_t threads) {
    for (uint32_t i = 1; i < threads; ++i) helpers_.emplace_back([this] { help(); });
  }
  ~SpinningThreads() {
    stop_ = true;
    round_.fetch_add(1, std::memory_order_release);
    for (std::thread& helper : helpers_) helper.join();
  }
  SpinningThreads(const SpinningThreads&) = delete;
  SpinningThreads& operator=(const SpinningThreads&) = delete;

  /// Calls work(part) once for every part, on all threads; on this one meanwhile() before. By one
  /// thread at a time.
  void run(uint32_t parts, const std::function<void(uint32_t)>& work,
           const std::function<void()>& meanwhile) {
    work_ = &work;
    parts_ = parts;
    next_.store(0, std::memory_order_relaxed);
    busy_.store(helpers_.size(), std::memory_order_relaxed);
    // Releases the work to the helpers, each of which gives back what it did by busy_.
    round_.fetch_add(1, std::memory_order_release);
    meanwhile();
    take_parts();
    Backoff backoff;
    while (busy_.load(std::memory_order_acquire) != 0) backoff.pause();
  }

 private:
  void take_parts() {
    for (;;) {
      const uint32_t part = next_.fetch_add(1, std::memory_order_relaxed);
      if (part >= parts_) return;
      (*work_)(part);
    }
  }
  void help() {
    for (uint64_t seen = 0;; ++seen) {
      Backoff backoff;
      while (round_.load(std::memory_order_acquire) == seen) backoff.pause();
      if (stop_) return;
      take_parts();
      busy_.fetch_sub(1, std::memory_order_acq_rel);
    }
  }

  std::vector<std::thread> helpers_;
  const std::function<void(uint32_t)>* work_ = nullptr;
  uint32_t parts_ = 0;
  bool stop_ = false;
  alignas(64) std::atomic<uint64_t> round_{0};
  alignas(64) std::atomic<uint32_t> next_{0};
  alignas(64) std::atomic<size_t> busy_{0};
};

}  // namespace hotrow::bench

#endif  // HOTROW_BENCH_GPU_SPINNING_H_
