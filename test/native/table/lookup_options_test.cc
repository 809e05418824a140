// What a lookup may be asked for beside rows: who was found, other answers, strides, copies, state.
#include <gtest/gtest.h>

#include <cmath>

#include "support/bits.h"
#include "support/tables.h"

namespace hotrow::test {
namespace {

TEST(LookupOptions, FoundIsABitAKey) {
  const LoneTable table(sum_table(3));
  table.push({1, 3, 9});
  const std::vector<uint64_t> keys = {0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 1};
  std::vector<float> rows(keys.size() * 3);
  std::vector<uint8_t> found(2, 0xff);
  must(table->lookup(keys, rows, {.found = found}));
  EXPECT_EQ(found[0], 0b00001010);
  EXPECT_EQ(found[1], 0b00000110) << "bits past the keys are cleared";
  std::vector<uint8_t> longer(3);
  EXPECT_TRUE(fails(table->lookup(keys, rows, {.found = longer}), StatusCode::kInvalidArgument,
                    "found: expected 2 bytes"));
}

TEST(LookupOptions, FoundInBatchesThatRepeatThemselves) {
  const LoneTable table(sum_table(2), 4);
  table.push(range(0, 100));
  std::vector<uint64_t> keys(60'000);
  for (size_t i = 0; i < keys.size(); ++i) keys[i] = i % 200;
  table.push(keys);  // the table learns that batches repeat themselves
  must(table->erase(range(100, 100)));
  std::vector<float> rows(keys.size() * 2);
  std::vector<uint8_t> found((keys.size() + 7) / 8);
  must(table->lookup(keys, rows, {.found = found}));
  for (size_t i = 0; i < keys.size(); ++i) {
    ASSERT_EQ(found[i / 8] >> (i % 8) & 1, keys[i] < 100 ? 1 : 0) << i;
  }
}

TEST(LookupOptions, MissingKeysMayGiveAnotherValue) {
  TableOptions options{.dim = 4, .initializer = uniform(1)};
  const LoneTable table(options);
  must(table->update(std::vector<uint64_t>{5}, std::vector<float>(4, 2.0F)));
  std::vector<float> rows(8);
  must(table->lookup(std::vector<uint64_t>{5, 6}, rows, {.missing = -1.5F}));
  EXPECT_EQ(rows, (std::vector<float>{2, 2, 2, 2, -1.5, -1.5, -1.5, -1.5}));
  EXPECT_TRUE(fails(table->lookup(std::vector<uint64_t>{5, 6}, rows, {.missing = NAN}),
                    StatusCode::kInvalidArgument, "missing"));
}

TEST(LookupOptions, RelaxedReadsGiveRows) {
  const LoneTable table(sum_table(8));
  table.push(range(0, 1000), 3);
  std::vector<float> rows(1000 * 8);
  must(table->lookup(range(0, 1000), rows, {.relaxed = true}));
  EXPECT_EQ(rows, std::vector<float>(rows.size(), 3.0F));
}

TEST(LookupOptions, SeveralTablesFillOneOutput) {
  const auto store = private_store();
  const auto users = must(store->table("user", sum_table(2)));
  const auto items = must(store->table("item", sum_table(3)));
  must(users->push(range(0, 2), std::vector<float>{1, 2, 3, 4}));
  must(
      items->push(range(0, 4), std::vector<float>{10, 11, 12, 20, 21, 22, 30, 31, 32, 40, 41, 42}));
  // Two users, two items each: [4, 1 + 2 + 3], the first column the trainer's own.
  std::vector<float> out(4 * 6, 7.0F);
  const std::span<float> all(out);
  const std::vector<uint64_t> user_keys = range(0, 2);
  const std::vector<uint64_t> item_keys = range(0, 4);
  must(store->lookup_all(std::vector<TableLookup>{
      {.table = users.get(), .keys = user_keys, .rows = all.subspan(1), .stride = 6, .repeat = 2},
      {.table = items.get(), .keys = item_keys, .rows = all.subspan(3), .stride = 6}}));
  EXPECT_EQ(out, (std::vector<float>{7, 1, 2, 10, 11, 12,  //
                                     7, 1, 2, 20, 21, 22,  //
                                     7, 3, 4, 30, 31, 32,  //
                                     7, 3, 4, 40, 41, 42}));
}

TEST(LookupOptions, StridesInBatchesThatRepeatThemselves) {
  const LoneTable table(sum_table(2), 4);
  std::vector<uint64_t> keys(50'000);
  for (size_t i = 0; i < keys.size(); ++i) keys[i] = i % 300;
  table.push(keys);
  std::vector<float> plain(keys.size() * 2);
  must(table->lookup(keys, plain));
  std::vector<float> strided(keys.size() * 5, -1.0F);
  must(
      table->lookup_into({.table = table.table.get(), .keys = keys, .rows = strided, .stride = 5}));
  for (size_t i = 0; i < keys.size(); ++i) {
    ASSERT_EQ(strided[i * 5], plain[i * 2]);
    ASSERT_EQ(strided[i * 5 + 1], plain[i * 2 + 1]);
    ASSERT_EQ(strided[i * 5 + 2], -1.0F) << "nothing between the rows is written";
  }
}

TEST(LookupOptions, WrongShapesAreNamed) {
  const auto store = private_store();
  const auto table = must(store->table("t", sum_table(4)));
  const std::vector<uint64_t> keys = range(0, 3);
  std::vector<float> out(100);
  const auto wrong = [&](TableLookup lookup, const char* what) {
    lookup.table = table.get();
    lookup.keys = keys;
    return fails(store->lookup_all({&lookup, 1}), StatusCode::kInvalidArgument, what);
  };
  EXPECT_TRUE(wrong({.rows = out, .stride = 3}, "stride"));
  EXPECT_TRUE(wrong({.rows = std::span(out).first(11)}, "rows: expected 12"));
  EXPECT_TRUE(wrong({.rows = std::span(out).first(13)}, "rows: expected 12"));
  EXPECT_TRUE(wrong({.rows = std::span(out).first(23), .stride = 10}, "at least 24"));
  EXPECT_TRUE(wrong({.rows = out, .stride = 10, .repeat = 0}, "repeat"));
  EXPECT_TRUE(wrong({.rows = std::span(out).first(23), .repeat = 2}, "at least 24"));
}

TEST(LookupOptions, OutputsThatOverlapAreRefused) {
  const auto store = private_store();
  const auto a = must(store->table("a", sum_table(2)));
  const auto b = must(store->table("b", sum_table(2)));
  const std::vector<uint64_t> keys = range(0, 5);
  std::vector<float> out(5 * 4);
  const std::span<float> all(out);
  const auto both = [&](size_t first, size_t second) {
    return store->lookup_all(std::vector<TableLookup>{
        {.table = a.get(), .keys = keys, .rows = all.subspan(first), .stride = 4},
        {.table = b.get(), .keys = keys, .rows = all.subspan(second), .stride = 4}});
  };
  must(both(0, 2));
  must(both(2, 0));
  EXPECT_TRUE(fails(both(0, 1), StatusCode::kInvalidArgument, "overlap"));
  EXPECT_TRUE(fails(both(0, 0), StatusCode::kInvalidArgument, "overlap"));
}

TEST(LookupState, GivesTheOptimizersState) {
  TableOptions options{.dim = 2, .optimizer = optimizer(OptimizerKind::kAdagrad)};
  options.optimizer.initial_accumulator = 0.5F;
  const LoneTable table(options);
  EXPECT_EQ(table->state_values(), 2U);
  must(table->push(std::vector<uint64_t>{1}, std::vector<float>{2, 3}));
  std::vector<float> state(4);
  uint8_t found = 0;
  must(table->lookup_state(std::vector<uint64_t>{1, 2}, state, {.found = {&found, 1}}));
  EXPECT_EQ(state, (std::vector<float>{4.5, 9.5, 0.5, 0.5}));
  EXPECT_EQ(found, 1);
  EXPECT_TRUE(fails(table->lookup_state(std::vector<uint64_t>{1}, state, {}),
                    StatusCode::kInvalidArgument, "state: expected 2"));
  const LoneTable none(sum_table(2));
  EXPECT_EQ(none->state_values(), 0U);
  must(none->lookup_state(std::vector<uint64_t>{1}, {}, {}));
}

}  // namespace
}  // namespace hotrow::test
