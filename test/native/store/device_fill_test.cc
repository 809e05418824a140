// Lookups that do not wait for what the device has not: defaults above a hit rate, rows that come
// after them, and nothing newer that they overwrite. The device is a model of plain maps.
#include <gtest/gtest.h>

#include <atomic>
#include <chrono>
#include <cmath>
#include <memory>
#include <string>
#include <thread>
#include <vector>

#include "hotrow/device_rows.h"
#include "store/device_stores.h"
#include "store/fake_tier.h"
#include "support/folder.h"
#include "support/random.h"
#include "support/scale.h"
#include "support/status.h"
#include "support/stores.h"
#include "support/threads.h"

namespace hotrow::test {
namespace {

StoreOptions filling(double above) {
  StoreOptions options = with_device(GpuPromotion::kAlways);
  options.gpu.fill_above = above;
  return options;
}

/// Until nothing is on its way any more.
void drain(Store& store, const std::string& name = "t") {
  const auto end = std::chrono::steady_clock::now() + std::chrono::seconds(20);
  while (device_of(store, name).fills_waiting > 0) {
    ASSERT_LT(std::chrono::steady_clock::now(), end);
    std::this_thread::yield();
  }
}

struct Answer {
  std::vector<float> rows;
  std::vector<bool> found;
};
Answer ask(Table& table, const std::vector<uint64_t>& keys, LookupOptions options = {}) {
  std::vector<uint8_t> bits((keys.size() + 7) / 8, 0xff);
  Answer answer{std::vector<float>(keys.size() * table.options().dim, -77.0F), {}};
  options.found = bits;
  must(table.lookup(keys, answer.rows, options));
  for (size_t i = 0; i < keys.size(); ++i)
    answer.found.push_back((bits[i / 8] >> (i % 8) & 1) != 0);
  return answer;
}

/// A table "t" of one value, 1 for keys below 400; of these 0 to 7 are on the device, which has
/// room for 256.
class Filling : public ::testing::Test {
 protected:
  Filling() {
    device_->buckets = 64;
    store_ = must(Store::open(":memory:", filling(0.5)));
    table_ = must(store_->table("t", sum_table(1)));
    must(table_->push(range(0, 400), std::vector<float>(400, 1)));
    lookup(*table_, range(0, 8));
  }
  GpuTableStats stats() { return device_of(*store_); }
  uint64_t hits_of(const std::vector<uint64_t>& keys) {
    const uint64_t before = stats().hits;
    lookup(*table_, keys);
    return stats().hits - before;
  }
  /// Keys 0 to 7, which are there, and others.
  static std::vector<uint64_t> with(std::vector<uint64_t> others) {
    std::vector<uint64_t> keys = range(0, 8);
    keys.insert(keys.end(), others.begin(), others.end());
    return keys;
  }

  FakeDevice device_;
  std::shared_ptr<Store> store_;
  std::shared_ptr<Table> table_;
};

TEST_F(Filling, MissesGetDefaultsAboveTheRateAndHitAfterwards) {
  const auto keys = with({300, 301});
  const Answer first = ask(*table_, keys);
  std::vector<float> expected(10, 1);
  std::vector<bool> found(10, true);
  expected[8] = expected[9] = 0;
  found[8] = found[9] = false;
  EXPECT_EQ(first.rows, expected);
  EXPECT_EQ(first.found, found);
  EXPECT_EQ(stats().defaulted, 2U);
  drain(*store_);
  EXPECT_EQ(hits_of(keys), 10U);
  const Answer second = ask(*table_, keys);
  EXPECT_EQ(second.rows, std::vector<float>(10, 1));
  EXPECT_EQ(second.found, std::vector<bool>(10, true));
  EXPECT_EQ(stats().defaulted, 2U);
  EXPECT_EQ(stats().fills_dropped, 0U);
}

TEST_F(Filling, AtTheRateAndBelowLookupsWait) {
  const auto eight = range(300, 8);
  EXPECT_EQ(ask(*table_, with(eight)).rows, std::vector<float>(16, 1));
  EXPECT_EQ(ask(*table_, range(320, 1)).rows, std::vector<float>(1, 1));
  EXPECT_EQ(stats().defaulted, 0U);
}

TEST_F(Filling, KeysWithoutARowGetWhatTheyAlwaysGet) {
  const LookupOptions missing{.missing = 7};
  const Answer answer = ask(*table_, with({300, 900}), missing);
  EXPECT_EQ(answer.rows, (std::vector<float>{1, 1, 1, 1, 1, 1, 1, 1, 7, 7}));
  EXPECT_EQ(stats().defaulted, 2U);
  drain(*store_);
  const Answer later = ask(*table_, with({300, 900}), missing);
  EXPECT_EQ(later.rows, (std::vector<float>{1, 1, 1, 1, 1, 1, 1, 1, 1, 7}));
  EXPECT_FALSE(later.found[9]);
  EXPECT_EQ(stats_of(*table_).rows, 400U);
}

TEST_F(Filling, TheDefaultIsTheRowOfAKeyThatWasNeverPushed) {
  TableOptions options = sum_table(3);
  options.initializer = uniform(0.5F);
  const auto drawn = must(store_->table("drawn", options));
  const auto plain = must(Store::open(":memory:", without_device()));
  const auto reference = must(plain->table("drawn", options));
  must(drawn->push(range(0, 8), std::vector<float>(24, 1)));
  lookup(*drawn, range(0, 8));
  must(drawn->push(range(50, 1), std::vector<float>(3, 1)));
  const auto rows = lookup(*drawn, with({50}));
  EXPECT_EQ(std::vector<float>(rows.end() - 3, rows.end()), lookup(*reference, range(50, 1)));
}

TEST_F(Filling, PooledLookupsAndOutputsOnTheDeviceDoNotWaitEither) {
  const auto keys = with({300, 301});
  const std::vector<uint32_t> offsets = {0, 10};
  std::vector<float> sum(1);
  must(table_->lookup_pooled({.keys = keys, .offsets = offsets}, sum));
  EXPECT_EQ(sum[0], 8);
  drain(*store_);
  must(table_->lookup_pooled({.keys = keys, .offsets = offsets}, sum));
  EXPECT_EQ(sum[0], 10);
  std::vector<uint8_t> found(2);
  const auto on_device = must(lookup_on_device(*table_, with({310, 311}), {.found = found}));
  std::vector<float> host(10);
  must(on_device->copy_to(host));
  EXPECT_EQ(host, (std::vector<float>{1, 1, 1, 1, 1, 1, 1, 1, 0, 0}));
  EXPECT_EQ(found, (std::vector<uint8_t>{0xff, 0}));
  EXPECT_EQ(stats().defaulted, 4U);
}

TEST_F(Filling, ARowThatRanksLowComesAllTheSame) {
  // Everything that is there has been used more often.
  for (int i = 0; i < 20; ++i) lookup(*table_, range(0, 256));
  ASSERT_GT(stats().rows, 200U);
  std::vector<uint64_t> keys;
  for (const uint64_t key : range(0, 256)) {
    if (hits_of({key}) == 1) keys.push_back(key);
  }
  for (uint64_t other = 300; other < 330; ++other) {
    std::vector<uint64_t> all = keys;
    all.push_back(other);
    lookup(*table_, all);
    drain(*store_);
    EXPECT_EQ(hits_of({other}), 1U) << other;
  }
  EXPECT_EQ(stats().held_rows, 0U);
}

TEST_F(Filling, RowsThatCameAreFreeToGo) {
  // Of 32 rows: had those that came stayed held, some bucket would be full of them soon.
  device_->buckets = 8;
  const auto small = must(store_->table("small", sum_table(1)));
  must(small->push(range(0, 400), std::vector<float>(400, 1)));
  for (uint64_t other = 100; other < 160; ++other) {
    lookup(*small, range(0, 4));
    std::vector<uint64_t> keys = range(0, 4);
    keys.push_back(other);
    lookup(*small, keys);
    drain(*store_, "small");
    const uint64_t before = device_of(*store_, "small").hits;
    EXPECT_EQ(lookup(*small, {other})[0], 1);
    EXPECT_EQ(device_of(*store_, "small").hits, before + 1) << other;
  }
  EXPECT_GT(device_of(*store_, "small").defaulted, 50U);
}

/// Starts `work` when rows of a fill are being read, so that it comes between this and their
/// coming.
class Meanwhile {
 public:
  template <class Work>
  Meanwhile(const FakeDevice& device, Work work) {
    device->on_find = [this, work] {
      if (begun_.exchange(true)) return;
      thread_ = std::thread(work);
      // Long enough for it to wait for the lock, which it gets next then.
      std::this_thread::sleep_for(std::chrono::milliseconds(100));
    };
  }
  ~Meanwhile() {
    if (thread_.joinable()) thread_.join();
  }
  Meanwhile(const Meanwhile&) = delete;
  Meanwhile& operator=(const Meanwhile&) = delete;

  void wait() {
    while (!begun_) std::this_thread::yield();
    std::this_thread::sleep_for(std::chrono::milliseconds(100));
    thread_.join();
  }

 private:
  std::atomic<bool> begun_{false};
  std::thread thread_;
};

TEST_F(Filling, APushBetweenTheReadAndTheFillIsNotUndone) {
  Meanwhile push(device_, [&] { must(table_->push(range(300, 1), std::vector<float>(1, 1))); });
  EXPECT_EQ(lookup(*table_, with({300})).back(), 0);
  push.wait();
  drain(*store_);
  EXPECT_EQ(hits_of({300}), 1U);
  EXPECT_EQ(lookup(*table_, range(300, 1))[0], 2);
}

TEST_F(Filling, AnUpdateBetweenTheReadAndTheFillIsNotUndone) {
  Meanwhile update(device_, [&] { must(table_->update(range(300, 1), std::vector<float>(1, 9))); });
  EXPECT_EQ(lookup(*table_, with({300})).back(), 0);
  update.wait();
  drain(*store_);
  EXPECT_EQ(lookup(*table_, range(300, 1))[0], 9);
}

TEST_F(Filling, AnErasedRowDoesNotComeBack) {
  Meanwhile erase(device_, [&] { must(table_->erase(range(300, 1))); });
  EXPECT_EQ(lookup(*table_, with({300})).back(), 0);
  erase.wait();
  drain(*store_);
  EXPECT_EQ(hits_of({300}), 0U);
  EXPECT_EQ(lookup(*table_, range(300, 1))[0], 0);
}

TEST_F(Filling, WhatABatchHoldsMeanwhileStaysHeld) {
  Meanwhile prefetch(device_, [&] { EXPECT_EQ(must(table_->prefetch(range(300, 1))), 1U); });
  lookup(*table_, with({300, 301}));
  prefetch.wait();
  drain(*store_);
  EXPECT_EQ(hits_of({300, 301}), 2U);
  EXPECT_EQ(stats().held_rows, 1U);
  // What is let go by its push was held until then.
  must(table_->push(range(300, 1), std::vector<float>(1, 1)));
  EXPECT_EQ(stats().held_rows, 0U);
}

TEST_F(Filling, ClosesWithKeysWaiting) {
  device_->on_find = [] { std::this_thread::sleep_for(std::chrono::milliseconds(20)); };
  for (uint64_t i = 0; i < 10; ++i) lookup(*table_, with({300 + i}));
  store_->close();
  EXPECT_EQ(device_->alive, 0U);
}

TEST_F(Filling, DropsATableWithKeysWaitingWhileTheStoreGoesOn) {
  const auto other = must(store_->table("other", sum_table(1)));
  must(other->push(range(0, 20), std::vector<float>(20, 1)));
  device_->on_find = [] { std::this_thread::sleep_for(std::chrono::milliseconds(20)); };
  lookup(*table_, with({300}));
  must(store_->drop("t"));
  EXPECT_EQ(device_->alive, 1U);
  std::vector<float> row(1);
  EXPECT_TRUE(fails(table_->lookup(range(0, 1), row), StatusCode::kClosed));
  EXPECT_EQ(lookup(*other, range(0, 20)), std::vector<float>(20, 1));
}

TEST_F(Filling, ADeviceThatGoesTakesNoAnswerWithIt) {
  must(store_->drop("t"));
  for (uint64_t calls = 0; calls < 12; ++calls) {
    SCOPED_TRACE(calls);
    const auto table = must(store_->table("t", sum_table(1)));
    must(table->push(range(0, 20), std::vector<float>(20, 1)));
    lookup(*table, range(0, 8));
    device_->fails_after = device_->calls + calls;
    for (int i = 0; i < 5; ++i) {
      const Answer answer = ask(*table, with({17, 18}));
      for (size_t at = 0; at < 10; ++at) {
        EXPECT_EQ(answer.rows[at], answer.found[at] ? 1 : 0);
        EXPECT_TRUE(answer.found[at] || at >= 8);
      }
    }
    drain(*store_);
    device_->fails_after = UINT64_MAX;
    must(store_->drop("t"));
  }
}

TEST(Fill, FollowsAnotherVersion) {
  const FakeDevice device;
  const Folder folder;
  const auto store = must(Store::open(folder / "s", filling(0.5)));
  const auto table = must(store->table("t", sum_table(1)));
  must(table->push(range(0, 40), std::vector<float>(40, 1)));
  const std::string version = std::to_string(must(store->commit()).version);
  for (uint64_t round = 0; round < 20; ++round) {
    must(table->push(range(0, 40), std::vector<float>(40, 1)));
    lookup(*table, range(0, 8));
    std::vector<uint64_t> keys = range(0, 8);
    keys.push_back(20 + round);
    const float learned = lookup(*table, keys).back();
    EXPECT_TRUE(learned == 0 || learned == 2);
    must(store->rollback(version));
    drain(*store);
    EXPECT_EQ(lookup(*table, range(20 + round, 1))[0], 1);
  }
}

TEST(Fill, WrongRatesAreNamed) {
  const FakeDevice device;
  for (const double wrong : {-0.1, 1.01, std::nan("")}) {
    EXPECT_TRUE(fails(Store::open(":memory:", filling(wrong)).status(), kInvalid, "gpu.fillAbove"));
  }
  EXPECT_TRUE(ok(Store::open(":memory:", filling(0)).status()));
}

/// What is there is newer than any push that had ended before it was asked for; and the defaulted
/// keys of a lookup are there afterwards.
TEST(Fill, LookupsAreNeverOlderThanPushesThatHadEnded) {
  const FakeDevice device;
  device->buckets = 64;
  const auto store = must(Store::open(":memory:", filling(0.5)));
  const auto table = must(store->table("t", sum_table(2)));
  constexpr uint64_t kKeys = 300;
  must(table->push(range(0, kKeys), std::vector<float>(2 * kKeys, 1)));
  std::atomic<uint64_t> pushed{1};
  std::atomic<bool> over{false};
  const uint64_t rounds = scaled(400);
  in_threads(4, [&](uint32_t number) {
    Random random(number);
    if (number == 0) {
      for (uint64_t i = 0; i < rounds; ++i) {
        must(table->push(range(0, kKeys), std::vector<float>(2 * kKeys, 1)));
        ++pushed;
        if (i % 16 == 0) must(table->prefetch(random.keys(10, kKeys)));
        std::this_thread::sleep_for(std::chrono::microseconds(100));
      }
      over = true;
      return;
    }
    while (!over) {
      const auto keys = random.keys(40, 40 + 200 * random.below(2));
      const auto least = static_cast<float>(pushed.load());
      const Answer answer = ask(*table, keys);
      for (size_t i = 0; i < keys.size(); ++i) {
        EXPECT_EQ(answer.rows[2 * i], answer.rows[2 * i + 1]);
        if (answer.found[i]) {
          EXPECT_GE(answer.rows[2 * i], least) << keys[i];
        } else {
          EXPECT_EQ(answer.rows[2 * i], 0);
        }
      }
    }
  });
  drain(*store);
  const auto expected = static_cast<float>(pushed.load());
  for (uint64_t key = 0; key < kKeys; ++key) {
    EXPECT_EQ(lookup(*table, {key}), std::vector<float>(2, expected)) << key;
  }
  EXPECT_GT(device_of(*store).defaulted, 0U);
  EXPECT_EQ(device->collisions, 0U);
}

/// Random calls beside a model of what the table holds.
TEST(Fill, EveryAnswerIsTheRowOrADefaultThatItsLookupMayHave) {
  const FakeDevice device;
  device->buckets = 32;
  const auto store = must(Store::open(":memory:", filling(0.75)));
  const auto table = must(store->table("t", sum_table(1)));
  std::vector<float> model(200, 0);
  std::vector<bool> exists(200, false);
  Random random(11);
  const uint64_t steps = scaled(2000);
  for (uint64_t step = 0; step < steps; ++step) {
    const auto keys = random.keys(30, step % 3 == 0 ? 200 : 60);
    const uint64_t what = random.below(8);
    if (what == 0) {
      must(table->push(keys, std::vector<float>(30, 1)));
      for (const uint64_t key : keys) {
        model[key] += 1;
        exists[key] = true;
      }
    } else if (what == 1) {
      must(table->update(std::span(keys).first(1), std::vector<float>(1, 5)));
      model[keys[0]] = 5;
      exists[keys[0]] = true;
    } else if (what == 2) {
      must(table->erase(std::span(keys).first(2)));
      for (int i = 0; i < 2; ++i) model[keys[i]] = 0, exists[keys[i]] = false;
    } else {
      const uint64_t defaulted = device_of(*store).defaulted;
      const Answer answer = ask(*table, keys);
      uint64_t other = 0;
      for (size_t i = 0; i < keys.size(); ++i) {
        if (answer.found[i]) {
          EXPECT_TRUE(exists[keys[i]]);
          EXPECT_EQ(answer.rows[i], model[keys[i]]);
        } else {
          EXPECT_EQ(answer.rows[i], 0);
          other += exists[keys[i]] ? 1 : 0;
        }
      }
      EXPECT_LE(other, device_of(*store).defaulted - defaulted);
      EXPECT_LT(4 * other, keys.size());
      if (random.one_in(2)) continue;
      drain(*store);
      for (size_t i = 0; i < 2; ++i) {
        EXPECT_EQ(lookup(*table, {keys[i]})[0], model[keys[i]]) << keys[i];
      }
    }
  }
  EXPECT_GT(device_of(*store).defaulted, 0U);
}

}  // namespace
}  // namespace hotrow::test
