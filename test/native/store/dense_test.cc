// Dense parameters: whole values under one name, the optimizers row by row.
#include <gtest/gtest.h>

#include <limits>
#include <vector>

#include "base/hash.h"
#include "model/plain_optimizer.h"
#include "support/bits.h"
#include "support/random.h"
#include "support/reference_optimizer.h"
#include "support/scale.h"
#include "support/stores.h"
#include "support/threads.h"
#include "table/initializer.h"

namespace hotrow::test {
namespace {

std::vector<float> pull(Dense& dense) {
  std::vector<float> values(dense.size(), -77.0F);
  must(dense.pull(values));
  return values;
}

/// The rows that a dense parameter of this shape starts with.
std::vector<float> initial(const DenseOptions& options, uint64_t rows, uint64_t columns) {
  std::vector<float> values(rows * columns);
  const Initializer initializer(options.initializer, options.seed);
  for (uint64_t row = 0; row < rows; ++row) {
    initializer.fill(row, {values.data() + row * columns, columns});
  }
  return values;
}

TEST(Dense, SizeIsTheProductOfTheShape) {
  const auto store = private_store();
  EXPECT_EQ(must(store->dense("a", {.shape = {7}}))->size(), 7U);
  EXPECT_EQ(must(store->dense("b", {.shape = {3, 1, 4}}))->size(), 12U);
  EXPECT_EQ(must(store->dense("c", {.shape = {1}}))->size(), 1U);
}

TEST(Dense, StartsByRowIndexAndSeed) {
  const auto store = private_store();
  const auto dense = must(store->dense("w", {.shape = {2, 3, 5}, .initializer = uniform(1)}));
  EXPECT_EQ(dense->options().seed, seed_of_name("w"));
  EXPECT_TRUE(same_bits(pull(*dense), initial(dense->options(), 6, 5)));
  const auto seeded =
      must(store->dense("v", {.shape = {6, 5}, .initializer = uniform(1), .seed = 4}));
  EXPECT_TRUE(same_bits(pull(*seeded), initial(seeded->options(), 6, 5)));
  EXPECT_NE(pull(*seeded), pull(*dense));
}

TEST(Dense, EveryOptimizerByRow) {
  const auto store = private_store();
  for (const OptimizerOptions& options : every_optimizer()) {
    SCOPED_TRACE(name_of(options.kind));
    constexpr uint64_t kRows = 6;
    constexpr uint64_t kColumns = 19;
    const auto dense = must(store->dense(
        "w", {.shape = {2, 3, kColumns}, .optimizer = options, .initializer = uniform(1)}));
    const PlainOptimizer plain(options);
    std::vector<PlainRow> rows;
    std::vector<ReferenceRow> references;
    const std::vector<float> start = pull(*dense);
    for (uint64_t row = 0; row < kRows; ++row) {
      const auto first = start.begin() + static_cast<int64_t>(row * kColumns);
      const std::vector<float> w(first, first + kColumns);
      rows.push_back(plain.fresh(w));
      references.emplace_back(options, w);
    }
    Random random(3);
    for (uint64_t t = 1; t <= 10; ++t) {
      const std::vector<float> gradient = random.reals(kRows * kColumns);
      must(dense->push(gradient));
      const std::vector<float> values = pull(*dense);
      for (uint64_t row = 0; row < kRows; ++row) {
        const std::span<const float> g(gradient.data() + row * kColumns, kColumns);
        plain.step(rows[row], g, t);
        references[row].step(g, t);
        ASSERT_TRUE(same_bits({values.data() + row * kColumns, kColumns}, rows[row].w));
        ASSERT_NEAR(values[row * kColumns], references[row].w[0], 3e-5);
      }
    }
    must(store->drop("w"));
  }
}

TEST(Dense, ACopyWithItsStateGoesOnAsTheFirstDoes) {
  const auto store = private_store();
  for (const OptimizerOptions& options : every_optimizer()) {
    SCOPED_TRACE(name_of(options.kind));
    const DenseOptions both = {.shape = {3, 7}, .optimizer = options, .initializer = uniform(1)};
    const auto dense = must(store->dense("a", both));
    const auto copy = must(store->dense("b", both));
    Random random(4);
    for (int i = 0; i < 3; ++i) must(dense->push(random.reals(21)));
    std::vector<float> values(21);
    std::vector<float> state(dense->state_values());
    EXPECT_EQ(must(dense->pull_state(values, state)), 3U);
    EXPECT_TRUE(same_bits(values, pull(*dense)));
    must(copy->update(values, {.state = state, .steps = 3}));
    const std::vector<float> gradient = random.reals(21);
    must(dense->push(gradient));
    must(copy->push(gradient));
    EXPECT_TRUE(same_bits(pull(*copy), pull(*dense)));
    must(store->drop("a"));
    must(store->drop("b"));
  }
}

TEST(Dense, WrongStateChangesNothing) {
  const auto store = private_store();
  const auto dense =
      must(store->dense("w", {.shape = {2}, .optimizer = optimizer(OptimizerKind::kAdagrad)}));
  const std::vector<float> ones = {1, 1};
  const std::vector<float> wrong = {1, kNan};
  EXPECT_TRUE(fails(dense->update(ones, {.state = {wrong.data(), 1}}), kInvalid, "state"));
  EXPECT_TRUE(fails(dense->update(ones, {.state = wrong}), kInvalid, "state"));
  EXPECT_EQ(pull(*dense), (std::vector<float>{0, 0}));
  std::vector<float> values(2);
  EXPECT_TRUE(fails(dense->pull_state(values, {}).status(), kInvalid, "state"));
}

TEST(Dense, PreparedGradientsByRow) {
  const auto store = private_store();
  for (const OptimizerOptions& options : every_optimizer()) {
    for (const OptimizerOptions& prepared : every_preparation(options)) {
      SCOPED_TRACE(describe(prepared));
      const auto dense = must(
          store->dense("w", {.shape = {2, 5}, .optimizer = prepared, .initializer = uniform(1)}));
      const PlainOptimizer plain(prepared);
      const std::vector<float> start = pull(*dense);
      PlainRow rows[] = {plain.fresh({start.begin(), start.begin() + 5}),
                         plain.fresh({start.begin() + 5, start.end()})};
      Random random(3);
      for (uint64_t t = 1; t <= 5; ++t) {
        const std::vector<float> gradient = random.reals(10, -2.0F, 2.0F);
        const float rate = t % 2 == 0 ? 0.0F : 0.03F;
        must(dense->push(gradient, {.learning_rate = rate}));
        const std::vector<float> values = pull(*dense);
        for (size_t row = 0; row < 2; ++row) {
          plain.step(rows[row], std::span(gradient).subspan(row * 5, 5), t, rate);
          ASSERT_TRUE(same_bits(std::span(values).subspan(row * 5, 5), rows[row].w));
        }
      }
      must(store->drop("w"));
    }
  }
}

TEST(Dense, AWrongRateChangesNothing) {
  const auto store = private_store();
  const auto dense = must(store->dense("w", {.shape = {2}, .initializer = uniform(1)}));
  const std::vector<float> before = pull(*dense);
  for (const float rate : {-1.0F, kNan, std::numeric_limits<float>::infinity()}) {
    EXPECT_TRUE(fails(dense->push(before, {.learning_rate = rate}), StatusCode::kInvalidArgument,
                      "learningRate: expected a finite number above 0"));
  }
  EXPECT_TRUE(same_bits(pull(*dense), before));
}

// One row of scratch is as large as a parameter of one dimension.
TEST(Dense, TheScratchOfPreparedGradientsIsCharged) {
  const auto store = private_store(1, 16 * kMiB);
  const OptimizerOptions clipped{.clip_value = 1};
  must(store->dense("w", {.shape = {1 << 20}, .optimizer = clipped}));
  EXPECT_EQ(stats_of(*store).memory_used_bytes, 8 * kMiB);
  must(store->drop("w"));
  EXPECT_EQ(stats_of(*store).memory_used_bytes, 0U);
}

TEST(Dense, UpdateAssignsAndKeepsTheState) {
  const auto store = private_store();
  const OptimizerOptions adam = every_optimizer()[3];
  const auto dense = must(store->dense("w", {.shape = {3}, .optimizer = adam}));
  const PlainOptimizer plain(adam);
  PlainRow row = plain.fresh({0, 0, 0});
  const std::vector<float> gradient = {1, -2, 3};
  must(dense->push(gradient));
  plain.step(row, gradient, 1);
  row.w = {9, 8, 7};
  must(dense->update(row.w));
  EXPECT_EQ(pull(*dense), row.w);
  must(dense->push(gradient));
  plain.step(row, gradient, 2);
  EXPECT_TRUE(same_bits(pull(*dense), row.w));
}

TEST(Dense, WrongSizesChangeNothing) {
  const auto store = private_store();
  const auto dense = must(store->dense("w", {.shape = {2, 2}, .initializer = uniform(1)}));
  const std::vector<float> before = pull(*dense);
  for (const size_t n : {0U, 3U, 5U}) {
    std::vector<float> values(n, 1.0F);
    EXPECT_TRUE(fails(dense->pull(values), kInvalid, "values: expected 4"));
    EXPECT_TRUE(fails(dense->push(values), kInvalid, "gradient: expected 4"));
    EXPECT_TRUE(fails(dense->update(values), kInvalid, "values: expected 4"));
  }
  EXPECT_TRUE(same_bits(pull(*dense), before));
}

TEST(Dense, NonFiniteValues) {
  const auto store = private_store();
  const OptimizerOptions adam = every_optimizer()[3];
  for (const NonFinite non_finite : {NonFinite::kReject, NonFinite::kSkip}) {
    const auto dense = must(store->dense(
        "w",
        {.shape = {2}, .optimizer = adam, .initializer = uniform(1), .non_finite = non_finite}));
    const std::vector<float> before = pull(*dense);
    const std::vector<float> bad = {1.0F, kNan};
    const auto expected =
        non_finite == NonFinite::kReject ? StatusCode::kInvalidArgument : StatusCode::kOk;
    EXPECT_EQ(dense->push(bad).code(), expected);
    EXPECT_EQ(dense->update(bad).code(), expected);
    EXPECT_TRUE(same_bits(pull(*dense), before));
    // Adam's t has not moved either.
    PlainRow row = PlainOptimizer(adam).fresh(before);
    PlainOptimizer(adam).step(row, std::vector<float>{1, 2}, 1);
    must(dense->push(std::vector<float>{1, 2}));
    EXPECT_TRUE(same_bits(pull(*dense), row.w));
    must(store->drop("w"));
  }
}

TEST(Dense, OtherOptionsAreNamed) {
  const auto store = private_store();
  const DenseOptions has{.shape = {2, 3}, .seed = 5};
  must(store->dense("w", has));
  const auto conflict = [&](const char* field, auto change) {
    DenseOptions other = has;
    change(other);
    EXPECT_TRUE(fails(store->dense("w", other), StatusCode::kConflict, field));
  };
  conflict("shape", [](auto& o) { o.shape = {3, 2}; });
  conflict("shape", [](auto& o) { o.shape = {6}; });
  conflict("optimizer", [](auto& o) { o.optimizer.l1 = 1; });
  conflict("initializer", [](auto& o) { o.initializer.mean = 1; });
  conflict("nonFinite", [](auto& o) { o.non_finite = NonFinite::kSkip; });
  conflict("seed", [](auto& o) { o.seed = 6; });
  EXPECT_TRUE(ok(store->dense("w", has)));
}

TEST(Dense, MemoryIsCharged) {
  const auto store = private_store(1, 16 * kMiB);
  const auto adam = every_optimizer()[3];
  EXPECT_TRUE(fails(store->dense("w", {.shape = {2 << 20}, .optimizer = adam}),
                    StatusCode::kCapacity, "'w' needs 25165824 bytes"));
  EXPECT_EQ(must(store->list()).size(), 0U);
  EXPECT_EQ(stats_of(*store).memory_used_bytes, 0U);
  must(store->dense("w", {.shape = {1 << 20}, .optimizer = adam}));
  EXPECT_EQ(stats_of(*store).memory_used_bytes, 12 * kMiB);
  EXPECT_TRUE(fails(store->dense("v", {.shape = {(1 << 20) + 1}}), StatusCode::kCapacity));
  EXPECT_TRUE(ok(store->dense("v", {.shape = {1 << 20}})));
  EXPECT_TRUE(fails(store->table("t", {.dim = 1}), StatusCode::kCapacity));
  must(store->drop("w"));
  must(store->drop("v"));
  EXPECT_EQ(stats_of(*store).memory_used_bytes, 0U);
}

TEST(Dense, APullIsOfOneInstant) {
  const auto store = private_store();
  const auto dense =
      must(store->dense("w", {.shape = {1000}, .optimizer = {.kind = OptimizerKind::kSum}}));
  const uint64_t rounds = scaled(2000);
  in_threads(4, [&](uint32_t thread) {
    for (uint64_t round = 0; round < rounds; ++round) {
      if (thread < 2) {
        must(dense->push(std::vector<float>(1000, 1.0F)));
      } else {
        const std::vector<float> values = pull(*dense);
        ASSERT_EQ(values, std::vector<float>(1000, values[0]));
      }
    }
  });
  EXPECT_EQ(pull(*dense)[0], static_cast<float>(2 * rounds));
}

}  // namespace
}  // namespace hotrow::test
