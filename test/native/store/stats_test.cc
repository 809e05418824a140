// Figures: what a table and a store say of themselves is what happened.
#include <gtest/gtest.h>

#include <string>

#include "support/stores.h"

namespace hotrow::test {
namespace {

TEST(Stats, HitsAndMissesAreCounted) {
  const auto store = private_store();
  const auto table = must(store->table("t", sum_table(2)));
  must(table->push(range(0, 10), std::vector<float>(20, 1.0F)));
  (void)lookup(*table, range(5, 15));
  const TableStats stats = stats_of(*table);
  EXPECT_EQ(stats.lookups, 15U);
  EXPECT_EQ(stats.hits, 5U);
}

TEST(Stats, MemoryByPurposeAddsUpToWhatIsUsed) {
  const auto store = private_store();
  TableOptions options = sum_table(16);
  options.hot_keys = 64;
  options.admission = {.kind = AdmissionKind::kBloom, .min_count = 2, .capacity = 10'000};
  const auto rows = must(store->table("rows", sum_table(8)));
  (void)must(store->table("others", options));
  (void)must(store->dense("dense", {.shape = {100, 10}, .optimizer = {OptimizerKind::kAdam}}));
  must(rows->push(range(0, 3000), std::vector<float>(24'000, 1.0F)));
  const StoreStats stats = must(store->stats());
  EXPECT_GE(stats.row_memory_bytes, 3000U * 32);
  EXPECT_GE(stats.index_memory_bytes, 3000U * 8);
  EXPECT_GT(stats.filter_memory_bytes, 0U);
  EXPECT_GE(stats.hot_keys_memory_bytes, 64U * 16 * 24);
  EXPECT_EQ(stats.dense_memory_bytes, 1000U * 4 * 3);
  EXPECT_EQ(stats.memory_used_bytes, stats.row_memory_bytes + stats.index_memory_bytes +
                                         stats.filter_memory_bytes + stats.hot_keys_memory_bytes +
                                         stats.dense_memory_bytes);
  must(store->drop("others"));
  must(store->drop("dense"));
  const StoreStats after = must(store->stats());
  EXPECT_EQ(after.memory_used_bytes, after.row_memory_bytes + after.index_memory_bytes);
}

TEST(Stats, EveryOperationHasItsLatencies) {
  const auto store = private_store();
  const auto table = must(store->table("t", sum_table(1)));
  const std::vector<uint64_t> keys = range(0, 100);
  const std::vector<uint32_t> offsets = {0, 100};
  must(table->push(keys, std::vector<float>(100, 1.0F)));
  must(table->push(keys, std::vector<float>(100, 1.0F)));
  must(table->update(keys, std::vector<float>(100, 1.0F)));
  (void)lookup(*table, keys);
  std::vector<float> pooled(1);
  must(table->lookup_pooled({.keys = keys, .offsets = offsets}, pooled));
  must(table->push_pooled({.keys = keys, .offsets = offsets}, pooled));
  (void)must(table->erase(keys));
  const StoreLatency latency = must(store->stats()).latency;
  EXPECT_EQ(latency.push.count, 3U);
  for (const LatencySummary* each :
       {&latency.lookup, &latency.lookup_pooled, &latency.update, &latency.erase}) {
    EXPECT_EQ(each->count, 1U);
    EXPECT_GT(each->p50_ns, 0U);
    EXPECT_GE(each->max_ns, each->p50_ns);
  }
}

TEST(Stats, HotKeysAreThoseUsedMost) {
  const auto store = private_store();
  TableOptions options = sum_table(1);
  options.hot_keys = 4;
  const auto table = must(store->table("t", options));
  std::vector<uint64_t> keys;
  for (uint64_t i = 0; i < 4096; ++i) keys.push_back(i % 2 == 0 ? 7 : i % 4 == 1 ? 8 : 1000 + i);
  for (int round = 0; round < 10; ++round) (void)lookup(*table, keys);
  must(table->push(keys, std::vector<float>(keys.size(), 1.0F)));
  const std::vector<HotKey> hot = must(table->hot_keys(2));
  ASSERT_EQ(hot.size(), 2U);
  EXPECT_EQ(hot[0].key, 7U);
  EXPECT_EQ(hot[1].key, 8U);
  EXPECT_NEAR(static_cast<double>(hot[0].count), 11 * 2048, 11 * 2048 * 0.3);
}

TEST(Stats, HotKeysMustHaveBeenAskedFor) {
  const auto store = private_store();
  const auto table = must(store->table("t", sum_table(1)));
  EXPECT_TRUE(fails(table->hot_keys(1).status(), StatusCode::kInvalidArgument, "hotKeys"));
  TableOptions options = sum_table(1);
  options.hot_keys = 4097;
  EXPECT_TRUE(fails(store->table("u", options).status(), StatusCode::kInvalidArgument, "hotKeys"));
}

TEST(Stats, HotKeysThatDoNotFitAreRefused) {
  const auto store = must(Store::open(":memory:", {.memory_bytes = 16U << 20}));
  TableOptions options = sum_table(1);
  options.hot_keys = 4096;
  Status status;
  for (int i = 0; i < 10 && status.ok(); ++i) {
    status = store->table("t" + std::to_string(i), options).status();
  }
  EXPECT_TRUE(fails(status, StatusCode::kCapacity, "hotKeys"));
}

}  // namespace
}  // namespace hotrow::test
