// Pushes, updates and erasures, against the formulas in float64 and the plain twin bit for bit.
#include <gtest/gtest.h>

#include <cmath>
#include <map>
#include <vector>

#include "model/twin.h"
#include "support/hash_inverse.h"
#include "support/random.h"
#include "support/reference_optimizer.h"
#include "support/stores.h"
#include "table/initializer.h"

namespace hotrow::test {
namespace {

TEST(Push, TheFirstPushCreatesTheRowFromItsInitialValues) {
  const auto store = private_store();
  const auto table = must(store->table(
      "t",
      {.dim = 2, .optimizer = optimizer(OptimizerKind::kSgd, 0.5F), .initializer = uniform(1)}));
  const std::vector<float> initial = lookup(*table, {9});
  must(table->push(std::vector<uint64_t>{9}, std::vector<float>{1, -2}));
  EXPECT_EQ(lookup(*table, {9}), (std::vector<float>{initial[0] - 0.5F, initial[1] + 1.0F}));
  EXPECT_EQ(stats_of(*table).rows, 1U);
  EXPECT_EQ(stats_of(*table).created, 1U);
}

TEST(Push, DuplicatesAreSummedInBatchOrderThenStepOnce) {
  const auto store = private_store();
  for (const OptimizerOptions& options : every_optimizer()) {
    SCOPED_TRACE(name_of(options.kind));
    Twin twin(*store, {.dim = 1, .optimizer = options});
    // In f32 the order decides: 1e8 + 1 - 1e8 is 0 from the left and 1 otherwise.
    twin.push({4, 4, 4}, {1e8F, 1.0F, -1e8F});
    twin.push({5, 5, 5}, {1e8F, -1e8F, 1.0F});
    twin.push({6, 7, 6, 7, 6}, {0.1F, 0.2F, 0.3F, 0.4F, 0.5F});
    twin.compare_state({1, 2});
    must(store->drop("t"));
  }
}

TEST(Push, SumsFromTheLeft) {
  const auto store = private_store();
  const auto table = must(store->table("t", sum_table(1)));
  must(table->push(std::vector<uint64_t>{4, 4, 4}, std::vector<float>{1e8F, 1.0F, -1e8F}));
  must(table->push(std::vector<uint64_t>{5, 5, 5}, std::vector<float>{1e8F, -1e8F, 1.0F}));
  EXPECT_EQ(lookup(*table, {4, 5}), (std::vector<float>{0, 1}));
}

void compare_with_float64(const OptimizerOptions& options, uint32_t dim) {
  SCOPED_TRACE(testing::Message() << name_of(options.kind) << " dim " << dim);
  const auto store = private_store();
  const auto table = must(
      store->table("t", {.dim = dim, .optimizer = options, .initializer = uniform(1), .seed = 3}));
  const Initializer initializer(uniform(1), 3);
  std::map<uint64_t, ReferenceRow> rows;
  Random random(dim);
  for (uint64_t t = 1; t <= 15; ++t) {
    const std::vector<uint64_t> keys = random.keys(12, 8);
    const std::vector<float> gradients = random.reals(12 * dim);
    must(table->push(keys, gradients));
    std::map<uint64_t, std::vector<float>> sums;
    for (size_t i = 0; i < keys.size(); ++i) {
      std::vector<float>& sum = sums.try_emplace(keys[i], dim).first->second;
      for (size_t j = 0; j < dim; ++j) sum[j] += gradients[i * dim + j];
    }
    for (const auto& [key, sum] : sums) {
      std::vector<float> initial(dim);
      initializer.fill(key, initial);
      rows.try_emplace(key, options, initial).first->second.step(sum, t);
    }
  }
  for (const auto& [key, reference] : rows) {
    const std::vector<float> row = lookup(*table, {key});
    for (size_t j = 0; j < dim; ++j) {
      ASSERT_NEAR(row[j], reference.w[j], 3e-5 * std::max(1.0, std::fabs(reference.w[j])));
    }
  }
}

TEST(Push, FollowsTheFormulasInFloat64) {
  for (const OptimizerOptions& options : every_optimizer()) {
    for (const uint32_t dim : {1U, 3U, 8U, 17U, 40U}) compare_with_float64(options, dim);
  }
}

TEST(Push, EqualsThePlainTwinForEveryDimension) {
  const auto store = private_store();
  for (uint32_t dim = 1; dim <= 40; ++dim) {
    const OptimizerOptions options = every_optimizer()[dim % every_optimizer().size()];
    SCOPED_TRACE(testing::Message() << name_of(options.kind) << " dim " << dim);
    Twin twin(*store, {.dim = dim, .optimizer = options, .initializer = uniform(1)});
    Random random(dim);
    for (int step = 0; step < 5; ++step) {
      const size_t n = random.between(0, 200);
      twin.push(random.keys(n, 100), random.reals(n * dim));
    }
    twin.compare_state(range(0, 120));
    must(store->drop("t"));
  }
}

TEST(Push, BatchesOfNoneAndOne) {
  const auto store = private_store();
  Twin twin(*store, {.dim = 3, .optimizer = every_optimizer()[3]});
  for (int again = 0; again < 3; ++again) {
    twin.push({}, {});
    twin.update({}, {});
    twin.erase({});
    twin.lookup({});
  }
  twin.push({7}, {1, 2, 3});
  twin.push({}, {});
  twin.push({7}, {1, 2, 3});
  twin.compare_state();
}

TEST(Push, LargeBatchesGiveTheSameBitsForAnyNumberOfThreads) {
  Random random(2);
  const std::vector<uint64_t> keys = random.keys(100000, 30000);
  const std::vector<float> gradients = random.reals(keys.size() * 4);
  for (const uint32_t threads : {1U, 2U, 3U, 4U}) {
    const auto store = private_store(threads);
    Twin twin(*store, {.dim = 4, .optimizer = every_optimizer()[3], .initializer = uniform(1)});
    for (int step = 0; step < 3; ++step) twin.push(keys, gradients);
    twin.update({keys.begin(), keys.begin() + 50000},
                {gradients.begin(), gradients.begin() + 200000});
    twin.compare_state();
  }
}

TEST(Push, ABatchOfOneKeyManyTimes) {
  const auto store = private_store(4);
  Twin twin(*store, {.dim = 2, .optimizer = every_optimizer()[1]});
  Random random(3);
  twin.push(std::vector<uint64_t>(20000, 77), random.reals(40000));
  twin.push(std::vector<uint64_t>(20000, 77), random.reals(40000));
  twin.compare_state();
}

TEST(Push, CollidingKeysInOneBatch) {
  const auto store = private_store(2);
  Twin twin(*store, {.dim = 2, .optimizer = every_optimizer()[1]});
  std::vector<uint64_t> keys = keys_of_first_home(100, 300);
  const std::vector<uint64_t> tail = keys_of_last_home(100, 100);
  keys.insert(keys.end(), tail.begin(), tail.end());
  Random random(4);
  twin.push(keys, random.reals(keys.size() * 2));
  twin.erase({keys.begin(), keys.begin() + 150});
  twin.push(keys, random.reals(keys.size() * 2));
  twin.compare_state(keys_of_first_home(101, 10));
}

TEST(Update, TheLastOfEqualKeysWins) {
  const auto store = private_store();
  const auto table = must(store->table("t", {.dim = 2, .initializer = uniform(1)}));
  must(table->update(std::vector<uint64_t>{3, 4, 3}, std::vector<float>{1, 2, 3, 4, 5, 6}));
  EXPECT_EQ(lookup(*table, {3, 4}), (std::vector<float>{5, 6, 3, 4}));
  EXPECT_EQ(stats_of(*table).updates, 3U);
  EXPECT_EQ(stats_of(*table).created, 2U);
}

TEST(Update, LeavesTheOptimizersStateAlone) {
  for (const OptimizerOptions& options : every_optimizer()) {
    SCOPED_TRACE(name_of(options.kind));
    const auto store = private_store();
    Twin twin(*store, {.dim = 3, .optimizer = options, .initializer = uniform(1)});
    twin.push({1, 2}, {1, 2, 3, 4, 5, 6});
    twin.update({2, 3}, {9, 8, 7, 6, 5, 4});  // 3 is new: its state starts fresh
    twin.push({1, 2, 3}, std::vector<float>(9, 0.25F));
    twin.compare_state();
  }
}

TEST(Erase, RowsAndTheirStateGo) {
  for (const OptimizerOptions& options : every_optimizer()) {
    SCOPED_TRACE(name_of(options.kind));
    const auto store = private_store();
    Twin twin(*store, {.dim = 3, .optimizer = options, .initializer = uniform(1)});
    twin.push({1, 2, 3}, Random(1).reals(9));
    twin.erase({2, 2, 9});
    twin.compare({2, 9});
    twin.push({2}, {1, 1, 1});
    twin.compare_state({2});
  }
}

TEST(Erase, FreedRowsAreUsedAgain) {
  const auto store = private_store();
  const auto table = must(store->table("t", sum_table(64)));
  const std::vector<float> rows(1000 * 64, 1.0F);
  must(table->push(range(0, 1000), rows));
  const uint64_t bytes = stats_of(*table).row_memory_bytes;
  for (uint64_t round = 1; round <= 60; ++round) {
    EXPECT_EQ(must(table->erase(range((round - 1) * 1000, 1000))), 1000U);
    must(table->push(range(round * 1000, 1000), rows));
  }
  EXPECT_EQ(stats_of(*table).row_memory_bytes, bytes);
  EXPECT_EQ(stats_of(*table).rows, 1000U);
  EXPECT_EQ(stats_of(*table).erased, 60000U);
  EXPECT_EQ(lookup(*table, range(60000, 1000)), rows);
  EXPECT_EQ(lookup(*table, range(59000, 1000)), std::vector<float>(64000, 0.0F));
}

TEST(Stats, CountWhatCallersDid) {
  const auto store = private_store();
  const auto table = must(store->table("t", sum_table(2)));
  must(table->push(std::vector<uint64_t>{1, 2, 1}, std::vector<float>(6, 1.0F)));
  must(table->update(std::vector<uint64_t>{2, 3}, std::vector<float>(4, 1.0F)));
  (void)lookup(*table, {1, 2, 3, 4, 4});
  must(table->erase(std::vector<uint64_t>{1, 8}));
  const TableStats stats = stats_of(*table);
  EXPECT_EQ(stats.rows, 2U);
  EXPECT_EQ(stats.lookups, 5U);
  EXPECT_EQ(stats.hits, 3U);
  EXPECT_EQ(stats.pushes, 3U);
  EXPECT_EQ(stats.updates, 2U);
  EXPECT_EQ(stats.created, 3U);
  EXPECT_EQ(stats.erased, 1U);
  EXPECT_EQ(stats.skipped_gradients, 0U);
  EXPECT_EQ(stats.row_bytes, 8U);
  EXPECT_EQ(stats.shards, IndexShards::kCount);
  EXPECT_GE(stats.buckets, stats.shards);
  EXPECT_GT(stats.index_memory_bytes, 0U);
  EXPECT_GT(stats.row_memory_bytes, 0U);
}

TEST(Stats, RowBytesHoldStateAndPadding) {
  const auto store = private_store();
  const auto bytes = [&](uint32_t dim, OptimizerKind kind) {
    const auto table = must(store->table("t", {.dim = dim, .optimizer = {.kind = kind}}));
    const uint64_t row_bytes = stats_of(*table).row_bytes;
    must(store->drop("t"));
    return row_bytes;
  };
  EXPECT_EQ(bytes(1, OptimizerKind::kSgd), 8U);
  EXPECT_EQ(bytes(1, OptimizerKind::kAdagrad), 8U);
  EXPECT_EQ(bytes(1, OptimizerKind::kFtrl), 16U);
  EXPECT_EQ(bytes(7, OptimizerKind::kRowwiseAdagrad), 32U);
  EXPECT_EQ(bytes(8, OptimizerKind::kRowwiseAdagrad), 64U);
  EXPECT_EQ(bytes(64, OptimizerKind::kSgd), 256U);
  EXPECT_EQ(bytes(64, OptimizerKind::kAdam), 768U);
}

}  // namespace
}  // namespace hotrow::test
