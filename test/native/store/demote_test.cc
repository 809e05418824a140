// Tables that demote: whatever memory holds, calls answer as if it held everything.
#include <gtest/gtest.h>

#include <algorithm>
#include <atomic>
#include <map>
#include <memory>
#include <optional>
#include <set>
#include <string>
#include <thread>
#include <vector>

#include "support/folder.h"
#include "support/random.h"
#include "support/scale.h"
#include "support/seed.h"
#include "support/status.h"
#include "support/stores.h"

namespace hotrow::test {
namespace {

constexpr uint32_t kDim = 2;
constexpr uint64_t kKeys = 3000;

TableOptions demoting(uint64_t most_rows, EvictionPolicy policy = EvictionPolicy::kLru) {
  TableOptions options = sum_table(kDim);
  options.eviction = {.policy = policy, .max_rows = most_rows, .demote = true};
  return options;
}

std::vector<float> times_dim(const std::vector<float>& values) {
  std::vector<float> rows;
  for (const float value : values) rows.insert(rows.end(), kDim, value);
  return rows;
}

/// A store, and beside it what its rows are.
class Demoting : public ::testing::TestWithParam<EvictionPolicy> {
 protected:
  Folder folder_;
  std::shared_ptr<Store> store_;
  std::shared_ptr<Table> table_;
  std::map<uint64_t, float> rows_;
  std::map<uint64_t, float> committed_;

  void open() {
    table_.reset();
    if (store_) store_->close();
    store_ = must(Store::open(folder_ / "s", {.memory_bytes = 64 * kMiB, .threads = 1}));
    table_ = must(store_->table("t", demoting(200, GetParam())));
    rows_ = committed_;
  }
  void push(const std::vector<uint64_t>& keys, const std::vector<float>& by) {
    must(table_->push(keys, times_dim(by)));
    for (size_t i = 0; i < keys.size(); ++i) rows_[keys[i]] += by[i];
  }
  void erase(const std::vector<uint64_t>& keys) {
    uint64_t there = 0;
    for (const uint64_t key : keys) there += rows_.erase(key);
    EXPECT_EQ(must(table_->erase(keys)), there);
  }
  void commit() {
    must(store_->commit());
    committed_ = rows_;
  }
  void check(const std::vector<uint64_t>& keys) {
    std::vector<uint8_t> found((keys.size() + 7) / 8);
    std::vector<float> got(keys.size() * kDim);
    must(table_->lookup(keys, got, {.found = found}));
    for (size_t i = 0; i < keys.size(); ++i) {
      const auto row = rows_.find(keys[i]);
      ASSERT_EQ((found[i / 8] >> (i % 8)) & 1, row != rows_.end() ? 1 : 0) << "key " << keys[i];
      const float expected = row == rows_.end() ? 0 : row->second;
      ASSERT_EQ(got[i * kDim], expected) << "key " << keys[i];
      ASSERT_EQ(got[i * kDim + 1], expected) << "key " << keys[i];
    }
  }
  void check_pooled(const std::vector<uint64_t>& keys) {
    std::vector<uint32_t> offsets = {0, static_cast<uint32_t>(keys.size())};
    std::vector<float> got(kDim);
    must(table_->lookup_pooled({.keys = keys, .offsets = offsets}, got));
    float sum = 0;
    for (const uint64_t key : keys) sum += rows_.contains(key) ? rows_.at(key) : 0;
    EXPECT_EQ(got[0], sum);
  }
  void check_all() {
    check(range(0, kKeys));
    EXPECT_EQ(stats_of(*table_).rows, rows_.size());
  }
};

TEST_P(Demoting, AnswersAsIfEverythingWereInMemory) {
  const uint64_t seed = test_seed("*Demoting.AnswersAsIf*");
  Random random(seed);
  open();
  const auto some = [&](size_t most) { return random.keys(1 + random.below(most), kKeys); };
  const auto whole = [&](size_t n) {
    std::vector<float> values(n);
    for (float& value : values) value = static_cast<float>(random.between(0, 8)) - 4;
    return values;
  };
  for (uint64_t step = 0; step < scaled(3000); ++step) {
    switch (random.below(20)) {
      case 0:
        erase(std::vector<uint64_t>{random.below(kKeys), kKeys + random.below(kKeys)});
        break;
      case 1:
        commit();
        break;
      case 2:
        if (random.one_in(10)) open();
        break;
      case 3:
        check_pooled(some(100));
        break;
      case 4: {
        const auto keys = some(100);
        const auto values = whole(keys.size());
        must(table_->update(keys, times_dim(values)));
        for (size_t i = 0; i < keys.size(); ++i) rows_[keys[i]] = values[i];
        break;
      }
      case 5:
        must(table_->evict(50));
        break;
      case 6:
        EXPECT_EQ(stats_of(*table_).rows, rows_.size());
        break;
      default:
        if (random.one_in(2)) {
          const auto keys = some(150);
          push(keys, whole(keys.size()));
        } else {
          check(some(150));
        }
    }
    if (HasFatalFailure()) return;
    ASSERT_LE(stats_of(*table_).rows - stats_of(*table_).cold_rows, 200);
  }
  check_all();
  commit();
  open();
  check_all();
  EXPECT_GT(stats_of(*table_).cold_rows, 0);
}

TEST(DemotingTogether, NoPushIsLost) {
  constexpr int kPushers = 3;
  Folder folder;
  const auto store = must(Store::open(folder / "s", {.memory_bytes = 64 * kMiB, .threads = 1}));
  const auto table = must(store->table("t", demoting(300)));
  std::atomic<bool> done{false};
  std::vector<std::thread> threads;
  std::vector<std::map<uint64_t, float>> sums(kPushers);
  for (int p = 0; p < kPushers; ++p) {
    threads.emplace_back([&, p] {
      Random random(static_cast<uint64_t>(p) + 1);
      for (uint64_t i = 0; i < scaled(400); ++i) {
        const auto keys = random.keys(64, kKeys);
        must(table->push(keys, std::vector<float>(keys.size() * kDim, 1.0F)));
        for (const uint64_t key : keys) sums[p][key] += 1;
      }
    });
  }
  std::thread committer([&] {
    while (!done.load()) must(store->commit());
  });
  std::thread reader([&] {
    // What a key has only grows.
    Random random(99);
    std::map<uint64_t, float> last;
    while (!done.load()) {
      const auto keys = random.keys(100, kKeys);
      const auto rows = lookup(*table, keys);
      for (size_t i = 0; i < keys.size(); ++i) {
        ASSERT_EQ(rows[i * kDim], rows[i * kDim + 1]);
        ASSERT_GE(rows[i * kDim], last[keys[i]]) << "key " << keys[i];
        last[keys[i]] = rows[i * kDim];
      }
    }
  });
  for (std::thread& thread : threads) thread.join();
  done.store(true);
  committer.join();
  reader.join();
  must(store->commit());
  std::map<uint64_t, float> all;
  for (const auto& its : sums) {
    for (const auto& [key, sum] : its) all[key] += sum;
  }
  const auto check = [&](Table& of) {
    const auto rows = lookup(of, range(0, kKeys));
    for (uint64_t key = 0; key < kKeys; ++key) ASSERT_EQ(rows[key * kDim], all[key]) << key;
    EXPECT_EQ(stats_of(of).rows,
              std::ranges::count_if(all, [](const auto& row) { return row.second > 0; }));
  };
  check(*table);
  store->close();
  const auto again = must(Store::open(folder / "s", {.memory_bytes = 64 * kMiB}));
  check(*must(again->table("t", demoting(300))));
}

TEST_P(Demoting, AScanGivesEveryRowOnce) {
  open();
  Random random(7);
  for (int i = 0; i < 40; ++i) {
    push(random.keys(100, kKeys), std::vector<float>(100, 1.0F));
    if (i == 20) commit();
    if (i == 30) erase(random.keys(100, kKeys));
  }
  for (const bool state : {false, true}) {
    std::map<uint64_t, float> seen;
    std::optional<uint64_t> from = 0;
    while (from) {
      const ScanPage page = must(table_->scan(*from, 64, {.state = state}));
      for (size_t i = 0; i < page.keys.size(); ++i) {
        EXPECT_TRUE(seen.emplace(page.keys[i], page.rows[i * kDim]).second);
      }
      from = page.next;
    }
    EXPECT_EQ(seen, rows_);
  }
}

TEST_P(Demoting, GoesBackToAVersion) {
  open();
  Random random(8);
  const auto churn = [&] {
    for (int i = 0; i < 20; ++i) push(random.keys(100, kKeys), std::vector<float>(100, 1.0F));
    std::vector<uint64_t> gone = random.keys(200, kKeys);
    std::ranges::sort(gone);
    gone.erase(std::ranges::unique(gone).begin(), gone.end());
    erase(gone);
  };
  churn();
  commit();
  const auto first = rows_;
  churn();
  commit();
  const auto second = rows_;
  churn();
  must(store_->rollback("1"));
  rows_ = committed_ = first;
  check_all();
  open();
  check_all();
  churn();
  must(store_->rollback("2"));
  rows_ = second;
  check_all();
}

TEST_P(Demoting, AReaderOfMoreRowsThanItsMemoryHoldsFollows) {
  open();
  Random random(9);
  const auto churn = [&] {
    for (int i = 0; i < 20; ++i) push(random.keys(100, kKeys), std::vector<float>(100, 1.0F));
    erase({random.below(kKeys)});
    commit();
  };
  churn();
  const auto reader =
      must(Store::open(folder_ / "s", {.memory_bytes = 64 * kMiB, .read_only = true}));
  const auto trained = table_;
  const auto served = must(reader->table("t", demoting(200, GetParam())));
  for (int round = 0; round < 5; ++round) {
    table_ = served;
    for (int i = 0; i < 20; ++i) check(random.keys(150, kKeys));
    check_all();
    EXPECT_GT(stats_of(*served).promoted, 0);
    EXPECT_EQ(stats_of(*served).spilled_rows, 0);
    table_ = trained;
    churn();
    must(reader->refresh());
  }
}

TEST(DemotingTable, NeedsADisk) {
  EXPECT_TRUE(fails(private_store()->table("t", demoting(100)).status(), StatusCode::kUnsupported,
                    "eviction.demote"));
}

TEST(DemotingTable, ABatchThatMemoryCannotHoldIsRefusedAndChangesNothing) {
  Folder folder;
  const auto store = must(Store::open(folder / "s", {.memory_bytes = 64 * kMiB}));
  const auto table = must(store->table("t", demoting(100)));
  must(table->push(range(0, 100), std::vector<float>(100 * kDim, 1.0F)));
  EXPECT_TRUE(fails(table->push(range(0, 101), std::vector<float>(101 * kDim, 1.0F)),
                    StatusCode::kCapacity));
  EXPECT_EQ(lookup(*table, range(0, 101)), [] {
    std::vector<float> rows(101 * kDim, 1.0F);
    rows[100 * kDim] = rows[100 * kDim + 1] = 0;
    return rows;
  }());
}

TEST(DemotingTable, ChangedRowsWaitOnDiskForACommitUpToABound) {
  Folder folder;
  const auto store = must(Store::open(folder / "s", {.memory_bytes = 64 * kMiB, .threads = 1}));
  const auto table = must(store->table("t", demoting(4000)));
  constexpr uint64_t kAtOnce = 2000;
  const std::vector<float> ones(kAtOnce * kDim, 1.0F);
  // An entry takes 48 bytes of a quarter of the memory.
  const uint64_t most = 16 * kMiB / 48;
  uint64_t pushed = 0;
  Status refused;
  for (; pushed < 2 * most && refused.ok(); pushed += refused.ok() ? kAtOnce : 0) {
    refused = table->push(range(pushed, kAtOnce), ones);
  }
  EXPECT_TRUE(fails(refused, StatusCode::kCapacity, "wait on disk for a commit"));
  EXPECT_GT(pushed, most - kAtOnce);
  EXPECT_LT(pushed, most + 8000);
  EXPECT_EQ(stats_of(*table).rows, pushed);
  EXPECT_LE(stats_of(*store).memory_used_bytes, 80 * kMiB);
  EXPECT_EQ(lookup(*table, range(pushed, 3)), std::vector<float>(3 * kDim, 0.0F)) << "all or none";
  must(store->commit().status());
  must(table->push(range(pushed, kAtOnce), ones));
  EXPECT_EQ(lookup(*table, range(pushed - 5, 10)), std::vector<float>(10 * kDim, 1.0F));
  EXPECT_EQ(lookup(*table, range(0, 10)), std::vector<float>(10 * kDim, 1.0F));
}

INSTANTIATE_TEST_SUITE_P(Policies, Demoting,
                         ::testing::Values(EvictionPolicy::kLru, EvictionPolicy::kLfu,
                                           EvictionPolicy::kAgeingLfu, EvictionPolicy::kRandom));

}  // namespace
}  // namespace hotrow::test
