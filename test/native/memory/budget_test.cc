// The counter behind memoryBytes.
#include "memory/budget.h"

#include <gtest/gtest.h>

#include <atomic>
#include <utility>

#include "support/scale.h"
#include "support/threads.h"

namespace hotrow::test {
namespace {

TEST(MemoryBudget, TakesUpToTheLimit) {
  MemoryBudget budget(100);
  EXPECT_TRUE(budget.try_charge(60));
  EXPECT_FALSE(budget.try_charge(41));
  EXPECT_EQ(budget.used(), 60U);
  EXPECT_TRUE(budget.try_charge(40));
  EXPECT_FALSE(budget.try_charge(1));
  EXPECT_TRUE(budget.try_charge(0));
  budget.release(100);
  EXPECT_EQ(budget.used(), 0U);
}

TEST(MemoryBudget, HugeChargesDoNotWrap) {
  MemoryBudget budget(100);
  EXPECT_TRUE(budget.try_charge(50));
  EXPECT_FALSE(budget.try_charge(UINT64_MAX));
  EXPECT_FALSE(budget.try_charge(UINT64_MAX - 49));
  EXPECT_EQ(budget.used(), 50U);
}

TEST(MemoryBudget, ChargePassesTheLimitAndTryChargeThenFails) {
  MemoryBudget budget(100);
  budget.charge(150);
  EXPECT_EQ(budget.used(), 150U);
  EXPECT_FALSE(budget.try_charge(1));
  budget.release(100);
  EXPECT_TRUE(budget.try_charge(50));
}

TEST(MemoryBudget, ThreadsNeverPassTheLimitTogether) {
  MemoryBudget budget(1000);
  std::atomic<bool> passed{false};
  in_threads(4, [&](uint32_t thread) {
    for (uint64_t i = 0; i < scaled(20000); ++i) {
      const uint64_t bytes = 100 + thread * 77 + i % 13;
      if (!budget.try_charge(bytes)) continue;
      if (budget.used() > budget.limit()) passed = true;
      budget.release(bytes);
    }
  });
  EXPECT_FALSE(passed);
  EXPECT_EQ(budget.used(), 0U);
}

TEST(Reservation, HoldsItsBytesForItsLife) {
  MemoryBudget budget(100);
  {
    Reservation reservation;
    EXPECT_TRUE(reservation.take(budget, 70));
    EXPECT_EQ(budget.used(), 70U);
    EXPECT_TRUE(reservation.take(budget, 100)) << "gives the old bytes back first";
    EXPECT_EQ(budget.used(), 100U);
    EXPECT_FALSE(reservation.take(budget, 101));
    EXPECT_EQ(budget.used(), 0U) << "a failed take holds nothing";
    EXPECT_TRUE(reservation.take(budget, 30));
  }
  EXPECT_EQ(budget.used(), 0U);
}

TEST(Reservation, MovesItsBytes) {
  MemoryBudget budget(100);
  Reservation a;
  ASSERT_TRUE(a.take(budget, 40));
  Reservation b(std::move(a));
  EXPECT_EQ(budget.used(), 40U);
  Reservation c;
  ASSERT_TRUE(c.take(budget, 50));
  c = std::move(b);
  EXPECT_EQ(budget.used(), 40U) << "the bytes that were overwritten are free";
  c.reset();
  c.reset();
  EXPECT_EQ(budget.used(), 0U);
}

}  // namespace
}  // namespace hotrow::test
