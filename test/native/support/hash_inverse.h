// Keys that collide on purpose: mix64 is a bijection, so a key exists for every hash.
#ifndef HOTROW_TEST_SUPPORT_HASH_INVERSE_H_
#define HOTROW_TEST_SUPPORT_HASH_INVERSE_H_

#include <cstdint>
#include <vector>

#include "table/index.h"

namespace hotrow::test {

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
