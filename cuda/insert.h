// Rows come in, others go: insert or evict. Candidates are sorted by bucket, and one tile of eight
// lanes, a lane a way, does all of a bucket's in the order in which they were given: no compare and
// swap, no locks, and the same result whatever runs when.
//
// Victim: an empty way, else the lowest rank that no batch has pinned; of several the lowest way.
// A candidate that ranks below it is refused; a hesitant one too, unless the victim is stale; an
// awaited one never, and holds its way from then on. Dirty victims are written to a list, in the
// order of the tiles that come.
#ifndef HOTROW_CUDA_INSERT_H_
#define HOTROW_CUDA_INSERT_H_

#include "cuda/copy.h"
#include "cuda/lookup.h"
#include "cuda/scores.h"
#include "cuda/tile.h"
#include "cuda/view.h"

namespace hotrow::gpu {

/// Rows in device memory, as they lie in the cache.
struct RowList {
  uint64_t* keys = nullptr;     // [n]
  std::byte* values = nullptr;  // [n] at value_stride
  std::byte* state = nullptr;   // [n] at state_stride, or null
};

/// What kernels count, in device memory. There are kCounterStripes of them, to be summed: additions
/// to one word go one after the other, half a nanosecond each, and would be all that an insert
/// does.
struct alignas(64) Counters {
  uint64_t rows;
  uint64_t inserted;
  uint64_t evicted;
  uint64_t evicted_dirty;
  uint64_t refused;
};
inline constexpr uint64_t kCounterStripes = 128;

inline Counters sum_of(const Counters* stripes) {
  Counters sum = {};
  for (uint64_t i = 0; i < kCounterStripes; ++i) {
    sum.rows += stripes[i].rows;
    sum.inserted += stripes[i].inserted;
    sum.evicted += stripes[i].evicted;
    sum.evicted_dirty += stripes[i].evicted_dirty;
    sum.refused += stripes[i].refused;
  }
  return sum;
}

/// buckets [n] of keys [n], and order [n] = 0, 1, ..: what is sorted.
struct NumberByBucket {
  static constexpr unsigned kWidth = 32;
  const uint64_t* keys;
  uint64_t n;
  uint64_t in_buckets;
  uint32_t* buckets;
  uint32_t* order;

  template <class Tile>
  HOTROW_DEVICE void operator()(const Tile& tile, uint64_t number) const {
    tile.each([&](unsigned lane) {
      const uint64_t at = number * kWidth + lane;
      if (at >= n) return;
      buckets[at] = bucket_of(keys[at], in_buckets);
      order[at] = static_cast<uint32_t>(at);
    });
  }
};

struct Insert {
  static constexpr unsigned kWidth = kWays;
  CacheView cache;
  Scores scores;
  const uint32_t* buckets;  // [n], rising
  const uint32_t* order;    // [n]: which candidate; of one bucket rising
  uint64_t n;
  RowList rows;            // by candidate
  const uint32_t* uses;    // [n] by candidate, or null: 1 each
  const TierWish* wishes;  // [n] by candidate, or null: kUsual
  RowList evicted;
  uint32_t* evicted_count;
  Counters* counters;

  /// A bucket, a way a lane.
  template <class Tile>
  struct Bucket {
    typename Tile::template Lanes<uint64_t> keys;
    typename Tile::template Lanes<uint32_t> scores;
    typename Tile::template Lanes<uint32_t> flags;  // bit 0 dirty, bit 1 pinned
  };
  struct Counted {
    uint32_t rows = 0, inserted = 0, evicted = 0, evicted_dirty = 0, refused = 0;
  };

  /// The tile of position `number`: the whole bucket where the position is its first.
  template <class Tile>
  HOTROW_DEVICE void operator()(const Tile& tile, uint64_t number) const {
    const uint32_t bucket = buckets[number];
    if (number > 0 && buckets[number - 1] == bucket) return;
    const uint32_t base = bucket * kWays;
    Bucket<Tile> ways;
    ways.keys = tile.map([&](unsigned lane) { return cache.keys[base + lane]; });
    ways.scores = tile.map([&](unsigned lane) { return cache.scores[base + lane]; });
    ways.flags = tile.map([&](unsigned lane) {
      return (cache.dirty[base + lane] != 0 ? 1U : 0U) | (cache.pins[base + lane] != 0 ? 2U : 0U);
    });
    Counted counted;
    for (uint64_t at = number; at < n && buckets[at] == bucket; ++at) {
      take(tile, ways, bucket, order[at], counted);
    }
    Counters& stripe = counters[number % kCounterStripes];
    tile.leader([&] {
      if (counted.rows != 0) atomic_add(&stripe.rows, uint64_t{counted.rows});
      if (counted.inserted != 0) atomic_add(&stripe.inserted, uint64_t{counted.inserted});
      if (counted.evicted != 0) atomic_add(&stripe.evicted, uint64_t{counted.evicted});
      if (counted.evicted_dirty != 0) {
        atomic_add(&stripe.evicted_dirty, uint64_t{counted.evicted_dirty});
      }
      if (counted.refused != 0) atomic_add(&stripe.refused, uint64_t{counted.refused});
    });
  }

 private:
  /// One candidate.
  template <class Tile>
  HOTROW_DEVICE void take(const Tile& tile, Bucket<Tile>& ways, uint32_t bucket, uint32_t candidate,
                          Counted& counted) const {
    const uint64_t key = rows.keys[candidate];
    // It is here already: what is here is as new, or newer.
    if (tile.ballot([&](unsigned lane) { return ways.keys[lane] == key; }) != 0) return;
    const uint64_t empty = cache.empty_key(bucket);
    const auto costs = tile.map([&](unsigned lane) {
      if (ways.keys[lane] == empty) return uint64_t{0};
      if ((ways.flags[lane] & kHeld) != 0) return kPinned;
      return uint64_t{1} + scores.rank(ways.scores[lane]);
    });
    const unsigned way = tile.arg_min(costs);
    const uint64_t cost = tile.broadcast(costs, way);
    const uint32_t score = scores.fresh(uses != nullptr ? uses[candidate] : 1);
    const TierWish wish = wishes != nullptr ? wishes[candidate] : TierWish::kUsual;
    if (refuses(cost, score, wish)) {
      ++counted.refused;
      return;
    }
    const uint32_t handle = bucket * kWays + way;
    if (cost == 0) {
      ++counted.rows;
    } else {
      ++counted.evicted;
      if ((tile.broadcast(ways.flags, way) & 1) != 0) {
        ++counted.evicted_dirty;
        put_out(tile, tile.broadcast(ways.keys, way), handle);
      }
    }
    ++counted.inserted;
    copy_row(tile, rows.values + uint64_t{candidate} * cache.value_stride, cache.values_of(handle),
             cache.value_stride);
    if (cache.state != nullptr) {
      copy_row(tile, rows.state + uint64_t{candidate} * cache.state_stride,
               reinterpret_cast<std::byte*>(cache.state_of(handle)), cache.state_stride);
    }
    tile.each([&](unsigned lane) {
      if (lane != way) return;
      ways.keys[lane] = cache.keys[handle] = key;
      ways.scores[lane] = cache.scores[handle] = score;
      // A way that was empty may be held: a row that a batch holds was erased.
      ways.flags[lane] &= kHeld;
      cache.dirty[handle] = 0;
      if (wish != TierWish::kAwaited) return;
      ways.flags[lane] = kHeld;
      cache.pins[handle] = held_more(cache.pins[handle]);
    });
  }

  HOTROW_DEVICE bool refuses(uint64_t cost, uint32_t score, TierWish wish) const {
    if (cost == 0) return false;
    if (cost == kPinned) return true;
    if (wish == TierWish::kAwaited) return false;
    const uint64_t rank = cost - 1;
    if (scores.rank(score) < rank) return true;
    return wish == TierWish::kHesitant && !(ranks_by_use() && rank <= kStaleRank);
  }
  HOTROW_DEVICE bool ranks_by_use() const {
    return scores.policy == TierPolicy::kLfu || scores.policy == TierPolicy::kAgeingLfu;
  }

  template <class Tile>
  HOTROW_DEVICE void put_out(const Tile& tile, uint64_t key, uint32_t handle) const {
    const uint64_t to = tile.append(evicted_count);
    tile.leader([&] { evicted.keys[to] = key; });
    copy_row(tile, cache.values_of(handle), evicted.values + to * cache.value_stride,
             cache.value_stride);
    if (cache.state != nullptr) {
      copy_row(tile, reinterpret_cast<const std::byte*>(cache.state_of(handle)),
               evicted.state + to * cache.state_stride, cache.state_stride);
    }
    // The same lanes write the same chunks over them next.
    tile.sync();
  }

  static constexpr uint64_t kPinned = UINT64_MAX;
  static constexpr uint32_t kHeld = 2;  // of the flags of a way
};

}  // namespace hotrow::gpu

#endif  // HOTROW_CUDA_INSERT_H_
