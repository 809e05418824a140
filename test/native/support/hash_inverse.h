// Keys that collide on purpose: mix64 is a bijection, so a key exists for every hash.
#ifndef HOTROW_TEST_SUPPORT_HASH_INVERSE_H_
#define HOTROW_TEST_SUPPORT_HASH_INVERSE_H_

#include <cstdint>
#include <vector>

#include "table/index.h"

namespace hotrow::test {

/// The inverse of an odd number modulo 2^64: Newton's iteration doubles the right bits.
constexpr uint64_t inverse_of(uint64_t odd) {
  uint64_t x = odd;
  for (int i = 0; i < 6; ++i) x *= 2 - odd * x;
  return x;
}

/// Undoes x ^= x >> shift.
constexpr uint64_t undo_shift(uint64_t x, unsigned shift) {
  uint64_t result = x;
  for (unsigned known = shift; known < 64; known += shift) result = x ^ (result >> shift);
  return result;
}

/// The key whose mix64 is `hash`.
constexpr uint64_t unmix64(uint64_t hash) {
  uint64_t x = undo_shift(hash, 31);
  x = undo_shift(x * inverse_of(0x94d049bb133111ebU), 27);
  return undo_shift(x * inverse_of(0xbf58476d1ce4e5b9U), 30);
}

inline constexpr unsigned kHomeBits = 64 - IndexShards::kBits;

/// `n` keys of one shard, spread over its homes.
inline std::vector<uint64_t> keys_of_shard(uint32_t shard, size_t n) {
  std::vector<uint64_t> keys(n);
  for (size_t i = 0; i < n; ++i) {
    keys[i] = unmix64(uint64_t{shard} << kHomeBits | mix64(i) >> IndexShards::kBits);
  }
  return keys;
}

/// `n` keys whose home is the first bucket of one shard, however large the shard is: their chain
/// runs through the whole array.
inline std::vector<uint64_t> keys_of_first_home(uint32_t shard, size_t n) {
  std::vector<uint64_t> keys(n);
  for (size_t i = 0; i < n; ++i) keys[i] = unmix64((uint64_t{shard} << kHomeBits) + i);
  return keys;
}

/// As keys_of_first_home for the last home, so that their chain runs into the tail at once.
inline std::vector<uint64_t> keys_of_last_home(uint32_t shard, size_t n) {
  std::vector<uint64_t> keys(n);
  const uint64_t last = (uint64_t{shard} << kHomeBits) + ((uint64_t{1} << kHomeBits) - 1);
  for (size_t i = 0; i < n; ++i) keys[i] = unmix64(last - i);
  return keys;
}

}  // namespace hotrow::test

#endif  // HOTROW_TEST_SUPPORT_HASH_INVERSE_H_
