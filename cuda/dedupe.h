// The distinct keys of a batch, numbered in the order of their first appearance, as on the CPU: the
// same numbers whatever runs when.
//
// An open-addressed table of positions, not keys, so that no key is reserved: a place holds the
// lowest position of its key. Claim() enters every position, First() reads them back; the numbers
// are the running count of positions that are the first of their key (the device's scan), and
// NumberDistinct() gives every position its key's.
#ifndef HOTROW_CUDA_DEDUPE_H_
#define HOTROW_CUDA_DEDUPE_H_

#include "cuda/tile.h"
#include "cuda/view.h"

namespace hotrow::gpu {

struct PositionTable {
  const uint64_t* keys;  // [n]
  uint64_t n;
  uint32_t* places;  // [mask + 1], kNoHandle where empty
  uint64_t mask;     // a power of two less one, at least 2 n

  HOTROW_DEVICE uint64_t begin(uint64_t key) const { return spread(key) & mask; }
};

/// places [n] = empty.
struct ClearPlaces {
  static constexpr unsigned kWidth = 32;
  uint32_t* places;
  uint64_t n;

  template <class Tile>
  HOTROW_DEVICE void operator()(const Tile& tile, uint64_t number) const {
    tile.each([&](unsigned lane) {
      const uint64_t at = number * kWidth + lane;
      if (at < n) places[at] = kNoHandle;
    });
  }
};

struct Claim {
  static constexpr unsigned kWidth = 32;
  PositionTable table;

  template <class Tile>
  HOTROW_DEVICE void operator()(const Tile& tile, uint64_t number) const {
    tile.each([&](unsigned lane) {
      const uint64_t at = number * kWidth + lane;
      if (at >= table.n) return;
      const uint64_t key = table.keys[at];
      const auto position = static_cast<uint32_t>(at);
      for (uint64_t place = table.begin(key);; place = (place + 1) & table.mask) {
        uint32_t* const there = table.places + place;
        uint32_t seen = atomic_load(there);
        if (seen == kNoHandle) seen = atomic_exchange_if(there, kNoHandle, position);
        if (seen == kNoHandle) return;
        if (table.keys[seen] == key) {
          atomic_min(there, position);
          return;
        }
      }
    });
  }
};

/// first [n] = lowest position with the same key; is_first [n] = 1 where that is the position.
struct First {
  static constexpr unsigned kWidth = 32;
  PositionTable table;
  uint32_t* first;
  uint32_t* is_first;

  template <class Tile>
  HOTROW_DEVICE void operator()(const Tile& tile, uint64_t number) const {
    tile.each([&](unsigned lane) {
      const uint64_t at = number * kWidth + lane;
      if (at >= table.n) return;
      const uint64_t key = table.keys[at];
      uint64_t place = table.begin(key);
      while (table.keys[table.places[place]] != key) place = (place + 1) & table.mask;
      first[at] = table.places[place];
      is_first[at] = first[at] == at ? 1 : 0;
    });
  }
};

/// numbers [n] = which distinct key; distinct [numbers] = the keys. `before` [n] is the running
/// count of is_first, the position itself not counted.
struct NumberDistinct {
  static constexpr unsigned kWidth = 32;
  PositionTable table;
  const uint32_t* first;
  const uint32_t* before;
  uint32_t* numbers;
  uint64_t* distinct;

  template <class Tile>
  HOTROW_DEVICE void operator()(const Tile& tile, uint64_t number) const {
    tile.each([&](unsigned lane) {
      const uint64_t at = number * kWidth + lane;
      if (at >= table.n) return;
      numbers[at] = before[first[at]];
      if (first[at] == at) distinct[numbers[at]] = table.keys[at];
    });
  }
};

}  // namespace hotrow::gpu

#endif  // HOTROW_CUDA_DEDUPE_H_
