// Scans: every row once, whatever happens meanwhile.
#include <gtest/gtest.h>

#include <atomic>
#include <map>

#include "support/hash_inverse.h"
#include "support/random.h"
#include "support/scale.h"
#include "support/tables.h"
#include "support/threads.h"

namespace hotrow::test {
namespace {

TEST(Scan, GivesEveryRowOnce) {
  for (const EvictionPolicy policy : {EvictionPolicy::kNone, EvictionPolicy::kLru}) {
    TableOptions options = sum_table(2);
    options.eviction.policy = policy;
    const LoneTable table(options);
    EXPECT_TRUE(table.keys().empty());
    std::map<uint64_t, float> expected;
    Random random(3);
    for (int i = 0; i < 20'000; ++i) expected[random.next()] = static_cast<float>(i);
    for (const uint64_t key : {uint64_t{0}, UINT64_MAX}) expected[key] = 5;
    std::vector<uint64_t> keys;
    std::vector<float> rows;
    for (const auto& [key, value] : expected) {
      keys.push_back(key);
      rows.insert(rows.end(), {value, -value});
    }
    must(table->update(keys, rows));
    for (const size_t page_rows : {size_t{1}, size_t{77}, size_t{100'000}}) {
      std::map<uint64_t, float> seen;
      for (std::optional<uint64_t> at = 0; at;) {
        const ScanPage page = must(table->scan(*at, page_rows));
        ASSERT_EQ(page.rows.size(), page.keys.size() * 2);
        for (size_t i = 0; i < page.keys.size(); ++i) {
          ASSERT_TRUE(seen.emplace(page.keys[i], page.rows[2 * i]).second);
          ASSERT_EQ(page.rows[2 * i + 1], -page.rows[2 * i]);
        }
        if (page.next) {
          ASSERT_GE(page.keys.size(), page_rows);
        }
        at = page.next;
      }
      EXPECT_EQ(seen, expected);
    }
  }
}

TEST(Scan, KeysThatCollideInOneHome) {
  const LoneTable table(sum_table(1));
  for (const uint32_t shard : {0U, 500U, IndexShards::kCount - 1}) {
    table.push(keys_of_first_home(shard, 40));
    table.push(keys_of_last_home(shard, 40));
    table.push(keys_of_shard(shard, 100));
  }
  EXPECT_EQ(table.keys().size(), table->size());
}

TEST(Scan, AGrowingTableIsStillWalkedOnce) {
  const LoneTable table(sum_table(1));
  const std::vector<uint64_t> stay = range(0, 3000);
  table.push(stay);
  std::map<uint64_t, int> seen;
  uint64_t next_key = 1'000'000;
  for (std::optional<uint64_t> at = 0; at;) {
    const ScanPage page = must(table->scan(*at, 20));
    for (const uint64_t key : page.keys) ++seen[key];
    at = page.next;
    table.push(range(next_key, 40));
    next_key += 40;
  }
  EXPECT_GT(table.stats().grown_shards, 500U);
  for (const uint64_t key : stay) ASSERT_EQ(seen[key], 1) << key;
  for (const auto& [key, times] : seen) ASSERT_EQ(times, 1) << key;
}

TEST(Scan, BesideWriters) {
  const LoneTable table(sum_table(2));
  const std::vector<uint64_t> stay = range(0, 2000);
  table.push(stay);
  std::atomic<bool> done{false};
  in_threads(3, [&](uint32_t thread) {
    if (thread > 0) {
      Random random(thread);
      const uint64_t base = 1'000'000 * thread;
      while (!done.load()) {
        table.push(range(base + random.below(20'000), 100));
        must(table->erase(range(base + random.below(20'000), 100)));
        table.push(range(random.below(1900), 100));
      }
      return;
    }
    for (uint64_t i = 0; i < scaled(10); ++i) {
      std::map<uint64_t, int> seen;
      for (std::optional<uint64_t> at = 0; at;) {
        const ScanPage page = must(table->scan(*at, 500));
        for (size_t row = 0; row < page.keys.size(); ++row) {
          ++seen[page.keys[row]];
          ASSERT_EQ(page.rows[2 * row], page.rows[2 * row + 1]) << "half a row";
        }
        at = page.next;
      }
      for (const uint64_t key : stay) ASSERT_EQ(seen[key], 1) << key;
    }
    done.store(true);
  });
}

TEST(Scan, WrongPageSizesAreNamed) {
  const LoneTable table(sum_table(1));
  EXPECT_TRUE(fails(table->scan(0, 0).status(), StatusCode::kInvalidArgument, "rows"));
  EXPECT_TRUE(fails(table->scan(0, 1 << 21).status(), StatusCode::kInvalidArgument, "rows"));
  EXPECT_TRUE(must(table->scan(UINT64_MAX, 1)).keys.empty());
}

TEST(Reserve, NoShardGrowsUntilThen) {
  const LoneTable table(sum_table(4));
  must(table->reserve(100'000));
  const TableStats before = table.stats();
  EXPECT_EQ(before.rows, 0U);
  EXPECT_GE(before.row_memory_bytes, 100'000U * 16);
  table.push(range(0, 95'000));
  const TableStats after = table.stats();
  EXPECT_EQ(after.grown_shards, before.grown_shards);
  EXPECT_EQ(after.row_memory_bytes, before.row_memory_bytes);
  must(table->reserve(50'000));
  EXPECT_TRUE(fails(table->reserve(uint64_t{1} << 40), StatusCode::kCapacity, "memoryBytes"));
  EXPECT_EQ(table.stats().rows, 95'000U);
}

TEST(Reserve, RefusedItTakesNothing) {
  const LoneTable table(sum_table(1), 1, 16 * kMiB);
  const uint64_t before = table.context.budget.used();
  EXPECT_TRUE(fails(table->reserve(1'000'000), StatusCode::kCapacity, "memoryBytes"));
  EXPECT_EQ(table.context.budget.used(), before);
  table.push(range(0, 10'000));
}

TEST(Reserve, BeyondTheTablesOwnLimitIsRefused) {
  TableOptions options = sum_table(1);
  options.eviction = {.policy = EvictionPolicy::kLru, .max_rows = 1000};
  const LoneTable table(options);
  must(table->reserve(1000));
  EXPECT_TRUE(fails(table->reserve(1001), StatusCode::kCapacity, "eviction options"));
}

}  // namespace
}  // namespace hotrow::test
