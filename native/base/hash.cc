// Hashes and checksums by xxHash, compiled into this file and, for AVX2, into xxh3_avx2.cc.
#include "base/hash.h"

#include "base/xxh3_avx2.h"
#include "hotrow/keys.h"

#define XXH_INLINE_ALL
#include <xxhash.h>

namespace hotrow {

uint64_t hash_key(std::string_view bytes) { return XXH64(bytes.data(), bytes.size(), 0); }

namespace {

// Shorter inputs are summed without loops.
constexpr size_t kLoops = 256;

bool wide(size_t bytes) {
  static const bool avx2 = __builtin_cpu_supports("avx2") != 0;
  return bytes > kLoops && avx2;
}

}  // namespace

uint64_t xxh3(std::string_view bytes) {
  if (wide(bytes.size())) return xxh3_avx2(bytes.data(), bytes.size());
  return XXH3_64bits(bytes.data(), bytes.size());
}

static_assert(sizeof(XXH3_state_t) <= 576 && alignof(XXH3_state_t) <= 64);

Xxh3::Xxh3() { XXH3_64bits_reset(reinterpret_cast<XXH3_state_t*>(state_)); }

void Xxh3::add(std::string_view bytes) {
  if (wide(bytes.size())) return xxh3_add_avx2(state_, bytes.data(), bytes.size());
  XXH3_64bits_update(reinterpret_cast<XXH3_state_t*>(state_), bytes.data(), bytes.size());
}

uint64_t Xxh3::value() const {
  return XXH3_64bits_digest(reinterpret_cast<const XXH3_state_t*>(state_));
}

uint64_t seed_of_name(std::string_view name) {
  const uint64_t seed = hash_key(name);
  return seed == 0 ? 1 : seed;
}

}  // namespace hotrow
