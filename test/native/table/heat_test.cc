// What 24 bits of heat say, policy by policy.
#include "table/heat.h"

#include <gtest/gtest.h>

#include <cmath>

#include "support/random.h"

namespace hotrow::test {
namespace {

EvictionOptions with(EvictionPolicy policy, uint64_t ttl_ms = 0) {
  return {.policy = policy, .ttl_ms = ttl_ms};
}

TEST(Heat, TakesItsBitsApart) {
  const Heat heat(0xabcdef);
  EXPECT_EQ(heat.upper(), 0xabU);
  EXPECT_EQ(heat.lower(), 0xcdefU);
  EXPECT_EQ(Heat(heat.upper(), heat.lower()), heat);
  EXPECT_EQ(Heat(0xff000001).bits(), 1U) << "24 bits";
}

TEST(LogCount, IsExactWhileSmall) {
  uint8_t count = 0;
  for (int uses = 1; uses <= 16; ++uses) {
    count = LogCount::next(count, UINT64_MAX);
    EXPECT_EQ(LogCount::uses(count), uses);
  }
}

TEST(LogCount, CountsManyUsesWithinAFewPercent) {
  Random random(3);
  for (const int uses : {100, 1000, 20'000}) {
    double sum = 0;
    constexpr int kRuns = 200;
    for (int run = 0; run < kRuns; ++run) {
      uint8_t count = 0;
      for (int i = 0; i < uses; ++i) count = LogCount::next(count, random.next());
      sum += LogCount::uses(count);
    }
    EXPECT_NEAR(sum / kRuns / uses, 1.0, 0.04) << uses << " uses";
  }
}

TEST(LogCount, HalvesAndSaturates) {
  for (int count = 0; count <= UINT8_MAX; ++count) {
    const double uses = LogCount::uses(static_cast<uint8_t>(count));
    const double half = LogCount::uses(LogCount::halved(static_cast<uint8_t>(count), 1));
    EXPECT_LE(half, uses / 2 * 1.0001);
    EXPECT_GE(half, uses / 2 - 1.05 - uses / 40);
    EXPECT_EQ(LogCount::of(uses), count) << "back and forth";
  }
  EXPECT_EQ(LogCount::halved(255, 1000), 0U);
  EXPECT_EQ(LogCount::next(255, 0), 255U);
}

TEST(HeatRule, LruRanksByLastUse) {
  const HeatRule rule(with(EvictionPolicy::kLru), 1'000'000);
  const uint32_t early = rule.clock(1'000'000, 0);
  const uint32_t late = rule.clock(2'000'000, 0);
  const Heat old = rule.fresh(early, 0);
  const Heat young = rule.used(old, late, 1);
  EXPECT_LT(rule.rank(old, late, 0), rule.rank(young, late, 0));
  EXPECT_EQ(rule.clock(10, 0), 0U) << "a tick is as long as a small part of the table";
}

TEST(HeatRule, LruGoesRoundItsClock) {
  const HeatRule rule(with(EvictionPolicy::kLru), 0);
  const uint32_t before = Heat::kMost - 5;
  const uint32_t after = 3;  // nine ticks later
  EXPECT_LT(rule.rank(rule.fresh(before - 10, 0), after, 0),
            rule.rank(rule.fresh(before, 0), after, 0));
  EXPECT_LT(rule.rank(rule.fresh(before, 0), after, 0), rule.rank(rule.fresh(after, 0), after, 0));
}

TEST(HeatRule, LfuCountsUses) {
  const HeatRule rule(with(EvictionPolicy::kLfu), 1000);
  Heat heat = rule.fresh(0, 0);
  for (int i = 0; i < 999; ++i) heat = rule.used(heat, 0, 5);
  EXPECT_EQ(rule.uses(heat, 0), 1000);
  EXPECT_LT(rule.rank(rule.fresh(0, 0), 0, 0), rule.rank(heat, 0, 0));
  EXPECT_EQ(rule.used(Heat(Heat::kMost), 0, 5).bits(), Heat::kMost) << "saturates";
  EXPECT_EQ(rule.uses(rule.decayed(heat, 0, 0.25), 0), 250);
}

TEST(HeatRule, AgeingLfuHalvesWithEachHalfLife) {
  EvictionOptions options = with(EvictionPolicy::kAgeingLfu);
  options.half_life = 1000;
  const HeatRule rule(options, 100);
  Heat heat = rule.fresh(rule.clock(0, 0), 0);
  for (int i = 0; i < 15; ++i) heat = rule.used(heat, 0, 5);
  EXPECT_EQ(rule.uses(heat, 0), 16);
  EXPECT_NEAR(rule.uses(heat, rule.clock(2000, 0)), 4, 0.01);
  // Often used, long ago, goes before less often used, now.
  Heat recent = rule.fresh(rule.clock(5000, 0), 0);
  for (int i = 0; i < 3; ++i) recent = rule.used(recent, rule.clock(5000, 0), 6);
  EXPECT_LT(rule.rank(heat, rule.clock(5000, 0), 0), rule.rank(recent, rule.clock(5000, 0), 0));
  // Of equal counts the older goes first.
  EXPECT_LT(rule.rank({4, 1}, 3, 0), rule.rank({4, 3}, 3, 0) + 1);
}

TEST(HeatRule, TimeToLive) {
  for (const auto policy : {EvictionPolicy::kTtl, EvictionPolicy::kLru, EvictionPolicy::kLfu}) {
    constexpr uint64_t kDay = 86'400'000;
    const HeatRule rule(with(policy, 7 * kDay), 1000);
    const uint64_t now = 1'700'000'000'000;
    const Heat heat = rule.fresh(rule.clock(0, now), 0);
    EXPECT_FALSE(rule.expired(heat, rule.clock(0, now + 6 * kDay)));
    EXPECT_TRUE(rule.expired(heat, rule.clock(0, now + 7 * kDay + kDay / 100)));
    const Heat again = rule.used(heat, rule.clock(0, now + 6 * kDay), 1);
    EXPECT_FALSE(rule.expired(again, rule.clock(0, now + 8 * kDay)));
    EXPECT_NEAR(static_cast<double>(rule.unseen_ms(heat, rule.clock(0, now + kDay))), kDay,
                kDay / 100.0);
  }
}

TEST(HeatRule, ShortTimesToLiveAreExactToAMillisecond) {
  const HeatRule rule(with(EvictionPolicy::kTtl, 5), 0);
  const Heat heat = rule.fresh(rule.clock(0, 1000), 0);
  EXPECT_FALSE(rule.expired(heat, rule.clock(0, 1004)));
  EXPECT_TRUE(rule.expired(heat, rule.clock(0, 1005)));
}

TEST(HeatRule, ScoresKeepTheirOrder) {
  const HeatRule rule(with(EvictionPolicy::kLowestScore), 0);
  const float scores[] = {-1e30F, -2.0F, -1.0F, -1e-20F, 0.0F, 1e-20F, 1.0F, 1.01F, 2.0F, 1e30F};
  for (size_t i = 1; i < std::size(scores); ++i) {
    EXPECT_LT(rule.rank(HeatRule::scored(scores[i - 1]), 0, 0),
              rule.rank(HeatRule::scored(scores[i]), 0, 0))
        << scores[i];
  }
  EXPECT_FALSE(rule.counts_lookups());
  EXPECT_EQ(rule.used(HeatRule::scored(3), 9, 1), HeatRule::scored(3));
}

TEST(HeatRule, StepsKeepTheirOrder) {
  const HeatRule rule(with(EvictionPolicy::kOldestStep), 0);
  const Heat first = rule.fresh(0, 10);
  const Heat second = rule.pushed(first, 0, 1, 20);
  EXPECT_LT(rule.rank(first, 0, 25), rule.rank(second, 0, 25));
  EXPECT_EQ(rule.used(second, 5, 1), second) << "a lookup is no step";
}

TEST(HeatRule, KnowsWhichPoliciesNeedIt) {
  for (const auto policy :
       {EvictionPolicy::kNone, EvictionPolicy::kRandom, EvictionPolicy::kSmallestNorm}) {
    EXPECT_FALSE(HeatRule::needed(policy));
  }
  for (const auto policy :
       {EvictionPolicy::kLru, EvictionPolicy::kLfu, EvictionPolicy::kAgeingLfu,
        EvictionPolicy::kTtl, EvictionPolicy::kOldestStep, EvictionPolicy::kLowestScore}) {
    EXPECT_TRUE(HeatRule::needed(policy));
  }
}

TEST(HeatRule, AUseAfterTheAskersClockIsFresh) {
  const auto rule = [](EvictionOptions options) { return HeatRule(options, 1000); };
  constexpr uint32_t kNow = 70'000;
  const HeatRule lru = rule({.policy = EvictionPolicy::kLru, .max_rows = 1000});
  EXPECT_GE(lru.rank(lru.fresh(kNow + 1, 0), kNow, 0), lru.rank(lru.fresh(kNow, 0), kNow, 0));
  const HeatRule ttl = rule({.policy = EvictionPolicy::kTtl, .ttl_ms = 1000});
  EXPECT_FALSE(ttl.expired(ttl.fresh(kNow + 5, 0), kNow));
  EXPECT_TRUE(ttl.expired(ttl.fresh(kNow, 0), kNow + 2000));
  const HeatRule step = rule({.policy = EvictionPolicy::kOldestStep, .max_rows = 1000});
  EXPECT_GE(step.rank(step.fresh(0, 8), 0, 7), step.rank(step.fresh(0, 7), 0, 7));
  const HeatRule ageing = rule({.policy = EvictionPolicy::kAgeingLfu, .max_rows = 1000});
  Heat heat = ageing.fresh(kNow + 1, 0);
  for (int i = 0; i < 8; ++i) heat = ageing.used(heat, kNow + 1, 3);
  const double uses = ageing.uses(heat, kNow + 1);
  EXPECT_EQ(uses, 9);
  heat = ageing.used(heat, kNow, 3);
  EXPECT_EQ(ageing.uses(heat, kNow + 1), uses + 1) << "a call with the clock of before";
}

TEST(Heat, ARowThatMovesIsAsOldThereAsItWas) {
  constexpr EvictionPolicy kAll[] = {EvictionPolicy::kLru, EvictionPolicy::kLfu,
                                     EvictionPolicy::kAgeingLfu, EvictionPolicy::kTtl,
                                     EvictionPolicy::kLowestScore};
  for (const EvictionPolicy policy : kAll) {
    EvictionOptions options{.policy = policy};
    if (policy == EvictionPolicy::kTtl) options.ttl_ms = 1000;
    const HeatRule rule(options, 1000);
    // Both clocks go round.
    for (const uint32_t theirs : {5U, 40'000U, 70'000U, (1U << 24) - 1}) {
      for (const uint32_t ours : {0U, 3U, 65'535U, 5'000'000U}) {
        for (const uint32_t age : {0U, 1U, 300U, 20'000U}) {
          Heat heat = rule.fresh(theirs - age, 0);
          for (int i = 0; i < 6; ++i) heat = rule.used(heat, theirs - age, 77);
          const Heat moved = rule.moved(heat, theirs, ours);
          ASSERT_EQ(rule.rank(moved, ours, 0), rule.rank(heat, theirs, 0))
              << static_cast<int>(policy) << ": " << theirs << ", " << ours << ", " << age;
          ASSERT_EQ(rule.unseen_ms(moved, ours), rule.unseen_ms(heat, theirs));
          ASSERT_EQ(rule.uses(moved, ours), rule.uses(heat, theirs));
        }
      }
    }
  }
}

}  // namespace
}  // namespace hotrow::test
