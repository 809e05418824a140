// Lookups: find, gather and the list of misses in one kernel, or one by one.
//
//   FindGather   a warp for 32 keys: each lane probes one, the warp copies the rows found, and the
//                positions of the others are appended to a list, one atomic addition a warp
//   Find         handles alone
//   Pin, Hold    ways that no other row may take, by handle or by key
//   Gather       rows by handle, no probing
//
// Nothing here writes to the cache but scores and pins. `Format` says what a row becomes on its way
// out: RawRows (as it lies) or DecodedRows<type> (f32).
#ifndef HOTROW_CUDA_LOOKUP_H_
#define HOTROW_CUDA_LOOKUP_H_

#include "cuda/codec.h"
#include "cuda/copy.h"
#include "cuda/scores.h"
#include "cuda/tile.h"
#include "cuda/view.h"

namespace hotrow::gpu {

/// Rows as they lie in the cache, in chunks of 16 bytes; kChunks as in ChunkWalk.
template <unsigned kChunks>
struct RawRows {
  static constexpr unsigned kFewKeys = 8;

  /// out + lane * stride = the row that handles[lane] is of, of the first kRows lanes.
  template <unsigned kRows, class Tile>
  static HOTROW_DEVICE void write(const Tile& tile, const CacheView& cache,
                                  const typename Tile::template Lanes<uint32_t>& handles,
                                  std::byte* out, uint64_t stride) {
    copy_rows<kChunks, kRows>(
        tile, handles, cache.value_stride / 16,
        [&](uint32_t handle) { return cache.values_of(handle); },
        [&](uint32_t lane) { return out + lane * stride; });
  }
};

/// Rows as f32, four values a lane at a time.
template <ValueType kType>
struct DecodedRows {
  /// Quantized rows spill registers with less than a whole tile.
  static constexpr unsigned kFewKeys = has_coefficients(kType) ? 32 : 8;

  template <unsigned kRows, class Tile>
  static HOTROW_DEVICE void write(const Tile& tile, const CacheView& cache,
                                  const typename Tile::template Lanes<uint32_t>& handles,
                                  std::byte* out, uint64_t stride) {
    using Walk = ChunkWalk<Tile::kWidth, 0>;
    const uint32_t quads = (cache.dim + 3) / 4;
    const bool whole = cache.dim % 4 == 0 && stride % 16 == 0;
    auto walk = tile.map([&](unsigned lane) { return Walk::begin(lane, quads); });
    const uint32_t steps = (quads * kRows + Tile::kWidth - 1) / Tile::kWidth;
    for (uint32_t done = 0; done < steps; ++done) {
      const auto handle = tile.pick(handles, [&](unsigned lane) { return walk[lane].row; });
      tile.each([&](unsigned lane) {
        const Walk at = walk[lane];
        walk[lane].step(quads);
        if (handle[lane] == kNoHandle) return;
        const RowReader<kType> row(cache.values_of(handle[lane]), cache.dim);
        const uint32_t first = at.chunk * 4;
        std::byte* const to = out + at.row * stride + size_t{first} * sizeof(float);
        if (whole) {
          store_chunk(to, quad_of(row, cache.values_of(handle[lane]), first));
        } else {
          for (uint32_t i = first; i < first + 4 && i < cache.dim; ++i) {
            reinterpret_cast<float*>(to)[i - first] = row.load(i);
          }
        }
      });
    }
  }

 private:
  /// Four values as f32; those of 16 bits are loaded as one.
  static HOTROW_DEVICE Chunk quad_of(const RowReader<kType>& row, const std::byte* values,
                                     uint32_t first) {
    Chunk quad;
    if constexpr (sizeof(Number<kType>) == 2) {
      struct alignas(8) Halves {
        uint16_t of[4];
      };
      const auto halves = reinterpret_cast<const Halves*>(values)[first / 4];
      for (int i = 0; i < 4; ++i)
        quad.words[i] = bits_of(kType == ValueType::kF16 ? f32_of_f16(halves.of[i])
                                                         : f32_of_bf16(halves.of[i]));
    } else {
      for (int i = 0; i < 4; ++i) quad.words[i] = bits_of(row.load(first + i));
    }
    return quad;
  }
};

/// Where positions without a row go.
struct MissList {
  uint32_t* positions = nullptr;  // [n]; null: not asked
  uint32_t* count = nullptr;
};

/// Appends the positions of those lanes that missed; in the order of the tiles that come.
template <class Tile>
HOTROW_DEVICE void append_misses(const Tile& tile, uint32_t missed, uint64_t first,
                                 const MissList& misses) {
  if (missed == 0 || misses.count == nullptr) return;
  const auto begin = tile.map(
      [&](unsigned lane) { return lane == 0 ? atomic_add(misses.count, count_bits(missed)) : 0U; });
  const uint32_t base = tile.broadcast(begin, 0);
  tile.each([&](unsigned lane) {
    if ((missed >> lane & 1) == 0) return;
    const uint32_t rank = count_bits(missed & ((1U << lane) - 1));
    misses.positions[base + rank] = static_cast<uint32_t>(first + lane);
  });
}

/// kKeys: of a tile. Few of them give small batches more tiles, and so more rows on their way.
template <class Format, unsigned kKeys>
struct FindGather {
  static constexpr unsigned kWidth = 32;
  CacheView cache;
  const uint64_t* keys;  // [n], duplicates are legal
  uint64_t n;
  std::byte* out;  // [n] at `stride` bytes; rows of misses are not written
  uint64_t stride;
  MissList misses;
  Touch touch;

  template <class Tile>
  HOTROW_DEVICE void operator()(const Tile& tile, uint64_t number) const {
    const uint64_t first = number * kKeys;
    const auto handles = tile.map([&](unsigned lane) {
      if (lane >= kKeys || first + lane >= n) return kNoHandle;
      const uint32_t handle = find(cache, keys[first + lane]);
      if (handle != kNoHandle) touch(cache.scores + handle, first + lane);
      return handle;
    });
    Format::template write<kKeys>(tile, cache, handles, out + first * stride, stride);
    append_misses(tile, tile.ballot([&](unsigned lane) {
      return lane < kKeys && handles[lane] == kNoHandle && first + lane < n;
    }),
                  first, misses);
  }
};

/// handles [n] of keys [n], kNoHandle for misses.
struct Find {
  static constexpr unsigned kWidth = 32;
  CacheView cache;
  const uint64_t* keys;
  uint64_t n;
  uint32_t* handles;
  MissList misses;
  Touch touch;

  template <class Tile>
  HOTROW_DEVICE void operator()(const Tile& tile, uint64_t number) const {
    const uint64_t first = number * kWidth;
    const auto found = tile.map([&](unsigned lane) {
      if (first + lane >= n) return kNoHandle;
      const uint32_t handle = find(cache, keys[first + lane]);
      if (handle != kNoHandle) touch(cache.scores + handle, first + lane);
      handles[first + lane] = handle;
      return handle;
    });
    append_misses(tile, tile.ballot([&](unsigned lane) {
      return found[lane] == kNoHandle && first + lane < n;
    }),
                  first, misses);
  }
};

/// out = rows of handles [n]; those of kNoHandle are not written.
template <class Format>
struct Gather {
  static constexpr unsigned kWidth = 32;
  CacheView cache;
  const uint32_t* handles;
  uint64_t n;
  std::byte* out;
  uint64_t stride;  // bytes

  template <class Tile>
  HOTROW_DEVICE void operator()(const Tile& tile, uint64_t number) const {
    const uint64_t first = number * kWidth;
    const auto mine = tile.map(
        [&](unsigned lane) { return first + lane < n ? handles[first + lane] : kNoHandle; });
    Format::template write<kWidth>(tile, cache, mine, out + first * stride, stride);
  }
};

/// How often a way is held, after one more or one less.
HOTROW_DEVICE uint8_t held_more(uint8_t pins) {
  return pins < UINT8_MAX ? static_cast<uint8_t>(pins + 1) : pins;
}
HOTROW_DEVICE uint8_t held_less(uint8_t pins) {
  return pins > 0 ? static_cast<uint8_t>(pins - 1) : pins;
}

/// Adds to, or takes from, the batches that hold the ways of handles [n], which are distinct.
struct Pin {
  static constexpr unsigned kWidth = 32;
  CacheView cache;
  const uint32_t* handles;
  uint64_t n;
  bool pinned;

  template <class Tile>
  HOTROW_DEVICE void operator()(const Tile& tile, uint64_t number) const {
    tile.each([&](unsigned lane) {
      const uint64_t at = number * kWidth + lane;
      if (at >= n || handles[at] == kNoHandle) return;
      uint8_t& pins = cache.pins[handles[at]];
      pins = pinned ? held_more(pins) : held_less(pins);
    });
  }
};

/// The same, of the rows of keys [n], which are distinct; counts the ways that it changes.
struct Hold {
  static constexpr unsigned kWidth = 32;
  CacheView cache;
  const uint64_t* keys;
  uint64_t n;
  TierHolding how;
  MissList misses;
  uint64_t* changed;

  template <class Tile>
  HOTROW_DEVICE void operator()(const Tile& tile, uint64_t number) const {
    const uint64_t first = number * kWidth;
    const auto handles = tile.map([&](unsigned lane) {
      return first + lane < n ? find(cache, keys[first + lane]) : kNoHandle;
    });
    const uint32_t others = tile.ballot([&](unsigned lane) {
      if (handles[lane] == kNoHandle) return false;
      uint8_t& pins = cache.pins[handles[lane]];
      const uint8_t before = pins;
      pins = after(before);
      return pins != before;
    });
    if (others != 0) tile.leader([&] { atomic_add(changed, uint64_t{count_bits(others)}); });
    append_misses(tile, tile.ballot([&](unsigned lane) {
      return handles[lane] == kNoHandle && first + lane < n;
    }),
                  first, misses);
  }

 private:
  HOTROW_DEVICE uint8_t after(uint8_t pins) const {
    switch (how) {
      case TierHolding::kOnceMore:
        return held_more(pins);
      case TierHolding::kOnceLess:
        return held_less(pins);
      default:
        return 0;
    }
  }
};

}  // namespace hotrow::gpu

#endif  // HOTROW_CUDA_LOOKUP_H_
