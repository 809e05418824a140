// Bit-for-bit comparison of f32 arrays, and digests of them.
#ifndef HOTROW_TEST_SUPPORT_BITS_H_
#define HOTROW_TEST_SUPPORT_BITS_H_

#include <gtest/gtest.h>

#include <bit>
#include <cstdint>
#include <cstring>
#include <span>

namespace hotrow::test {

inline testing::AssertionResult same_bits(std::span<const float> got,
                                          std::span<const float> expected) {
  if (got.size() != expected.size()) {
    return testing::AssertionFailure() << got.size() << " values, expected " << expected.size();
  }
  if (got.empty() || std::memcmp(got.data(), expected.data(), got.size_bytes()) == 0) {
    return testing::AssertionSuccess();
  }
  size_t at = 0;
  while (std::bit_cast<uint32_t>(got[at]) == std::bit_cast<uint32_t>(expected[at])) ++at;
  return testing::AssertionFailure()
         << "value " << at << " of " << got.size() << " is " << std::hexfloat << got[at]
         << ", expected " << expected[at] << std::defaultfloat << " (" << got[at] << ", "
         << expected[at] << ")";
}

/// FNV-1a over 32-bit words: enough to tell one state from another.
class Digest {
 public:
  void add(uint32_t word) {
    for (int i = 0; i < 4; ++i, word >>= 8) value_ = (value_ ^ (word & 0xff)) * 0x100000001b3U;
  }
  void add64(uint64_t word) {
    add(static_cast<uint32_t>(word));
    add(static_cast<uint32_t>(word >> 32));
  }
  void add(std::span<const float> values) {
    for (const float value : values) add(std::bit_cast<uint32_t>(value));
  }
  uint64_t value() const { return value_; }

 private:
  uint64_t value_ = 0xcbf29ce484222325U;
};

}  // namespace hotrow::test

#endif  // HOTROW_TEST_SUPPORT_BITS_H_
