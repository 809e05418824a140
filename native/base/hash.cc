// String hashing by xxHash, compiled into this one file.
#include "base/hash.h"

#include "hotrow/keys.h"

#define XXH_INLINE_ALL
#include <xxhash.h>

namespace hotrow {

uint64_t hash_key(std::string_view bytes) { return XXH64(bytes.data(), bytes.size(), 0); }

uint64_t xxh3(std::string_view bytes) { return XXH3_64bits(bytes.data(), bytes.size()); }

uint64_t seed_of_name(std::string_view name) {
  const uint64_t seed = hash_key(name);
  return seed == 0 ? 1 : seed;
}

}  // namespace hotrow
