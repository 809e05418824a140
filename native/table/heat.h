// Heat: what a bucket line remembers of a key for the eviction policy, and what it means.
//
//   bit       23 ........ 16   15 ......... 0
//   lru       clock of the last use            (clock: key accesses, or time with a TTL)
//   ttl       clock of the last use            (clock: time)
//   lfu       uses, saturating
//   lfu, ttl  log count        clock of the last use (time)
//   ageingLfu log count        clock of the last halving (key accesses)
//   oldestStep     the trainer's step of the last push
//   lowestScore    the upper 24 bits of the score, in an order of integers
//
// Clocks count ticks modulo their width; ages are differences modulo it. A tick is as long as it
// must be for a key to be met by an eviction or a sweep long before its clock has gone round.
//
// Uses are counted by pushes, updates and lookups. Heat is a statistic: lookups write it without a
// lock, so concurrent uses of a key may count as one, and a use that meets an eviction may warm the
// key that comes after.
#ifndef HOTROW_TABLE_HEAT_H_
#define HOTROW_TABLE_HEAT_H_

#include <atomic>
#include <bit>
#include <cstdint>

#include "base/hash.h"
#include "hotrow/options.h"

namespace hotrow {

/// 24 bits of heat.
class Heat {
 public:
  static constexpr uint32_t kMost = (1U << 24) - 1;

  constexpr Heat() = default;
  constexpr explicit Heat(uint32_t bits) : bits_(bits & kMost) {}
  constexpr Heat(uint8_t upper, uint16_t lower) : bits_(uint32_t{upper} << 16 | lower) {}

  constexpr uint32_t bits() const { return bits_; }
  constexpr uint8_t upper() const { return static_cast<uint8_t>(bits_ >> 16); }
  constexpr uint16_t lower() const { return static_cast<uint16_t>(bits_); }

  friend constexpr bool operator==(Heat, Heat) = default;

 private:
  uint32_t bits_ = 0;
};

/// The heats of a bucket's places. Statistics: relaxed throughout, publish nothing.
template <uint32_t kPlaces, template <class> class Atom>
struct HeatPlaces {
  Atom<uint16_t> lower[kPlaces];
  Atom<uint8_t> upper[kPlaces];

  Heat load(uint32_t place) const {
    return {upper[place].load(std::memory_order_relaxed),
            lower[place].load(std::memory_order_relaxed)};
  }
  void store(uint32_t place, Heat heat) {
    lower[place].store(heat.lower(), std::memory_order_relaxed);
    upper[place].store(heat.upper(), std::memory_order_relaxed);
  }
};

template <template <class> class Atom>
struct HeatPlaces<0, Atom> {};

/// Counts on a logarithmic scale, 8 bits: exact to 16, then 16 steps to each doubling.
class LogCount {
 public:
  /// After one more use; `random` decides whether a step is due.
  static uint8_t next(uint8_t count, uint64_t random);
  /// After the uses were halved `times` times.
  static uint8_t halved(uint8_t count, uint32_t times);
  /// The uses it stands for.
  static double uses(uint8_t count);
  /// The count that stands for about so many uses.
  static uint8_t of(double uses);
};

/// A policy's use of heat. A value; thread-safe.
class HeatRule {
 public:
  HeatRule() = default;
  /// `most_rows` is about how many rows the table will hold, or 0 when nobody knows.
  HeatRule(const EvictionOptions& options, uint64_t most_rows);

  /// Does the policy need heat at all?
  static bool needed(EvictionPolicy policy);

  /// What the calls of one moment count as now: `accesses` keys were used before it.
  uint32_t clock(uint64_t accesses, uint64_t now_ms) const {
    return static_cast<uint32_t>(by_time_ ? now_ms / tick_ : accesses / tick_);
  }
  /// Do lookups count as uses?
  bool counts_lookups() const { return counts_lookups_; }

  /// The heat of a key whose row is new; `step` is the trainer's.
  Heat fresh(uint32_t clock, uint64_t step) const;
  /// The heat of a key that comes back from a colder tier, used so often before.
  Heat seen(uint32_t clock, uint32_t uses) const;
  /// The heat after one more use; `hash` is the key's.
  Heat used(Heat heat, uint32_t clock, uint64_t hash) const;
  /// The heat after a push at `step`.
  Heat pushed(Heat heat, uint32_t clock, uint64_t hash, uint64_t step) const {
    return policy_ == EvictionPolicy::kOldestStep ? Heat(static_cast<uint32_t>(step))
                                                  : used(heat, clock, hash);
  }
  /// The heat of a key to which the caller gave a score.
  static Heat scored(float score);

  /// The heat at a table whose clock is `ours`, of a key that had it by the clock `theirs`: its age
  /// is the same.
  Heat moved(Heat heat, uint32_t theirs, uint32_t ours) const;

  /// Keys of lower rank go first. `step` is the table's latest.
  uint32_t rank(Heat heat, uint32_t clock, uint64_t step) const;
  /// Milliseconds since the last use, where the policy knows; else 0.
  uint64_t unseen_ms(Heat heat, uint32_t clock) const;
  bool expired(Heat heat, uint32_t clock) const {
    return ttl_ms_ != 0 && unseen_ms(heat, clock) >= ttl_ms_;
  }
  /// Uses counted, where the policy counts them; else 0.
  double uses(Heat heat, uint32_t clock) const;
  /// The heat with its count multiplied by `factor`, 0 to 1.
  Heat decayed(Heat heat, uint32_t clock, double factor) const;

 private:
  enum class Form : uint8_t { kClock, kCount, kLogCount, kStep, kScore };

  EvictionPolicy policy_ = EvictionPolicy::kNone;
  Form form_ = Form::kClock;
  bool by_time_ = false;
  bool counts_lookups_ = false;
  uint64_t tick_ = 1;    // milliseconds or accesses
  uint64_t ttl_ms_ = 0;  // 0: none
};

}  // namespace hotrow

#endif  // HOTROW_TABLE_HEAT_H_
