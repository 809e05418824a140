// The ceiling of lookups: rows gathered by handles that are known, no keys, no probing. Several
// variants; the best at a point is the ceiling there.
//
// A warp takes 32 neighbouring chunks of 16 bytes of the output at a time, kDeep of such groups
// with all loads on their way before the first store. Which row a chunk is of: a division by a
// constant.
#ifndef HOTROW_BENCH_GPU_RAW_H_
#define HOTROW_BENCH_GPU_RAW_H_

#include "cuda/tile.h"
#include "cuda/view.h"
#include "executor.h"

namespace hotrow::bench::HOTROW_EXECUTOR {

/// What the caches are told of rows that will not be read again soon.
enum class Hints : uint8_t {
  kNone,
  kStore,  ///< stores stream past: evicted first
  kBoth,   ///< and loads leave nothing in L1
};

template <Hints kHints>
HOTROW_DEVICE gpu::Chunk load_hinted(const std::byte* from) {
#ifdef __CUDA_ARCH__
  if constexpr (kHints == Hints::kBoth) {
    gpu::Chunk chunk;
    asm volatile("ld.global.nc.L1::no_allocate.v4.u32 {%0, %1, %2, %3}, [%4];"
                 : "=r"(chunk.words[0]), "=r"(chunk.words[1]), "=r"(chunk.words[2]),
                   "=r"(chunk.words[3])
                 : "l"(from));
    return chunk;
  }
#endif
  return gpu::load_chunk(from);
}

template <Hints kHints>
HOTROW_DEVICE void store_hinted(std::byte* to, const gpu::Chunk& chunk) {
#ifdef __CUDA_ARCH__
  if constexpr (kHints != Hints::kNone) {
    __stcs(reinterpret_cast<uint4*>(to),
           make_uint4(chunk.words[0], chunk.words[1], chunk.words[2], chunk.words[3]));
    return;
  }
#endif
  gpu::store_chunk(to, chunk);
}

/// out [n], row after row without gaps = rows of handles [n] of kChunks chunks; those of kNoHandle
/// stay.
template <unsigned kChunks, unsigned kDeep, Hints kHints>
struct RawGather {
  static constexpr unsigned kWidth = 32;
  static constexpr uint64_t kPerTile = uint64_t{kWidth} * kDeep;
  const std::byte* rows;
  const uint32_t* handles;
  uint64_t n;
  std::byte* out;

  uint64_t tiles() const { return (n * kChunks + kPerTile - 1) / kPerTile; }

  template <class Tile>
  HOTROW_DEVICE void operator()(const Tile& tile, uint64_t number) const {
    tile.each([&](unsigned lane) {
      const uint64_t first = number * kPerTile + lane;
      uint32_t handle[kDeep];
      gpu::Chunk held[kDeep];
#ifdef __CUDACC__
#pragma unroll
#endif
      for (unsigned k = 0; k < kDeep; ++k) {
        const uint64_t row = (first + k * kWidth) / kChunks;
        handle[k] = row < n ? handles[row] : gpu::kNoHandle;
      }
#ifdef __CUDACC__
#pragma unroll
#endif
      for (unsigned k = 0; k < kDeep; ++k) {
        if (handle[k] == gpu::kNoHandle) continue;
        const uint64_t chunk = uint64_t{handle[k]} * kChunks + (first + k * kWidth) % kChunks;
        held[k] = load_hinted<kHints>(rows + chunk * 16);
      }
#ifdef __CUDACC__
#pragma unroll
#endif
      for (unsigned k = 0; k < kDeep; ++k) {
        if (handle[k] == gpu::kNoHandle) continue;
        store_hinted<kHints>(out + (first + k * kWidth) * 16, held[k]);
      }
    });
  }
};

struct RawTask {
  const std::byte* rows;
  const uint32_t* handles;
  uint64_t n;
  std::byte* out;
};

struct RawVariant {
  const char* name;
  Status (*launch)(Device& device, const RawTask& task, Stream stream);
};

template <unsigned kChunks, unsigned kDeep, Hints kHints>
Status launch_raw(Device& device, const RawTask& task, Stream stream) {
  const RawGather<kChunks, kDeep, kHints> kernel = {task.rows, task.handles, task.n, task.out};
  return device.launch(kernel, kernel.tiles(), stream);
}

template <unsigned kChunks>
std::vector<RawVariant> raw_variants_of() {
  return {{"raw_deep2_store", launch_raw<kChunks, 2, Hints::kStore>},
          {"raw_deep4", launch_raw<kChunks, 4, Hints::kNone>},
          {"raw_deep4_both", launch_raw<kChunks, 4, Hints::kBoth>},
          {"raw_deep8_both", launch_raw<kChunks, 8, Hints::kBoth>}};
}

/// Of rows of so many bytes: 32, 64, 128, 256 or 512.
inline std::vector<RawVariant> raw_variants(uint32_t row_bytes) {
  switch (row_bytes) {
    case 32:
      return raw_variants_of<2>();
    case 64:
      return raw_variants_of<4>();
    case 128:
      return raw_variants_of<8>();
    case 256:
      return raw_variants_of<16>();
    default:
      return raw_variants_of<32>();
  }
}

/// Bytes that gathering `hits` rows of n handles must move.
inline double gather_bytes(uint64_t n, double hits, uint32_t row_bytes) {
  return static_cast<double>(n) * (4 + 2.0 * hits * row_bytes);
}

}  // namespace hotrow::bench::HOTROW_EXECUTOR

#endif  // HOTROW_BENCH_GPU_RAW_H_
