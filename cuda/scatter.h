// Rows of misses, come from the host, go to their places in a lookup's output.
#ifndef HOTROW_CUDA_SCATTER_H_
#define HOTROW_CUDA_SCATTER_H_

#include "cuda/copy.h"
#include "cuda/tile.h"
#include "cuda/view.h"

namespace hotrow::gpu {

/// out + positions[i] * stride = row i, for i below n. A warp does 32 rows.
struct Scatter {
  static constexpr unsigned kWidth = 32;
  const std::byte* rows;  // [n] at `bytes`, a multiple of 16; of the device, or pinned
  const uint32_t* positions;
  uint64_t n;  // below 2^31
  uint32_t bytes;
  std::byte* out;
  uint64_t stride;  // bytes, a multiple of 16

  template <class Tile>
  HOTROW_DEVICE void operator()(const Tile& tile, uint64_t number) const {
    const uint64_t first = number * kWidth;
    const auto mine = tile.map([&](unsigned lane) {
      return first + lane < n ? static_cast<uint32_t>(first + lane) : kNoHandle;
    });
    copy_rows<0, Tile::kWidth>(
        tile, mine, bytes / 16, [&](uint32_t i) { return rows + uint64_t{i} * bytes; },
        [&](uint32_t lane) { return out + positions[first + lane] * stride; });
  }
};

}  // namespace hotrow::gpu

#endif  // HOTROW_CUDA_SCATTER_H_
