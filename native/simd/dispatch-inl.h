// Picks one target's table out of those a kernel file was compiled for. Included at the end of
// such a file, under HWY_ONCE.
#ifndef HOTROW_SIMD_DISPATCH_INL_H_
#define HOTROW_SIMD_DISPATCH_INL_H_

#include <hwy/highway.h>

#include "simd/targets.h"

// The result of function() of the given level's namespace; a level the compiler's baseline
// already covers, or another architecture's, is the baseline's.
#if HWY_TARGETS & HWY_AVX2
#define HOTROW_AVX2_TABLE(function) N_AVX2::function()
#else
#define HOTROW_AVX2_TABLE(function) HWY_STATIC_DISPATCH(function)()
#endif
#if HWY_TARGETS & HWY_AVX3
#define HOTROW_AVX512_TABLE(function) N_AVX3::function()
#else
#define HOTROW_AVX512_TABLE(function) HWY_STATIC_DISPATCH(function)()
#endif
#define HOTROW_TABLE_FOR(level, function)                        \
  ((level) == SimdLevel::kAvx512 ? HOTROW_AVX512_TABLE(function) \
   : (level) == SimdLevel::kAvx2 ? HOTROW_AVX2_TABLE(function)   \
                                 : HWY_STATIC_DISPATCH(function)())

namespace hotrow {

/// table(level) of every level this machine can run, best first.
template <class Pointer, class TableFor>
std::vector<Pointer> tables_of_all_levels(const TableFor& table) {
  std::vector<Pointer> tables;
  for (const SimdLevel level : {SimdLevel::kAvx512, SimdLevel::kAvx2, SimdLevel::kBaseline}) {
    if (simd_supported(level)) tables.push_back(table(level));
  }
  return tables;
}

}  // namespace hotrow

#endif  // HOTROW_SIMD_DISPATCH_INL_H_
