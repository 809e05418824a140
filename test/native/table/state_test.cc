// Optimizer state from outside: updates that bring it, scans that give it.
#include <gtest/gtest.h>

#include <atomic>
#include <limits>

#include "support/bits.h"
#include "support/random.h"
#include "support/scale.h"
#include "support/tables.h"
#include "support/threads.h"

namespace hotrow::test {
namespace {

TableOptions table_of(const OptimizerOptions& rule, uint32_t dim = 5) {
  return {.dim = dim, .optimizer = rule, .initializer = uniform(0.1F)};
}

std::vector<float> state_of(Table& table, const std::vector<uint64_t>& keys) {
  std::vector<float> state(keys.size() * table.state_values(), -77.0F);
  must(table.lookup_state(keys, state, {}));
  return state;
}

TEST(State, ACopyOfATableGoesOnAsTheTableDoes) {
  const std::vector<uint64_t> keys = range(0, 300);
  for (const OptimizerOptions& rule : every_optimizer()) {
    SCOPED_TRACE(name_of(rule.kind));
    const LoneTable table(table_of(rule));
    const LoneTable copy(table_of(rule));
    Random random(1);
    for (int i = 0; i < 3; ++i) must(table->push(keys, random.reals(keys.size() * 5)));
    for (std::optional<uint64_t> at = 0; at;) {
      const ScanPage page = must(table->scan(*at, 50, {.state = true}));
      ASSERT_EQ(page.state.size(), page.keys.size() * table->state_values());
      must(copy->update(page.keys, page.rows, {.state = page.state, .steps = 3}));
      at = page.next;
    }
    EXPECT_EQ(copy.stats().steps, 3U);
    EXPECT_TRUE(same_bits(state_of(*copy, keys), state_of(*table, keys)));
    const std::vector<float> gradients = random.reals(keys.size() * 5);
    must(table->push(keys, gradients));
    must(copy->push(keys, gradients));
    EXPECT_TRUE(same_bits(lookup(*copy, keys), lookup(*table, keys)));
    EXPECT_TRUE(same_bits(state_of(*copy, keys), state_of(*table, keys)));
  }
}

TEST(State, OfEqualKeysTheLastWins) {
  const LoneTable table(table_of(optimizer(OptimizerKind::kRowwiseAdagrad), 2));
  must(table->update(std::vector<uint64_t>{7, 8, 7}, std::vector<float>{1, 2, 3, 4, 5, 6},
                     {.state = std::vector<float>{10, 20, 30}}));
  EXPECT_EQ(lookup(*table, {7, 8}), (std::vector<float>{5, 6, 3, 4}));
  EXPECT_EQ(state_of(*table, {7, 8}), (std::vector<float>{30, 20}));
  must(table->update(std::vector<uint64_t>{7}, std::vector<float>{0, 0}));
  EXPECT_EQ(state_of(*table, {7}), (std::vector<float>{30})) << "without state it stays";
}

TEST(State, WrongStateChangesNothing) {
  const LoneTable table(table_of(optimizer(OptimizerKind::kAdagrad), 2));
  const std::vector<uint64_t> keys = {7};
  const std::vector<float> rows = {1, 2};
  const std::vector<float> few = {1};
  const std::vector<float> infinite = {1, std::numeric_limits<float>::infinity()};
  EXPECT_TRUE(fails(table->update(keys, rows, {.state = few}), kInvalid, "state"));
  EXPECT_TRUE(fails(table->update(keys, rows, {.state = infinite}), kInvalid, "state"));
  EXPECT_EQ(table->size(), 0U);
}

TEST(State, StepsOnlyRise) {
  const LoneTable table(table_of(optimizer(OptimizerKind::kAdam), 1));
  must(table->update(std::vector<uint64_t>{1}, std::vector<float>{1}, {.steps = 9}));
  must(table->update(std::vector<uint64_t>{1}, std::vector<float>{1}, {.steps = 4}));
  EXPECT_EQ(table.stats().steps, 9U);
  table.push({1});
  EXPECT_EQ(table.stats().steps, 10U);
}

TEST(State, AScanGivesValuesAndStateOfOneInstant) {
  const LoneTable table({.dim = 1, .optimizer = optimizer(OptimizerKind::kMomentum)}, 2);
  const std::vector<uint64_t> keys = range(0, 200);
  std::atomic<bool> done{false};
  in_threads(2, [&](uint32_t thread) {
    if (thread == 0) {
      while (!done.load()) {
        // Each update writes a pair that belongs together.
        for (float x = 1; x < 50; ++x) {
          must(table->update(keys, std::vector<float>(keys.size(), x),
                             {.state = std::vector<float>(keys.size(), -x)}));
        }
      }
      return;
    }
    for (uint64_t i = 0; i < scaled(200); ++i) {
      const ScanPage page = must(table->scan(0, 1000, {.state = true}));
      for (size_t row = 0; row < page.keys.size(); ++row) {
        ASSERT_EQ(page.rows[row], -page.state[row]);
      }
    }
    done.store(true);
  });
}

TEST(State, ARuleWithoutStateHasNone) {
  const LoneTable table(sum_table(2));
  table.push({1, 2});
  const ScanPage page = must(table->scan(0, 10, {.state = true}));
  EXPECT_EQ(page.keys.size(), 2U);
  EXPECT_EQ(page.rows, (std::vector<float>{1, 1, 1, 1}));
  EXPECT_TRUE(page.state.empty());
}

}  // namespace
}  // namespace hotrow::test
