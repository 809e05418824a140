// Threads that take turns: at every operation of a ScheduledAtom a seeded choice decides who goes
// on, so that a run explores one interleaving and a seed repeats it.
//
// Only one thread runs at a time. A thread that blocks on a real mutex held by another would wait
// for ever, so scenarios keep such locks to one thread each.
#ifndef HOTROW_TEST_SUPPORT_INTERLEAVE_H_
#define HOTROW_TEST_SUPPORT_INTERLEAVE_H_

#include <atomic>
#include <condition_variable>
#include <cstdint>
#include <functional>
#include <memory>
#include <mutex>
#include <thread>
#include <vector>

#include "support/random.h"

namespace hotrow::test {

class Interleaver {
 public:
  explicit Interleaver(uint64_t seed) : random_(seed) {}

  /// Runs all at once, in turns, until each has returned.
  void run(const std::vector<std::function<void()>>& work) {
    left_ = work.size();
    done_.assign(work.size(), false);
    wakes_ = std::make_unique<std::condition_variable[]>(work.size());
    turn_ = random_.below(work.size());
    std::vector<std::thread> threads;
    for (size_t i = 0; i < work.size(); ++i) {
      threads.emplace_back([this, i, &work] {
        current() = {this, i};
        {
          std::unique_lock lock(mutex_);
          wakes_[i].wait(lock, [&] { return turn_ == i; });
        }
        work[i]();
        current() = {};
        finish(i);
      });
    }
    for (std::thread& thread : threads) thread.join();
  }

  /// A place where another thread may go on; nothing outside run().
  static void point() {
    const Current& now = current();
    if (now.interleaver != nullptr) now.interleaver->maybe_switch(now.thread);
  }

 private:
  struct Current {
    Interleaver* interleaver = nullptr;
    size_t thread = 0;
  };
  static Current& current() {
    thread_local Current now;
    return now;
  }

  void maybe_switch(size_t thread) {
    std::unique_lock lock(mutex_);
    if (left_ == 1 || !random_.one_in(3)) return;
    hand_over();
    wakes_[thread].wait(lock, [&] { return turn_ == thread; });
  }
  void finish(size_t thread) {
    const std::unique_lock lock(mutex_);
    done_[thread] = true;
    if (--left_ > 0) hand_over();
  }
  void hand_over() {
    do {
      turn_ = random_.below(done_.size());
    } while (done_[turn_]);
    wakes_[turn_].notify_one();
  }

  Random random_;
  std::mutex mutex_;
  std::unique_ptr<std::condition_variable[]> wakes_;
  std::vector<bool> done_;
  size_t left_ = 0;
  size_t turn_ = 0;
};

/// std::atomic with a point() before every operation.
template <class T>
class ScheduledAtom {
 public:
  ScheduledAtom() = default;
  ScheduledAtom(T value) : value_(value) {}  // NOLINT(google-explicit-constructor)

  T load(std::memory_order order = std::memory_order_seq_cst) const {
    Interleaver::point();
    return value_.load(order);
  }
  void store(T value, std::memory_order order = std::memory_order_seq_cst) {
    Interleaver::point();
    value_.store(value, order);
  }
  T fetch_add(T value, std::memory_order order = std::memory_order_seq_cst) {
    Interleaver::point();
    return value_.fetch_add(value, order);
  }
  T fetch_sub(T value, std::memory_order order = std::memory_order_seq_cst) {
    Interleaver::point();
    return value_.fetch_sub(value, order);
  }
  bool compare_exchange_weak(T& expected, T desired, std::memory_order success,
                             std::memory_order failure) {
    Interleaver::point();
    return value_.compare_exchange_weak(expected, desired, success, failure);
  }

 private:
  std::atomic<T> value_;
};

}  // namespace hotrow::test

#endif  // HOTROW_TEST_SUPPORT_INTERLEAVE_H_
