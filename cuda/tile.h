// Tile<W>: what the algorithms of this folder are written over. On a GPU, W neighbouring threads of
// a warp, each of them one lane; on the CPU, one thread that runs the W lanes in lock step, one
// statement after the other, in rising or falling order.
//
// The rules that make both the same:
//   - what differs from lane to lane lives in Lanes, what is the same in plain variables;
//   - branches around collectives (ballot, pick, broadcast, ...) go the same way in every lane;
//   - every lane takes part in pick(), with a source that is a lane of the tile;
//   - within one map() or each(), no lane reads what another writes;
//   - tiles talk to each other only through the atomic_* functions.
#ifndef HOTROW_CUDA_TILE_H_
#define HOTROW_CUDA_TILE_H_

#include <cstddef>
#include <cstdint>
#include <cstring>

#ifdef __CUDACC__
#define HOTROW_DEVICE __device__ __forceinline__
#define HOTROW_BOTH __host__ __device__ __forceinline__
#else
#include <array>
#include <atomic>
#define HOTROW_DEVICE inline
#define HOTROW_BOTH inline
#endif

namespace hotrow::gpu {

/// Sixteen bytes that move as one. Addresses are multiples of 16.
struct alignas(16) Chunk {
  uint32_t words[4];
};
static_assert(sizeof(Chunk) == 16);

#ifdef __CUDACC__

template <class T>
struct LaneValue {
  T value;
  HOTROW_DEVICE T& operator[](unsigned /*lane*/) { return value; }
  HOTROW_DEVICE const T& operator[](unsigned /*lane*/) const { return value; }
};

/// W threads: W is a power of two, and W neighbouring lanes of a warp are one tile.
template <unsigned W>
class DeviceTile {
 public:
  static constexpr unsigned kWidth = W;
  static constexpr bool kOnDevice = true;
  template <class T>
  using Lanes = LaneValue<T>;

  HOTROW_DEVICE DeviceTile() : lane_(threadIdx.x % W), mask_(mask_of(threadIdx.x % 32)) {}

  /// One value for each lane.
  template <class F>
  HOTROW_DEVICE auto map(const F& f) const {
    return LaneValue<decltype(f(0U))>{f(lane_)};
  }
  template <class F>
  HOTROW_DEVICE void each(const F& f) const {
    f(lane_);
  }
  /// Once for the tile.
  template <class F>
  HOTROW_DEVICE void leader(const F& f) const {
    if (lane_ == 0) f();
  }
  /// Bit i: does f hold in lane i?
  template <class F>
  HOTROW_DEVICE uint32_t ballot(const F& f) const {
    const uint32_t all = __ballot_sync(mask_, f(lane_));
    if constexpr (W == 32) return all;
    return (all >> (threadIdx.x % 32 / W * W)) & ((1U << (W % 32)) - 1);
  }
  /// Each lane gets the value that lane source(lane) has.
  template <class T, class F>
  HOTROW_DEVICE LaneValue<T> pick(const LaneValue<T>& lanes, const F& source) const {
    return {__shfl_sync(mask_, lanes.value, source(lane_), W)};
  }
  template <class T>
  HOTROW_DEVICE T broadcast(const LaneValue<T>& lanes, unsigned source) const {
    return __shfl_sync(mask_, lanes.value, source, W);
  }
  /// The lane with the least value, the lowest of several.
  HOTROW_DEVICE unsigned arg_min(const LaneValue<uint64_t>& lanes) const {
    uint64_t least = lanes.value;
    unsigned at = lane_;
#pragma unroll
    for (unsigned step = W / 2; step > 0; step /= 2) {
      const uint64_t other = __shfl_xor_sync(mask_, least, step, W);
      const unsigned other_at = __shfl_xor_sync(mask_, at, step, W);
      if (other < least || (other == least && other_at < at)) {
        least = other;
        at = other_at;
      }
    }
    return at;
  }
  /// Folded by halves: lane j plus lane j + half of what is left.
  HOTROW_DEVICE float sum(const LaneValue<float>& lanes) const {
    float total = lanes.value;
#pragma unroll
    for (unsigned step = W / 2; step > 0; step /= 2) {
      total += __shfl_down_sync(mask_, total, step, W);
    }
    return __shfl_sync(mask_, total, 0, W);
  }
  /// A place of its own in a list: what *count was, and one more for the next. Tiles of a warp that
  /// come together take theirs at once, since additions to one word go one after the other.
  HOTROW_DEVICE uint32_t append(uint32_t* count) const {
    uint32_t place = 0;
    if (lane_ == 0) {
      const uint32_t together = __activemask();
      const int first = __ffs(static_cast<int>(together)) - 1;
      const auto own = static_cast<int>(threadIdx.x % 32);
      if (own == first) place = atomicAdd(count, static_cast<uint32_t>(__popc(together)));
      place = __shfl_sync(together, place, first);
      place += static_cast<uint32_t>(__popc(together & ((1U << own) - 1)));
    }
    return __shfl_sync(mask_, place, 0, W);
  }
  /// What lanes wrote to memory before, every lane reads after.
  HOTROW_DEVICE void sync() const { __syncwarp(mask_); }

 private:
  static HOTROW_DEVICE uint32_t mask_of(unsigned warp_lane) {
    if constexpr (W == 32) return 0xffffffffU;
    return ((1U << (W % 32)) - 1) << (warp_lane / W * W);
  }

  unsigned lane_;
  uint32_t mask_;
};

HOTROW_DEVICE uint32_t atomic_add(uint32_t* at, uint32_t value) { return atomicAdd(at, value); }
HOTROW_DEVICE uint64_t atomic_add(uint64_t* at, uint64_t value) {
  static_assert(sizeof(unsigned long long) == sizeof(uint64_t));
  return atomicAdd(reinterpret_cast<unsigned long long*>(at), value);
}
HOTROW_DEVICE uint32_t atomic_load(const uint32_t* at) {
  return *reinterpret_cast<const volatile uint32_t*>(at);
}
HOTROW_DEVICE uint64_t atomic_load(const uint64_t* at) {
  return *reinterpret_cast<const volatile uint64_t*>(at);
}
HOTROW_DEVICE void atomic_store(uint32_t* at, uint32_t value) {
  *reinterpret_cast<volatile uint32_t*>(at) = value;
}
HOTROW_DEVICE void atomic_store(uint64_t* at, uint64_t value) {
  *reinterpret_cast<volatile uint64_t*>(at) = value;
}
HOTROW_DEVICE void atomic_store(uint8_t* at, uint8_t value) {
  *reinterpret_cast<volatile uint8_t*>(at) = value;
}
/// To the host's memory: who reads it there with acquire sees what was written before.
HOTROW_DEVICE void publish(uint32_t* at, uint32_t value) {
  __threadfence_system();
  atomic_store(at, value);
}
HOTROW_DEVICE uint32_t atomic_min(uint32_t* at, uint32_t value) { return atomicMin(at, value); }
/// What was there before; `desired` is there now where that was `expected`.
HOTROW_DEVICE uint32_t atomic_exchange_if(uint32_t* at, uint32_t expected, uint32_t desired) {
  return atomicCAS(at, expected, desired);
}
HOTROW_DEVICE uint64_t atomic_exchange_if(uint64_t* at, uint64_t expected, uint64_t desired) {
  return atomicCAS(reinterpret_cast<unsigned long long*>(at), expected, desired);
}

/// Bits that are set.
HOTROW_BOTH unsigned count_bits(uint32_t bits) {
#ifdef __CUDA_ARCH__
  return static_cast<unsigned>(__popc(bits));
#else
  return static_cast<unsigned>(__builtin_popcount(bits));
#endif
}
/// Position of the lowest set bit; bits is not 0.
HOTROW_BOTH unsigned lowest_bit(uint32_t bits) {
#ifdef __CUDA_ARCH__
  return static_cast<unsigned>(__ffs(static_cast<int>(bits)) - 1);
#else
  return static_cast<unsigned>(__builtin_ctz(bits));
#endif
}

#else  // the CPU

/// In which order a host tile runs its lanes. Nothing may depend on it.
enum class LaneOrder : uint8_t { kRising, kFalling };

/// One thread that runs W lanes in lock step.
template <unsigned W, LaneOrder kOrder = LaneOrder::kRising>
class HostTile {
 public:
  static constexpr unsigned kWidth = W;
  static constexpr bool kOnDevice = false;
  template <class T>
  using Lanes = std::array<T, W>;

  template <class F>
  auto map(const F& f) const {
    Lanes<decltype(f(0U))> result;
    each([&](unsigned lane) { result[lane] = f(lane); });
    return result;
  }
  template <class F>
  void each(const F& f) const {
    for (unsigned i = 0; i < W; ++i) f(kOrder == LaneOrder::kRising ? i : W - 1 - i);
  }
  template <class F>
  void leader(const F& f) const {
    f();
  }
  template <class F>
  uint32_t ballot(const F& f) const {
    uint32_t bits = 0;
    each([&](unsigned lane) { bits |= static_cast<uint32_t>(static_cast<bool>(f(lane))) << lane; });
    return bits;
  }
  template <class T, class F>
  Lanes<T> pick(const Lanes<T>& lanes, const F& source) const {
    Lanes<T> result;
    each([&](unsigned lane) { result[lane] = lanes.at(source(lane)); });
    return result;
  }
  template <class T>
  T broadcast(const Lanes<T>& lanes, unsigned source) const {
    return lanes.at(source);
  }
  unsigned arg_min(const Lanes<uint64_t>& lanes) const {
    unsigned at = 0;
    for (unsigned lane = 1; lane < W; ++lane) {
      if (lanes[lane] < lanes[at]) at = lane;
    }
    return at;
  }
  float sum(Lanes<float> lanes) const {
    for (unsigned half = W / 2; half > 0; half /= 2) {
      for (unsigned lane = 0; lane < half; ++lane) lanes[lane] += lanes[lane + half];
    }
    return lanes[0];
  }
  uint32_t append(uint32_t* count) const {
    return std::atomic_ref<uint32_t>(*count).fetch_add(1, std::memory_order_relaxed);
  }
  void sync() const {}
};

template <class T>
T atomic_add(T* at, T value) {
  return std::atomic_ref<T>(*at).fetch_add(value, std::memory_order_relaxed);
}
template <class T>
T atomic_load(const T* at) {
  return std::atomic_ref<T>(*const_cast<T*>(at)).load(std::memory_order_relaxed);
}
template <class T>
void atomic_store(T* at, T value) {
  std::atomic_ref<T>(*at).store(value, std::memory_order_relaxed);
}
inline void publish(uint32_t* at, uint32_t value) {
  std::atomic_ref<uint32_t>(*at).store(value, std::memory_order_release);
}
inline uint32_t atomic_min(uint32_t* at, uint32_t value) {
  std::atomic_ref<uint32_t> place(*at);
  uint32_t seen = place.load(std::memory_order_relaxed);
  while (value < seen && !place.compare_exchange_weak(seen, value, std::memory_order_relaxed)) {
  }
  return seen;
}
template <class T>
T atomic_exchange_if(T* at, T expected, T desired) {
  std::atomic_ref<T>(*at).compare_exchange_strong(expected, desired, std::memory_order_relaxed);
  return expected;
}

inline unsigned count_bits(uint32_t bits) {
  return static_cast<unsigned>(__builtin_popcount(bits));
}
inline unsigned lowest_bit(uint32_t bits) { return static_cast<unsigned>(__builtin_ctz(bits)); }

#endif  // __CUDACC__

HOTROW_DEVICE Chunk load_chunk(const std::byte* from) {
#ifdef __CUDACC__
  return *reinterpret_cast<const Chunk*>(from);
#else
  Chunk chunk;
  std::memcpy(&chunk, __builtin_assume_aligned(from, 16), sizeof chunk);
  return chunk;
#endif
}
HOTROW_DEVICE void store_chunk(std::byte* to, const Chunk& chunk) {
#ifdef __CUDACC__
  *reinterpret_cast<Chunk*>(to) = chunk;
#else
  std::memcpy(__builtin_assume_aligned(to, 16), &chunk, sizeof chunk);
#endif
}

}  // namespace hotrow::gpu

#endif  // HOTROW_CUDA_TILE_H_
