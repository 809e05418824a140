// XXH3's loops once more, compiled for AVX2: nothing else may be included here, whose inline
// functions would be taken for all processors.
#include "base/xxh3_avx2.h"

#define XXH_INLINE_ALL
#include <xxhash.h>

namespace hotrow {

uint64_t xxh3_avx2(const void* bytes, size_t count) { return XXH3_64bits(bytes, count); }

void xxh3_add_avx2(void* state, const void* bytes, size_t count) {
  XXH3_64bits_update(static_cast<XXH3_state_t*>(state), bytes, count);
}

}  // namespace hotrow
