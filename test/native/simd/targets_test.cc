// The choice of an instruction set.
#include "simd/targets.h"

#include <gtest/gtest.h>

#include <cstdlib>
#include <set>
#include <string>

#include "simd/convert_kernels.h"
#include "simd/kernels.h"

namespace hotrow::test {
namespace {

/// HOTROW_CPU for the length of a scope.
class CpuCap {
 public:
  explicit CpuCap(const char* value) {
    if (const char* before = std::getenv("HOTROW_CPU")) before_ = before;
    if (value == nullptr) {
      ::unsetenv("HOTROW_CPU");
    } else {
      ::setenv("HOTROW_CPU", value, 1);
    }
  }
  ~CpuCap() {
    if (before_.empty()) {
      ::unsetenv("HOTROW_CPU");
    } else {
      ::setenv("HOTROW_CPU", before_.c_str(), 1);
    }
  }

 private:
  std::string before_;
};

SimdLevel best() {
  for (const SimdLevel level : {SimdLevel::kAvx512, SimdLevel::kAvx2}) {
    if (simd_supported(level)) return level;
  }
  return SimdLevel::kBaseline;
}

TEST(Targets, TheBaselineAlwaysRuns) { EXPECT_TRUE(simd_supported(SimdLevel::kBaseline)); }

TEST(Targets, ALevelImpliesThoseBelow) {
  if (simd_supported(SimdLevel::kAvx512)) {
    EXPECT_TRUE(simd_supported(SimdLevel::kAvx2));
  }
}

TEST(Targets, TheEnvironmentCapsTheLevel) {
  {
    const CpuCap cap(nullptr);
    EXPECT_EQ(simd_level(), best());
  }
  {
    const CpuCap cap("baseline");
    EXPECT_EQ(simd_level(), SimdLevel::kBaseline);
  }
  {
    const CpuCap cap("avx2");
    EXPECT_LE(simd_level(), SimdLevel::kAvx2);
    EXPECT_TRUE(simd_supported(simd_level()));
  }
  {
    const CpuCap cap("avx512");
    EXPECT_EQ(simd_level(), best());
  }
  {
    const CpuCap cap("nonsense");
    EXPECT_EQ(simd_level(), best());
  }
}

TEST(Targets, EachLevelHasKernelsOfItsOwn) {
#if defined(__x86_64__)
  size_t levels = 0;
  for (const SimdLevel level : {SimdLevel::kBaseline, SimdLevel::kAvx2, SimdLevel::kAvx512}) {
    levels += simd_supported(level) ? 1 : 0;
  }
  std::set<std::string> names;
  for (const UpdateKernels* kernels : all_update_kernels()) names.insert(kernels->target);
  EXPECT_EQ(names.size(), levels);
  EXPECT_EQ(all_row_kernels().size(), levels);
  names.clear();
  for (const ValueKernels* k : all_value_kernels(ValueType::kF16)) names.insert(k->target);
  EXPECT_EQ(names.size(), levels);
#else
  GTEST_SKIP() << "one level on this architecture";
#endif
}

}  // namespace
}  // namespace hotrow::test
