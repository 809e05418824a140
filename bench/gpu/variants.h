// Other ways to write FindGather of cuda/lookup.h, timed beside it on the same keys. What proves
// faster belongs there.
//
//   probe   lane: each lane reads the line of one key, four loads of 16 bytes, 32 lines a load
//           quad: four lanes read a line together, one load each: 8 lines a load, a quarter of the
//                 places that a load instruction touches, and eight keys in each of four rounds
//   deep    rows' chunks of a lane on their way at once
//   hints   of raw.h, for rows and output
#ifndef HOTROW_BENCH_GPU_VARIANTS_H_
#define HOTROW_BENCH_GPU_VARIANTS_H_

#include "cuda/lookup.h"
#include "raw.h"

namespace hotrow::bench::HOTROW_EXECUTOR {

enum class Probe : uint8_t { kLane, kQuad };

/// Two keys.
struct alignas(16) KeyPair {
  uint64_t of[2];
};

template <unsigned kChunks, Probe kProbe, unsigned kDeep, Hints kHints>
struct FindGatherVariant {
  static constexpr unsigned kWidth = 32;
  gpu::CacheView cache;
  const uint64_t* keys;
  uint64_t n;
  std::byte* out;  // rows without gaps
  gpu::MissList misses;

  template <class Tile>
  using Handles = typename Tile::template Lanes<uint32_t>;

  template <class Tile>
  HOTROW_DEVICE void operator()(const Tile& tile, uint64_t number) const {
    const uint64_t first = number * kWidth;
    const Handles<Tile> handles =
        kProbe == Probe::kQuad ? probe_quads(tile, first) : probe_lanes(tile, first);
    copy(tile, handles, out + first * kChunks * 16);
    gpu::append_misses(tile, tile.ballot([&](unsigned lane) {
      return handles[lane] == gpu::kNoHandle && first + lane < n;
    }),
                       first, misses);
  }

 private:
  template <class Tile>
  HOTROW_DEVICE Handles<Tile> probe_lanes(const Tile& tile, uint64_t first) const {
    return tile.map([&](unsigned lane) {
      return first + lane < n ? gpu::find(cache, keys[first + lane]) : gpu::kNoHandle;
    });
  }

  /// Lane l looks at ways 2 (l % 4) and the next of keys l / 4, l / 4 + 8, +16 and +24.
  template <class Tile>
  HOTROW_DEVICE Handles<Tile> probe_quads(const Tile& tile, uint64_t first) const {
    const auto key = tile.map(
        [&](unsigned lane) { return first + lane < n ? keys[first + lane] : uint64_t{0}; });
    const auto bucket =
        tile.map([&](unsigned lane) { return gpu::bucket_of(key[lane], cache.buckets); });
    typename Tile::template Lanes<uint64_t> wanted[4];
    Handles<Tile> base[4];
    typename Tile::template Lanes<KeyPair> pair[4];
#ifdef __CUDACC__
#pragma unroll
#endif
    for (unsigned k = 0; k < 4; ++k) {
      wanted[k] = tile.pick(key, [&](unsigned lane) { return 8 * k + lane / 4; });
      base[k] = tile.pick(bucket, [&](unsigned lane) { return 8 * k + lane / 4; });
      pair[k] = tile.map([&](unsigned lane) {
        const uint64_t* const at = cache.keys + uint64_t{base[k][lane]} * gpu::kWays;
        return *reinterpret_cast<const KeyPair*>(at + lane % 4 * 2);
      });
    }
    Handles<Tile> found = tile.map([&](unsigned) { return gpu::kNoHandle; });
#ifdef __CUDACC__
#pragma unroll
#endif
    for (unsigned k = 0; k < 4; ++k) {
      const uint32_t even =
          tile.ballot([&](unsigned lane) { return pair[k][lane].of[0] == wanted[k][lane]; });
      const uint32_t odd =
          tile.ballot([&](unsigned lane) { return pair[k][lane].of[1] == wanted[k][lane]; });
      tile.each([&](unsigned lane) {
        if (lane / 8 != k || first + lane >= n) return;
        const uint32_t evens = even >> (lane % 8 * 4) & 15;
        const uint32_t odds = odd >> (lane % 8 * 4) & 15;
        if ((evens | odds) == 0) return;
        const uint32_t way =
            evens != 0 ? 2 * gpu::lowest_bit(evens) : 2 * gpu::lowest_bit(odds) + 1;
        found[lane] = bucket[lane] * gpu::kWays + way;
      });
    }
    return found;
  }

  /// As copy_rows() of cuda/copy.h, with depth and hints.
  template <class Tile>
  HOTROW_DEVICE void copy(const Tile& tile, const Handles<Tile>& handles, std::byte* to) const {
#ifdef __CUDACC__
#pragma unroll 1
#endif
    for (unsigned done = 0; done < kChunks; done += kDeep) {
      typename Tile::template Lanes<gpu::Chunk> held[kDeep];
      Handles<Tile> handle[kDeep];
#ifdef __CUDACC__
#pragma unroll
#endif
      for (unsigned k = 0; k < kDeep; ++k) {
        handle[k] = tile.pick(
            handles, [&](unsigned lane) { return ((done + k) * kWidth + lane) / kChunks; });
        tile.each([&](unsigned lane) {
          if (handle[k][lane] == gpu::kNoHandle) return;
          const unsigned chunk = ((done + k) * kWidth + lane) % kChunks;
          held[k][lane] = load_hinted<kHints>(cache.values_of(handle[k][lane]) + chunk * 16);
        });
      }
#ifdef __CUDACC__
#pragma unroll
#endif
      for (unsigned k = 0; k < kDeep; ++k) {
        tile.each([&](unsigned lane) {
          if (handle[k][lane] == gpu::kNoHandle) return;
          store_hinted<kHints>(to + uint64_t{(done + k) * kWidth + lane} * 16, held[k][lane]);
        });
      }
    }
  }
};

struct VariantTask {
  gpu::CacheView cache;
  const uint64_t* keys;
  uint64_t n;
  std::byte* out;
  gpu::MissList misses;
};

struct LookupVariant {
  const char* name;
  Status (*launch)(Device& device, const VariantTask& task, Stream stream);
};

template <unsigned kChunks, Probe kProbe, unsigned kDeep, Hints kHints>
Status launch_variant(Device& device, const VariantTask& task, Stream stream) {
  const FindGatherVariant<kChunks, kProbe, kDeep, kHints> kernel = {task.cache, task.keys, task.n,
                                                                    task.out, task.misses};
  return device.launch(kernel, tiles32(task.n), stream);
}

template <unsigned kChunks>
std::vector<LookupVariant> lookup_variants_of() {
  constexpr unsigned kMost = kChunks < 8 ? kChunks : 8;
  constexpr unsigned kSome = kChunks < 4 ? kChunks : 4;
  return {{"find_gather_lane4", launch_variant<kChunks, Probe::kLane, kSome, Hints::kNone>},
          {"find_gather_lane4_store", launch_variant<kChunks, Probe::kLane, kSome, Hints::kStore>},
          {"find_gather_lane4_both", launch_variant<kChunks, Probe::kLane, kSome, Hints::kBoth>},
          {"find_gather_lane8_both", launch_variant<kChunks, Probe::kLane, kMost, Hints::kBoth>},
          {"find_gather_quad2_both", launch_variant<kChunks, Probe::kQuad, 2, Hints::kBoth>},
          {"find_gather_quad4", launch_variant<kChunks, Probe::kQuad, kSome, Hints::kNone>},
          {"find_gather_quad4_both", launch_variant<kChunks, Probe::kQuad, kSome, Hints::kBoth>},
          {"find_gather_quad8_both", launch_variant<kChunks, Probe::kQuad, kMost, Hints::kBoth>}};
}

inline std::vector<LookupVariant> lookup_variants(uint32_t row_bytes) {
  switch (row_bytes) {
    case 32:
      return lookup_variants_of<2>();
    case 64:
      return lookup_variants_of<4>();
    case 128:
      return lookup_variants_of<8>();
    case 256:
      return lookup_variants_of<16>();
    default:
      return lookup_variants_of<32>();
  }
}

}  // namespace hotrow::bench::HOTROW_EXECUTOR

#endif  // HOTROW_BENCH_GPU_VARIANTS_H_
