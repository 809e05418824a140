// The Nth allocation of a call fails: the call reports it, throws nothing, and has changed nothing;
// afterwards everything works (guarantees E1 and E9).
#include <gtest/gtest.h>

#include <functional>
#include <new>
#include <vector>

#include "model/twin.h"
#include "support/failing_new.h"
#include "support/random.h"
#include "support/scale.h"
#include "support/stores.h"

namespace hotrow::test {
namespace {

/// One store with a table and its twin, and rows in both.
struct World {
  World() : store(private_store()), twin(*store, options(), "t") {
    twin.push(range(0, 200), Random(1).reals(200 * 5));
  }
  static TableOptions options() {
    return {.dim = 5, .optimizer = every_optimizer()[3], .initializer = uniform(1)};
  }

  std::shared_ptr<Store> store;
  Twin twin;
};

/// What the core gets to do, and what its twin does when that succeeded.
struct Operation {
  std::function<Status(World&)> core;
  std::function<void(World&)> plain;
};

/// Fails every allocation of the operation, one run each.
void fail_each_allocation(const Operation& operation) {
  for (uint64_t nth = 0;; ++nth) {
    ASSERT_LT(nth, 5000U) << "the call never ends to allocate";
    World world;
    Status status;
    bool threw = false;
    bool fired = false;
    {
      const FailingAllocation failing(nth);
      try {
        status = operation.core(world);
      } catch (const std::bad_alloc&) {
        threw = true;
      }
      fired = FailingAllocation::fired();
    }
    ASSERT_FALSE(threw) << "allocation " << nth << " throws across the API";
    if (status.ok()) {
      operation.plain(world);
    } else {
      ASSERT_TRUE(fails(status, StatusCode::kCapacity)) << "allocation " << nth;
    }
    world.twin.compare_state(range(190, 400));
    ASSERT_FALSE(testing::Test::HasFailure()) << "allocation " << nth;
    if (!fired) return;
  }
}

// Enough keys for shards to grow. All made before anything fails.
constexpr uint32_t kCount = kSlowdown > 1 ? 600 : 3000;
const std::vector<uint64_t> kKeys = Random(2).keys(kCount, kCount * 2);
const std::vector<float> kRows = Random(3).reals(kCount * 5);
const Bags kBags{kKeys, {0, 10, 10, kCount}, Random(4).reals(kCount), Pooling::kMean};
const std::vector<float> kBagRows = Random(5).reals(15);
const DenseOptions kDense{.shape = {30, 30}};

TEST(FailedAllocation, Push) {
  fail_each_allocation({[](World& world) { return world.twin.table().push(kKeys, kRows); },
                        [](World& world) { EXPECT_TRUE(world.twin.plain().push(kKeys, kRows)); }});
}

TEST(FailedAllocation, PushPooled) {
  fail_each_allocation(
      {[](World& world) { return world.twin.table().push_pooled(kBags.batch(), kBagRows); },
       [](World& world) { EXPECT_TRUE(world.twin.plain().push_pooled(kBags.batch(), kBagRows)); }});
}

TEST(FailedAllocation, Update) {
  fail_each_allocation(
      {[](World& world) { return world.twin.table().update(kKeys, kRows); },
       [](World& world) { EXPECT_TRUE(world.twin.plain().update(kKeys, kRows)); }});
}

TEST(FailedAllocation, Erase) {
  fail_each_allocation({[](World& world) { return world.twin.table().erase(kKeys).status(); },
                        [](World& world) { world.twin.plain().erase(kKeys); }});
}

TEST(FailedAllocation, Lookup) {
  std::vector<float> out(kCount * 5);
  fail_each_allocation({[&](World& world) { return world.twin.table().lookup(kKeys, out); },
                        [](World& world) { (void)world.twin.plain().lookup(kKeys); }});
}

TEST(FailedAllocation, LookupPooled) {
  std::vector<float> out(3 * 5);
  fail_each_allocation(
      {[&](World& world) { return world.twin.table().lookup_pooled(kBags.batch(), out); },
       [](World& world) { (void)world.twin.plain().lookup_pooled(kBags.batch()); }});
}

TEST(FailedAllocation, OpeningTablesAndParameters) {
  const auto nothing = [](World&) {};
  fail_each_allocation(
      {[](World& world) { return world.store->table("another", {.dim = 3}).status(); }, nothing});
  fail_each_allocation(
      {[](World& world) { return world.store->dense("another", kDense).status(); }, nothing});
}

TEST(FailedAllocation, OpeningAStore) {
  fail_each_allocation(
      {[](World&) { return Store::open(":memory:other", {}).status(); }, [](World&) {}});
}

}  // namespace
}  // namespace hotrow::test
