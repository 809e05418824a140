// Ownership: which keys this server may answer for, by the placement that it was given last.
//
// Requests are checked and done while their hold() lasts, and a new placement waits for those: once
// set() has returned, nothing that only the old one allowed is done any more.
//
// Threads: any number at once.
#ifndef HOTROW_SERVER_OWNERSHIP_H_
#define HOTROW_SERVER_OWNERSHIP_H_

#include <atomic>
#include <bitset>
#include <chrono>
#include <cstdint>
#include <span>
#include <string>
#include <string_view>
#include <type_traits>

#include "base/slot_map.h"
#include "base/sync.h"
#include "hotrow/status.h"

namespace hotrow::server {

/// What is this server's at one moment.
struct Owned {
  bool everything = true;  // there is no placement, and none is needed
  uint32_t epoch = 0;      // 0: no placement yet
  std::bitset<kSlots> slots;
  std::string self;  // its name in the placement

  /// ERR_WRONG_OWNER, which names the slot and the epoch, unless all keys are this server's.
  /// About two nanoseconds a key.
  Status check(std::span<const uint64_t> keys) const;
  Status check_slot(uint32_t slot) const;
};

class Ownership {
 public:
  using Clock = std::chrono::steady_clock;

  /// `needed`: without a placement it owns nothing, else everything.
  explicit Ownership(bool needed) { owned_.everything = !needed; }

  /// Takes a placement, in which the server is called `self`; one that does not name it leaves it
  /// nothing. ERR_INVALID_ARGUMENT when the text is none or `self` is not what it was before;
  /// ERR_CONFLICT when its epoch is older than that of the placement it has, or the same of
  /// another.
  Status set(std::string_view text, const std::string& self) HOTROW_EXCLUDES(mutex_, turn_);
  /// The text of the placement; empty: there is none.
  std::string text() const HOTROW_EXCLUDES(mutex_);
  /// Of the placement, 0: there is none.
  uint32_t epoch() const { return epoch_.load(std::memory_order_acquire); }

  /// The placement may be believed until then: whoever gave it has not taken it back before.
  /// Without a call it may be believed for ever.
  void believe_until(Clock::time_point end) {
    end_.store(end.time_since_epoch().count(), std::memory_order_release);
  }

  /// work(Owned), or the ERR_WRONG_OWNER of a placement that cannot be believed any more. Looked at
  /// when work begins: it may end later.
  template <class Work>
  std::invoke_result_t<Work, const Owned&> hold(const Work& work) const
      HOTROW_EXCLUDES(mutex_, turn_) {
    // Else requests that overlap each other for ever would keep a new placement out.
    if (setting_.load(std::memory_order_acquire)) {
      const MutexLock turn(turn_);
    }
    const SharedLock lock(mutex_);
    if (Clock::now().time_since_epoch().count() >= end_.load(std::memory_order_acquire)) {
      return {expired()};
    }
    return work(owned_);
  }

 private:
  Status expired() const HOTROW_REQUIRES_SHARED(mutex_);

  mutable Mutex turn_;  // of set(), held while it waits for those before it
  mutable SharedMutex mutex_;
  Owned owned_ HOTROW_GUARDED_BY(mutex_);
  std::string text_ HOTROW_GUARDED_BY(mutex_);
  uint64_t digest_ HOTROW_GUARDED_BY(mutex_) = 0;
  std::atomic<bool> setting_{false};  // publishes nothing: who misses it goes in, as before
  std::atomic<uint32_t> epoch_{0};
  std::atomic<Clock::rep> end_{Clock::time_point::max().time_since_epoch().count()};
};

}  // namespace hotrow::server

#endif  // HOTROW_SERVER_OWNERSHIP_H_
