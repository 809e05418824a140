// The ceiling: memory stays under memoryBytes, and a push that does not fit changes nothing.
#include <gtest/gtest.h>

#include <memory>
#include <vector>

#include "model/twin.h"
#include "support/hash_inverse.h"
#include "support/random.h"
#include "support/scale.h"
#include "support/stores.h"

namespace hotrow::test {
namespace {

constexpr uint64_t kCeiling = 16 * kMiB;

testing::AssertionResult under_ceiling(Store& store) {
  const StoreStats stats = stats_of(store);
  if (stats.memory_used_bytes <= stats.memory_bytes) return testing::AssertionSuccess();
  return testing::AssertionFailure()
         << stats.memory_used_bytes << " bytes in use of " << stats.memory_bytes;
}

/// Pushes fresh keys, `batch` at a time, until one is refused; returns the first key of that one.
uint64_t fill(Store& store, Twin& twin, size_t batch) {
  const std::vector<float> rows(batch * twin.dim(), 1.5F);
  for (uint64_t first = 0;; first += batch) {
    const std::vector<uint64_t> keys = range(first, batch);
    const Status status = twin.table().push(keys, rows);
    EXPECT_TRUE(under_ceiling(store));
    if (!status.ok()) {
      EXPECT_TRUE(fails(status, StatusCode::kCapacity, "memoryBytes"));
      return first;
    }
    EXPECT_TRUE(twin.plain().push(keys, rows));
  }
}

TEST(Capacity, ARefusedPushChangesNothing) {
  for (const uint32_t threads : {1U, 4U}) {
    const auto store = private_store(threads, kCeiling);
    Twin twin(*store, {.dim = 64, .optimizer = every_optimizer()[3], .initializer = uniform(1)});
    const uint64_t next = fill(*store, twin, 5000);
    EXPECT_GT(next, 10000U) << "a good part of the ceiling can be used";
    // Old keys before the new ones: they must not move either.
    const std::vector<float> rows(7000 * 64, 1.0F);
    EXPECT_TRUE(fails(twin.table().push(range(next - 2000, 7000), rows), StatusCode::kCapacity));
    EXPECT_TRUE(fails(twin.table().update(range(next - 2000, 7000), rows), StatusCode::kCapacity));
    twin.compare(range(next, 100));
    EXPECT_TRUE(under_ceiling(*store));
    twin.push(range(0, 3000), std::vector<float>(3000 * 64, 0.25F));
    twin.compare();
  }
}

TEST(Capacity, OldKeysCanBePushedWhenNothingElseFits) {
  const auto store = private_store(1, kCeiling);
  Twin twin(*store, {.dim = 100, .initializer = uniform(1)});
  uint64_t next = fill(*store, twin, 1000);
  while (twin.table().push(range(next, 1), std::vector<float>(100, 1.0F)).ok()) {
    (void)twin.plain().push(range(next, 1), std::vector<float>(100, 1.0F));
    ++next;
  }
  EXPECT_TRUE(under_ceiling(*store));
  twin.push(range(0, next), std::vector<float>(next * 100, 0.5F));
  twin.update(range(0, next), std::vector<float>(next * 100, 0.25F));
  twin.compare({next, next + 1});
}

TEST(Capacity, EraseMakesRoom) {
  const auto store = private_store(1, kCeiling);
  Twin twin(*store, {.dim = 64, .optimizer = every_optimizer()[1], .initializer = uniform(1)});
  uint64_t next = fill(*store, twin, 2000);
  for (uint64_t round = 0; round < 20; ++round) {
    twin.erase(range(round * 2000, 2000));
    twin.push(range(next, 2000), std::vector<float>(2000 * 64, 1.0F));
    EXPECT_TRUE(under_ceiling(*store));
    ASSERT_FALSE(HasFailure()) << "round " << round;
    next += 2000;
  }
  twin.compare_state();
}

TEST(Capacity, DropMakesRoomForOthers) {
  const auto store = private_store(1, kCeiling);
  for (int round = 0; round < 3; ++round) {
    Twin a(*store, {.dim = 64}, "a");
    Twin b(*store, {.dim = 64}, "b");
    EXPECT_GT(fill(*store, a, 2000), 2000U);
    EXPECT_LT(fill(*store, b, 2000), 20000U);
    must(store->drop("b"));
    must(store->drop("a"));
    EXPECT_EQ(stats_of(*store).memory_used_bytes, 0U);
  }
}

TEST(Capacity, SmallRowsFillTheCeilingToo) {
  // Here the index, not the rows, takes most of the memory.
  const auto store = private_store(2, kCeiling);
  Twin twin(*store, sum_table(1));
  const uint64_t rows = fill(*store, twin, 3000);
  EXPECT_GT(rows, 150000U);
  twin.compare();
}

TEST(Capacity, OnePushOfManyNewKeysStaysUnder) {
  if (kSlowdown > 1) GTEST_SKIP() << "too large for a sanitizer build";
  // Sizes at which everything still seems to fit: most of it is arrays the index grows out of.
  constexpr std::pair<uint64_t, uint64_t> kShapes[] = {{32, 75}, {32, 100}, {128, 75}};
  for (const auto& [megabytes, bytes_per_key] : kShapes) {
    const uint64_t n = megabytes * kMiB / bytes_per_key;
    const auto store = private_store(1, megabytes * kMiB);
    const auto table = must(store->table("t", sum_table(1)));
    const Status status = table->push(range(0, n), std::vector<float>(n, 1.0F));
    EXPECT_TRUE(under_ceiling(*store)) << n << " keys in " << megabytes << " MiB";
    EXPECT_EQ(stats_of(*table).rows, status.ok() ? n : 0);
  }
}

// Chosen keys can pass the ceiling by the index of their shard, a limit that GUARANTEES states;
// they lose nothing, and the excess stays below the ceiling itself.
TEST(Capacity, KeysThatCollideOnPurposeLoseNothing) {
  const auto store = private_store(1, kCeiling);
  Twin twin(*store, sum_table(1));
  // All keys have the last home of one shard: chains run into its tail, a thirtieth of it.
  const std::vector<uint64_t> keys = keys_of_last_home(77, kSlowdown > 1 ? 9000 : 30000);
  constexpr size_t kBatch = 1000;
  for (size_t first = 0; first + kBatch <= keys.size(); first += kBatch) {
    const std::vector<uint64_t> some(keys.begin() + first, keys.begin() + first + kBatch);
    const Status status = twin.table().push(some, std::vector<float>(kBatch, 1.0F));
    ASSERT_LE(store->stats().value().memory_used_bytes, 2 * kCeiling) << first << " keys";
    if (status.ok()) {
      ASSERT_TRUE(twin.plain().push(some, std::vector<float>(kBatch, 1.0F)));
    } else {
      ASSERT_TRUE(fails(status, StatusCode::kCapacity));
      break;
    }
  }
  twin.compare();
}

TEST(Capacity, RandomPushesNearTheCeiling) {
  for (uint64_t seed = 1; seed <= std::max<uint64_t>(1, scaled(4)); ++seed) {
    SCOPED_TRACE(testing::Message() << "seed " << seed);
    Random random(seed);
    const auto store = private_store(static_cast<uint32_t>(random.between(1, 4)), kCeiling);
    const auto dim = static_cast<uint32_t>(random.between(40, 200));
    Twin twin(*store,
              {.dim = dim, .optimizer = every_optimizer()[seed % every_optimizer().size()]});
    const uint64_t universe = 2 * kCeiling / stats_of(twin.table()).row_bytes;
    uint64_t refused = 0;
    for (int call = 0; call < 60; ++call) {
      const auto keys = random.keys(random.between(1, universe / 6), universe);
      const std::vector<float> rows(keys.size() * dim, 0.5F);
      if (random.one_in(5)) {
        twin.erase(keys);
      } else if (const Status status = twin.table().push(keys, rows); status.ok()) {
        ASSERT_TRUE(twin.plain().push(keys, rows));
      } else {
        ASSERT_TRUE(fails(status, StatusCode::kCapacity));
        ++refused;
      }
      ASSERT_TRUE(under_ceiling(*store));
    }
    twin.compare_state();
    EXPECT_GT(refused, 0U) << "the ceiling was never near";
  }
}

TEST(Capacity, TablesThatDoNotFitAreRefused) {
  const auto store = private_store(1, kCeiling);
  std::vector<std::shared_ptr<Table>> tables;
  for (int i = 0;; ++i) {
    auto table = store->table("t" + std::to_string(i), {.dim = 1});
    EXPECT_TRUE(under_ceiling(*store));
    if (!table.ok()) {
      EXPECT_TRUE(fails(table, StatusCode::kCapacity));
      break;
    }
    tables.push_back(std::move(table).value());
    ASSERT_LT(i, 100);
  }
  EXPECT_EQ(stats_of(*store).tables, tables.size());
  must(store->drop("t0"));
  EXPECT_TRUE(ok(store->table("again", {.dim = 1})));
}

}  // namespace
}  // namespace hotrow::test
