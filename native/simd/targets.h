// Which instruction sets the kernels are compiled for, and how one is chosen at load.
//
// Highway compiles the kernels once per target; its own dispatcher lives in a shared library, so
// the choice among three targets is made here and the build needs Highway's headers only.
#ifndef HOTROW_SIMD_TARGETS_H_
#define HOTROW_SIMD_TARGETS_H_

// The compiler's baseline, AVX2 and AVX-512 are kept: the sets between them bring these kernels
// nothing. Must be seen before any Highway header.
#define HWY_DISABLED_TARGETS (HWY_SSE4 | HWY_AVX3_DL)

#include <cstdint>

namespace hotrow {

enum class SimdLevel : uint8_t { kBaseline, kAvx2, kAvx512 };

/// Can this processor and system run `level`?
bool simd_supported(SimdLevel level);

/// The best supported level, capped by HOTROW_CPU=baseline|avx2|avx512 when that is set.
SimdLevel simd_level();

}  // namespace hotrow

#endif  // HOTROW_SIMD_TARGETS_H_
