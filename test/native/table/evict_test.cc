// Eviction: limits that hold at every moment, the right victims, the same ones on any number of
// threads, and what is told of them.
#include <gtest/gtest.h>

#include <cmath>
#include <set>

#include "support/random.h"
#include "support/scale.h"
#include "support/tables.h"

namespace hotrow::test {
namespace {

constexpr EvictionPolicy kChoosers[] = {
    EvictionPolicy::kLru,        EvictionPolicy::kLfu,          EvictionPolicy::kAgeingLfu,
    EvictionPolicy::kOldestStep, EvictionPolicy::kSmallestNorm, EvictionPolicy::kLowestScore,
    EvictionPolicy::kRandom,
};

TableOptions limited(EvictionPolicy policy, uint64_t max_rows) {
  TableOptions options = sum_table(4);
  options.eviction = {.policy = policy, .max_rows = max_rows};
  return options;
}

TEST(Eviction, NeverMoreRowsThanTheLimit) {
  for (const EvictionPolicy policy : kChoosers) {
    const LoneTable table(limited(policy, 1000));
    Random random(1);
    for (int i = 0; i < 300; ++i) {
      std::vector<uint64_t> keys(1 + random.below(50));
      for (uint64_t& key : keys) key = random.below(10'000);
      table.push(keys);
      ASSERT_LE(table->size(), 1000U);
      for (const uint64_t key : keys) ASSERT_TRUE(table.has(key)) << "a push spares its own keys";
    }
    const TableStats stats = table.stats();
    EXPECT_EQ(stats.created - stats.evicted_capacity, stats.rows);
    EXPECT_GT(stats.evicted_capacity, 1000U);
    EXPECT_EQ(table.keys().size(), stats.rows);
  }
}

TEST(Eviction, TheLimitMayBeInBytes) {
  TableOptions options = sum_table(64);
  options.eviction = {.policy = EvictionPolicy::kLru, .max_bytes = 12 * kMiB};
  const LoneTable table(options);
  for (uint64_t first = 0; first < 100'000; first += 1000) {
    table.push(range(first, 1000));
    const TableStats stats = table.stats();
    ASSERT_LE(stats.row_memory_bytes + stats.index_memory_bytes, 12 * kMiB);
  }
  EXPECT_GT(table->size(), 20'000U) << "most of the memory is used";
}

TEST(Eviction, AtTheStoresCeilingRowsMakeRoom) {
  TableOptions options = sum_table(64);
  options.eviction = {.policy = EvictionPolicy::kLru};
  const LoneTable table(options, 2, 16 * kMiB);
  for (uint64_t first = 0; first < 200'000; first += 5000) {
    table.push(range(first, 5000));
    ASSERT_LE(table.context.budget.used(), 16 * kMiB);
    ASSERT_TRUE(table.has(first));
  }
  EXPECT_GT(table.stats().evicted_capacity, 100'000U);
}

TEST(Eviction, APushLargerThanTheTableIsRefusedWhole) {
  const LoneTable table(limited(EvictionPolicy::kLru, 100));
  table.push(range(0, 60));
  const std::vector<float> rows(101 * 4, 1.0F);
  EXPECT_TRUE(fails(table->push(range(1000, 101), rows), StatusCode::kCapacity, "101 keys"));
  EXPECT_EQ(table.count(range(0, 60)), 60U) << "nothing has changed";
  EXPECT_EQ(table->size(), 60U);
  table.push(range(1000, 100));
  EXPECT_EQ(table->size(), 100U);
  EXPECT_EQ(table.count(range(1000, 100)), 100U);
}

/// Keys 0 to 999 are cold, 1000 to 1999 hot; 500 new ones come. Gives the share of victims that
/// were cold.
template <class Heat>
double cold_share(EvictionPolicy policy, const Heat& heat) {
  const LoneTable table(limited(policy, 2000));
  table.push(range(0, 2000));
  heat(table);
  table.push(range(10'000, 500));
  const size_t gone = 2000 - table.count(range(0, 2000));
  const size_t cold = 1000 - table.count(range(0, 1000));
  EXPECT_GE(gone, 500U);
  return static_cast<double>(cold) / static_cast<double>(gone);
}

TEST(Eviction, TheColdGoFirst) {
  const auto use_hot = [](const LoneTable& table) {
    std::vector<float> rows(1000 * 4);
    for (int i = 0; i < 5; ++i) must(table->lookup(range(1000, 1000), rows));
  };
  EXPECT_GT(cold_share(EvictionPolicy::kLru, use_hot), 0.98);
  EXPECT_GT(cold_share(EvictionPolicy::kLfu, use_hot), 0.98);
  EXPECT_GT(cold_share(EvictionPolicy::kAgeingLfu, use_hot), 0.98);
  const auto push_hot = [](const LoneTable& table) { table.push(range(1000, 1000)); };
  EXPECT_GT(cold_share(EvictionPolicy::kOldestStep, push_hot), 0.98);
  const auto enlarge_hot = [](const LoneTable& table) { table.push(range(1000, 1000), 10); };
  EXPECT_GT(cold_share(EvictionPolicy::kSmallestNorm, enlarge_hot), 0.98);
  const auto score_hot = [](const LoneTable& table) {
    EXPECT_EQ(must(table->set_scores(range(1000, 1000), std::vector<float>(1000, 0.5F))), 1000U);
  };
  EXPECT_GT(cold_share(EvictionPolicy::kLowestScore, score_hot), 0.98);
  const double random = cold_share(EvictionPolicy::kRandom, use_hot);
  EXPECT_GT(random, 0.35);
  EXPECT_LT(random, 0.65);
}

TEST(Eviction, RowsThatComeBackBeginAnew) {
  const LoneTable table(limited(EvictionPolicy::kLru, 10));
  table.push(range(0, 10), 5);
  table.push(range(100, 10));
  EXPECT_FALSE(table.has(3));
  table.push({3}, 2);
  std::vector<float> row(4);
  const uint64_t key = 3;
  must(table->lookup({&key, 1}, row));
  EXPECT_EQ(row, std::vector<float>(4, 2.0F)) << "nothing of the evicted row is left";
}

/// The keys left after fixed calls.
std::set<uint64_t> left_after(EvictionPolicy policy, uint32_t threads) {
  const LoneTable table(limited(policy, 20'000), threads);
  Random random(11);
  std::vector<float> rows(30'000 * 4);
  for (int i = 0; i < 8; ++i) {
    std::vector<uint64_t> keys(10'000);
    for (uint64_t& key : keys) key = random.below(60'000);
    must(table->lookup(keys, {rows.data(), keys.size() * 4}));
    table.push(keys, static_cast<float>(i));
  }
  const auto keys = table.keys();
  return {keys.begin(), keys.end()};
}

TEST(Eviction, TheSameVictimsForAnyNumberOfThreads) {
  for (const EvictionPolicy policy : kChoosers) {
    const auto expected = left_after(policy, 1);
    EXPECT_LE(expected.size(), 20'000U);
    for (const uint32_t threads : {2U, 4U}) EXPECT_EQ(left_after(policy, threads), expected);
  }
}

TEST(Eviction, OnDemandByCountAndReason) {
  TableOptions options = limited(EvictionPolicy::kLru, 0);
  options.eviction.log = 1000;
  const LoneTable table(options);
  table.push(range(0, 500));
  EXPECT_EQ(must(table->evict(120)), 120U);
  EXPECT_EQ(table->size(), 380U);
  EXPECT_EQ(must(table->evict(1000)), 380U) << "no more than there are";
  EXPECT_EQ(table->size(), 0U);
  EXPECT_EQ(must(table->evict(1)), 0U);
  const TableStats stats = table.stats();
  EXPECT_EQ(stats.evicted_demand, 500U);
  EXPECT_EQ(stats.evicted_capacity, 0U);
  std::set<uint64_t> told;
  for (const EvictedKey& gone : must(table->take_evicted(1000))) {
    EXPECT_EQ(gone.reason, EvictionReason::kDemand);
    told.insert(gone.key);
  }
  EXPECT_EQ(told.size(), 500U);
  EXPECT_TRUE(must(table->take_evicted(10)).empty()) << "taken once";
}

TEST(Eviction, TheLogKeepsTheLatest) {
  TableOptions options = limited(EvictionPolicy::kRandom, 0);
  options.eviction.log = 10;
  const LoneTable table(options);
  table.push(range(0, 100));
  EXPECT_EQ(must(table->evict(95)), 95U);
  EXPECT_EQ(must(table->take_evicted(4)).size(), 4U);
  EXPECT_EQ(must(table->take_evicted(100)).size(), 6U);
}

TEST(Eviction, MemoryGivenBackIsUsedAgain) {
  const LoneTable table(limited(EvictionPolicy::kLru, 0));
  table.push(range(0, 50'000));
  const TableStats before = table.stats();
  for (uint64_t round = 1; round <= 20; ++round) {
    EXPECT_EQ(must(table->evict(50'000)), 50'000U);
    table.push(range(round * 50'000, 50'000));
  }
  const TableStats after = table.stats();
  EXPECT_EQ(after.row_memory_bytes, before.row_memory_bytes);
  EXPECT_LE(after.index_memory_bytes, 2 * before.index_memory_bytes + 2 * kHugePageBytes);
}

TEST(Eviction, ByAge) {
  TableOptions options = sum_table(4);
  options.eviction = {.policy = EvictionPolicy::kTtl, .ttl_ms = 60'000, .log = 10'000};
  LoneTable table(options);
  table.push(range(0, 2000));
  table.context.clock.advance(40'000);
  std::vector<float> rows(500 * 4);
  must(table->lookup(range(0, 500), rows));
  table.push(range(1000, 500));
  table.sweep_all();
  EXPECT_EQ(table->size(), 2000U) << "nothing is old enough";
  table.context.clock.advance(30'000);
  table.sweep_all();
  EXPECT_EQ(table.keys().size(), 1000U);
  EXPECT_EQ(table.count(range(0, 500)), 500U) << "looked up meanwhile";
  EXPECT_EQ(table.count(range(1000, 500)), 500U) << "pushed meanwhile";
  EXPECT_EQ(table.stats().evicted_expired, 1000U);
  EXPECT_EQ(must(table->take_evicted(1)).front().reason, EvictionReason::kExpired);
}

TEST(Eviction, AheadOfNeed) {
  TableOptions options = limited(EvictionPolicy::kLru, 6400);
  options.eviction.background = true;
  const LoneTable table(options);
  EXPECT_TRUE(table->wants_upkeep());
  table.push(range(0, 6400));
  while (table->evict_ahead()) {
  }
  EXPECT_EQ(table->size(), 6400U - 200U) << "a thirty-second is free";
}

TEST(Eviction, ShrinkByUsesAndByNorm) {
  const LoneTable table(limited(EvictionPolicy::kLfu, 0));
  table.push(range(0, 300));
  for (int i = 0; i < 4; ++i) table.push(range(0, 100));
  EXPECT_EQ(must(table->shrink({.below_uses = 3})), 200U);
  EXPECT_EQ(table.count(range(0, 100)), 100U);
  EXPECT_EQ(table.stats().evicted_shrink, 200U);
  must(table->decay(0.5));
  EXPECT_EQ(must(table->shrink({.below_uses = 3})), 100U) << "five uses have become two";

  const LoneTable other(sum_table(4));
  other.push(range(0, 10), 1);
  other.push(range(10, 10), 0.001F);
  EXPECT_EQ(must(other->shrink({.below_norm = 0.1})), 10U);
  EXPECT_EQ(other.count(range(0, 10)), 10U);
}

TEST(Eviction, ShrinkByTimeUnseen) {
  TableOptions options = sum_table(4);
  options.eviction = {.policy = EvictionPolicy::kLfu, .ttl_ms = 1'000'000};
  LoneTable table(options);
  table.push(range(0, 100));
  table.context.clock.advance(300'000);
  table.push(range(50, 100));
  EXPECT_EQ(must(table->shrink({.unseen_ms = 200'000})), 50U);
  EXPECT_EQ(table->size(), 100U);
}

TEST(Eviction, WhatAPolicyDoesNotKnowIsRefused) {
  const LoneTable plain(sum_table(4));
  EXPECT_TRUE(fails(plain->evict(1).status(), StatusCode::kInvalidArgument, "eviction.policy"));
  EXPECT_TRUE(fails(plain->shrink({.unseen_ms = 1}).status(), StatusCode::kInvalidArgument,
                    "eviction.ttlMs"));
  EXPECT_TRUE(
      fails(plain->shrink({.below_uses = 1}).status(), StatusCode::kInvalidArgument, "belowUses"));
  EXPECT_TRUE(fails(plain->set_scores(range(0, 1), std::vector<float>(1)).status(),
                    StatusCode::kInvalidArgument, "lowestScore"));
  EXPECT_TRUE(fails(plain->decay(1.5), StatusCode::kInvalidArgument, "factor"));
  EXPECT_TRUE(fails(plain->decay(std::nan("")), StatusCode::kInvalidArgument, "factor"));
  const LoneTable scored(limited(EvictionPolicy::kLowestScore, 0));
  EXPECT_TRUE(fails(scored->set_scores(range(0, 2), std::vector<float>(1)).status(),
                    StatusCode::kInvalidArgument, "2 values"));
  EXPECT_TRUE(fails(scored->set_scores(range(0, 1), std::vector<float>{INFINITY}).status(),
                    StatusCode::kInvalidArgument, "finite"));
}

TEST(Eviction, ALimitOfBytesHoldsWhereTheIndexIsMostOfThem) {
  for (const EvictionPolicy policy : {EvictionPolicy::kLru, EvictionPolicy::kRandom}) {
    for (const uint64_t most : {8 * kMiB, 23 * kMiB}) {
      if (kSlowdown > 1 && most > 8 * kMiB) continue;  // minutes
      TableOptions options = sum_table(1);
      options.eviction = {.policy = policy, .max_bytes = most};
      const LoneTable table(options);
      uint64_t highest = 0;
      for (uint64_t push = 0; push < (kSlowdown > 1 ? 300 : 600); ++push) {
        table.push(range(push * 2000, 2000));
        const TableStats stats = table.stats();
        highest = std::max(highest, stats.index_memory_bytes + stats.row_memory_bytes);
      }
      EXPECT_LE(highest, most);
      EXPECT_GT(table.stats().evicted_capacity, 0U);
    }
  }
}

TEST(Eviction, ARefusedPushEvictsNothing) {
  TableOptions options = sum_table(4);
  options.eviction = {.policy = EvictionPolicy::kLru};
  const LoneTable table(options, 1, 16 * kMiB);
  table.push(range(0, 1000));
  const std::vector<uint64_t> keys = range(10'000, 2'000'000);
  EXPECT_TRUE(fails(table->push(keys, std::vector<float>(keys.size() * 4, 1.0F)),
                    StatusCode::kCapacity, "memoryBytes"));
  EXPECT_EQ(table->size(), 1000U);
  EXPECT_EQ(table.stats().evicted_capacity, 0U);
}

TEST(Eviction, ContradictoryOptionsAreNamed) {
  const auto wrong = [](EvictionOptions eviction, const char* field) {
    TableOptions options = sum_table(4);
    options.eviction = eviction;
    return fails(options.validate(), StatusCode::kInvalidArgument, field);
  };
  EXPECT_TRUE(wrong({.max_rows = 5}, "eviction.maxRows"));
  EXPECT_TRUE(wrong({.max_bytes = 50 * kMiB}, "eviction.maxBytes"));
  EXPECT_TRUE(wrong({.ttl_ms = 5}, "eviction.ttlMs"));
  EXPECT_TRUE(wrong({.background = true}, "eviction.background"));
  EXPECT_TRUE(wrong({.policy = EvictionPolicy::kTtl}, "eviction.ttlMs"));
  EXPECT_TRUE(
      wrong({.policy = EvictionPolicy::kTtl, .max_rows = 1, .ttl_ms = 5}, "eviction.maxRows"));
  EXPECT_TRUE(wrong({.policy = EvictionPolicy::kRandom, .ttl_ms = 5}, "eviction.ttlMs"));
  EXPECT_TRUE(wrong({.policy = EvictionPolicy::kLru, .max_bytes = 100}, "eviction.maxBytes"));
  EXPECT_TRUE(wrong({.policy = EvictionPolicy::kLru, .half_life = 100}, "eviction.halfLife"));
  EXPECT_TRUE(wrong({.policy = EvictionPolicy::kLru, .log = UINT32_MAX}, "eviction.log"));
}

}  // namespace
}  // namespace hotrow::test
