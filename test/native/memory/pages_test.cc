// Address space and the pages behind it.
#include "memory/pages.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <cstdint>

namespace hotrow::test {
namespace {

TEST(Pages, RoundUp) {
  EXPECT_EQ(round_up(0, 64), 0U);
  EXPECT_EQ(round_up(1, 64), 64U);
  EXPECT_EQ(round_up(64, 64), 64U);
  EXPECT_EQ(round_up(65, 64), 128U);
}

TEST(PageRange, GrowsInHugePagesThatReadAsZero) {
  PageRange range;
  ASSERT_TRUE(range.reserve(5 * kHugePageBytes - 1));
  EXPECT_EQ(range.reserved(), 5 * kHugePageBytes);
  EXPECT_EQ(reinterpret_cast<uintptr_t>(range.data()) % kHugePageBytes, 0U);
  EXPECT_EQ(range.backed(), 0U);
  ASSERT_TRUE(range.grow(1));
  EXPECT_EQ(range.backed(), kHugePageBytes);
  std::byte* const data = range.data();
  data[7] = std::byte{9};
  ASSERT_TRUE(range.grow(3 * kHugePageBytes));
  EXPECT_EQ(range.data(), data) << "pages never move";
  EXPECT_EQ(data[7], std::byte{9});
  EXPECT_TRUE(
      std::all_of(data + 8, data + range.backed(), [](std::byte b) { return b == std::byte{0}; }));
}

TEST(PageRange, NeverShrinksNorPassesItsReservation) {
  PageRange range;
  ASSERT_TRUE(range.reserve(2 * kHugePageBytes));
  ASSERT_TRUE(range.grow(2 * kHugePageBytes));
  EXPECT_TRUE(range.grow(1));
  EXPECT_EQ(range.backed(), 2 * kHugePageBytes);
  EXPECT_FALSE(range.grow(2 * kHugePageBytes + 1));
  EXPECT_EQ(range.backed(), 2 * kHugePageBytes);
}

TEST(PageRange, ReservesFarMoreThanThereIs) {
  PageRange range;
  ASSERT_TRUE(range.reserve(size_t{1} << 40));
  EXPECT_TRUE(range.grow(1));
}

TEST(PageRange, ReportsARefusedReservation) {
  PageRange range;
  EXPECT_FALSE(range.reserve(size_t{1} << 62));
  EXPECT_EQ(range.reserved(), 0U);
  EXPECT_FALSE(range.grow(1));
}

TEST(PageRange, AnEmptyReservationIsOnePage) {
  PageRange range;
  ASSERT_TRUE(range.reserve(0));
  EXPECT_TRUE(range.grow(1));
}

TEST(Pages, UsableMemoryIsPlausible) {
  EXPECT_GT(usable_memory_bytes(), uint64_t{64} << 20);
  EXPECT_LT(usable_memory_bytes(), uint64_t{1} << 50);
}

}  // namespace
}  // namespace hotrow::test
