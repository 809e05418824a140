// Pooled lookups: the rows of a bag become one. Rows come from the cache, or, of positions that
// missed, from a list that the host has filled; sums run in the order of the keys, as on the CPU,
// and so give the same bits.
#ifndef HOTROW_CUDA_POOL_H_
#define HOTROW_CUDA_POOL_H_

#include <cmath>

#include "cuda/codec.h"
#include "cuda/tile.h"
#include "cuda/view.h"

namespace hotrow::gpu {

/// In an array of handles: bit 31 marks the place of a row in the list of missed ones.
inline constexpr uint32_t kMissedRow = uint32_t{1} << 31;

/// handles[positions[i]] = i-th missed row, i below n.
struct NumberMissed {
  static constexpr unsigned kWidth = 32;
  const uint32_t* positions;
  uint64_t n;
  uint32_t* handles;

  template <class Tile>
  HOTROW_DEVICE void operator()(const Tile& tile, uint64_t number) const {
    tile.each([&](unsigned lane) {
      const uint64_t at = number * kWidth + lane;
      if (at < n) handles[positions[at]] = kMissedRow | static_cast<uint32_t>(at);
    });
  }
};

/// 1 over the divisor of the bag of positions [begin, end), or 0 when that is zero; in f64, in the
/// order of the keys. `weights` null: all 1.
HOTROW_BOTH float bag_scale(const float* weights, uint64_t begin, uint64_t end, Pooling pooling) {
  if (pooling == Pooling::kSum) return 1.0F;
  double sum = 0;
  for (uint64_t at = begin; at < end; ++at) {
    const double u = weights != nullptr ? weights[at] : 1.0F;
    sum += pooling == Pooling::kMean ? u : u * u;
  }
  if (pooling == Pooling::kSqrtn) sum = ::sqrt(sum);
  return sum == 0 ? 0.0F : static_cast<float>(1.0 / sum);
}

/// A tile for each bag; each lane sums some of the values.
template <ValueType kType>
struct Pool {
  static constexpr unsigned kWidth = 32;
  CacheView cache;
  const uint32_t* handles;  // [n]
  const uint32_t* offsets;  // [bags + 1]
  const float* weights;     // [n] or null
  Pooling pooling;
  const float* missed;  // rows at dim
  float* out;           // [bags] at `stride` values
  uint64_t stride;

  template <class Tile>
  HOTROW_DEVICE void operator()(const Tile& tile, uint64_t bag) const {
    const uint32_t begin = offsets[bag];
    const uint32_t end = offsets[bag + 1];
    const float scale = bag_scale(weights, begin, end, pooling);
    tile.each([&](unsigned lane) {
      for (uint32_t i = lane; i < cache.dim; i += kWidth) {
        float sum = 0;
        for (uint32_t at = begin; at < end; ++at) {
          const float value = value_of(handles[at], i);
          sum += weights != nullptr ? weights[at] * value : value;
        }
        out[bag * stride + i] = scale != 1.0F ? scale * sum : sum;
      }
    });
  }

 private:
  HOTROW_DEVICE float value_of(uint32_t handle, uint32_t i) const {
    if ((handle & kMissedRow) != 0) {
      return missed[uint64_t{handle & ~kMissedRow} * cache.dim + i];
    }
    return RowReader<kType>(cache.values_of(handle), cache.dim).load(i);
  }
};

}  // namespace hotrow::gpu

#endif  // HOTROW_CUDA_POOL_H_
