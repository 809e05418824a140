// Rows of every value type for the tests of their kernels: guarded memory, and loops over
// instruction sets.
#ifndef HOTROW_TEST_SUPPORT_VALUE_ROWS_H_
#define HOTROW_TEST_SUPPORT_VALUE_ROWS_H_

#include <gtest/gtest.h>

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <limits>
#include <span>
#include <vector>

#include "simd/convert_kernels.h"
#include "simd/value_layout.h"
#include "support/random.h"
#include "support/reference_values.h"

namespace hotrow::test {

/// Calls check(kernels) for each instruction set of this machine.
template <class Check>
void on_every_target(ValueType type, const Check& check) {
  for (const ValueKernels* kernels : all_value_kernels(type)) {
    SCOPED_TRACE(testing::Message() << kernels->target << " " << name_of(type));
    check(*kernels);
    if (testing::Test::HasFailure()) return;
  }
}

/// A row's bytes 4 bytes into their memory (so that no vector access is aligned), with guards on
/// both sides.
class GuardedRow {
 public:
  GuardedRow(ValueType type, size_t dim)
      : bytes_(value_bytes(type, dim)), memory_(bytes_ + 4 + kBehind, kGuard) {}
  std::byte* data() { return memory_.data() + 4; }
  Bytes bytes() const { return {memory_.begin() + 4, memory_.end() - kBehind}; }
  bool intact() const {
    const auto is_guard = [](std::byte b) { return b == kGuard; };
    return std::all_of(memory_.begin(), memory_.begin() + 4, is_guard) &&
           std::all_of(memory_.end() - kBehind, memory_.end(), is_guard);
  }

 private:
  static constexpr std::byte kGuard{0xa5};
  static constexpr ptrdiff_t kBehind = 68;
  size_t bytes_;
  Bytes memory_;
};

inline Bytes encode(const ValueKernels& kernels, ValueType type, std::span<const float> x) {
  GuardedRow row(type, x.size());
  kernels.encode(x.data(), x.size(), row.data());
  EXPECT_TRUE(row.intact());
  return row.bytes();
}

inline Bytes encode_by_chance(const ValueKernels& kernels, ValueType type, std::span<const float> x,
                              uint64_t random) {
  GuardedRow row(type, x.size());
  kernels.encode_stochastic(x.data(), x.size(), random, row.data());
  EXPECT_TRUE(row.intact());
  return row.bytes();
}

/// All values beside one guard.
inline std::vector<float> decode(const ValueKernels& kernels, const Bytes& row, size_t dim) {
  constexpr float kGuard = 777.25F;
  std::vector<float> out(dim + 17, kGuard);
  kernels.decode(row.data(), dim, out.data());
  EXPECT_TRUE(std::all_of(out.begin() + static_cast<ptrdiff_t>(dim), out.end(),
                          [](float x) { return x == kGuard; }));
  out.resize(dim);
  return out;
}

/// The values of `row`, decoded by the kernels of this machine.
inline std::vector<float> values_of(ValueType type, const Bytes& row, size_t dim) {
  return decode(value_kernels(type), row, dim);
}

/// n f32 of every size and kind: random patterns, values of one magnitude, and the special ones.
inline std::vector<float> mixed_values(Random& random, size_t n) {
  using Limits = std::numeric_limits<float>;
  const float special[] = {0.0F,
                           -0.0F,
                           Limits::denorm_min(),
                           -Limits::min(),
                           65504.0F,
                           -65519.9F,
                           65520.0F,
                           0x1p-14F,
                           -0x1p-24F,
                           0x1p-25F,
                           -0x1.8p-24F,
                           1e30F,
                           Limits::max(),
                           -Limits::infinity()};
  std::vector<float> values(n);
  for (float& value : values) {
    switch (random.below(4)) {
      case 0:
        value = special[random.below(std::size(special))];
        break;
      case 1:
        value = std::bit_cast<float>(static_cast<uint32_t>(random.next()));
        break;
      case 2:
        value = random.real() * 0x1p-13F;  // about where f16 becomes subnormal
        break;
      default:
        value = random.real();
    }
  }
  return values;
}

}  // namespace hotrow::test

#endif  // HOTROW_TEST_SUPPORT_VALUE_ROWS_H_
