// The mixing of keys: fixed for ever, and a bijection.
#include <gtest/gtest.h>

#include <algorithm>
#include <bit>
#include <string>

#include "base/hash.h"
#include "support/hash_inverse.h"
#include "support/random.h"

// Last: it defines its functions here, as the core does for itself.
#define XXH_INLINE_ALL
#include <xxhash.h>

namespace hotrow::test {
namespace {

TEST(Hash, Mix64IsFixed) {
  // splitmix64 seeded with 0 and 1 gives the first two: mix64(golden) and mix64(1 + golden).
  EXPECT_EQ(mix64(0x9e3779b97f4a7c15U), 0xe220a8397b1dcdafU);
  EXPECT_EQ(mix64(0x9e3779b97f4a7c16U), 0x910a2dec89025cc1U);
  EXPECT_EQ(mix64(0), 0U);
}

TEST(Hash, Mix64IsABijection) {
  for (const uint64_t key : {uint64_t{0}, uint64_t{1}, UINT64_MAX, uint64_t{1} << 63}) {
    EXPECT_EQ(unmix64(mix64(key)), key);
    EXPECT_EQ(mix64(unmix64(key)), key);
  }
  Random random(1);
  for (int i = 0; i < 10000; ++i) {
    const uint64_t key = random.next();
    ASSERT_EQ(unmix64(mix64(key)), key);
  }
}

TEST(Hash, EachInputBitChangesHalfTheOutput) {
  Random random(2);
  for (int bit = 0; bit < 64; ++bit) {
    int changed = 0;
    for (int i = 0; i < 256; ++i) {
      const uint64_t key = random.next();
      changed += std::popcount(mix64(key) ^ mix64(key ^ (uint64_t{1} << bit)));
    }
    EXPECT_NEAR(changed / 256.0, 32.0, 2.0) << "bit " << bit;
  }
}

TEST(Hash, MultiplyHigh) {
  EXPECT_EQ(multiply_high(UINT64_MAX, UINT64_MAX), UINT64_MAX - 1);
  EXPECT_EQ(multiply_high(uint64_t{1} << 63, 10), 5U);
  EXPECT_EQ(multiply_high(UINT64_MAX, 7), 6U);
  EXPECT_EQ(multiply_high(0, 7), 0U);
}

// Long inputs and long pieces are summed by other instructions than short ones.
TEST(Hash, Xxh3IsTheSameInOnePieceAndInMany) {
  // The values of the xxHash specification's implementation.
  EXPECT_EQ(xxh3(""), 0x2d06800538d394c2U);
  std::string bytes;
  Random random(5);
  for (size_t size = 0; size < 3000; size += 1 + size / 16) {
    while (bytes.size() < size) bytes += static_cast<char>(random.below(256));
    const uint64_t whole = XXH3_64bits(bytes.data(), bytes.size());
    EXPECT_EQ(xxh3(bytes), whole) << size;
    for (const size_t most : {1UL, 64UL, 300UL, 1024UL}) {
      Xxh3 sum;
      for (size_t at = 0; at < size;) {
        const size_t n = std::min<size_t>(size - at, 1 + random.below(most));
        sum.add(std::string_view(bytes).substr(at, n));
        at += n;
      }
      EXPECT_EQ(sum.value(), whole) << size << " in pieces of up to " << most;
    }
  }
}

TEST(Hash, SeedOfNameIsItsXxh64AndNeverZero) {
  // The values of the xxHash specification's implementation with seed 0.
  EXPECT_EQ(seed_of_name(""), 0xef46db3751d8e999U);
  EXPECT_EQ(seed_of_name("a"), 0xd24ec4f1a98c6e5bU);
  EXPECT_EQ(seed_of_name("abc"), 0x44bc2cf5ad770999U);
  EXPECT_NE(seed_of_name("user"), seed_of_name("item"));
}

}  // namespace
}  // namespace hotrow::test
