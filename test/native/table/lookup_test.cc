// Lookups: pure reads of rows and of initial rows.
#include <gtest/gtest.h>

#include <vector>

#include "base/hash.h"
#include "model/twin.h"
#include "support/bits.h"
#include "support/hash_inverse.h"
#include "support/random.h"
#include "support/stores.h"
#include "table/initializer.h"

namespace hotrow::test {
namespace {

TEST(Lookup, MissingKeysGiveTheInitialRowAndWriteNothing) {
  const auto store = private_store();
  const TableOptions options{.dim = 7, .initializer = uniform(0.1F), .seed = 42};
  const auto table = must(store->table("t", options));
  const uint64_t used = stats_of(*store).memory_used_bytes;
  const Initializer initializer(options.initializer, 42);
  std::vector<float> expected(7);
  for (const uint64_t key : {uint64_t{0}, uint64_t{1}, uint64_t{77}, UINT64_MAX}) {
    initializer.fill(key, expected);
    EXPECT_TRUE(same_bits(lookup(*table, {key}), expected));
    EXPECT_TRUE(same_bits(lookup(*table, {key}), expected)) << "the same again";
  }
  const TableStats stats = stats_of(*table);
  EXPECT_EQ(stats.rows, 0U);
  EXPECT_EQ(stats.created, 0U);
  EXPECT_EQ(stats.row_memory_bytes, 0U);
  EXPECT_EQ(stats.lookups, 8U);
  EXPECT_EQ(stats.hits, 0U);
  EXPECT_EQ(stats_of(*store).memory_used_bytes, used);
}

TEST(Lookup, MissingKeysMayGiveZeros) {
  const auto store = private_store();
  const auto table =
      must(store->table("t", {.dim = 3, .initializer = uniform(1.0F), .missing = Missing::kZeros}));
  EXPECT_EQ(lookup(*table, {5, 6}), std::vector<float>(6, 0.0F));
  must(table->push(std::vector<uint64_t>{5}, std::vector<float>{0, 0, 0}));
  EXPECT_NE(lookup(*table, {5}), std::vector<float>(3, 0.0F)) << "a row starts as it should";
  EXPECT_EQ(lookup(*table, {6}), std::vector<float>(3, 0.0F));
}

TEST(Lookup, TheSeedComesFromTheName) {
  const auto store = private_store();
  const auto a = must(store->table("a", {.dim = 4, .initializer = uniform(1)}));
  const auto b = must(store->table("b", {.dim = 4, .initializer = uniform(1)}));
  EXPECT_EQ(a->options().seed, seed_of_name("a"));
  EXPECT_NE(lookup(*a, {1}), lookup(*b, {1}));
  const auto other = private_store();
  const auto again = must(other->table("a", {.dim = 4, .initializer = uniform(1)}));
  EXPECT_TRUE(same_bits(lookup(*a, {1}), lookup(*again, {1}))) << "the same in another store";
}

TEST(Lookup, EveryKeyOfTheSpaceIsLegal) {
  const auto store = private_store();
  const auto table = must(store->table("t", sum_table(2)));
  std::vector<uint64_t> keys = {0, 1, UINT64_MAX, UINT64_MAX - 1, uint64_t{1} << 63, UINT32_MAX};
  for (int bit = 1; bit < 63; ++bit) keys.push_back(uint64_t{1} << bit);
  std::vector<float> rows(keys.size() * 2);
  for (size_t i = 0; i < rows.size(); ++i) rows[i] = static_cast<float>(i + 1);
  must(table->push(keys, rows));
  EXPECT_EQ(lookup(*table, keys), rows);
  EXPECT_EQ(stats_of(*table).rows, keys.size());
}

TEST(Lookup, BatchesOfEverySizeAroundTheWindow) {
  const auto store = private_store();
  Twin twin(*store, {.dim = 5, .initializer = uniform(1)});
  Random random(1);
  twin.push(range(0, 60), random.reals(300));
  for (size_t n = 0; n <= 100; ++n) {
    twin.lookup(random.keys(n, 120));
    ASSERT_FALSE(HasFailure()) << n << " keys";
  }
  twin.compare();
}

TEST(Lookup, DuplicatesInABatchGetTheSameRow) {
  const auto store = private_store();
  Twin twin(*store, {.dim = 3, .initializer = uniform(1)});
  twin.push({5}, {1, 2, 3});
  twin.lookup({5, 5, 6, 6, 5});
  twin.lookup(std::vector<uint64_t>(1000, 5));
  twin.compare();
}

TEST(Lookup, RepeatedAndChangingBatches) {
  // The same keys looked up, pushed and looked up again, then other keys of the same number: a
  // batch that is remembered must not be taken for another.
  const auto store = private_store(4);
  Twin twin(*store, {.dim = 4, .initializer = uniform(1)});
  Random random(8);
  for (int round = 0; round < 12; ++round) {
    const std::vector<uint64_t> keys = random.keys(round % 3 == 0 ? 20000 : 500, 300);
    for (int again = 0; again < 2; ++again) {
      twin.lookup(keys);
      twin.push(keys, random.reals(keys.size() * 4));
    }
    std::vector<uint64_t> other = keys;
    other[other.size() / 2] += 1000;
    twin.lookup(other);
    twin.push(other, random.reals(other.size() * 4));
    ASSERT_FALSE(HasFailure()) << "round " << round;
  }
  twin.compare_state();
}

TEST(Lookup, CollidingKeysAreToldApart) {
  const auto store = private_store();
  Twin twin(*store, {.dim = 1, .initializer = uniform(1)});
  for (const auto& keys :
       {keys_of_first_home(11, 200), keys_of_last_home(11, 60), keys_of_shard(12, 800)}) {
    twin.push(keys, Random(keys.size()).reals(keys.size()));
  }
  std::vector<uint64_t> missing = keys_of_first_home(11, 230);
  const std::vector<uint64_t> more = keys_of_last_home(11, 90);
  missing.insert(missing.end(), more.begin(), more.end());
  twin.compare(missing);
}

TEST(Lookup, RowsOfEveryDimension) {
  const auto store = private_store();
  for (const uint32_t dim : {1U, 2U, 3U, 4U, 7U, 8U, 15U, 16U, 17U, 31U, 40U, 130U, 8192U}) {
    SCOPED_TRACE(testing::Message() << "dim " << dim);
    Twin twin(
        *store,
        {.dim = dim, .optimizer = optimizer(OptimizerKind::kAdagrad), .initializer = uniform(1)});
    Random random(dim);
    const std::vector<uint64_t> keys = random.keys(50, 40);
    twin.push(keys, random.reals(50 * dim));
    twin.compare(range(0, 45));
    must(store->drop("t"));
  }
}

TEST(Lookup, LargeBatchesAreSplitOverThreads) {
  for (const uint32_t threads : {1U, 2U, 4U}) {
    const auto store = private_store(threads);
    Twin twin(*store, {.dim = 3, .initializer = uniform(1)});
    Random random(threads);
    const std::vector<uint64_t> keys = random.keys(100003, 50000);
    twin.push(keys, random.reals(keys.size() * 3));
    twin.lookup(random.keys(100003, 80000));
    twin.lookup(random.keys(8192, 80000));
    twin.compare();
  }
}

TEST(Lookup, MoreThreadsThanPartsMakeSense) {
  const auto store = private_store(64);
  Twin twin(*store, {.dim = 1, .initializer = uniform(1)});
  Random random(3);
  const std::vector<uint64_t> keys = random.keys(64 * 4096 + 5, 100000);
  twin.push(keys, random.reals(keys.size()));
  twin.push(keys, random.reals(keys.size()));
  twin.lookup(keys);
  twin.compare();
}

}  // namespace
}  // namespace hotrow::test
