// What a lookup and the host tell each other of misses: how many there are, and where their rows
// go once the host has them.
#ifndef HOTROW_CUDA_SCATTER_H_
#define HOTROW_CUDA_SCATTER_H_

#include "cuda/copy.h"
#include "cuda/tile.h"
#include "cuda/view.h"

namespace hotrow::gpu {

/// Tells the host a count, after all that was written to the host's memory by work before it on the
/// stream, and begins the next at 0. One tile.
struct Announce {
  static constexpr unsigned kWidth = 32;
  uint32_t* count;    // of the device
  uint32_t* on_host;  // pinned

  template <class Tile>
  HOTROW_DEVICE void operator()(const Tile& tile, uint64_t /*number*/) const {
    tile.leader([&] {
      const uint32_t counted = *count;
      *count = 0;
      publish(on_host, counted);
    });
  }
};

/// out + positions[i] * stride = row i, for i below n. A warp does 32 rows. Rows and positions may
/// be pinned ones of the host: each is read once, neighbours together.
struct Scatter {
  static constexpr unsigned kWidth = 32;
  const std::byte* rows;  // [n] at `bytes`, a multiple of 16
  const uint32_t* positions;
  uint64_t n;  // below 2^31
  uint32_t bytes;
  std::byte* out;
  uint64_t stride;  // bytes, a multiple of 16

  template <class Tile>
  HOTROW_DEVICE void operator()(const Tile& tile, uint64_t number) const {
    const uint64_t first = number * kWidth;
    const auto mine = tile.map(
        [&](unsigned lane) { return first + lane < n ? positions[first + lane] : kNoHandle; });
    move_rows<0, Tile::kWidth>(
        tile, mine, bytes / 16,
        [&](uint32_t /*position*/, uint32_t lane) { return rows + (first + lane) * bytes; },
        [&](uint32_t position, uint32_t /*lane*/) { return out + position * stride; });
  }
};

/// out [.., dim] at positions[i] = row i of rows [n, dim], of any dim: a warp a row.
struct PlaceRows {
  static constexpr unsigned kWidth = 32;
  const float* rows;
  const uint32_t* positions;
  uint32_t dim;
  float* out;

  template <class Tile>
  HOTROW_DEVICE void operator()(const Tile& tile, uint64_t number) const {
    const float* const from = rows + number * dim;
    float* const to = out + uint64_t{positions[number]} * dim;
    tile.each([&](unsigned lane) {
      for (uint32_t i = lane; i < dim; i += kWidth) to[i] = from[i];
    });
  }
};

}  // namespace hotrow::gpu

#endif  // HOTROW_CUDA_SCATTER_H_
