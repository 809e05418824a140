// One bucket: a cache line with five keys, their row handles and one word of state.
//
//   byte   0        40       60     64
//          keys[5]  handles[5] word
//
//   word   31 ...... 9   8 .. 4     3         2      1       0
//          version       occupied   overflow  moved  frozen  locked
//
// locked    a writer owns the bucket: its mapping, and the rows of every key whose *home* it is
// frozen    (with locked) the shard is being rebuilt: nothing changes, reading is allowed
// moved     the shard has a new array; whoever meets this looks the shard up again
// overflow  some key passed this bucket because it was full: the chain goes on in the next one;
//           never set in a shard's last bucket
// occupied  which of the five places hold a key
// version   counts unlocks, so that a reader notices a writer that came and went
//
// A key's home is the bucket its hash points at. Every change to a key, its row included, happens
// under its home's lock, whichever bucket of the chain holds it; a place in a bucket of the chain
// other than home is taken or freed under that bucket's lock too. So a reader that finds its home
// word unchanged has seen the key and its row as they were at one instant, and 2^23 unlocks
// would have to pass within one row copy to fool it.
//
// Locks are taken in rising order of buckets (home, then further along the chain; a rebuild takes
// all from first to last), so they cannot deadlock.
#ifndef HOTROW_TABLE_BUCKET_H_
#define HOTROW_TABLE_BUCKET_H_

#include <atomic>
#include <bit>
#include <cstdint>
#include <type_traits>

// Two keys are compared by one instruction where the compiler's baseline has it. ThreadSanitizer
// sees only single atomic loads, so it gets those.
#if defined(__SSE4_1__) && !defined(HOTROW_TSAN)
#define HOTROW_WIDE_KEYS
#include <immintrin.h>
#endif

namespace hotrow {

inline constexpr uint32_t kBucketKeys = 5;

class BucketWord {
 public:
  constexpr BucketWord() = default;
  constexpr explicit BucketWord(uint32_t bits) : bits_(bits) {}

  constexpr uint32_t bits() const { return bits_; }
  constexpr bool locked() const { return (bits_ & kLocked) != 0; }
  constexpr bool moved() const { return (bits_ & kMoved) != 0; }
  constexpr bool overflow() const { return (bits_ & kOverflow) != 0; }
  /// May a reader trust what it reads under this word?
  constexpr bool readable() const { return !moved() && (bits_ & (kLocked | kFrozen)) != kLocked; }
  /// Bit i is set when place i holds a key.
  constexpr uint32_t occupied() const { return (bits_ >> kOccupiedShift) & kOccupiedMask; }
  constexpr bool full() const { return occupied() == kOccupiedMask; }
  /// The first empty place of a bucket that is not full.
  constexpr uint32_t first_empty() const {
    return static_cast<uint32_t>(std::countr_one(occupied()));
  }

  constexpr BucketWord with_lock() const { return BucketWord(bits_ | kLocked); }
  constexpr BucketWord with_freeze() const { return BucketWord(bits_ | kLocked | kFrozen); }
  constexpr BucketWord with_moved() const { return BucketWord(kLocked | kMoved); }
  /// Undoes with_freeze().
  constexpr BucketWord thawed() const {
    return BucketWord((bits_ & ~(kLocked | kFrozen)) + (1U << kVersionShift));
  }
  constexpr BucketWord with_overflow() const { return BucketWord(bits_ | kOverflow); }
  constexpr BucketWord with_place(uint32_t place) const {
    return BucketWord(bits_ | (1U << (kOccupiedShift + place)));
  }
  constexpr BucketWord without_place(uint32_t place) const {
    return BucketWord(bits_ & ~(1U << (kOccupiedShift + place)));
  }
  /// The word that ends a lock: the next version, unlocked.
  constexpr BucketWord unlocked() const {
    return BucketWord((bits_ & ~kLocked) + (1U << kVersionShift));
  }

  friend constexpr bool operator==(BucketWord, BucketWord) = default;

 private:
  static constexpr uint32_t kLocked = 1U << 0;
  static constexpr uint32_t kFrozen = 1U << 1;
  static constexpr uint32_t kMoved = 1U << 2;
  static constexpr uint32_t kOverflow = 1U << 3;
  static constexpr uint32_t kOccupiedShift = 4;
  static constexpr uint32_t kOccupiedMask = (1U << kBucketKeys) - 1;
  static constexpr uint32_t kVersionShift = kOccupiedShift + kBucketKeys;

  uint32_t bits_ = 0;
};
static_assert(sizeof(BucketWord) == 4);

/// `Atom` is std::atomic, or a test's scheduler of interleavings. All-zero bytes are an empty
/// bucket.
template <template <class> class Atom = std::atomic>
struct alignas(64) Bucket {
  // Written under the lock before `word` is released; readers load them relaxed after acquiring
  // `word` and look at it again afterwards.
  Atom<uint64_t> keys[kBucketKeys];
  Atom<uint32_t> handles[kBucketKeys];
  // Every store releases what was written under the lock; loads acquire it.
  Atom<uint32_t> word;

  BucketWord load() const { return BucketWord(word.load(std::memory_order_acquire)); }
  void store(BucketWord value) { word.store(value.bits(), std::memory_order_release); }
  bool try_replace(BucketWord expected, BucketWord desired) {
    uint32_t bits = expected.bits();
    return word.compare_exchange_weak(bits, desired.bits(), std::memory_order_acquire,
                                      std::memory_order_relaxed);
  }

  /// Bit i is set when place i holds `key`, or did before it was emptied. All five are compared
  /// without a branch: which place matches is as good as random, and a wrong guess costs more.
  uint32_t matches(uint64_t key) const {
#if defined(HOTROW_WIDE_KEYS)
    if constexpr (std::is_same_v<Atom<uint64_t>, std::atomic<uint64_t>>) {
      const __m128i wanted = _mm_set1_epi64x(static_cast<int64_t>(key));
      const auto* const pairs = reinterpret_cast<const __m128i*>(keys);
      const __m128i first = _mm_cmpeq_epi64(_mm_load_si128(pairs), wanted);
      const __m128i second = _mm_cmpeq_epi64(_mm_load_si128(pairs + 1), wanted);
      const int four = _mm_movemask_ps(_mm_castsi128_ps(_mm_packs_epi32(first, second)));
      const bool last = keys[4].load(std::memory_order_relaxed) == key;
      return static_cast<uint32_t>(four) | uint32_t{last} << 4;
    }
#endif
    uint32_t found = 0;
    for (uint32_t place = 0; place < kBucketKeys; ++place) {
      found |= uint32_t{keys[place].load(std::memory_order_relaxed) == key} << place;
    }
    return found;
  }
  /// The place of `key` among the occupied ones, or kBucketKeys.
  uint32_t find(uint64_t key, BucketWord seen) const {
    const uint32_t found = matches(key) & seen.occupied();
    return found == 0 ? kBucketKeys : static_cast<uint32_t>(std::countr_zero(found));
  }
  void put(uint32_t place, uint64_t key, uint32_t handle) {
    keys[place].store(key, std::memory_order_relaxed);
    handles[place].store(handle, std::memory_order_relaxed);
  }
};
static_assert(sizeof(Bucket<>) == 64);

}  // namespace hotrow

#endif  // HOTROW_TABLE_BUCKET_H_
