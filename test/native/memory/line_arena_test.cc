// The arena of bucket arrays: zeroed, disjoint, merged when freed, best fit.
#include "memory/line_arena.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <cstring>
#include <map>
#include <vector>

#include "support/random.h"
#include "support/scale.h"
#include "support/status.h"

namespace hotrow::test {
namespace {

constexpr uint64_t kLinesPerPage = kHugePageBytes / kLineBytes;

struct Arena {
  explicit Arena(uint64_t limit = 64 * kHugePageBytes) : budget(limit), lines(budget) {
    must(lines.open());
  }
  uint32_t take(uint32_t n) { return lines.allocate(n, true).value(); }

  MemoryBudget budget;
  LineArena lines;
};

TEST(LineArena, LinesAreAlignedAndZero) {
  Arena arena;
  const uint32_t first = arena.take(100);
  const std::byte* const at = arena.lines.line(first);
  EXPECT_EQ(reinterpret_cast<uintptr_t>(at) % kLineBytes, 0U);
  EXPECT_EQ(arena.lines.line(first + 1), at + kLineBytes);
  EXPECT_TRUE(std::all_of(at, at + 100 * kLineBytes, [](auto b) { return b == std::byte{0}; }));
}

TEST(LineArena, UsedLinesAreZeroedAgain) {
  Arena arena;
  const uint32_t first = arena.take(10);
  std::memset(arena.lines.line(first), 0xff, 10 * kLineBytes);
  arena.lines.free(first, 10);
  const uint32_t again = arena.take(6);
  EXPECT_EQ(again, first);
  const std::byte* const at = arena.lines.line(again);
  EXPECT_TRUE(std::all_of(at, at + 6 * kLineBytes, [](auto b) { return b == std::byte{0}; }));
}

TEST(LineArena, TakesTheSmallestHoleThatFits) {
  Arena arena;
  const uint32_t ten = arena.take(10);
  arena.take(1);  // keeps the holes apart
  const uint32_t five = arena.take(5);
  arena.take(1);
  const uint32_t seven = arena.take(7);
  arena.take(1);
  arena.lines.free(ten, 10);
  arena.lines.free(five, 5);
  arena.lines.free(seven, 7);
  EXPECT_EQ(arena.take(6), seven);
  EXPECT_EQ(arena.take(6), ten);
  EXPECT_EQ(arena.take(5), five);
  EXPECT_EQ(arena.take(4), ten + 6) << "what was cut off a hole is a hole";
}

TEST(LineArena, MergesWithBothNeighbours) {
  const std::vector<std::vector<int>> orders = {{0, 1, 2}, {0, 2, 1}, {1, 0, 2},
                                                {1, 2, 0}, {2, 0, 1}, {2, 1, 0}};
  for (const std::vector<int>& order : orders) {
    Arena arena;
    const uint32_t first[] = {arena.take(3), arena.take(4), arena.take(5)};
    const uint32_t lines[] = {3, 4, 5};
    arena.take(1);
    for (const int i : order) arena.lines.free(first[i], lines[i]);
    EXPECT_EQ(arena.take(12), first[0]) << "freed in order " << order[0] << order[1] << order[2];
  }
}

TEST(LineArena, BudgetIsAskedOnlyWhenTold) {
  Arena arena(2 * kHugePageBytes);
  arena.take(kLinesPerPage);
  arena.take(kLinesPerPage);
  EXPECT_EQ(arena.budget.used(), 2 * kHugePageBytes);
  EXPECT_FALSE(arena.lines.allocate(1, true).has_value());
  EXPECT_EQ(arena.budget.used(), 2 * kHugePageBytes);
  EXPECT_TRUE(arena.lines.allocate(1, false).has_value());
  EXPECT_EQ(arena.budget.used(), 3 * kHugePageBytes);
  EXPECT_EQ(arena.lines.memory_bytes(), 3 * kHugePageBytes);
  EXPECT_TRUE(arena.lines.allocate(1, true).has_value()) << "the page is there already";
}

TEST(LineArena, EvenWithoutTheBudgetTheReservationEnds) {
  Arena arena(2 * kHugePageBytes);
  // The reservation passes the ceiling by far less than this.
  constexpr uint32_t kLines = uint32_t{1} << 26;
  EXPECT_FALSE(arena.lines.allocate(kLines, false).has_value());
  EXPECT_EQ(arena.budget.used(), 0U);
  EXPECT_TRUE(arena.lines.allocate(4 * kLinesPerPage, false).has_value());
}

// A ceiling of 2^63 bytes is legal, and twice that is no longer a number.
TEST(LineArena, AnEnormousCeilingStillLeavesRoomForBuckets) {
  Arena arena(uint64_t{1} << 63);
  EXPECT_TRUE(arena.lines.allocate(2 * kLinesPerPage, true).has_value());
}

TEST(LineArena, GivesItsMemoryBackAtItsEnd) {
  MemoryBudget budget(64 * kHugePageBytes);
  {
    LineArena lines(budget);
    must(lines.open());
    ASSERT_TRUE(lines.allocate(1000, true).has_value());
    ASSERT_TRUE(lines.allocate(100000, false).has_value());
  }
  EXPECT_EQ(budget.used(), 0U);
}

// Random calls against a map of what is out: no two ranges share a line, every line comes zeroed,
// and once all are back the arena is one hole again.
TEST(LineArena, RandomCallsAgainstAMap) {
  for (uint64_t seed = 1; seed <= 4; ++seed) {
    SCOPED_TRACE(testing::Message() << "seed " << seed);
    Random random(seed);
    Arena arena;
    std::map<uint32_t, uint32_t> out;
    uint64_t most = 0;
    for (uint64_t i = 0; i < scaled(20000); ++i) {
      if (out.size() < 200 && (out.empty() || random.one_in(2))) {
        const auto lines = static_cast<uint32_t>(random.between(1, random.one_in(10) ? 900 : 60));
        const uint32_t first = arena.take(lines);
        const auto next = out.lower_bound(first);
        ASSERT_TRUE(next == out.end() || first + lines <= next->first);
        if (next != out.begin()) {
          const auto before = std::prev(next);
          ASSERT_LE(before->first + before->second, first);
        }
        std::byte* const at = arena.lines.line(first);
        for (size_t b = 0; b < lines * kLineBytes; b += 8) ASSERT_EQ(at[b], std::byte{0});
        std::memset(at, 0xee, lines * kLineBytes);
        out.emplace(first, lines);
        most = std::max<uint64_t>(most, first + lines);
      } else {
        const auto gone = std::next(out.begin(), static_cast<int64_t>(random.below(out.size())));
        arena.lines.free(gone->first, gone->second);
        out.erase(gone);
      }
    }
    for (const auto& [first, lines] : out) arena.lines.free(first, lines);
    EXPECT_EQ(arena.take(static_cast<uint32_t>(most)), 0U);
  }
}

}  // namespace
}  // namespace hotrow::test
