// Pooled lookups and the push of bag gradients: against formulas in float64 and the plain twin.
#include <gtest/gtest.h>

#include <cmath>
#include <vector>

#include "model/twin.h"
#include "support/random.h"
#include "support/stores.h"

namespace hotrow::test {
namespace {

constexpr Pooling kPoolings[] = {Pooling::kSum, Pooling::kMean, Pooling::kSqrtn};

Bags random_bags(Random& random, size_t bags, size_t longest, uint64_t universe) {
  Bags result{.keys = {}, .offsets = {0}, .weights = {}};
  for (size_t bag = 0; bag < bags; ++bag) {
    const size_t n = random.one_in(5) ? 0 : random.between(0, longest);
    for (size_t i = 0; i < n; ++i) result.keys.push_back(random.below(universe));
    result.offsets.push_back(static_cast<uint32_t>(result.keys.size()));
  }
  return result;
}

std::vector<float> pooled(Table& table, const Bags& bags) {
  std::vector<float> out(bags.count() * table.options().dim, -77.0F);
  must(table.lookup_pooled(bags.batch(), out));
  return out;
}

/// sum of u w, divided as the pooling says, in float64.
std::vector<double> reference(Table& table, const Bags& bags) {
  const size_t dim = table.options().dim;
  const std::vector<float> rows = lookup(table, bags.keys);
  std::vector<double> out(bags.count() * dim, 0.0);
  for (size_t bag = 0; bag < bags.count(); ++bag) {
    double plain = 0;
    double squares = 0;
    for (size_t i = bags.offsets[bag]; i < bags.offsets[bag + 1]; ++i) {
      const double u = bags.weights.empty() ? 1.0 : bags.weights[i];
      plain += u;
      squares += u * u;
      for (size_t j = 0; j < dim; ++j) out[bag * dim + j] += u * rows[i * dim + j];
    }
    const double divisor = bags.pooling == Pooling::kSum    ? 1.0
                           : bags.pooling == Pooling::kMean ? plain
                                                            : std::sqrt(squares);
    for (size_t j = 0; j < dim; ++j) {
      out[bag * dim + j] = divisor == 0 ? 0.0 : out[bag * dim + j] / divisor;
    }
  }
  return out;
}

TEST(Pooled, EqualsTheFormulas) {
  const auto store = private_store();
  for (const uint32_t dim : {1U, 2U, 8U, 33U}) {
    const auto table =
        must(store->table("t" + std::to_string(dim), {.dim = dim, .initializer = uniform(1)}));
    Random random(dim);
    must(table->push(range(0, 50), random.reals(50 * dim)));
    for (const Pooling pooling : kPoolings) {
      for (const bool weighted : {false, true}) {
        Bags bags = random_bags(random, 60, 12, 80);
        bags.pooling = pooling;
        if (weighted) bags.weights = random.reals(bags.keys.size(), 0.1F, 2.0F);
        const std::vector<float> got = pooled(*table, bags);
        const std::vector<double> expected = reference(*table, bags);
        for (size_t i = 0; i < got.size(); ++i) ASSERT_NEAR(got[i], expected[i], 2e-5);
      }
    }
  }
}

TEST(Pooled, EqualsThePlainTwinBitForBit) {
  for (const uint32_t threads : {1U, 4U}) {
    const auto store = private_store(threads);
    for (const uint32_t dim : {1U, 3U, 16U}) {
      Twin twin(*store, {.dim = dim, .initializer = uniform(1)}, "t" + std::to_string(dim));
      Random random(dim);
      twin.push(range(0, 300), random.reals(300 * dim));
      for (const Pooling pooling : kPoolings) {
        // Small, longer than a chunk, and large enough for several threads.
        for (const size_t bags : {7U, 200U, 5000U}) {
          Bags batch = random_bags(random, bags, 12, 400);
          batch.pooling = pooling;
          twin.lookup_pooled(batch);
          batch.weights = random.reals(batch.keys.size(), -1.0F, 2.0F);
          twin.lookup_pooled(batch);
        }
      }
      twin.compare();
    }
  }
}

TEST(Pooled, EmptyBagsAndZeroDivisorsGiveZeros) {
  const auto store = private_store();
  const auto table = must(store->table(
      "t", {.dim = 2, .initializer = {.kind = InitializerKind::kConstant, .value = 3.0F}}));
  for (const Pooling pooling : kPoolings) {
    EXPECT_EQ(pooled(*table, {{}, {0, 0, 0}, {}, pooling}), std::vector<float>(4, 0.0F));
    EXPECT_EQ(pooled(*table, {{}, {0}, {}, pooling}), std::vector<float>());
    EXPECT_EQ(pooled(*table, {{1, 2}, {0, 2}, {0.0F, 0.0F}, pooling}), std::vector<float>(2, 0.0F));
  }
  EXPECT_EQ(pooled(*table, {{1, 2}, {0, 2}, {1.0F, -1.0F}, Pooling::kMean}),
            std::vector<float>(2, 0.0F));
  EXPECT_EQ(pooled(*table, {{1, 2}, {0, 0, 2, 2}, {}, Pooling::kMean}),
            (std::vector<float>{0, 0, 3, 3, 0, 0}));
}

TEST(Pooled, OneBagOfManyKeys) {
  const auto store = private_store(4);
  Twin twin(*store, {.dim = 4, .initializer = uniform(1)});
  Random random(5);
  Bags bags{random.keys(30000, 1000), {0, 30000}, {}, Pooling::kMean};
  twin.push_pooled(bags, random.reals(4));
  twin.lookup_pooled(bags);
  bags.weights = random.reals(30000);
  twin.push_pooled(bags, random.reals(4));
  twin.lookup_pooled(bags);
  twin.compare_state();
}

TEST(PushPooled, IsTheGradientOfTheLookup) {
  // d(pooled . g) / d(row) by central differences of the pooled lookup itself.
  const auto store = private_store();
  for (const Pooling pooling : kPoolings) {
    const auto table =
        must(store->table("t", {.dim = 1, .optimizer = optimizer(OptimizerKind::kSum)}));
    const Bags bags{{1, 2, 1, 3, 4}, {0, 3, 3, 5}, {0.5F, 2.0F, 1.0F, 1.5F, 0.25F}, pooling};
    const std::vector<float> g = {0.7F, 5.0F, -1.3F};
    const auto value = [&] {
      const std::vector<float> out = pooled(*table, bags);
      return double{g[0]} * out[0] + double{g[1]} * out[1] + double{g[2]} * out[2];
    };
    std::vector<double> expected;
    for (const uint64_t key : {1U, 2U, 3U, 4U}) {
      must(table->update(std::vector<uint64_t>{key}, std::vector<float>{1.0F}));
      const double above = value();
      must(table->update(std::vector<uint64_t>{key}, std::vector<float>{-1.0F}));
      expected.push_back((above - value()) / 2);
      must(table->update(std::vector<uint64_t>{key}, std::vector<float>{0.0F}));
    }
    must(table->push_pooled(bags.batch(), g));
    const std::vector<float> rows = lookup(*table, {1, 2, 3, 4});
    for (size_t i = 0; i < 4; ++i) EXPECT_NEAR(rows[i], expected[i], 1e-5) << "key " << i + 1;
    must(store->drop("t"));
  }
}

TEST(PushPooled, EqualsThePlainTwinBitForBit) {
  for (const uint32_t threads : {1U, 4U}) {
    const auto store = private_store(threads);
    for (const OptimizerOptions& options : every_optimizer()) {
      SCOPED_TRACE(testing::Message() << name_of(options.kind) << " threads " << threads);
      const uint32_t dim = options.kind == OptimizerKind::kAdam ? 1 : 17;
      Twin twin(*store, {.dim = dim, .optimizer = options, .initializer = uniform(1)});
      Random random(dim);
      for (const Pooling pooling : kPoolings) {
        for (const size_t bags : {0U, 5U, 3000U}) {
          Bags batch = random_bags(random, bags, 8, 200);
          batch.pooling = pooling;
          twin.push_pooled(batch, random.reals(bags * dim));
          batch.weights = random.reals(batch.keys.size(), -1.0F, 2.0F);
          twin.push_pooled(batch, random.reals(bags * dim));
        }
      }
      twin.compare_state();
      must(store->drop("t"));
    }
  }
}

// A key that comes scaled first and unscaled later keeps both gradients, whatever its row's length.
TEST(PushPooled, ScaledThenUnscaledGradientsOfOneKey) {
  const auto store = private_store();
  for (const uint32_t dim : {1U, 16U, 17U, 64U}) {
    Twin twin(*store, sum_table(dim));
    twin.push_pooled({{9, 9, 9}, {0, 3}, {2.0F, 1.0F, 3.0F}}, std::vector<float>(dim, 1.0F));
    EXPECT_EQ(lookup(twin.table(), {9}), std::vector<float>(dim, 6.0F)) << "dim " << dim;
    twin.push_pooled({{9, 9}, {0, 2}, {1.0F, 2.0F}}, std::vector<float>(dim, 1.0F));
    EXPECT_EQ(lookup(twin.table(), {9}), std::vector<float>(dim, 9.0F)) << "dim " << dim;
    must(store->drop("t"));
  }
}

TEST(PushPooled, NoBagsAndEmptyBags) {
  const auto store = private_store();
  Twin twin(*store, {.dim = 3});
  for (int again = 0; again < 2; ++again) {
    twin.push_pooled({{}, {0}, {}, Pooling::kMean}, {});
    twin.push_pooled({{}, {0, 0, 0}, {}, Pooling::kMean}, std::vector<float>(6, 1.0F));
    twin.push_pooled({{9}, {0, 0, 1, 1}, {}, Pooling::kSqrtn}, std::vector<float>(9, 1.0F));
  }
  twin.compare_state({1, 2});
}

TEST(PushPooled, AZeroDivisorPushesNothingOfItsBag) {
  const auto store = private_store();
  const auto table = must(store->table("t", sum_table(1)));
  const Bags bags{{1, 2, 3}, {0, 2, 3}, {1.0F, -1.0F, 2.0F}, Pooling::kMean};
  must(table->push_pooled(bags.batch(), std::vector<float>{5.0F, 7.0F}));
  EXPECT_EQ(lookup(*table, {1, 2, 3}), (std::vector<float>{0, 0, 7}));
}

}  // namespace
}  // namespace hotrow::test
