// Ownership: which keys this server may answer for, by the placement that it was given last.
//
// Requests are checked and done while their hold() lasts, and a new placement waits for those: once
// set() has returned, nothing that only the old one allowed is done any more.
//
// While slots move to another server, which a mover sees to who holds a lock in etcd, the server
// that has them freezes them: first changes are refused, then, before the placement is changed,
// reads too. A freeze ends by the placement that takes the slots away, or by thaw(), which whoever
// calls it may do only when no such placement can come any more. The server that gets them expects
// them: it takes their rows from the mover while they are not its own yet. Locks are numbers that
// rise from one mover to the next, and what an earlier one says is refused.
//
// Threads: any number at once.
#ifndef HOTROW_SERVER_OWNERSHIP_H_
#define HOTROW_SERVER_OWNERSHIP_H_

#include <atomic>
#include <chrono>
#include <cstdint>
#include <span>
#include <string>
#include <string_view>
#include <type_traits>

#include "base/slot_set.h"
#include "base/sync.h"
#include "hotrow/status.h"

namespace hotrow::server {

enum class Use : uint8_t { kReads, kChanges };

/// Slots that move to or from this server, by the lock of who moves them; 0: none do.
struct Moving {
  uint64_t lock = 0;
  SlotSet slots;
};

/// What is this server's at one moment.
struct Owned {
  bool everything = true;  // there is no placement, and none is needed
  uint32_t epoch = 0;      // 0: no placement yet
  SlotSet slots;
  std::string self;  // its name in the placement
  Moving frozen;     // of its own slots
  SlotSet closed;    // of these, those whose reads are refused, too
  Moving expected;   // of the others'
  SlotSet left;      // the others', of which it may still have rows

  /// ERR_WRONG_OWNER, which names the slot and the epoch, unless all keys are this server's and not
  /// frozen for such a use. About two nanoseconds a key.
  Status check(std::span<const uint64_t> keys, Use use) const;
  Status check_slot(uint32_t slot, Use use) const;
  /// ERR_WRONG_OWNER unless the mover with that lock may bring rows of these keys.
  Status check_expected(uint64_t lock, std::span<const uint64_t> keys) const;
  Status check_expected_slot(uint64_t lock, uint32_t slot) const;
  bool refuses(uint32_t slot, Use use) const {
    if (!slots[slot]) return true;
    return frozen.lock != 0 && (use == Use::kChanges ? frozen.slots : closed)[slot];
  }
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

  /// Refuses changes of these slots from now on, with `closes` reads too, for the mover with that
  /// lock; returns when no change that came before is under way. Those of that lock that were
  /// frozen before stay so. ERR_WRONG_OWNER when they are not all this server's, ERR_CONFLICT when
  /// a later mover has come, ERR_BUSY while a freeze of an earlier one lasts.
  Status freeze(uint64_t mover, const SlotSet& slots, bool closes) HOTROW_EXCLUDES(mutex_, turn_);
  /// Ends the freeze of that lock, if there is one, of these slots. Movers before it are refused
  /// from now on.
  void thaw(uint64_t mover, const SlotSet& slots) HOTROW_EXCLUDES(mutex_, turn_);
  /// Whose freeze lasts; 0: nobody's.
  uint64_t frozen_by() const { return frozen_by_.load(std::memory_order_acquire); }
  /// Waits until nothing is frozen. ERR_BUSY when it is for longer than that.
  Status wait_for_thaw(std::chrono::milliseconds most) const;
  /// Takes rows of these slots, and of no others, from the mover with that lock. ERR_CONFLICT when
  /// some are this server's, or a later mover has come.
  Status expect(uint64_t mover, const SlotSet& slots) HOTROW_EXCLUDES(mutex_, turn_);
  /// Slots of others of which it may still have rows, if the placement is of that epoch. They are
  /// given once.
  SlotSet take_left(uint32_t epoch) HOTROW_EXCLUDES(mutex_, turn_);

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
  /// Alone with what is owned: those in hold() have ended. Who comes while they end waits behind
  /// it, or they would keep it out for ever.
  class HOTROW_SCOPED_CAPABILITY Changing {
   public:
    explicit Changing(Ownership& its) HOTROW_ACQUIRE(its.turn_, its.mutex_) : its_(its) {
      its_.turn_.lock();
      its_.setting_.store(true, std::memory_order_release);
      its_.mutex_.lock();
      its_.setting_.store(false, std::memory_order_release);
    }
    ~Changing() HOTROW_RELEASE() {
      its_.mutex_.unlock();
      its_.turn_.unlock();
    }
    Changing(const Changing&) = delete;
    Changing& operator=(const Changing&) = delete;

   private:
    Ownership& its_;
  };

  Status expired() const HOTROW_REQUIRES_SHARED(mutex_);
  Status check_lock(uint64_t mover) HOTROW_REQUIRES(mutex_);
  /// No more than these are frozen.
  void keep_frozen(const SlotSet& slots) HOTROW_REQUIRES(mutex_);
  /// Of what moved, after `owned_` has become what holds.
  void settle_moves(const SlotSet& before) HOTROW_REQUIRES(mutex_);

  mutable Mutex turn_;  // of a Changing, held while it waits for those before it
  mutable SharedMutex mutex_;
  Owned owned_ HOTROW_GUARDED_BY(mutex_);
  std::string text_ HOTROW_GUARDED_BY(mutex_);
  uint64_t digest_ HOTROW_GUARDED_BY(mutex_) = 0;
  uint64_t newest_lock_ HOTROW_GUARDED_BY(mutex_) = 0;
  std::atomic<bool> setting_{false};  // publishes nothing: who misses it goes in, as before
  std::atomic<uint32_t> epoch_{0};
  std::atomic<uint64_t> frozen_by_{0};  // of owned_, for those who only look
  std::atomic<Clock::rep> end_{Clock::time_point::max().time_since_epoch().count()};
};

}  // namespace hotrow::server

#endif  // HOTROW_SERVER_OWNERSHIP_H_
