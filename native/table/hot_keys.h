// Which keys are used most: a bounded number of counters over a sample of all keys.
//
// The sketch is space-saving (Metwally, Agrawal, El Abbadi 2005): every counted key has a counter;
// when none is left, a new key takes over the counter with the smallest count, and that count is
// its possible error. So of a sample of n keys and m counters
//
//   - count - error <= true count <= count, for every counted key;
//   - error <= n / m, and every key that came more than n / m times is counted.
//
// The smallest count is found lazily, as a sweep (Cormode, Hadjieftheriou 2010 compare the ways):
// counts only rise, so whoever goes once over all counters has seen every one that still had the
// smallest count, and the next smallest one is searched only then. An added key costs O(1) on
// average; counters and their hash index are two flat arrays, made once.
//
// One key of every 2^sample_shift is sampled, at a place of its own in each such run of keys that
// the number of the run determines: batches with a period, such as examples of 32 fields, are not
// always sampled at the same field. What is sampled depends on nothing but the order of the calls.
//
// Threads: all calls at once, under one mutex. offer() takes it only when a key of the call is
// sampled, and when somebody else has it, drops the sample and counts that instead of waiting.
#ifndef HOTROW_TABLE_HOT_KEYS_H_
#define HOTROW_TABLE_HOT_KEYS_H_

#include <atomic>
#include <cstdint>
#include <span>
#include <vector>

#include "base/hash.h"
#include "base/sync.h"
#include "hotrow/batch.h"
#include "hotrow/stats.h"

namespace hotrow {

struct HotKeysOptions {
  /// Keys that top() should name well, 1 to 4,096 (values outside are taken as the nearest);
  /// sixteen times as many are counted.
  uint32_t wanted = 64;
  /// One key of 2^sample_shift is counted; 0 counts all. At most 32.
  uint32_t sample_shift = 6;
};

class HotKeys {
 public:
  static constexpr uint32_t kCountersPerWanted = 16;
  static constexpr uint32_t kMostWanted = 4096;
  static constexpr uint32_t kMostSampleShift = 32;

  /// Allocates all it will ever need: 40 bytes a counter.
  explicit HotKeys(HotKeysOptions options = {});
  HotKeys(const HotKeys&) = delete;
  HotKeys& operator=(const HotKeys&) = delete;

  /// Counts the keys that are sampled of a call's. keys [n], kept by nobody. Never waits; costs one
  /// atomic addition, and some 30 ns for each sampled key. `times`: that key i stands for times[i]
  /// keys, side by side; empty: for one.
  void offer(KeyBatch keys, std::span<const uint32_t> times = {}) HOTROW_EXCLUDES(mutex_);

  /// The n keys with the highest counts, highest first; of equal counts the one with the smaller
  /// error, then the smaller key. Fewer when fewer are counted. Offers meanwhile are dropped.
  std::vector<HotKey> top(size_t n) const HOTROW_EXCLUDES(mutex_);

  /// Forgets all keys and counts, `sampled` and `dropped` too. The next sample is where it was.
  void reset() HOTROW_EXCLUDES(mutex_);

  /// Keys that were sampled and counted, and sampled and dropped.
  uint64_t sampled() const HOTROW_EXCLUDES(mutex_);
  uint64_t dropped() const { return dropped_.load(std::memory_order_relaxed); }
  uint32_t counters() const { return counters_; }
  uint64_t memory_bytes() const {
    return counters_ * sizeof(Counter) + (slot_mask_ + 1) * sizeof(uint32_t);
  }

 private:
  struct Counter {
    uint64_t key = 0;
    uint64_t count = 0;
    uint64_t error = 0;
  };
  /// Slots hold a counter's number + 1; this means that there is none.
  static constexpr uint32_t kFree = 0;

  /// The place in the sequence of all keys of the one that is sampled in a run of keys.
  uint64_t place_in(uint64_t run) const {
    return (run << shift_) + (mix64(run) & ((uint64_t{1} << shift_) - 1));
  }
  void count(uint64_t key) HOTROW_REQUIRES(mutex_);
  uint32_t next_smallest() HOTROW_REQUIRES(mutex_);
  /// The slot that holds `key`, or the free one where it belongs.
  uint64_t slot_of(uint64_t key) const HOTROW_REQUIRES(mutex_);
  void remove(uint64_t key) HOTROW_REQUIRES(mutex_);

  const uint32_t shift_;
  const uint32_t counters_;
  const uint64_t slot_mask_;
  // Numbers, which publish nothing: keys offered so far, and samples dropped.
  std::atomic<uint64_t> offered_{0};
  std::atomic<uint64_t> dropped_{0};

  mutable Mutex mutex_;
  std::vector<Counter> counted_ HOTROW_GUARDED_BY(mutex_);
  // Linear probing over four slots a counter: finds a key's counter.
  std::vector<uint32_t> slots_ HOTROW_GUARDED_BY(mutex_);
  uint64_t sampled_ HOTROW_GUARDED_BY(mutex_) = 0;
  // The smallest count, when all counters are taken: no counter is below it, and those before the
  // cursor are above it.
  uint64_t smallest_ HOTROW_GUARDED_BY(mutex_) = 0;
  uint32_t cursor_ HOTROW_GUARDED_BY(mutex_) = 0;
};

}  // namespace hotrow

#endif  // HOTROW_TABLE_HOT_KEYS_H_
