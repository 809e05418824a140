// Epochs: when is memory that readers may still hold free to be used again?
//
// A call pins the current epoch for its length (EpochGuard). What is unlinked meanwhile is
// retired, and its deleter runs once every call that was pinned at that moment has ended.
// `synchronize` waits for them, which is how close() and drop() wait.
// Cost of a pin: a store and a fence. Fraser 2004, "Practical lock-freedom", section 5.2.3.
#ifndef HOTROW_MEMORY_EPOCH_H_
#define HOTROW_MEMORY_EPOCH_H_

#include <atomic>
#include <cstdint>
#include <functional>
#include <vector>

#include "base/sync.h"

namespace hotrow {

class EpochDomain {
 public:
  /// The process's one domain. Never destroyed: threads may run past the end of main.
  static EpochDomain& instance();

  /// Pins nest; the outermost pair counts. True: this is the outermost.
  bool pin();
  void unpin();

  /// Runs `deleter` after every call now pinned has ended: later, from some retire() or
  /// synchronize(), on that caller's thread. Never fails: without memory to remember the deleter
  /// it is dropped, and what it would have freed is lost.
  void retire(std::function<void()> deleter) HOTROW_EXCLUDES(mutex_);

  /// Waits until every call pinned at this moment has ended, and everything they retired has been
  /// freed; for that also until calls that began while it waited have ended. The caller must not be
  /// pinned.
  void synchronize() HOTROW_EXCLUDES(mutex_);

  /// Runs the deleters that no pinned call holds up any more.
  void reclaim() HOTROW_EXCLUDES(reclaiming_, mutex_);

 private:
  struct Slot;
  struct Retired {
    uint64_t epoch = 0;
    std::function<void()> deleter;
  };

  Slot& own_slot();
  /// The oldest epoch pinned by anyone, or the current one.
  uint64_t oldest_pinned() HOTROW_EXCLUDES(mutex_);
  std::atomic<uint64_t> epoch_{1};
  // Slots are added at the front and never removed; a thread that ends leaves its slot to the
  // next. Published by release, read by acquire.
  std::atomic<Slot*> slots_{nullptr};
  // Held while deleters run, so that synchronize() also waits for those another thread runs.
  Mutex reclaiming_;
  Mutex mutex_;
  std::vector<Retired> retired_ HOTROW_GUARDED_BY(mutex_);
};

class EpochGuard {
 public:
  EpochGuard() { EpochDomain::instance().pin(); }
  ~EpochGuard() { EpochDomain::instance().unpin(); }
  EpochGuard(const EpochGuard&) = delete;
  EpochGuard& operator=(const EpochGuard&) = delete;
};

}  // namespace hotrow

#endif  // HOTROW_MEMORY_EPOCH_H_
