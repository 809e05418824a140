// What the tables of one store share: the memory ceiling, the gate that keeps pushes whole under
// it, the threads, the clock, and the times of calls.
#ifndef HOTROW_TABLE_CONTEXT_H_
#define HOTROW_TABLE_CONTEXT_H_

#include <algorithm>
#include <atomic>
#include <chrono>
#include <cstdint>
#include <memory>

#include "base/batch_index.h"
#include "base/histogram.h"
#include "base/sync.h"
#include "base/thread_pool.h"
#include "memory/budget.h"
#include "memory/epoch.h"

namespace hotrow {

/// Milliseconds since 1970: expiry outlives the process.
class Clock {
 public:
  uint64_t now_ms() const {
    const auto now = std::chrono::system_clock::now().time_since_epoch();
    return static_cast<uint64_t>(
               std::chrono::duration_cast<std::chrono::milliseconds>(now).count()) +
           ahead_ms_.load(std::memory_order_relaxed);
  }
  /// For tests: time passes.
  void advance(uint64_t ms) { ahead_ms_.fetch_add(ms, std::memory_order_relaxed); }

 private:
  std::atomic<uint64_t> ahead_ms_{0};  // publishes nothing
};

/// Times of a store's operations, for whoever asks.
struct Latencies {
  LatencyHistogram lookup;
  LatencyHistogram lookup_pooled;
  LatencyHistogram push;
  LatencyHistogram update;
  LatencyHistogram erase;

  StoreLatency summary() const {
    return {lookup.snapshot().summary(), lookup_pooled.snapshot().summary(),
            push.snapshot().summary(), update.snapshot().summary(), erase.snapshot().summary()};
  }
};

/// Keeps the calls on a store's tables out for the moment in which rows are replaced by those of
/// another version.
class CallGate {
 public:
  /// Returns once no call is under way. The caller must not be in one.
  void close() {
    closed_.store(true, std::memory_order_seq_cst);
    EpochDomain::instance().synchronize();
  }
  void open() HOTROW_EXCLUDES(mutex_) {
    {
      const MutexLock lock(mutex_);
      closed_.store(false, std::memory_order_seq_cst);
    }
    opened_.notify_all();
  }
  bool closed() const { return closed_.load(std::memory_order_seq_cst); }
  void wait() HOTROW_EXCLUDES(mutex_) {
    const MutexLock lock(mutex_);
    while (closed()) opened_.wait(mutex_);
  }

 private:
  // Sequentially consistent, as pins are: either a call sees that it is closed, or close() sees the
  // call's pin.
  std::atomic<bool> closed_{false};
  Mutex mutex_;
  CondVar opened_;
};

struct TableContext {
  TableContext(uint64_t memory_bytes, uint32_t threads) : budget(memory_bytes), pool(threads) {}

  /// How many threads should share a batch of n keys: one thread's start costs as much as a few
  /// thousand keys.
  uint32_t parts_for(uint64_t n) const {
    constexpr uint64_t kKeysPerPart = 4096;
    const uint64_t most = std::min(pool.threads(), BatchIndex::kMaxParts);
    return static_cast<uint32_t>(std::clamp<uint64_t>(n / kKeysPerPart, 1, most));
  }

  MemoryBudget budget;
  // Held shared by every call that makes or removes rows; exclusively by a push that must know
  // exactly what it needs because the ceiling is near.
  SharedMutex capacity_gate;
  // Shared with the tables: a call asks it before it knows whether its table is closed, and then
  // the store may be gone.
  const std::shared_ptr<CallGate> call_gate = std::make_shared<CallGate>();
  // Nothing but another version changes rows. Constant once there are tables.
  bool read_only = false;
  // Of the version a store opened for reading is at. Publishes nothing.
  std::atomic<uint64_t> version_time_ms{0};
  ThreadPool pool;
  Clock clock;
  Latencies latencies;
};

/// One call, from its start to its end: nothing is freed meanwhile, and rows stay those of one
/// version.
class Call {
 public:
  explicit Call(CallGate& gate) {
    while (EpochDomain::instance().pin() && gate.closed()) {
      EpochDomain::instance().unpin();
      gate.wait();
    }
  }
  ~Call() { EpochDomain::instance().unpin(); }
  Call(const Call&) = delete;
  Call& operator=(const Call&) = delete;
};

}  // namespace hotrow

#endif  // HOTROW_TABLE_CONTEXT_H_
