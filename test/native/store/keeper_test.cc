// The keeper: rows go by age and ahead of need without anybody's call, within its share of a core.
#include <gtest/gtest.h>

#include <chrono>
#include <thread>

#include "support/comes_true.h"
#include "support/stores.h"

namespace hotrow::test {
namespace {

using std::chrono::milliseconds;
using std::chrono::steady_clock;

TEST(Keeper, ExpiredRowsGoByThemselves) {
  const auto store = private_store();
  TableOptions options = sum_table(2);
  options.eviction = {.policy = EvictionPolicy::kTtl, .ttl_ms = 300};
  const auto table = must(store->table("t", options));
  must(table->push(range(0, 5000), std::vector<float>(10'000, 1.0F)));
  EXPECT_EQ(stats_of(*table).rows, 5000U);
  EXPECT_TRUE(comes_true([&] { return stats_of(*table).rows == 0; }));
  EXPECT_EQ(stats_of(*table).evicted_expired, 5000U);
}

TEST(Keeper, RowsInUseStay) {
  const auto store = private_store();
  TableOptions options = sum_table(2);
  options.eviction = {.policy = EvictionPolicy::kLru, .ttl_ms = 2000};
  const auto table = must(store->table("t", options));
  must(table->push(range(0, 200), std::vector<float>(400, 1.0F)));
  EXPECT_TRUE(comes_true([&] {
    (void)lookup(*table, range(0, 100));
    return stats_of(*table).rows == 100;
  }));
  EXPECT_EQ(lookup(*table, {0}), (std::vector<float>{1, 1}));
}

TEST(Keeper, KeepsRowsFreeAheadOfNeed) {
  const auto store = private_store();
  TableOptions options = sum_table(2);
  options.eviction = {.policy = EvictionPolicy::kLru, .max_rows = 3200, .background = true};
  const auto table = must(store->table("t", options));
  must(table->push(range(0, 3200), std::vector<float>(6400, 1.0F)));
  EXPECT_TRUE(comes_true([&] { return stats_of(*table).rows == 3100; }));
}

TEST(Keeper, ClosingAndDroppingEndItsWork) {
  for (int i = 0; i < 20; ++i) {
    const auto store = private_store();
    TableOptions options = sum_table(2);
    options.eviction = {.policy = EvictionPolicy::kTtl, .ttl_ms = 1};
    const auto a = must(store->table("a", options));
    const auto b = must(store->table("b", options));
    must(a->push(range(0, 2000), std::vector<float>(4000, 1.0F)));
    must(b->push(range(0, 2000), std::vector<float>(4000, 1.0F)));
    must(store->drop("a"));
    EXPECT_TRUE(fails(a->push(range(0, 1), std::vector<float>(2)), StatusCode::kClosed));
    store->close();
    EXPECT_TRUE(fails(b->push(range(0, 1), std::vector<float>(2)), StatusCode::kClosed));
  }
}

TEST(Keeper, ItsShareIsChecked) {
  for (const float share : {0.0F, -1.0F, 1.5F}) {
    EXPECT_TRUE(fails(Store::open(":memory:", {.background_share = share}).status(),
                      StatusCode::kInvalidArgument, "backgroundShare"));
  }
}

}  // namespace
}  // namespace hotrow::test
