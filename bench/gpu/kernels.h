// What the benchmark itself does on the device: choosing keys, making rows whose content is known
// from their key, and checking a share of them. None of it is timed.
#ifndef HOTROW_BENCH_GPU_KERNELS_H_
#define HOTROW_BENCH_GPU_KERNELS_H_

#include "cuda/codec.h"
#include "cuda/view.h"
#include "executor.h"

namespace hotrow::bench::HOTROW_EXECUTOR {

/// Distinct ids have distinct keys.
HOTROW_BOTH uint64_t key_of(uint64_t id) { return gpu::mixed(id + 0x9e3779b97f4a7c15U); }
/// Ids from here on are never put in.
inline constexpr uint64_t kAbsent = uint64_t{1} << 40;

/// Word `at` of the row of a key. Every f32, and every half of a word as f16, is finite and in
/// [0.5, 1) or (-1, -0.5].
HOTROW_BOTH uint32_t word_of(uint64_t key, uint32_t at, bool halves, uint32_t salt) {
  uint32_t x = static_cast<uint32_t>(key) * 0x9e3779b1U + at * 0x85ebca77U + salt;
  x = (x ^ (x >> 16) ^ static_cast<uint32_t>(key >> 32)) * 0x21f0aaadU;
  x ^= x >> 15;
  return halves ? (x & 0x83ff83ffU) | 0x38003800U : (x & 0x807fffffU) | 0x3f000000U;
}

/// A bijection of [0, n) by a Feistel network: an order that looks random.
struct Shuffle {
  uint64_t n;
  uint32_t half_bits;

  static Shuffle of(uint64_t n) {
    uint32_t bits = 1;
    while ((uint64_t{1} << (2 * bits)) < n) ++bits;
    return {n, bits};
  }
  HOTROW_BOTH uint64_t at(uint64_t i) const {
    const uint64_t mask = (uint64_t{1} << half_bits) - 1;
    do {
      uint64_t left = i >> half_bits;
      uint64_t right = i & mask;
      for (uint64_t round = 1; round <= 4; ++round) {
        const uint64_t next = left ^ (gpu::mixed(right + (round << 40)) & mask);
        left = right;
        right = next;
      }
      i = (left << half_bits) | right;
    } while (i >= n);
    return i;
  }
};

/// keys [n] = those of ids from `first` on.
struct MakeKeys {
  static constexpr unsigned kWidth = 32;
  uint64_t* keys;
  uint64_t n;
  uint64_t first;

  template <class Tile>
  HOTROW_DEVICE void operator()(const Tile& tile, uint64_t number) const {
    tile.each([&](unsigned lane) {
      const uint64_t i = number * kWidth + lane;
      if (i < n) keys[i] = key_of(first + i);
    });
  }
};

/// rows [n] of keys [n], 16 bytes a lane.
struct MakeRows {
  static constexpr unsigned kWidth = 32;
  const uint64_t* keys;
  std::byte* rows;
  uint64_t n;
  uint32_t chunks;
  bool halves;
  uint32_t salt;

  template <class Tile>
  HOTROW_DEVICE void operator()(const Tile& tile, uint64_t number) const {
    tile.each([&](unsigned lane) {
      const uint64_t i = number * kWidth + lane;
      if (i >= n * chunks) return;
      const uint64_t key = keys[i / chunks];
      const auto first = static_cast<uint32_t>(i % chunks * 4);
      gpu::Chunk chunk;
      for (uint32_t k = 0; k < 4; ++k) chunk.words[k] = word_of(key, first + k, halves, salt);
      gpu::store_chunk(rows + i * 16, chunk);
    });
  }
};

/// resident [count] = the handles of all rows, in the order of the tiles that come.
struct ListResident {
  static constexpr unsigned kWidth = 32;
  gpu::CacheView cache;
  uint32_t* resident;
  uint32_t* count;

  template <class Tile>
  HOTROW_DEVICE void operator()(const Tile& tile, uint64_t number) const {
    const uint64_t first = number * kWidth;
    const uint32_t there = tile.ballot([&](unsigned lane) {
      return first + lane < cache.rows() && !cache.is_empty(static_cast<uint32_t>(first + lane));
    });
    if (there == 0) return;
    const auto begin = tile.map([&](unsigned lane) {
      return lane == 0 ? gpu::atomic_add(count, gpu::count_bits(there)) : 0U;
    });
    const uint32_t base = tile.broadcast(begin, 0);
    tile.each([&](unsigned lane) {
      if ((there >> lane & 1) == 0) return;
      resident[base + gpu::count_bits(there & ((1U << lane) - 1))] =
          static_cast<uint32_t>(first + lane);
    });
  }
};

/// keys [n] and handles [n] of a stream: uniform ones, each row once until all were, or those of
/// Zipf's ranks [n], of which those below `cut` are there.
struct PickKeys {
  static constexpr unsigned kWidth = 32;
  gpu::CacheView cache;
  const uint32_t* resident;
  Shuffle shuffle;        // of resident
  const uint32_t* ranks;  // null: uniform
  uint64_t cut;
  uint32_t miss_share;  // of 2^32
  uint64_t* keys;
  uint32_t* handles;
  uint64_t n;

  template <class Tile>
  HOTROW_DEVICE void operator()(const Tile& tile, uint64_t number) const {
    tile.each([&](unsigned lane) {
      const uint64_t i = number * kWidth + lane;
      if (i >= n) return;
      const uint64_t which = ranks != nullptr ? ranks[i] : i;
      const bool missing = ranks != nullptr
                               ? which >= cut
                               : static_cast<uint32_t>(gpu::mixed(i + 77) >> 32) < miss_share;
      const uint32_t handle = missing ? gpu::kNoHandle : resident[shuffle.at(which % shuffle.n)];
      handles[i] = handle;
      keys[i] = missing ? key_of(kAbsent + which) : cache.keys[handle];
    });
  }
};

inline constexpr uint32_t kPoison = 0xa5;
inline constexpr uint32_t kPoisonWord = 0xa5a5a5a5U;
/// One row in so many is checked.
inline constexpr uint64_t kCheckedOf = 100;

/// Counts words that are wrong in a random hundredth of out [n]: rows of keys that are there hold
/// their content, as it lies or decoded from f16; the others are poison still.
struct CheckRows {
  static constexpr unsigned kWidth = 32;
  const uint64_t* keys;
  const uint32_t* handles;  // null: all are there
  const std::byte* out;
  uint64_t n;
  uint64_t stride;
  uint32_t words;  // of a row of out
  bool halves;
  bool decoded;
  uint32_t salt;
  uint32_t seed;
  uint64_t* wrong;  // [2]: words that are wrong, rows seen

  template <class Tile>
  HOTROW_DEVICE void operator()(const Tile& tile, uint64_t number) const {
    const uint64_t i = number * kCheckedOf + gpu::mixed(number + seed) % kCheckedOf;
    if (i >= n) return;
    const uint64_t key = keys[i];
    const bool there = handles == nullptr || handles[i] != gpu::kNoHandle;
    const auto* const row = reinterpret_cast<const uint32_t*>(out + i * stride);
    tile.each([&](unsigned lane) {
      for (uint32_t at = lane; at < words; at += kWidth) {
        if (row[at] != (there ? expected(key, at) : kPoisonWord)) {
          gpu::atomic_add(wrong, uint64_t{1});
        }
      }
    });
    tile.leader([&] { gpu::atomic_add(wrong + 1, uint64_t{1}); });
  }

 private:
  HOTROW_DEVICE uint32_t expected(uint64_t key, uint32_t at) const {
    if (!decoded) return word_of(key, at, halves, salt);
    const uint32_t pair = word_of(key, at / 2, true, salt);
    return gpu::bits_of(gpu::f32_of_f16(static_cast<uint16_t>(at % 2 == 0 ? pair : pair >> 16)));
  }
};

/// values [n] = hash of their place, in (-1, -0.5] or [0.5, 1): gradients.
struct MakeFloats {
  static constexpr unsigned kWidth = 32;
  uint32_t* values;
  uint64_t n;
  uint32_t salt;
  bool positive;

  template <class Tile>
  HOTROW_DEVICE void operator()(const Tile& tile, uint64_t number) const {
    tile.each([&](unsigned lane) {
      const uint64_t i = number * kWidth + lane;
      if (i >= n) return;
      const uint32_t word = word_of(i, 0, false, salt);
      values[i] = positive ? word & 0x7fffffffU : word;
    });
  }
};

}  // namespace hotrow::bench::HOTROW_EXECUTOR

#endif  // HOTROW_BENCH_GPU_KERNELS_H_
