// What happens to a gradient before its rule sees it: clipping and weight decay, on every
// instruction set.
#include <gtest/gtest.h>

#include <cmath>
#include <limits>
#include <vector>

#include "simd/kernels.h"
#include "support/bits.h"
#include "support/random.h"

namespace hotrow::test {
namespace {

constexpr float kMost = std::numeric_limits<float>::max();

std::vector<float> prepare(const UpdateKernels& kernels, const std::vector<float>& w,
                           const std::vector<float>& g, const UpdateStep& step) {
  std::vector<float> scratch(g.size(), -77.0F);
  const float* const row = kernels.prepare(w.data(), g.data(), g.size(), step, scratch.data());
  return {row, row + g.size()};
}

double norm(const std::vector<float>& x) {
  double squares = 0;
  for (const double value : x) squares += value * value;
  return std::sqrt(squares);
}

TEST(PrepareKernel, WhatChangesNothingIsNotCopied) {
  const std::vector<float> w = {1, 2, 3};
  const std::vector<float> g = {3, -4, 0};
  std::vector<float> scratch(3, -77.0F);
  for (const UpdateKernels* kernels : all_update_kernels()) {
    for (const UpdateStep& step : {UpdateStep{}, UpdateStep{.clip_norm = 5.0F}}) {
      EXPECT_EQ(kernels->prepare(w.data(), g.data(), 3, step, scratch.data()), g.data());
      EXPECT_EQ(scratch, std::vector<float>(3, -77.0F));
    }
  }
}

TEST(PrepareKernel, ValuesAreCutOnBothSides) {
  const std::vector<float> g = {-3, -1, -0.5F, -0.0F, 0, 0.5F, 1, 3, kMost, -kMost};
  const std::vector<float> cut = {-1, -1, -0.5F, -0.0F, 0, 0.5F, 1, 1, 1, -1};
  const std::vector<float> w(g.size(), 9.0F);
  for (const UpdateKernels* kernels : all_update_kernels()) {
    EXPECT_TRUE(same_bits(prepare(*kernels, w, g, {.clip_value = 1}), cut)) << kernels->target;
  }
}

TEST(PrepareKernel, ALongGradientKeepsItsDirection) {
  for (const UpdateKernels* kernels : all_update_kernels()) {
    EXPECT_EQ(prepare(*kernels, {0, 0}, {3, -4}, {.clip_norm = 2.5F}),
              (std::vector<float>{1.5F, -2}));
    for (size_t dim = 1; dim <= 70; ++dim) {
      const std::vector<float> g = Random(dim).reals(dim, 1.0F, 3.0F);
      const std::vector<float> clipped =
          prepare(*kernels, std::vector<float>(dim), g, {.clip_norm = 0.5F});
      EXPECT_NEAR(norm(clipped), 0.5, 1e-6);
      for (size_t i = 0; i < dim; ++i) {
        EXPECT_NEAR(clipped[i], g[i] * 0.5 / norm(g), 1e-6) << dim << " " << i;
      }
    }
  }
}

// Their squares are beyond f32: a norm of infinity would scale them to zeros.
TEST(PrepareKernel, AnEnormousGradientKeepsItsDirectionToo) {
  for (const UpdateKernels* kernels : all_update_kernels()) {
    for (const float large : {1e20F, 1e30F, kMost}) {
      const std::vector<float> clipped =
          prepare(*kernels, {0, 0, 0}, {large, -large, 0}, {.clip_norm = 1.0F});
      EXPECT_NEAR(clipped[0], std::sqrt(0.5), 1e-6) << large;
      EXPECT_NEAR(clipped[1], -std::sqrt(0.5), 1e-6) << large;
      EXPECT_EQ(clipped[2], 0.0F);
    }
    const std::vector<float> g = {1e20F, 1e20F};
    EXPECT_EQ(prepare(*kernels, {0, 0}, g, {.clip_norm = 1e30F}), g) << "is short enough";
    EXPECT_NEAR(norm(prepare(*kernels, {0, 0}, g, {.clip_norm = 1e19F})), 1e19, 1e13);
  }
}

TEST(PrepareKernel, DecayIsAddedAfterClipping) {
  for (const UpdateKernels* kernels : all_update_kernels()) {
    EXPECT_EQ(prepare(*kernels, {8, -8, 2}, {5, 0.5F, -5}, {.added_decay = 0.25F, .clip_value = 1}),
              (std::vector<float>{3, -1.5F, -0.5F}));
    EXPECT_EQ(prepare(*kernels, {8, -4}, {3, -4}, {.added_decay = 0.5F, .clip_norm = 2.5F}),
              (std::vector<float>{5.5F, -4}));
    EXPECT_EQ(prepare(*kernels, {8, -4}, {3, -4}, {.added_decay = 0.5F}),
              (std::vector<float>{7, -6}));
  }
}

}  // namespace
}  // namespace hotrow::test
