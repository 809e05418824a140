// Rows on a device that somebody waits for or keeps: batches that are prefetched, and outputs that
// stay there. The device is a model of plain maps (fake_tier.h).
#include <gtest/gtest.h>

#include <memory>
#include <vector>

#include "hotrow/device_rows.h"
#include "store/device_stores.h"
#include "store/fake_tier.h"
#include "support/status.h"
#include "support/stores.h"

namespace hotrow::test {
namespace {

/// A store whose device holds up to 16 rows of table "t", which has those of keys below 40.
class Prefetching : public ::testing::Test {
 protected:
  Prefetching()
      : store_(must(Store::open(":memory:", with_device()))),
        table_(must(store_->table("t", sum_table(1)))) {
    must(table_->push(range(0, 40), std::vector<float>(40, 1)));
  }

  uint64_t held() { return device_of(*store_).held_rows; }
  /// How many of these are on the device.
  uint64_t hits_of(const std::vector<uint64_t>& keys) {
    const uint64_t before = device_of(*store_).hits;
    lookup(*table_, keys);
    return device_of(*store_).hits - before;
  }
  /// Everything else is asked for, often.
  void crowd() {
    for (int i = 0; i < 20; ++i) lookup(*table_, range(16, 24));
  }

  const FakeDevice device_;
  const std::shared_ptr<Store> store_;
  const std::shared_ptr<Table> table_;
};

TEST_F(Prefetching, ABatchThatWasBroughtHasNoMissUntilItsPush) {
  std::vector<uint64_t> keys = range(0, 6);
  crowd();
  EXPECT_LT(hits_of(keys), keys.size());
  keys.push_back(3);    // twice
  keys.push_back(900);  // has no row
  EXPECT_EQ(must(table_->prefetch(keys)), 6U);
  EXPECT_EQ(held(), 6U);
  crowd();
  keys.pop_back();
  EXPECT_EQ(hits_of(keys), keys.size());
  EXPECT_EQ(hits_of(keys), keys.size());
  must(table_->push(range(0, 4), std::vector<float>(4, 1)));
  EXPECT_EQ(held(), 2U);
  EXPECT_EQ(lookup(*table_, range(0, 5)), (std::vector<float>{2, 2, 2, 2, 1}));
}

TEST_F(Prefetching, RowsOfTwoBatchesAreHeldTwice) {
  EXPECT_EQ(must(table_->prefetch(range(0, 4))), 4U);
  EXPECT_EQ(must(table_->prefetch(range(2, 4))), 4U);
  EXPECT_EQ(held(), 6U) << "6 rows are here, of which two are held twice";
  must(table_->push(range(0, 4), std::vector<float>(4, 1)));
  crowd();
  EXPECT_EQ(hits_of(range(2, 4)), 4U);
  must(table_->push(range(2, 4), std::vector<float>(4, 1)));
  EXPECT_EQ(held(), 0U);
}

TEST_F(Prefetching, HalfOfTheRowsAreHeldAtMost) {
  EXPECT_LE(must(table_->prefetch(range(0, 40))), 16U);
  EXPECT_LE(held(), 16U);
  // Those before are let go.
  EXPECT_EQ(must(table_->prefetch(range(30, 10))), 10U);
  EXPECT_EQ(held(), 10U);
  EXPECT_EQ(hits_of(range(30, 10)), 10U);
}

TEST_F(Prefetching, RowsAreLetGoWhenAskedAndWhenErased) {
  // There are more rows than are held.
  crowd();
  EXPECT_EQ(must(table_->prefetch(range(0, 6))), 6U);
  EXPECT_EQ(must(table_->erase(range(0, 2))), 2U);
  EXPECT_EQ(held(), 4U);
  must(table_->release_prefetched());
  EXPECT_EQ(held(), 0U);
  crowd();
  EXPECT_EQ(lookup(*table_, range(0, 3)), (std::vector<float>{0, 0, 1}));
}

TEST_F(Prefetching, DirtyRowsThatGoForThemAreNotLost) {
  for (int i = 0; i < 5; ++i) lookup(*table_, range(16, 24));
  must(table_->push(range(16, 24), std::vector<float>(24, 1)));
  ASSERT_GT(device_of(*store_).dirty_rows, 0U);
  EXPECT_EQ(must(table_->prefetch(range(0, 16))), 16U);
  EXPECT_EQ(lookup(*table_, range(16, 24)), std::vector<float>(24, 2));
}

TEST_F(Prefetching, WithoutADeviceThereIsNothingToHold) {
  TableOptions options = sum_table(1);
  options.gpu = 0;
  const auto table = must(store_->table("cpu", options));
  must(table->push(range(0, 4), std::vector<float>(4, 1)));
  EXPECT_EQ(must(table->prefetch(range(0, 4))), 0U);
  must(table->release_prefetched());
  must(store_->drop("cpu"));
  EXPECT_TRUE(fails(table->prefetch(range(0, 4)).status(), StatusCode::kClosed));
}

/// A store with a table "t" of two values a row, which has rows of keys below 10.
class RowsOnADevice : public ::testing::Test {
 protected:
  RowsOnADevice() {
    must(table_->push(keys_, std::vector<float>(20, 1)));
    lookup(*table_, keys_);
  }
  const FakeDevice device_;
  const std::shared_ptr<Store> store_ =
      must(Store::open(":memory:", with_device(GpuPromotion::kAlways)));
  std::shared_ptr<Table> table_ = must(store_->table("t", sum_table(2)));
  const std::vector<uint64_t> keys_ = range(0, 10);
};

TEST_F(RowsOnADevice, OutliveEverythingAndStayAsTheyWere) {
  const auto rows = must(lookup_on_device(*table_, range(5, 10)));
  must(table_->push(keys_, std::vector<float>(20, 1)));
  table_.reset();
  store_->close();
  EXPECT_EQ(device_->alive, 0U);
  EXPECT_EQ(device_->outputs, 1U);
  EXPECT_EQ(rows->rows(), 10U);
  EXPECT_EQ(rows->dim(), 2U);
  ASSERT_NE(rows->data(), nullptr);
  std::vector<float> host(20);
  must(rows->copy_to(host));
  std::vector<float> expected(10, 1);
  expected.resize(20, 0);
  EXPECT_EQ(host, expected);
  EXPECT_TRUE(fails(rows->copy_to(std::span(host).first(19)), kInvalid, "host: expected 20"));
}

TEST_F(RowsOnADevice, AreFreedWithTheirLastOwner) {
  auto rows = must(lookup_on_device(*table_, keys_));
  auto twice = rows;
  rows.reset();
  EXPECT_EQ(device_->outputs, 1U);
  twice.reset();
  EXPECT_EQ(device_->outputs, 0U);
  rows = must(lookup_on_device(*table_, {}));
  EXPECT_EQ(rows->rows(), 0U);
  EXPECT_EQ(rows->data(), nullptr);
  must(rows->copy_to({}));
}

TEST_F(RowsOnADevice, CountAsALookupAndBringRows) {
  const uint64_t hits = device_of(*store_).hits;
  must(lookup_on_device(*table_, keys_));
  EXPECT_EQ(device_of(*store_).hits, hits + 10);
  must(table_->push(range(20, 1), std::vector<float>(2, 1)));
  must(lookup_on_device(*table_, range(20, 1)));
  must(lookup_on_device(*table_, range(20, 1)));
  EXPECT_EQ(device_of(*store_).hits, hits + 11);
}

TEST_F(RowsOnADevice, WithoutRoomThereAreNoneAndTheTableGoesOn) {
  device_->most_output_rows = 9;
  EXPECT_TRUE(
      fails(lookup_on_device(*table_, keys_).status(), StatusCode::kCapacity, "has no room"));
  EXPECT_TRUE(ok(lookup_on_device(*table_, range(0, 9)).status()));
  EXPECT_EQ(device_of(*store_).reason, "");
}

TEST_F(RowsOnADevice, OfATableWithoutADeviceThereAreNone) {
  TableOptions options = sum_table(1);
  options.gpu = 0;
  const auto table = must(store_->table("cpu", options));
  EXPECT_TRUE(fails(lookup_on_device(*table, keys_).status(), StatusCode::kUnsupported,
                    "table 'cpu' has no rows on a GPU"));
  const LookupOptions wrong{.missing = kNan};
  EXPECT_TRUE(fails(lookup_on_device(*table_, keys_, wrong).status(), kInvalid, "missing"));
}

}  // namespace
}  // namespace hotrow::test
