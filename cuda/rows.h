// Whole rows of single keys: assigned, read, erased, and dirty ones handed down. A tile of eight
// lanes does a key, a lane a way of its bucket; keys of a call are distinct, so that no two tiles
// meet in a row.
#ifndef HOTROW_CUDA_ROWS_H_
#define HOTROW_CUDA_ROWS_H_

#include "cuda/copy.h"
#include "cuda/insert.h"
#include "cuda/lookup.h"
#include "cuda/tile.h"
#include "cuda/view.h"

namespace hotrow::gpu {

/// The handle of a key, by the whole tile.
template <class Tile>
HOTROW_DEVICE uint32_t find_together(const Tile& tile, const CacheView& cache, uint64_t key) {
  static_assert(Tile::kWidth == kWays);
  const uint32_t base = bucket_of(key, cache.buckets) * kWays;
  // Another tile may be erasing another key of the bucket: neither what it finds there nor what it
  // leaves is this key.
  const uint32_t hit =
      tile.ballot([&](unsigned lane) { return atomic_load(cache.keys + base + lane) == key; });
  return hit != 0 ? base + lowest_bit(hit) : kNoHandle;
}

/// Appends one position.
template <class Tile>
HOTROW_DEVICE void append_miss(const Tile& tile, uint64_t position, const MissList& misses) {
  if (misses.count == nullptr) return;
  tile.leader(
      [&] { misses.positions[atomic_add(misses.count, 1U)] = static_cast<uint32_t>(position); });
}

/// Rows that are here get new values, and state where it is given.
struct Assign {
  static constexpr unsigned kWidth = kWays;
  CacheView cache;
  RowList rows;
  bool dirty;
  MissList misses;

  template <class Tile>
  HOTROW_DEVICE void operator()(const Tile& tile, uint64_t number) const {
    const uint32_t handle = find_together(tile, cache, rows.keys[number]);
    if (handle == kNoHandle) return append_miss(tile, number, misses);
    copy_row(tile, rows.values + number * cache.value_stride, cache.values_of(handle),
             cache.value_stride);
    if (cache.state != nullptr && rows.state != nullptr) {
      copy_row(tile, rows.state + number * cache.state_stride,
               reinterpret_cast<std::byte*>(cache.state_of(handle)), cache.state_stride);
    }
    tile.leader([&] { cache.dirty[handle] = dirty ? 1 : 0; });
  }
};

/// Rows that are here are copied out.
struct Read {
  static constexpr unsigned kWidth = kWays;
  CacheView cache;
  RowList rows;
  MissList misses;

  template <class Tile>
  HOTROW_DEVICE void operator()(const Tile& tile, uint64_t number) const {
    const uint32_t handle = find_together(tile, cache, rows.keys[number]);
    if (handle == kNoHandle) return append_miss(tile, number, misses);
    copy_row(tile, cache.values_of(handle), rows.values + number * cache.value_stride,
             cache.value_stride);
    if (cache.state != nullptr && rows.state != nullptr) {
      copy_row(tile, reinterpret_cast<const std::byte*>(cache.state_of(handle)),
               rows.state + number * cache.state_stride, cache.state_stride);
    }
  }
};

/// Rows that are here are forgotten, dirty ones too.
struct Erase {
  static constexpr unsigned kWidth = kWays;
  CacheView cache;
  const uint64_t* keys;
  Counters* counters;

  template <class Tile>
  HOTROW_DEVICE void operator()(const Tile& tile, uint64_t number) const {
    const uint32_t handle = find_together(tile, cache, keys[number]);
    if (handle == kNoHandle) return;
    tile.sync();
    tile.leader([&] {
      atomic_store(cache.keys + handle, cache.empty_key(handle / kWays));
      cache.scores[handle] = 0;
      cache.dirty[handle] = 0;
      atomic_add(&counters[number % kCounterStripes].rows, ~uint64_t{0});
    });
  }
};

/// Every way is empty.
struct Clear {
  static constexpr unsigned kWidth = kWays;
  CacheView cache;

  template <class Tile>
  HOTROW_DEVICE void operator()(const Tile& tile, uint64_t number) const {
    tile.each([&](unsigned lane) {
      const uint64_t handle = number * kWays + lane;
      cache.keys[handle] = cache.empty_key(static_cast<uint32_t>(number));
      cache.scores[handle] = 0;
      cache.dirty[handle] = 0;
      cache.pins[handle] = 0;
    });
  }
};

/// Dirty rows of buckets from `first` on are written to a list, and are clean then. The list has
/// room for all that a launch can find.
struct Flush {
  static constexpr unsigned kWidth = kWays;
  CacheView cache;
  uint64_t first;  // bucket of tile 0
  RowList rows;
  uint32_t* count;

  template <class Tile>
  HOTROW_DEVICE void operator()(const Tile& tile, uint64_t number) const {
    const auto base = static_cast<uint32_t>((first + number) * kWays);
    uint32_t ways = tile.ballot([&](unsigned lane) { return cache.dirty[base + lane] != 0; });
    if (ways == 0) return;
    const auto begin = tile.map(
        [&](unsigned lane) { return lane == 0 ? atomic_add(count, count_bits(ways)) : 0U; });
    uint64_t to = tile.broadcast(begin, 0);
    for (; ways != 0; ways &= ways - 1, ++to) {
      const uint32_t handle = base + lowest_bit(ways);
      tile.leader([&] {
        rows.keys[to] = cache.keys[handle];
        cache.dirty[handle] = 0;
      });
      copy_row(tile, cache.values_of(handle), rows.values + to * cache.value_stride,
               cache.value_stride);
      if (cache.state != nullptr) {
        copy_row(tile, reinterpret_cast<const std::byte*>(cache.state_of(handle)),
                 rows.state + to * cache.state_stride, cache.state_stride);
      }
    }
  }
};

/// How many rows are dirty.
struct CountDirty {
  static constexpr unsigned kWidth = 32;
  CacheView cache;
  uint64_t* count;

  template <class Tile>
  HOTROW_DEVICE void operator()(const Tile& tile, uint64_t number) const {
    const uint64_t first = number * kWidth;
    const uint32_t dirty = tile.ballot([&](unsigned lane) {
      return first + lane < cache.rows() && cache.dirty[first + lane] != 0;
    });
    if (dirty == 0) return;
    tile.leader([&] { atomic_add(count, uint64_t{count_bits(dirty)}); });
  }
};

}  // namespace hotrow::gpu

#endif  // HOTROW_CUDA_ROWS_H_
