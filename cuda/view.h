// The cache as kernels see it: a handful of flat arrays in device memory, no pointers inside,
// passed by value. Fixed capacity; 8 ways a bucket, whose keys fill one 64-byte line.
//
//   keys   [buckets][8] u64   a probe reads one line
//   scores [buckets][8] u32   larger = keep; touched by modifies, and by one lookup in so many
//   dirty  [buckets][8] u8    1: newer than the CPU's row
//   pins   [buckets][8] u8    batches in flight that hold the way
//   values [handle]           the row's values, in the table's value type
//   state  [handle]           the optimizer's, f32; absent in caches that only serve
//
// No key is reserved. An empty way holds a key that belongs to another bucket, which no probe of
// this bucket ever asks for: empty_key() of the bucket. So a cache has at least two buckets.
//
// handle = bucket * 8 + way, 31 bits; offsets in bytes are 64 bits everywhere.
#ifndef HOTROW_CUDA_VIEW_H_
#define HOTROW_CUDA_VIEW_H_

#include <cstddef>
#include <cstdint>

#include "cuda/tile.h"

namespace hotrow::gpu {

inline constexpr unsigned kWays = 8;
inline constexpr uint32_t kNoHandle = UINT32_MAX;
/// Handles have 31 bits.
inline constexpr uint64_t kMostBuckets = (uint64_t{1} << 31) / kWays;

/// A bijection that spreads the bits of keys: MurmurHash3's 64-bit finalizer (Appleby). Not the
/// mixing of base/hash.h: keys of one server's slots share bits of that.
HOTROW_BOTH uint64_t spread(uint64_t key) {
  key = (key ^ (key >> 33)) * 0xff51afd7ed558ccdU;
  key = (key ^ (key >> 33)) * 0xc4ceb9fe1a85ec53U;
  return key ^ (key >> 33);
}

/// buckets is at most 2^32.
HOTROW_BOTH uint32_t bucket_of(uint64_t key, uint64_t buckets) {
  return static_cast<uint32_t>(((spread(key) >> 32) * buckets) >> 32);
}

struct CacheView {
  uint64_t* keys = nullptr;
  uint32_t* scores = nullptr;
  uint8_t* dirty = nullptr;
  uint8_t* pins = nullptr;
  std::byte* values = nullptr;
  std::byte* state = nullptr;  // null: rows have none here
  uint64_t buckets = 0;
  // Two keys of different buckets: what empty ways hold.
  uint64_t empty_keys[2] = {};
  uint32_t first_empty_bucket = 0;  // of empty_keys[0]
  uint32_t value_stride = 0;        // bytes, a multiple of 16
  uint32_t state_stride = 0;        // bytes, a multiple of 16
  uint32_t dim = 0;
  uint32_t state_values = 0;

  HOTROW_BOTH uint64_t empty_key(uint32_t bucket) const {
    return empty_keys[bucket == first_empty_bucket ? 1 : 0];
  }
  HOTROW_BOTH uint64_t rows() const { return buckets * kWays; }
  HOTROW_BOTH std::byte* values_of(uint32_t handle) const {
    return values + uint64_t{handle} * value_stride;
  }
  HOTROW_BOTH float* state_of(uint32_t handle) const {
    return reinterpret_cast<float*>(state + uint64_t{handle} * state_stride);
  }
  HOTROW_BOTH bool is_empty(uint32_t handle) const {
    return keys[handle] == empty_key(handle / kWays);
  }
};

/// The handle of a key, or kNoHandle. One lane's work: the line arrives in four loads of 16 bytes.
HOTROW_DEVICE uint32_t find(const CacheView& cache, uint64_t key) {
  const uint32_t bucket = bucket_of(key, cache.buckets);
  const uint64_t* const line = cache.keys + uint64_t{bucket} * kWays;
#ifdef __CUDACC__
  const auto* const pairs = reinterpret_cast<const ulonglong2*>(line);
  ulonglong2 in[4];
#pragma unroll
  for (int i = 0; i < 4; ++i) in[i] = pairs[i];
  uint32_t way = kWays;
#pragma unroll
  for (int i = 3; i >= 0; --i) {
    if (in[i].y == key) way = 2 * i + 1;
    if (in[i].x == key) way = 2 * i;
  }
#else
  uint32_t way = 0;
  while (way < kWays && line[way] != key) ++way;
#endif
  return way < kWays ? bucket * kWays + way : kNoHandle;
}

}  // namespace hotrow::gpu

#endif  // HOTROW_CUDA_VIEW_H_
