// One bucket: a cache line with some keys, their row handles and one word of state.
//
//   byte   0        40         60     64
//   plain  keys[5]  handles[5] word              no room for heat: 12.8 bytes a place
//   heat   keys[4]  handles[4] heats[4]   word   where a policy needs frequency or recency: 16
//   bytes byte   0        32         48         60     64
//
//   word   31 ...... 8   7 .. 3     2         1      0
//          version       occupied   overflow  moved  busy
//
// busy      a writer changes the bucket, or the row of a key whose *home* it is
// moved     the shard has a new array; whoever meets this looks the shard up again
// overflow  some key passed this bucket because it was full: the chain goes on in the next one;
//           never set in a shard's last bucket
// occupied  which places hold a key
// version   counts changes, so that a reader notices a writer that came and went
//
// A key's home is the bucket its hash points at. A shard has one writer at a time (index.h), and
// the writer marks a key's home busy around every change to the key or its row, whichever bucket
// of the chain holds it. So a reader that finds its home word unchanged has seen the key and its
// row as they were at one instant; 2^24 changes would have to pass within one row copy to fool it.
#ifndef HOTROW_TABLE_BUCKET_H_
#define HOTROW_TABLE_BUCKET_H_

#include <atomic>
#include <bit>
#include <cstdint>
#include <type_traits>

#include "base/sync.h"
#include "table/heat.h"

// Two keys are compared by one instruction where the compiler's baseline has it. ThreadSanitizer
// sees only single atomic loads, so it gets those.
#if defined(__SSE4_1__) && !defined(HOTROW_TSAN)
#define HOTROW_WIDE_KEYS
#include <immintrin.h>
#endif

namespace hotrow {

class BucketWord {
 public:
  /// Places of a bucket at most.
  static constexpr uint32_t kMostPlaces = 5;

  constexpr BucketWord() = default;
  constexpr explicit BucketWord(uint32_t bits) : bits_(bits) {}

  constexpr uint32_t bits() const { return bits_; }
  constexpr bool moved() const { return (bits_ & kMoved) != 0; }
  constexpr bool overflow() const { return (bits_ & kOverflow) != 0; }
  /// May a reader trust what it reads under this word?
  constexpr bool readable() const { return (bits_ & (kBusy | kMoved)) == 0; }
  /// Bit i is set when place i holds a key.
  constexpr uint32_t occupied() const { return (bits_ >> kOccupiedShift) & kOccupiedMask; }
  /// The first empty place; `places` when there is none.
  constexpr uint32_t first_empty() const {
    return static_cast<uint32_t>(std::countr_one(occupied()));
  }

  constexpr BucketWord busy() const { return BucketWord(bits_ | kBusy); }
  /// Ends busy(): another version.
  constexpr BucketWord changed() const {
    return BucketWord((bits_ & ~kBusy) + (1U << kVersionShift));
  }
  constexpr BucketWord with_moved() const { return BucketWord(kBusy | kMoved); }
  constexpr BucketWord with_overflow() const { return BucketWord(bits_ | kOverflow); }
  constexpr BucketWord with_place(uint32_t place) const {
    return BucketWord(bits_ | (1U << (kOccupiedShift + place)));
  }
  constexpr BucketWord without_place(uint32_t place) const {
    return BucketWord(bits_ & ~(1U << (kOccupiedShift + place)));
  }

  friend constexpr bool operator==(BucketWord, BucketWord) = default;

 private:
  static constexpr uint32_t kBusy = 1U << 0;
  static constexpr uint32_t kMoved = 1U << 1;
  static constexpr uint32_t kOverflow = 1U << 2;
  static constexpr uint32_t kOccupiedShift = 3;
  static constexpr uint32_t kOccupiedMask = (1U << kMostPlaces) - 1;
  static constexpr uint32_t kVersionShift = kOccupiedShift + kMostPlaces;

  uint32_t bits_ = 0;
};
static_assert(sizeof(BucketWord) == 4);

/// `AtomT` is std::atomic, or a test's scheduler of interleavings. All-zero bytes are an empty
/// bucket.
template <uint32_t kPlacesOf, bool kHeatOf, template <class> class AtomT = std::atomic>
struct alignas(64) Bucket {
  static constexpr uint32_t kPlaces = kPlacesOf;
  static constexpr bool kHeat = kHeatOf;
  template <class T>
  using Atom = AtomT<T>;

  // Written by the shard's writer before `word` is released; readers load them relaxed after
  // acquiring `word` and look at it again afterwards.
  Atom<uint64_t> keys[kPlaces];
  Atom<uint32_t> handles[kPlaces];
  [[no_unique_address]] HeatPlaces<kHeat ? kPlaces : 0, AtomT> heats;
  // Every store releases what was written before; loads acquire it.
  Atom<uint32_t> word;

  BucketWord load() const { return BucketWord(word.load(std::memory_order_acquire)); }
  void store(BucketWord value) { word.store(value.bits(), std::memory_order_release); }

  /// Bit i is set when place i holds `key`, or did before it was emptied. All are compared
  /// without a branch: which place matches is as good as random, and a wrong guess costs more.
  uint32_t matches(uint64_t key) const {
#if defined(HOTROW_WIDE_KEYS)
    if constexpr (kPlaces >= 4 && std::is_same_v<Atom<uint64_t>, std::atomic<uint64_t>>) {
      const __m128i wanted = _mm_set1_epi64x(static_cast<int64_t>(key));
      const auto* const pairs = reinterpret_cast<const __m128i*>(keys);
      const __m128i first = _mm_cmpeq_epi64(_mm_load_si128(pairs), wanted);
      const __m128i second = _mm_cmpeq_epi64(_mm_load_si128(pairs + 1), wanted);
      const int four = _mm_movemask_ps(_mm_castsi128_ps(_mm_packs_epi32(first, second)));
      if constexpr (kPlaces == 4) return static_cast<uint32_t>(four);
      const bool last = keys[kPlaces - 1].load(std::memory_order_relaxed) == key;
      return static_cast<uint32_t>(four) | uint32_t{last} << 4;
    }
#endif
    uint32_t found = 0;
    for (uint32_t place = 0; place < kPlaces; ++place) {
      found |= uint32_t{keys[place].load(std::memory_order_relaxed) == key} << place;
    }
    return found;
  }
  /// The first place of what matches() found; the last one where it found none. Arithmetic, because
  /// compilers make branches of anything that looks like a choice.
  static uint32_t place_of(uint32_t found) {
    return static_cast<uint32_t>(__builtin_ctz(found | 1U << (kPlaces - 1)));
  }
  /// The place of `key` among the occupied ones, or kPlaces.
  uint32_t find(uint64_t key, BucketWord seen) const {
    const uint32_t found = matches(key) & seen.occupied();
    return found == 0 ? kPlaces : static_cast<uint32_t>(std::countr_zero(found));
  }
  void put(uint32_t place, uint64_t key, uint32_t handle) {
    keys[place].store(key, std::memory_order_relaxed);
    handles[place].store(handle, std::memory_order_relaxed);
  }
};

using PlainBucket = Bucket<5, false>;
using HeatBucket = Bucket<4, true>;
static_assert(sizeof(PlainBucket) == 64 && sizeof(HeatBucket) == 64);

}  // namespace hotrow

#endif  // HOTROW_TABLE_BUCKET_H_
