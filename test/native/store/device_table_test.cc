// Tables with rows on a device beside tables without: nothing that a caller can see differs, bit
// for bit. The device is a model of plain maps (fake_tier.h), small enough that rows go all the
// time.
#include <gtest/gtest.h>

#include <atomic>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "hotrow/device_rows.h"
#include "hotrow/keys.h"
#include "store/device_stores.h"
#include "store/fake_tier.h"
#include "support/bits.h"
#include "support/folder.h"
#include "support/random.h"
#include "support/scale.h"
#include "support/status.h"
#include "support/stores.h"
#include "support/threads.h"

namespace hotrow::test {
namespace {

constexpr uint64_t kUniverse = 120;
// Of a script, after which the device has been full for long.
constexpr uint64_t kStepsThatFill = 250;

/// What everybody sees of a table, by key: keys of one bucket come as they were put there.
struct Seen {
  std::vector<uint64_t> keys;
  std::vector<float> rows;
  std::vector<float> state;
  uint64_t steps = 0;
};

Seen seen_of(Table& table) {
  Seen seen;
  const size_t dim = table.options().dim;
  const size_t width = table.state_values();
  const auto part = [](const std::vector<float>& all, size_t i, size_t n) {
    const auto begin = all.begin() + static_cast<ptrdiff_t>(i * n);
    return std::vector<float>(begin, begin + static_cast<ptrdiff_t>(n));
  };
  const auto row_of = [&](const ScanPage& page, size_t i) {
    return std::pair(part(page.rows, i, dim), part(page.state, i, width));
  };
  std::map<uint64_t, std::pair<std::vector<float>, std::vector<float>>> rows;
  for (std::optional<uint64_t> from = 0; from;) {
    const ScanPage page = must(table.scan(*from, 50, {.state = true}));
    for (size_t i = 0; i < page.keys.size(); ++i) rows[page.keys[i]] = row_of(page, i);
    from = page.next;
  }
  for (const auto& [key, row] : rows) {
    seen.keys.push_back(key);
    seen.rows.insert(seen.rows.end(), row.first.begin(), row.first.end());
    seen.state.insert(seen.state.end(), row.second.begin(), row.second.end());
  }
  seen.steps = stats_of(table).steps;
  return seen;
}

void expect_same(Table& got, Table& expected) {
  const Seen a = seen_of(got);
  const Seen b = seen_of(expected);
  EXPECT_EQ(a.keys, b.keys);
  EXPECT_TRUE(same_bits(a.rows, b.rows));
  EXPECT_TRUE(same_bits(a.state, b.state));
  EXPECT_EQ(a.steps, b.steps);
}

/// Two stores on disk that are told the same.
class Twins {
 public:
  Twins(const TableOptions& options, GpuPromotion promotion)
      : options_(options), promotion_(promotion) {
    open();
  }

  void open() {
    device_ = must(Store::open(folder_ / "device", with_device(promotion_)));
    plain_ = must(Store::open(folder_ / "plain", without_device()));
    table_ = must(device_->table("t", options_));
    reference_ = must(plain_->table("t", options_));
  }
  void reopen() {
    table_.reset();
    reference_.reset();
    device_->close();
    plain_->close();
    open();
  }

  void step(Random& random) {
    switch (random.below(18)) {
      case 0:
      case 1:
      case 2:
        return lookup(random);
      case 3:
        return look_up_spread(random);
      case 4:
      case 5:
        return pool(random);
      case 6:
      case 7:
      case 8:
      case 9:
        return push(random);
      case 10:
        return push_bags(random);
      case 11:
      case 12:
        return update(random);
      case 13:
        return erase(random);
      case 14:
        return read_state(random);
      case 15:
      case 16:
        return prefetch(random);
      default:
        return change_version(random);
    }
  }

  void compare() { expect_same(*table_, *reference_); }
  Store& device() { return *device_; }
  Table& table() { return *table_; }

 private:
  std::vector<uint64_t> some_keys(Random& random) {
    auto keys = random.keys(random.between(1, 60), kUniverse);
    // Some are in use all the time, and some lie in a group of their own.
    for (uint64_t& key : keys) {
      if (random.one_in(2)) key %= 12;
      if (random.one_in(4)) key = slot_key(7, key);
    }
    return keys;
  }
  std::vector<float> some_values(Random& random, size_t n) {
    auto values = random.reals(n);
    if (options_.non_finite == NonFinite::kSkip && n > 0) values[random.below(n)] = kNan;
    return values;
  }
  void expect_same_status(const Status& got, const Status& expected) {
    EXPECT_EQ(describe(got), describe(expected));
  }

  void lookup(Random& random) {
    const auto keys = some_keys(random);
    std::vector<float> got(keys.size() * options_.dim);
    std::vector<float> expected(got);
    std::vector<uint8_t> found((keys.size() + 7) / 8, 0xff);
    std::vector<uint8_t> expected_found(found);
    LookupOptions how{.relaxed = random.one_in(4)};
    if (random.one_in(3)) how.missing = 0.25F;
    const bool asks = random.one_in(2);
    if (asks) how.found = found;
    if (random.one_in(3)) {
      must(must(lookup_on_device(*table_, keys, how))->copy_to(got));
    } else {
      must(table_->lookup(keys, got, how));
    }
    if (asks) how.found = expected_found;
    must(reference_->lookup(keys, expected, how));
    EXPECT_TRUE(same_bits(got, expected));
    EXPECT_EQ(found, expected_found);
  }

  void prefetch(Random& random) {
    if (random.one_in(4)) return must(table_->release_prefetched());
    const auto keys = some_keys(random);
    EXPECT_LE(must(table_->prefetch(keys)), keys.size());
    EXPECT_EQ(must(reference_->prefetch(keys)), 0U);
  }

  void look_up_spread(Random& random) {
    const auto keys = some_keys(random);
    const size_t stride = options_.dim + random.below(3);
    const auto repeat = static_cast<uint32_t>(random.between(1, 3));
    std::vector<float> got(keys.size() * repeat * stride, 9);
    std::vector<float> expected(got);
    const auto request = [&](std::shared_ptr<Table>& table, std::vector<float>& rows) {
      return TableLookup{.table = table.get(),
                         .keys = keys,
                         .rows = rows,
                         .stride = stride,
                         .repeat = repeat,
                         .options = {}};
    };
    const TableLookup ours = request(table_, got);
    const TableLookup theirs = request(reference_, expected);
    must(device_->lookup_all({&ours, 1}));
    must(plain_->lookup_all({&theirs, 1}));
    EXPECT_TRUE(same_bits(got, expected));
  }

  struct Bags {
    std::vector<uint64_t> keys;
    std::vector<uint32_t> offsets = {0};
    std::vector<float> weights;
    BagBatch batch;
  };
  Bags some_bags(Random& random) {
    Bags bags;
    bags.keys = some_keys(random);
    while (bags.offsets.back() < bags.keys.size()) {
      const uint64_t left = bags.keys.size() - bags.offsets.back();
      bags.offsets.push_back(bags.offsets.back() + static_cast<uint32_t>(random.between(0, left)));
    }
    if (random.one_in(2)) bags.weights = random.reals(bags.keys.size());
    bags.batch = {.keys = bags.keys,
                  .offsets = bags.offsets,
                  .weights = bags.weights,
                  .pooling = static_cast<Pooling>(random.below(3))};
    return bags;
  }

  void pool(Random& random) {
    const Bags bags = some_bags(random);
    std::vector<float> got((bags.offsets.size() - 1) * options_.dim);
    std::vector<float> expected(got);
    must(table_->lookup_pooled(bags.batch, got));
    must(reference_->lookup_pooled(bags.batch, expected));
    EXPECT_TRUE(same_bits(got, expected));
  }

  void push(Random& random) {
    const auto keys = some_keys(random);
    auto gradients = some_values(random, keys.size() * options_.dim);
    if (random.one_in(12)) gradients[0] = kNan;
    const PushOptions how{.learning_rate = random.one_in(3) ? 0.02F : 0.0F};
    if (random.one_in(3)) {
      const TablePush ours{table_.get(), keys, gradients, how};
      const TablePush theirs{reference_.get(), keys, gradients, how};
      return expect_same_status(device_->push_all({&ours, 1}), plain_->push_all({&theirs, 1}));
    }
    expect_same_status(table_->push(keys, gradients, how), reference_->push(keys, gradients, how));
  }

  void push_bags(Random& random) {
    const Bags bags = some_bags(random);
    const auto gradients = some_values(random, (bags.offsets.size() - 1) * options_.dim);
    expect_same_status(table_->push_pooled(bags.batch, gradients),
                       reference_->push_pooled(bags.batch, gradients));
  }

  void update(Random& random) {
    const auto keys = some_keys(random);
    const auto rows = some_values(random, keys.size() * options_.dim);
    const auto state = random.reals(keys.size() * table_->state_values(), 0, 1);
    UpdateOptions how;
    if (random.one_in(2)) how.state = state;
    expect_same_status(table_->update(keys, rows, how), reference_->update(keys, rows, how));
  }

  void erase(Random& random) {
    const auto keys = random.keys(random.between(1, 8), kUniverse);
    EXPECT_EQ(must(table_->erase(keys)), must(reference_->erase(keys)));
  }

  void read_state(Random& random) {
    const auto keys = some_keys(random);
    std::vector<float> got(keys.size() * table_->state_values());
    std::vector<float> expected(got);
    must(table_->lookup_state(keys, got, {}));
    must(reference_->lookup_state(keys, expected, {}));
    EXPECT_TRUE(same_bits(got, expected));
  }

  void change_version(Random& random) {
    switch (random.below(6)) {
      case 0:
        return reopen();
      case 1: {
        const uint64_t newest = must(plain_->version()).version;
        if (newest == 0) return;
        const std::string to = std::to_string(newest - (newest > 1 ? random.below(2) : 0));
        must(device_->rollback(to));
        must(plain_->rollback(to));
        return compare();
      }
      case 2:
        return compare();
      case 3:
        EXPECT_EQ(must(table_->shrink({.below_norm = 0.01})),
                  must(reference_->shrink({.below_norm = 0.01})));
        return;
      default:
        EXPECT_EQ(must(device_->commit()).rows, must(plain_->commit()).rows);
        return compare_versions();
    }
  }

  /// What the newest versions on disk hold.
  void compare_versions() {
    const StoreOptions reading{.memory_bytes = 64 * kMiB, .threads = 1, .read_only = true};
    const auto got = must(Store::open(folder_ / "device", reading));
    const auto expected = must(Store::open(folder_ / "plain", reading));
    expect_same(*must(got->table("t")), *must(expected->table("t")));
  }

  const TableOptions options_;
  const GpuPromotion promotion_;
  const Folder folder_;
  std::shared_ptr<Store> device_;
  std::shared_ptr<Store> plain_;
  std::shared_ptr<Table> table_;
  std::shared_ptr<Table> reference_;
};

void run_twins(const TableOptions& options, GpuPromotion promotion) {
  const FakeDevice device;
  device->no_memory_every = 5;
  for (uint64_t seed = 1; seed <= 2; ++seed) {
    SCOPED_TRACE("seed " + std::to_string(seed));
    Random random(seed);
    Twins twins(options, promotion);
    uint64_t evicted = 0;
    const uint64_t steps = scaled(kStepsThatFill);
    for (uint64_t i = 0; i < steps && !testing::Test::HasFailure(); ++i) {
      SCOPED_TRACE("step " + std::to_string(i));
      twins.step(random);
      evicted += device_of(twins.device()).evicted;
    }
    twins.compare();
    if (steps >= kStepsThatFill) {
      EXPECT_GT(evicted, 0U) << "no row ever went";
    }
    EXPECT_EQ(device_of(twins.device()).reason, "");
  }
  EXPECT_EQ(device->collisions, 0U);
}

TableOptions base(OptimizerKind kind) {
  return {.dim = 6, .optimizer = optimizer(kind), .initializer = uniform(0.1F)};
}

TEST(DeviceTable, AdagradIsAsOnTheCpu) {
  run_twins(base(OptimizerKind::kAdagrad), GpuPromotion::kSecondTouch);
}
TEST(DeviceTable, AdamCountsItsStepsAsOnTheCpu) {
  run_twins(base(OptimizerKind::kAdam), GpuPromotion::kAlways);
}
TEST(DeviceTable, StochasticRoundingDrawsTheSameNumbers) {
  TableOptions options = base(OptimizerKind::kAdam);
  options.value_type = ValueType::kF16;
  options.rounding = Rounding::kStochastic;
  run_twins(options, GpuPromotion::kSecondTouch);
}
TEST(DeviceTable, GroupsAndClippingAreAsOnTheCpu) {
  TableOptions options = base(OptimizerKind::kMomentum);
  options.value_type = ValueType::kBf16;
  options.optimizer.clip_norm = 0.5F;
  options.groups = {{.first_slot = 7, .last_slot = 7, .rate_scale = 0.5F, .weight_decay = 0.1F},
                    {.first_slot = 0, .last_slot = 0, .frozen = true}};
  run_twins(options, GpuPromotion::kSecondTouch);
}
TEST(DeviceTable, RowsThatAreSkippedStayAsTheyAre) {
  TableOptions options = base(OptimizerKind::kFtrl);
  options.non_finite = NonFinite::kSkip;
  run_twins(options, GpuPromotion::kAlways);
}
TEST(DeviceTable, AdmissionByCountsIsAsOnTheCpu) {
  TableOptions options = base(OptimizerKind::kSgd);
  options.admission = {.kind = AdmissionKind::kCount, .min_count = 3};
  run_twins(options, GpuPromotion::kAlways);
}
TEST(DeviceTable, AdmissionByChanceDrawsTheSameNumbers) {
  TableOptions options = base(OptimizerKind::kRowwiseAdagrad);
  options.admission = {.kind = AdmissionKind::kProbability, .probability = 0.4F};
  run_twins(options, GpuPromotion::kAlways);
}
TEST(DeviceTable, RowsOfFewBitsAreServedAsTheyAre) {
  TableOptions options = base(OptimizerKind::kSgd);
  options.value_type = ValueType::kI4;
  run_twins(options, GpuPromotion::kAlways);
}

TEST(DeviceTable, WhatOverflowsComesDownAsItIs) {
  const FakeDevice device;
  const auto ours = must(Store::open(":memory:", with_device(GpuPromotion::kAlways)));
  const auto theirs = must(Store::open(":memory:", without_device()));
  const auto table = must(ours->table("t", base(OptimizerKind::kSum)));
  const auto reference = must(theirs->table("t", base(OptimizerKind::kSum)));
  const std::vector<uint64_t> keys = {3};
  for (const float gradient : {3e38F, 3e38F, -1.0F}) {
    const std::vector<float> gradients(6, gradient);
    must(table->push(keys, gradients));
    must(reference->push(keys, gradients));
    EXPECT_TRUE(same_bits(lookup(*table, keys), lookup(*reference, keys)));
  }
  EXPECT_EQ(device_of(*ours).dirty_rows, 1U);
  expect_same(*table, *reference);
  EXPECT_EQ(device_of(*ours).dirty_rows, 0U);
}

TEST(DeviceTable, ServesVersionsAndFollowsThem) {
  const FakeDevice device;
  const Folder folder;
  const auto writer = must(Store::open(folder / "s", with_device(GpuPromotion::kAlways)));
  const auto trained = must(writer->table("t", base(OptimizerKind::kAdam)));
  const auto keys = range(0, 20);
  must(trained->push(keys, std::vector<float>(120, 1)));
  must(writer->commit());
  StoreOptions reading = with_device(GpuPromotion::kAlways);
  reading.read_only = true;
  const auto reader = must(Store::open(folder / "s", reading));
  const auto served = must(reader->table("t"));
  EXPECT_TRUE(same_bits(lookup(*served, keys), lookup(*trained, keys)));
  EXPECT_TRUE(same_bits(lookup(*served, keys), lookup(*trained, keys)));
  EXPECT_GT(device_of(*reader).hits, 0U);
  must(trained->push(keys, std::vector<float>(120, 1)));
  must(writer->commit());
  must(reader->refresh());
  EXPECT_TRUE(same_bits(lookup(*served, keys), lookup(*trained, keys)));
  EXPECT_TRUE(fails(served->push(keys, std::vector<float>(120, 1)), StatusCode::kReadOnly));
}

TEST(DeviceTable, APushOverSeveralTablesIsWholeWithAndWithoutADevice) {
  const FakeDevice device;
  const auto store = must(Store::open(":memory:", with_device(GpuPromotion::kAlways)));
  TableOptions options = sum_table(1);
  const auto a = must(store->table("a", options));
  const auto b = must(store->table("b", options));
  options.gpu = 0;
  const auto c = must(store->table("c", options));
  const auto keys = range(0, 4);
  const std::vector<float> ones(4, 1);
  const std::vector<float> bad = {1, 1, kNan, 1};
  const auto push = [&](const std::vector<float>& last) {
    const std::vector<TablePush> parts = {
        {b.get(), keys, ones, {}}, {a.get(), keys, ones, {}}, {c.get(), keys, last, {}}};
    return store->push_all(parts);
  };
  must(push(ones));
  for (const auto& table : {a, b, c}) EXPECT_EQ(lookup(*table, keys), ones);
  must(push(ones));
  EXPECT_TRUE(fails(push(bad), kInvalid, "gradients"));
  for (const auto& table : {a, b, c}) EXPECT_EQ(lookup(*table, keys), std::vector<float>(4, 2));
  EXPECT_GT(device_of(*store, "a").dirty_rows, 0U);
  EXPECT_EQ(device_of(*store, "c").reason, "the table's option gpu is false");
  const TablePush twice[] = {{a.get(), keys, ones, {}}, {a.get(), keys, ones, {}}};
  EXPECT_TRUE(fails(store->push_all(twice), kInvalid, "once"));
}

TEST(DeviceTable, TablesThatEvictStayOnTheCpuAndSayWhy) {
  const FakeDevice device;
  const auto store = must(Store::open(":memory:", with_device()));
  TableOptions options = sum_table(1);
  options.eviction.policy = EvictionPolicy::kLru;
  const auto table = must(store->table("t", options));
  must(table->push(range(0, 4), std::vector<float>(4, 1)));
  EXPECT_NE(device_of(*store).reason.find("eviction.policy"), std::string::npos);
  EXPECT_EQ(device_of(*store).capacity, 0U);
}

TEST(DeviceTable, SharesAreOfTheStoresBytes) {
  const FakeDevice device;
  const auto store = must(Store::open(":memory:", with_device()));
  TableOptions options = sum_table(1);
  must(store->table("half", options));
  options.gpu = 0.25F;
  must(store->table("quarter", options));
  options.gpu = 1;
  must(store->table("rest", options));
  must(store->table("nothing", options));
  // The model uses half of what it may.
  EXPECT_EQ(device_of(*store, "half").used_bytes, 2 * kMiB);
  EXPECT_EQ(device_of(*store, "quarter").used_bytes, kMiB);
  EXPECT_EQ(device_of(*store, "rest").used_bytes, kMiB);
  EXPECT_NE(device_of(*store, "nothing").reason.find("too little is left"), std::string::npos);
  must(store->drop("half"));
  must(store->table("after", options));
  EXPECT_EQ(device_of(*store, "after").used_bytes, 2 * kMiB);
  EXPECT_EQ(stats_of(*store).gpu->used_bytes, 4 * kMiB);
  store->close();
  EXPECT_EQ(device->alive, 0U);
}

TEST(DeviceTable, AShareIsNoPartOfATablesOptions) {
  const FakeDevice device;
  const Folder folder;
  TableOptions options = sum_table(2);
  {
    const auto store = must(Store::open(folder / "s", with_device()));
    options.gpu = 0.5F;
    must(store->table("t", options));
    must(store->commit());
    options.gpu = 0;
    EXPECT_TRUE(ok(store->table("t", options)));
  }
  const auto store = must(Store::open(folder / "s", without_device()));
  EXPECT_TRUE(ok(store->table("t", options)));
  EXPECT_FALSE(stats_of(*store).gpu.has_value());
}

TEST(DeviceTable, WithoutADeviceTheStoreGoesOnAndSaysWhy) {
  const FakeDevice device;
  device->no_device = "no CUDA driver";
  const auto store = must(Store::open(":memory:", with_device()));
  const auto table = must(store->table("t", sum_table(1)));
  must(table->push(range(0, 4), std::vector<float>(4, 1)));
  const GpuStats stats = stats_of(*store).gpu.value();
  EXPECT_FALSE(stats.available);
  EXPECT_EQ(stats.reason, "no CUDA driver");
  EXPECT_EQ(device_of(*store).reason, "no CUDA driver");
}

TEST(DeviceTable, SaysWhatTheDeviceIs) {
  const FakeDevice device;
  const auto store = must(Store::open(":memory:", with_device()));
  const GpuStats stats = stats_of(*store).gpu.value();
  EXPECT_TRUE(stats.available);
  EXPECT_EQ(stats.device, "fake");
  EXPECT_EQ(stats.compute_capability, "9.0");
  EXPECT_EQ(stats.driver, "13.1");
}

/// The same script with a device that goes after so many calls: nothing but what was dirty is lost,
/// and that is said once.
void lose_device_after(uint64_t calls) {
  SCOPED_TRACE("after " + std::to_string(calls));
  const FakeDevice device;
  const Folder folder;
  const auto store = must(Store::open(folder / "s", with_device(GpuPromotion::kAlways)));
  const auto table = must(store->table("t", sum_table(2)));
  const auto keys = range(0, 30);
  device->fails_after = device->calls + calls;
  int losses = 0;
  const auto settle = [&](const Status& status) {
    if (status.ok()) return;
    EXPECT_TRUE(fails(status, StatusCode::kInternal, "rows since they were last written"));
    ++losses;
  };
  for (int round = 0; round < 4; ++round) {
    settle(table->push(keys, std::vector<float>(60, 1)));
    std::vector<float> rows(60);
    EXPECT_TRUE(ok(table->lookup(keys, rows)));
    settle(table->update(range(0, 3), std::vector<float>(6, 1)));
    const std::vector<uint32_t> offsets = {0, 30};
    EXPECT_TRUE(
        ok(table->lookup_pooled({.keys = keys, .offsets = offsets}, std::span(rows).first(2))));
    settle(table->erase(range(28, 1)).status());
    EXPECT_TRUE(ok(table->prefetch(keys).status()));
    EXPECT_TRUE(ok(table->release_prefetched()));
    if (const auto on_device = lookup_on_device(*table, keys); !on_device.ok()) {
      EXPECT_TRUE(fails(on_device.status(), StatusCode::kUnsupported, "the device has gone"));
    }
    if (round == 2) settle(store->commit().status());
  }
  settle(store->commit().status());
  EXPECT_LE(losses, 1);
  device->fails_after = UINT64_MAX;
  const auto before = lookup(*table, range(0, 1));
  EXPECT_TRUE(ok(table->push(range(0, 1), std::vector<float>(2, 1))));
  EXPECT_EQ(lookup(*table, range(0, 1))[0], before[0] + 1);
  EXPECT_TRUE(ok(store->commit()));
}

TEST(DeviceTable, ADeviceThatGoesTakesNothingButWhatWasDirty) {
  for (uint64_t calls = 0; calls < 60; ++calls) lose_device_after(calls);
}

TEST(DeviceTable, ALossIsSaidOnceAndNamesHowManyRows) {
  const FakeDevice device;
  const auto store = must(Store::open(":memory:", with_device(GpuPromotion::kAlways)));
  const auto table = must(store->table("t", sum_table(1)));
  const auto keys = range(0, 5);
  must(table->push(keys, std::vector<float>(5, 1)));
  lookup(*table, keys);
  must(table->push(keys, std::vector<float>(5, 1)));
  const uint64_t dirty = device_of(*store).dirty_rows;
  ASSERT_GT(dirty, 0U);
  device->fails_after = device->calls;
  // The table's own rows answer.
  lookup(*table, keys);
  EXPECT_NE(device_of(*store).reason.find("the device has gone"), std::string::npos);
  const Status lost = table->push(keys, std::vector<float>(5, 1));
  EXPECT_TRUE(fails(lost, StatusCode::kInternal, "up to " + std::to_string(dirty) + " rows"));
  EXPECT_TRUE(ok(table->push(keys, std::vector<float>(5, 1))));
  EXPECT_EQ(device->alive, 0U);
}

TEST(DeviceTable, LookupsPushesAndCommitsAtOnceLoseNothing) {
  const FakeDevice device;
  const Folder folder;
  StoreOptions how = with_device(GpuPromotion::kAlways);
  how.threads = 2;
  const auto store = must(Store::open(folder / "s", how));
  const auto a = must(store->table("a", sum_table(3)));
  const auto b = must(store->table("b", sum_table(3)));
  const uint64_t rounds = scaled(300);
  in_threads(5, [&](uint32_t number) {
    Random random(number);
    std::vector<float> rows(std::size_t{50} * 3);
    for (uint64_t i = 0; i < rounds; ++i) {
      const auto keys = random.keys(50, 90);
      if (number < 2) {
        EXPECT_TRUE(ok((i % 2 == 0 ? a : b)->lookup(keys, rows)));
        // A row is never half of a push.
        for (size_t at = 0; at < rows.size(); at += 3) EXPECT_EQ(rows[at], rows[at + 2]);
      } else if (number < 4) {
        if (i % 4 == 0) must((number == 2 ? a : b)->prefetch(keys));
        const auto all = range(0, 90);
        const std::vector<float> ones(std::size_t{90} * 3, 1);
        const std::vector<TablePush> parts = {{a.get(), all, ones, {}}, {b.get(), all, ones, {}}};
        EXPECT_TRUE(ok(store->push_all(parts)));
      } else if (i % 20 == 0) {
        EXPECT_TRUE(ok(store->commit()));
      } else {
        stats_of(*store);
      }
    }
  });
  const std::vector<float> expected(std::size_t{90} * 3, static_cast<float>(2 * rounds));
  EXPECT_EQ(lookup(*a, range(0, 90)), expected);
  EXPECT_EQ(lookup(*b, range(0, 90)), expected);
  must(store->commit());
  StoreOptions reading = without_device();
  reading.read_only = true;
  const auto reader = must(Store::open(folder / "s", reading));
  EXPECT_EQ(lookup(*must(reader->table("a")), range(0, 90)), expected);
  EXPECT_EQ(lookup(*must(reader->table("b")), range(0, 90)), expected);
  EXPECT_EQ(device->collisions, 0U);
}

}  // namespace
}  // namespace hotrow::test
