#include "memory/epoch.h"

#include <algorithm>
#include <new>
#include <utility>

namespace hotrow {

// One thread's announcement. `pinned` is 0 when the thread is in no call, else the epoch it
// entered in.
struct alignas(64) EpochDomain::Slot {
  std::atomic<uint64_t> pinned{0};
  std::atomic<bool> taken{true};
  uint32_t depth = 0;  // of the owning thread only
  Slot* next = nullptr;
};

EpochDomain& EpochDomain::instance() {
  static EpochDomain* const domain = new EpochDomain;
  return *domain;
}

EpochDomain::Slot& EpochDomain::own_slot() {
  struct Lease {
    Slot* slot = nullptr;
    ~Lease() {
      if (slot != nullptr) slot->taken.store(false, std::memory_order_release);
    }
  };
  thread_local Lease lease;
  if (lease.slot != nullptr) return *lease.slot;
  for (Slot* slot = slots_.load(std::memory_order_acquire); slot != nullptr; slot = slot->next) {
    bool free = false;
    if (slot->taken.compare_exchange_strong(free, true, std::memory_order_acquire)) {
      lease.slot = slot;
      return *slot;
    }
  }
  auto* const slot = new Slot;
  slot->next = slots_.load(std::memory_order_relaxed);
  while (!slots_.compare_exchange_weak(slot->next, slot, std::memory_order_acq_rel)) {
  }
  lease.slot = slot;
  return *slot;
}

bool EpochDomain::pin() {
  Slot& slot = own_slot();
  if (slot.depth++ > 0) return false;
  // Sequentially consistent against the loads of oldest_pinned(): either it sees this pin, or
  // this call sees everything unlinked before it looked. An exchange is the cheapest full
  // barrier on x86, and ThreadSanitizer understands it.
  slot.pinned.exchange(epoch_.load(std::memory_order_acquire), std::memory_order_seq_cst);
#if !defined(HOTROW_TSAN)
  std::atomic_thread_fence(std::memory_order_seq_cst);
#endif
  return true;
}

void EpochDomain::unpin() {
  Slot& slot = own_slot();
  if (--slot.depth == 0) slot.pinned.store(0, std::memory_order_release);
}

uint64_t EpochDomain::oldest_pinned() {
  uint64_t oldest = epoch_.load(std::memory_order_seq_cst);
  for (Slot* slot = slots_.load(std::memory_order_acquire); slot != nullptr; slot = slot->next) {
    const uint64_t pinned = slot->pinned.load(std::memory_order_seq_cst);
    if (pinned != 0) oldest = std::min(oldest, pinned);
  }
  return oldest;
}

void EpochDomain::retire(std::function<void()> deleter) {
  const uint64_t epoch = epoch_.fetch_add(1, std::memory_order_seq_cst);
  try {
    MutexLock lock(mutex_);
    retired_.push_back({epoch, std::move(deleter)});
  } catch (const std::bad_alloc&) {
    return;
  }
  reclaim();
}

void EpochDomain::reclaim() {
  MutexLock reclaiming(reclaiming_);
  const uint64_t oldest = oldest_pinned();
  // One by one, which needs no memory.
  for (;;) {
    Retired ready;
    {
      MutexLock lock(mutex_);
      const auto found = std::ranges::find_if(
          retired_, [oldest](const Retired& retired) { return retired.epoch < oldest; });
      if (found == retired_.end()) return;
      ready = std::move(*found);
      *found = std::move(retired_.back());
      retired_.pop_back();
    }
    ready.deleter();
  }
}

void EpochDomain::synchronize() {
  // Twice: a call awaited by the first round may have retired something at a later epoch, at which
  // others are pinned by then; the second round waits for those.
  for (int round = 0; round < 2; ++round) {
    const uint64_t epoch = epoch_.fetch_add(1, std::memory_order_seq_cst);
    Backoff backoff;
    while (oldest_pinned() <= epoch) backoff.pause();
  }
  reclaim();
}

}  // namespace hotrow
