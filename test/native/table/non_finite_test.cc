// NaN and infinity: rejected with nothing changed, or skipped and counted.
#include <gtest/gtest.h>

#include <cmath>
#include <limits>
#include <vector>

#include "model/twin.h"
#include "support/random.h"
#include "support/stores.h"

namespace hotrow::test {
namespace {

constexpr float kInf = std::numeric_limits<float>::infinity();
constexpr float kMax = std::numeric_limits<float>::max();

TableOptions options_of(NonFinite non_finite, uint32_t dim = 3) {
  return {.dim = dim,
          .optimizer = every_optimizer()[3],  // Adam: a step that was counted would show
          .initializer = uniform(1),
          .non_finite = non_finite};
}

TEST(NonFiniteReject, APushChangesNothing) {
  const auto store = private_store(4);
  for (const size_t n : {1U, 10U, 20000U}) {
    Twin twin(*store, options_of(NonFinite::kReject));
    Random random(n);
    twin.push(range(0, 5), random.reals(15));
    for (const float bad : {kNan, kInf, -kInf}) {
      std::vector<float> gradients = random.reals(n * 3);
      gradients[random.below(gradients.size())] = bad;
      const Status status = twin.table().push(range(3, n), gradients);
      EXPECT_TRUE(fails(status, StatusCode::kInvalidArgument, "gradients: expected finite"));
      twin.compare(range(0, 50));
    }
    EXPECT_EQ(stats_of(twin.table()).skipped_gradients, 0U);
    twin.compare_state();
    must(store->drop("t"));
  }
}

TEST(NonFiniteReject, AnUpdateChangesNothing) {
  const auto store = private_store();
  Twin twin(*store, options_of(NonFinite::kReject));
  twin.push({1, 2}, {1, 2, 3, 4, 5, 6});
  EXPECT_TRUE(fails(
      twin.table().update(std::vector<uint64_t>{1, 9}, std::vector<float>{7, 7, 7, 7, kNan, 7}),
      StatusCode::kInvalidArgument, "rows: expected finite"));
  twin.compare_state({9});
}

// The option speaks of a row that came, not of the one that wins.
TEST(NonFiniteReject, AnUpdateSeesEveryRowOfAKey) {
  const auto store = private_store();
  Twin twin(*store, options_of(NonFinite::kReject, 1));
  twin.update({1, 1}, {kNan, 5.0F});
  twin.compare({1});
}

TEST(NonFiniteReject, OppositeInfinitiesDoNotCancel) {
  const auto store = private_store();
  Twin twin(*store, options_of(NonFinite::kReject, 1));
  twin.push({1, 1}, {kInf, -kInf});
  twin.compare({1});
}

TEST(NonFiniteReject, ASumThatOverflowsIsRejected) {
  const auto store = private_store();
  const auto table = must(store->table("t", sum_table(1)));
  EXPECT_TRUE(fails(table->push(std::vector<uint64_t>{1, 2, 1}, std::vector<float>{kMax, 1, kMax}),
                    StatusCode::kInvalidArgument));
  EXPECT_EQ(stats_of(*table).rows, 0U);
}

TEST(NonFiniteReject, PooledGradientsAndWeights) {
  const auto store = private_store();
  Twin twin(*store, options_of(NonFinite::kReject, 2));
  const Bags bags{{1, 2, 3}, {0, 1, 3}, {}, Pooling::kMean};
  twin.push_pooled(bags, {1, 2, 3, 4});
  twin.push_pooled(bags, {1, 2, kInf, 4});
  Bags weighted = bags;
  weighted.weights = {1.0F, kNan, 1.0F};
  EXPECT_TRUE(fails(twin.table().push_pooled(weighted.batch(), std::vector<float>(4, 1.0F)),
                    StatusCode::kInvalidArgument, "weights"));
  weighted.weights = {1.0F, kMax, kMax};
  weighted.pooling = Pooling::kSum;
  EXPECT_TRUE(fails(twin.table().push_pooled(weighted.batch(), std::vector<float>(4, 3.0F)),
                    StatusCode::kInvalidArgument));
  twin.compare_state({1, 2, 3});
}

TEST(NonFiniteSkip, RowsAreLeftOutAndCounted) {
  const auto store = private_store(4);
  Twin twin(*store, options_of(NonFinite::kSkip, 2));
  twin.push({1, 2, 1, 3}, {1, 1, kNan, 1, 2, 2, 3, kInf});
  twin.compare({1, 2, 3});
  EXPECT_EQ(stats_of(twin.table()).skipped_gradients, 2U);
  EXPECT_EQ(stats_of(twin.table()).rows, 1U) << "what is left out creates no row";
  twin.push({1, 2}, {kNan, 1, 1, -kInf});
  twin.compare_state({2});
}

TEST(NonFiniteSkip, AKeyKeepsItsFiniteGradients) {
  const auto store = private_store();
  const TableOptions options{
      .dim = 1, .optimizer = optimizer(OptimizerKind::kSum), .non_finite = NonFinite::kSkip};
  const auto table = must(store->table("t", options));
  must(table->push(std::vector<uint64_t>{1, 1, 1}, std::vector<float>{2, kNan, 5}));
  EXPECT_EQ(lookup(*table, {1}), std::vector<float>{7});
  EXPECT_EQ(stats_of(*table).pushes, 2U);
  EXPECT_EQ(stats_of(*table).skipped_gradients, 1U);
}

TEST(NonFiniteSkip, UpdatesFallBackToTheLastFiniteRow) {
  const auto store = private_store();
  Twin twin(*store, options_of(NonFinite::kSkip, 1));
  twin.update({1, 1, 2}, {4.0F, kNan, kInf});
  twin.compare({1, 2});
}

// Both gradients are left out, so both count: pushes + skipped is what came.
TEST(NonFiniteSkip, ASumThatOverflowsCountsEveryGradientInIt) {
  const auto store = private_store();
  const auto table = must(store->table(
      "t",
      {.dim = 1, .optimizer = optimizer(OptimizerKind::kSum), .non_finite = NonFinite::kSkip}));
  must(table->push(std::vector<uint64_t>{1, 2, 1}, std::vector<float>{kMax, 1, kMax}));
  EXPECT_EQ(lookup(*table, {1, 2}), (std::vector<float>{0, 1}));
  EXPECT_EQ(stats_of(*table).rows, 1U);
  EXPECT_EQ(stats_of(*table).skipped_gradients, 2U);
  EXPECT_EQ(stats_of(*table).pushes, 1U);
}

TEST(NonFiniteSkip, PooledGradients) {
  const auto store = private_store();
  Twin twin(*store, options_of(NonFinite::kSkip, 2));
  const Bags bags{{1, 2, 3, 1}, {0, 2, 3, 4}, {}, Pooling::kMean};
  twin.push_pooled(bags, {1, kNan, 3, 4, 5, 6});
  twin.compare_state({1, 2, 3});
}

TEST(NonFiniteSkip, LargeBatches) {
  for (const uint32_t threads : {1U, 4U}) {
    const auto store = private_store(threads);
    Twin twin(*store, options_of(NonFinite::kSkip, 20));
    Random random(1);
    for (int step = 0; step < 3; ++step) {
      std::vector<float> gradients = random.reals(20000 * 20);
      for (int i = 0; i < 500; ++i) gradients[random.below(gradients.size())] = kNan;
      twin.push(random.keys(20000, 5000), gradients);
    }
    twin.compare_state();
  }
}

}  // namespace
}  // namespace hotrow::test
