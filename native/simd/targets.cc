#include "simd/targets.h"

#include <algorithm>
#include <cstdlib>
#include <string_view>

namespace hotrow {

bool simd_supported(SimdLevel level) {
#if defined(__x86_64__)
  switch (level) {
    case SimdLevel::kBaseline:
      return true;
    case SimdLevel::kAvx2:
      return __builtin_cpu_supports("avx2") != 0 && __builtin_cpu_supports("fma") != 0 &&
             __builtin_cpu_supports("bmi2") != 0 && __builtin_cpu_supports("f16c") != 0;
    case SimdLevel::kAvx512:
      return __builtin_cpu_supports("avx512f") != 0 && __builtin_cpu_supports("avx512bw") != 0 &&
             __builtin_cpu_supports("avx512cd") != 0 && __builtin_cpu_supports("avx512dq") != 0 &&
             __builtin_cpu_supports("avx512vl") != 0;
  }
  return false;
#else
  return level == SimdLevel::kBaseline;
#endif
}

SimdLevel simd_level() {
  const char* const wish = std::getenv("HOTROW_CPU");
  const std::string_view cap = wish == nullptr ? "" : wish;
  SimdLevel level = SimdLevel::kAvx512;
  if (cap == "baseline") level = SimdLevel::kBaseline;
  if (cap == "avx2") level = SimdLevel::kAvx2;
  while (!simd_supported(level)) level = static_cast<SimdLevel>(static_cast<uint8_t>(level) - 1);
  return level;
}

}  // namespace hotrow
