// lookup_all and push_all: several tables in one call, all or none.
#include <gtest/gtest.h>

#include <limits>
#include <vector>

#include "model/twin.h"
#include "support/random.h"
#include "support/stores.h"

namespace hotrow::test {
namespace {

class Batches : public testing::Test {
 protected:
  Batches()
      : store_(private_store(2)),
        a_(*store_, {.dim = 2, .optimizer = every_optimizer()[3], .initializer = uniform(1)}, "a"),
        b_(*store_, {.dim = 3, .optimizer = every_optimizer()[1], .initializer = uniform(1)}, "b") {
    a_.push({1, 2}, {1, 2, 3, 4});
    b_.push({1, 5}, {1, 2, 3, 4, 5, 6});
  }
  void expect_unchanged() {
    a_.compare_state({3, 9});
    b_.compare_state({3, 9});
  }

  std::shared_ptr<Store> store_;
  Twin a_;
  Twin b_;
  const std::vector<uint64_t> keys_ = {1, 3, 1};
  const std::vector<float> to_a_ = Random(1).reals(6);
  const std::vector<float> to_b_ = Random(2).reals(9);
};

TEST_F(Batches, NothingAsked) {
  EXPECT_TRUE(ok(store_->push_all({})));
  EXPECT_TRUE(ok(store_->lookup_all({})));
  expect_unchanged();
}

TEST_F(Batches, PushAllEqualsSinglePushes) {
  const TablePush pushes[] = {{&a_.table(), keys_, to_a_}, {&b_.table(), keys_, to_b_}};
  EXPECT_TRUE(ok(store_->push_all(pushes)));
  EXPECT_TRUE(a_.plain().push(keys_, to_a_));
  EXPECT_TRUE(b_.plain().push(keys_, to_b_));
  expect_unchanged();
}

TEST_F(Batches, LookupAllEqualsSingleLookups) {
  std::vector<float> from_a(6);
  std::vector<float> from_b(9);
  const TableLookup lookups[] = {{&a_.table(), keys_, from_a}, {&b_.table(), keys_, from_b}};
  EXPECT_TRUE(ok(store_->lookup_all(lookups)));
  EXPECT_TRUE(same_bits(from_a, a_.plain().lookup(keys_)));
  EXPECT_TRUE(same_bits(from_b, b_.plain().lookup(keys_)));
}

TEST_F(Batches, LookupAllTakesOneTableTwice) {
  std::vector<float> first(2);
  std::vector<float> second(2);
  const std::vector<uint64_t> one = {1};
  const std::vector<uint64_t> two = {2};
  const TableLookup lookups[] = {{&a_.table(), one, first}, {&a_.table(), two, second}};
  EXPECT_TRUE(ok(store_->lookup_all(lookups)));
  EXPECT_TRUE(same_bits(first, a_.plain().lookup(one)));
  EXPECT_TRUE(same_bits(second, a_.plain().lookup(two)));
}

TEST_F(Batches, WrongSizesPushNothing) {
  const std::vector<float> wrong(8, 1.0F);
  const TablePush pushes[] = {{&a_.table(), keys_, to_a_}, {&b_.table(), keys_, wrong}};
  EXPECT_TRUE(fails(store_->push_all(pushes), kInvalid, "expected 9 values"));
  std::vector<float> from_a(6, 5.0F);
  std::vector<float> short_b(8, 5.0F);
  const TableLookup lookups[] = {{&a_.table(), keys_, from_a}, {&b_.table(), keys_, short_b}};
  EXPECT_TRUE(fails(store_->lookup_all(lookups), kInvalid, "expected 9 values"));
  EXPECT_EQ(from_a, std::vector<float>(6, 5.0F)) << "checked before anything is read";
  expect_unchanged();
}

TEST_F(Batches, NonFiniteGradientsPushNothing) {
  std::vector<float> bad = to_b_;
  bad[8] = std::numeric_limits<float>::quiet_NaN();
  const TablePush pushes[] = {{&a_.table(), keys_, to_a_}, {&b_.table(), keys_, bad}};
  EXPECT_TRUE(fails(store_->push_all(pushes), kInvalid, "finite"));
  expect_unchanged();
}

TEST_F(Batches, ATableMayAppearOnceInAPush) {
  const TablePush pushes[] = {{&a_.table(), keys_, to_a_}, {&a_.table(), keys_, to_a_}};
  EXPECT_TRUE(fails(store_->push_all(pushes), kInvalid, "requests[1]"));
  expect_unchanged();
}

TEST_F(Batches, OnlyTablesOfThisStore) {
  const auto other = private_store();
  const auto foreign = must(other->table("a", {.dim = 2}));
  std::vector<float> rows(6);
  for (Table* const table : {foreign.get(), static_cast<Table*>(nullptr)}) {
    const TablePush pushes[] = {{&a_.table(), keys_, to_a_}, {table, keys_, to_a_}};
    EXPECT_TRUE(fails(store_->push_all(pushes), kInvalid, "requests[1]"));
    const TableLookup lookups[] = {{table, keys_, rows}};
    EXPECT_TRUE(fails(store_->lookup_all(lookups), kInvalid, "requests[0]"));
  }
  EXPECT_EQ(stats_of(*foreign).rows, 0U);
  expect_unchanged();
}

TEST_F(Batches, ADroppedTablePushesNothing) {
  const auto gone = must(store_->table("gone", {.dim = 2}));
  must(store_->drop("gone"));
  const TablePush pushes[] = {{&a_.table(), keys_, to_a_}, {gone.get(), keys_, to_a_}};
  EXPECT_TRUE(fails(store_->push_all(pushes), StatusCode::kClosed, "'gone'"));
  expect_unchanged();
}

TEST(PushAll, AFullStorePushesNothing) {
  const auto store = private_store(2, 16 * kMiB);
  Twin a(*store, {.dim = 16, .optimizer = every_optimizer()[3], .initializer = uniform(1)}, "a");
  Twin b(*store, {.dim = 400, .optimizer = every_optimizer()[1], .initializer = uniform(1)}, "b");
  Random random(1);
  bool refused = false;
  for (uint64_t first = 0; !refused; first += 300) {
    ASSERT_LT(first, 20000U) << "never full";
    const std::vector<uint64_t> keys = range(first, 300);
    const std::vector<float> to_a = random.reals(300 * 16);
    const std::vector<float> to_b = random.reals(300 * 400);
    // The table that does not fit comes last: what came before it must be undone.
    const TablePush pushes[] = {{&a.table(), keys, to_a}, {&b.table(), keys, to_b}};
    const Status status = store->push_all(pushes);
    ASSERT_LE(stats_of(*store).memory_used_bytes, 16 * kMiB);
    refused = !status.ok();
    if (refused) {
      EXPECT_TRUE(fails(status, StatusCode::kCapacity));
      a.compare(keys);
      b.compare(keys);
    } else {
      ASSERT_TRUE(a.plain().push(keys, to_a));
      ASSERT_TRUE(b.plain().push(keys, to_b));
    }
  }
  a.compare_state();
  b.compare_state();
}

}  // namespace
}  // namespace hotrow::test
