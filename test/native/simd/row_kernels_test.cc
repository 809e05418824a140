// Copies, sums and checks of rows on every instruction set, against plain loops.
#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <limits>
#include <vector>

#include "simd/kernels.h"
#include "support/bits.h"
#include "support/random.h"

namespace hotrow::test {
namespace {

constexpr float kGuard = 777.25F;
constexpr size_t kMost = 200;

/// `n` values behind one guard (so that no vector load is aligned) and before more of them.
struct Guarded {
  explicit Guarded(std::vector<float> values) : n(values.size()), memory(n + 25, kGuard) {
    std::copy(values.begin(), values.end(), memory.begin() + 1);
  }
  float* data() { return memory.data() + 1; }
  std::span<const float> values() { return {data(), n}; }
  bool intact() const {
    const auto is_guard = [](float x) { return x == kGuard; };
    return is_guard(memory[0]) && std::all_of(memory.begin() + 1 + n, memory.end(), is_guard);
  }
  size_t n;
  std::vector<float> memory;
};

template <class Check>
void on_every_target(const Check& check) {
  for (const RowKernels* kernels : all_row_kernels()) {
    for (size_t n = 0; n <= kMost; n += n < 70 ? 1 : 13) {
      SCOPED_TRACE(testing::Message() << kernels->target << " n " << n);
      check(*kernels, n);
      if (testing::Test::HasFailure()) return;
    }
  }
}

TEST(RowKernels, GatherCopiesRows) {
  Random random(1);
  const std::vector<float> source = random.reals(5000);
  on_every_target([&](const RowKernels& kernels, size_t dim) {
    if (dim == 0) return;
    for (const size_t count : {0U, 1U, 2U, 7U, 16U, 33U}) {
      std::vector<const float*> rows;
      std::vector<float> expected;
      for (size_t i = 0; i < count; ++i) {
        rows.push_back(source.data() + random.below(source.size() - dim));
        expected.insert(expected.end(), rows.back(), rows.back() + dim);
      }
      Guarded out(std::vector<float>(count * dim, -1.0F));
      kernels.gather(rows.data(), count, dim, out.data());
      EXPECT_TRUE(same_bits(out.values(), expected)) << count << " rows";
      EXPECT_TRUE(out.intact());
    }
  });
}

TEST(RowKernels, GatherMayReadItsOwnOutput) {
  // A missing key's row is its own place in `out`.
  for (const RowKernels* kernels : all_row_kernels()) {
    std::vector<float> out = {1, 2, 3, 4, 5, 6};
    const std::vector<float> row = {7, 8, 9};
    const float* const rows[] = {out.data(), row.data()};
    kernels->gather(rows, 2, 3, out.data());
    EXPECT_EQ(out, (std::vector<float>{1, 2, 3, 7, 8, 9}));
  }
}

TEST(RowKernels, AddIsAPlainSum) {
  Random random(2);
  on_every_target([&](const RowKernels& kernels, size_t n) {
    const std::vector<float> a = random.reals(n, -1e6F, 1e6F);
    const std::vector<float> x = random.reals(n);
    std::vector<float> expected(n);
    for (size_t i = 0; i < n; ++i) expected[i] = a[i] + x[i];
    Guarded sum(a);
    kernels.add(sum.data(), Guarded(x).data(), n);
    EXPECT_TRUE(same_bits(sum.values(), expected));
    EXPECT_TRUE(sum.intact());
  });
}

TEST(RowKernels, AddScaledRoundsAfterTheProduct) {
  Random random(3);
  on_every_target([&](const RowKernels& kernels, size_t n) {
    const std::vector<float> a = random.reals(n);
    const std::vector<float> x = random.reals(n);
    const float scale = random.real(-3.0F, 3.0F);
    std::vector<float> expected(n);
    for (size_t i = 0; i < n; ++i) {
      const volatile float product = scale * x[i];  // no fused multiply-add here
      expected[i] = a[i] + product;
    }
    Guarded sum(a);
    kernels.add_scaled(sum.data(), Guarded(x).data(), scale, n);
    EXPECT_TRUE(same_bits(sum.values(), expected));
    EXPECT_TRUE(sum.intact());
  });
}

TEST(RowKernels, ScaleMayWorkInPlace) {
  Random random(4);
  on_every_target([&](const RowKernels& kernels, size_t n) {
    const std::vector<float> x = random.reals(n);
    std::vector<float> expected(n);
    for (size_t i = 0; i < n; ++i) expected[i] = 0.3F * x[i];
    Guarded out(std::vector<float>(n, -1.0F));
    kernels.scale(out.data(), Guarded(x).data(), 0.3F, n);
    EXPECT_TRUE(same_bits(out.values(), expected));
    EXPECT_TRUE(out.intact());
    Guarded in_place(x);
    kernels.scale(in_place.data(), in_place.data(), 0.3F, n);
    EXPECT_TRUE(same_bits(in_place.values(), expected));
    EXPECT_TRUE(in_place.intact());
  });
}

TEST(RowKernels, AllFiniteSeesEveryPosition) {
  constexpr float kInf = std::numeric_limits<float>::infinity();
  constexpr float kNan = std::numeric_limits<float>::quiet_NaN();
  on_every_target([&](const RowKernels& kernels, size_t n) {
    Guarded x(Random(n).reals(n));
    EXPECT_TRUE(kernels.all_finite(x.data(), n));
    for (size_t i = 0; i < n; ++i) {
      const float kept = x.data()[i];
      for (const float bad : {kInf, -kInf, kNan, -kNan}) {
        x.data()[i] = bad;
        ASSERT_FALSE(kernels.all_finite(x.data(), n)) << bad << " at " << i;
      }
      x.data()[i] = kept;
    }
    x.memory[1 + n] = kNan;  // one past the end
    x.memory[0] = kNan;      // one before the start
    EXPECT_TRUE(kernels.all_finite(x.data(), n));
  });
}

TEST(RowKernels, AllFiniteSeesInfinitiesThatCancel) {
  constexpr float kInf = std::numeric_limits<float>::infinity();
  on_every_target([&](const RowKernels& kernels, size_t n) {
    if (n < 2) return;
    for (size_t i = 0; i + 1 < n; ++i) {
      std::vector<float> x(n, 1.0F);
      x[i] = kInf;
      x[n - 1] = -kInf;
      ASSERT_FALSE(kernels.all_finite(x.data(), n)) << i;
    }
  });
}

TEST(RowKernels, AllFiniteTakesTheExtremesOfF32) {
  using Limits = std::numeric_limits<float>;
  on_every_target([&](const RowKernels& kernels, size_t n) {
    const float values[] = {Limits::max(), Limits::lowest(), Limits::denorm_min(), -0.0F};
    std::vector<float> x(n);
    for (size_t i = 0; i < n; ++i) x[i] = values[i % 4];
    EXPECT_TRUE(kernels.all_finite(x.data(), n));
    std::fill(x.begin(), x.end(), Limits::max());
    EXPECT_TRUE(kernels.all_finite(x.data(), n));
  });
}

TEST(RowKernels, TheChosenOnesAreAmongAll) {
  const auto all = all_row_kernels();
  ASSERT_FALSE(all.empty());
  EXPECT_NE(std::find(all.begin(), all.end(), &row_kernels()), all.end());
}

}  // namespace
}  // namespace hotrow::test
