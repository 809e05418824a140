// Groups of slots and rates of single pushes: which rows they change, and how.
#include <gtest/gtest.h>

#include <limits>
#include <vector>

#include "hotrow/keys.h"
#include "model/twin.h"
#include "support/random.h"
#include "support/reference_optimizer.h"
#include "support/stores.h"

namespace hotrow::test {
namespace {

/// Slots 0 to 2 learn at half the rate, slot 5 does not learn, the last slots forget.
std::vector<OptimizerGroup> some_groups() {
  return {{.first_slot = kMaxSlot - 9, .last_slot = kMaxSlot, .weight_decay = 0.5F},
          {.first_slot = 0, .last_slot = 2, .rate_scale = 0.5F},
          {.first_slot = 5, .last_slot = 5, .frozen = true}};
}

std::vector<uint64_t> keys_in_slots(Random& random, size_t n) {
  constexpr uint32_t kSlots[] = {0, 1, 2, 3, 5, 6, kMaxSlot - 10, kMaxSlot - 9, kMaxSlot};
  std::vector<uint64_t> keys(n);
  for (uint64_t& key : keys) {
    key = slot_key(kSlots[random.below(std::size(kSlots))], random.below(6));
  }
  return keys;
}

TEST(Groups, EveryRuleEqualsThePlainTable) {
  for (const uint32_t threads : {1U, 4U}) {
    const auto store = private_store(threads);
    for (const OptimizerOptions& options : every_optimizer()) {
      if (options.kind == OptimizerKind::kSum) continue;
      SCOPED_TRACE(testing::Message() << describe(options) << " threads " << threads);
      Twin twin(
          *store,
          {.dim = 5, .optimizer = options, .initializer = uniform(1), .groups = some_groups()});
      Random random(3);
      for (int push = 0; push < 6; ++push) {
        // Enough for several threads in the last one; duplicates in all of them.
        const std::vector<uint64_t> keys = keys_in_slots(random, push == 5 ? 9000 : 40);
        const PushOptions rate{.learning_rate = push % 2 == 0 ? 0 : random.real(0.01F, 0.3F)};
        twin.push(keys, random.reals(keys.size() * 5), rate);
        const Bags bags{.keys = {keys[0], keys[1], keys[0]}, .offsets = {0, 2, 3}, .weights = {}};
        twin.push_pooled(bags, random.reals(2 * 5), rate);
      }
      twin.compare_state({slot_key(5, 77), slot_key(0, 77)});
      must(store->drop("t"));
    }
  }
}

/// Equal pushes to a key in a group and to a key elsewhere, in float64 with the group's settings.
void compare_with_float64(const OptimizerOptions& options) {
  SCOPED_TRACE(describe(options));
  const auto store = private_store();
  const auto table =
      must(store->table("t", {.dim = 3,
                              .optimizer = options,
                              .initializer = {.kind = InitializerKind::kConstant, .value = 0.5F},
                              .groups = some_groups()}));
  OptimizerOptions slow = options;
  slow.learning_rate *= 0.5F;
  OptimizerOptions forgetful = options;
  forgetful.weight_decay = 0.5F;
  const std::vector<float> start(3, 0.5F);
  std::vector<ReferenceRow> references;
  for (const OptimizerOptions& each : {options, slow, forgetful}) {
    references.emplace_back(each, start);
  }
  const std::vector<uint64_t> keys = {slot_key(9, 1), slot_key(1, 1), slot_key(kMaxSlot, 1)};
  Random random(8);
  for (uint64_t t = 1; t <= 12; ++t) {
    const std::vector<float> g = random.reals(3);
    std::vector<float> gradients;
    for (size_t i = 0; i < keys.size(); ++i) gradients.insert(gradients.end(), g.begin(), g.end());
    must(table->push(keys, gradients));
    for (ReferenceRow& reference : references) reference.step(g, t);
    const std::vector<float> rows = lookup(*table, keys);
    for (size_t i = 0; i < rows.size(); ++i) {
      ASSERT_NEAR(rows[i], references[i / 3].w[i % 3], 2e-5) << "value " << i << " push " << t;
    }
  }
}

TEST(Groups, ComeCloseToFloat64) {
  for (const OptimizerOptions& options : every_optimizer()) {
    if (options.kind != OptimizerKind::kSum) compare_with_float64(options);
  }
}

TEST(Groups, AFrozenRowIsMadeAndStays) {
  const auto store = private_store();
  for (const OptimizerOptions& options : every_optimizer()) {
    SCOPED_TRACE(name_of(options.kind));
    const auto table =
        must(store->table("t", {.dim = 2,
                                .optimizer = options,
                                .initializer = uniform(1),
                                .groups = {{.first_slot = 5, .last_slot = 5, .frozen = true}}}));
    const std::vector<uint64_t> keys = {slot_key(5, 1), slot_key(4, 1)};
    const std::vector<float> before = lookup(*table, keys);
    must(table->push(keys, std::vector<float>{7, -8, 7, -8}));
    const std::vector<float> after = lookup(*table, keys);
    EXPECT_TRUE(same_bits(std::span(after).first(2), std::span(before).first(2)));
    EXPECT_NE(after[2], before[2]);
    EXPECT_EQ(stats_of(*table).created, 2U);
    EXPECT_EQ(stats_of(*table).pushes, 2U);
    must(table->update(std::vector<uint64_t>{keys[0]}, std::vector<float>{3, 4}));
    must(table->push(keys, std::vector<float>{7, -8, 7, -8}));
    EXPECT_EQ(lookup(*table, {keys[0]}), (std::vector<float>{3, 4})) << "assigned, then kept";
    EXPECT_EQ(must(table->erase(std::vector<uint64_t>{keys[0]})), 1U);
    must(store->drop("t"));
  }
}

TEST(Groups, APushOfFrozenRowsIsAStep) {
  const auto store = private_store();
  const OptimizerOptions adam = every_optimizer()[3];
  Twin twin(*store, {.dim = 1, .optimizer = adam, .groups = some_groups()});
  twin.push({slot_key(5, 1)}, {1});
  twin.push({slot_key(4, 1)}, {1});  // t is 2
  twin.compare_state();
}

TEST(Groups, OthersAreAConflictThatIsNamed) {
  const auto store = private_store();
  TableOptions options{.dim = 1, .seed = 1, .groups = some_groups()};
  must(store->table("t", options));
  EXPECT_TRUE(ok(store->table("t", options)));
  options.groups[0].frozen = true;
  EXPECT_TRUE(fails(store->table("t", options), StatusCode::kConflict, "other options: groups"));
  options.groups.clear();
  EXPECT_TRUE(fails(store->table("t", options), StatusCode::kConflict, "other options: groups"));
}

TEST(Groups, WrongOnesMakeNoTable) {
  const auto store = private_store();
  const TableOptions options{.dim = 1, .groups = {{.first_slot = 2, .last_slot = 1}}};
  EXPECT_TRUE(fails(store->table("t", options), kInvalid, "groups[0]: expected firstSlot"));
  EXPECT_TRUE(must(store->list()).empty());
}

TEST(PushRate, IsThatOfThePushAlone) {
  const auto store = private_store();
  const auto table =
      must(store->table("t", {.dim = 1, .optimizer = optimizer(OptimizerKind::kSgd, 0.5F)}));
  const std::vector<uint64_t> key = {1};
  const std::vector<float> one = {1};
  must(table->push(key, one));
  must(table->push(key, one, {.learning_rate = 0.25F}));
  must(table->push(key, one, {.learning_rate = 0}));
  EXPECT_EQ(lookup(*table, key), std::vector<float>{-1.25F});
  const Bags bag{.keys = {1, 1}, .offsets = {0, 2}, .weights = {}};
  must(table->push_pooled(bag.batch(), one, {.learning_rate = 2}));
  EXPECT_EQ(lookup(*table, key), std::vector<float>{-5.25F});
  // An assignment in between takes the same plan from the idle ones.
  must(table->update(key, one));
  must(table->push(key, one));
  EXPECT_EQ(lookup(*table, key), std::vector<float>{0.5F});
}

TEST(PushRate, EveryTableOfACallHasItsOwn) {
  const auto store = private_store();
  const TableOptions options{.dim = 1, .optimizer = optimizer(OptimizerKind::kSgd, 0.5F)};
  const auto a = must(store->table("a", options));
  const auto b = must(store->table("b", options));
  const std::vector<uint64_t> key = {1};
  const std::vector<float> one = {1};
  const std::vector<TablePush> pushes = {{a.get(), key, one, {.learning_rate = 4}},
                                         {b.get(), key, one}};
  must(store->push_all(pushes));
  EXPECT_EQ(lookup(*a, key), std::vector<float>{-4});
  EXPECT_EQ(lookup(*b, key), std::vector<float>{-0.5F});
}

TEST(PushRate, WrongOnesChangeNothing) {
  const auto store = private_store();
  Twin twin(*store, {.dim = 1, .optimizer = every_optimizer()[3], .groups = some_groups()});
  twin.push({1, slot_key(5, 1)}, {1, 1});
  const auto other = must(store->table("other", {.dim = 1}));
  const std::vector<uint64_t> key = {1};
  const std::vector<float> one = {1};
  const Bags bag{.keys = {1}, .offsets = {0, 1}, .weights = {}};
  constexpr float kInf = std::numeric_limits<float>::infinity();
  for (const float rate : {-1.0F, kInf, std::numeric_limits<float>::quiet_NaN(), 1e-45F}) {
    const PushOptions wrong{.learning_rate = rate};
    const char* const message = "learningRate: expected";
    EXPECT_TRUE(fails(twin.table().push(key, one, wrong), kInvalid, message));
    EXPECT_TRUE(fails(twin.table().push_pooled(bag.batch(), one, wrong), kInvalid, message));
    const std::vector<TablePush> pushes = {{other.get(), key, one},
                                           {&twin.table(), key, one, wrong}};
    EXPECT_TRUE(fails(store->push_all(pushes), kInvalid, message));
  }
  EXPECT_EQ(stats_of(*other).rows, 0U);
  twin.compare_state();
}

TEST(PushRate, ARuleWithoutARateIgnoresIt) {
  const auto store = private_store();
  const auto table = must(store->table("t", sum_table(1)));
  must(table->push(std::vector<uint64_t>{1}, std::vector<float>{3}, {.learning_rate = 7}));
  EXPECT_EQ(lookup(*table, {1}), std::vector<float>{3});
}

}  // namespace
}  // namespace hotrow::test
