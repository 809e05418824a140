// Vector-clock rows under everything at once: client c adds 1 to lane c of a group of keys, so one
// look at a row tells loss, double application, torn rows and time travel (guarantees E1, E2).
//
// Meant for ThreadSanitizer too. Runs for a time, not for a count; HOTROW_TEST_SCALE stretches it.
#include <gtest/gtest.h>

#include <algorithm>
#include <array>
#include <atomic>
#include <chrono>
#include <thread>
#include <vector>

#include "support/hash_inverse.h"
#include "support/random.h"
#include "support/scale.h"
#include "support/stores.h"
#include "support/threads.h"

namespace hotrow::test {
namespace {

constexpr uint32_t kPushers = 3;
constexpr uint32_t kShard = 5;
constexpr size_t kTogether = 60;
constexpr uint32_t kUniformDim = 37;

std::chrono::milliseconds round_time() { return std::chrono::milliseconds(250); }
uint64_t rounds() {
  const double seconds = (kSlowdown > 1 ? 8 : 3) * test_scale();
  return std::max<uint64_t>(1, static_cast<uint64_t>(seconds * 4));
}

/// One round: fresh tables, so that growth starts from empty each time.
class Round {
 public:
  Round(Store& store, uint64_t seed)
      : store_(store),
        seed_(seed),
        clocks_(must(store.table("clocks", sum_table(kPushers)))),
        uniform_(must(store.table("uniform", sum_table(kUniformDim)))),
        group_(keys_of_shard(kShard, kTogether)) {}

  void run() {
    std::thread timer([this] {
      std::this_thread::sleep_for(round_time());
      stop_ = true;
    });
    in_threads(kPushers + 4, [this](uint32_t thread) {
      if (thread < kPushers) return client(thread);
      if (thread == kPushers) return others();
      if (thread == kPushers + 1) return assign();
      reader(thread);
    });
    timer.join();
    std::vector<float> expected;
    for (size_t key = 0; key < kTogether; ++key) {
      for (const auto& count : completed_) expected.push_back(static_cast<float>(count));
    }
    EXPECT_EQ(lookup(*clocks_, group_), expected) << "lost or doubled updates";
    must(store_.drop("clocks"));
    must(store_.drop("uniform"));
  }
  uint64_t pushes() const { return completed_[0] + completed_[1] + completed_[2]; }

 private:
  void client(uint32_t c) {
    std::vector<float> ticks(kTogether * kPushers, 0.0F);
    for (size_t key = 0; key < kTogether; ++key) ticks[key * kPushers + c] = 1.0F;
    std::vector<float> tick(kPushers, 0.0F);
    tick[c] = 1.0F;
    const std::vector<uint32_t> one_bag = {0, kTogether};
    const std::vector<float> ones(kTogether * kUniformDim, 1.0F);
    // The group ten times over, each key counted once: large enough to be treated as repetition.
    std::vector<uint64_t> repeated;
    for (int i = 0; i < 10; ++i) repeated.insert(repeated.end(), group_.begin(), group_.end());
    std::vector<float> repeated_ticks = ticks;
    repeated_ticks.resize(repeated.size() * kPushers, 0.0F);
    for (uint64_t i = 0; !stop_; ++i) {
      ++started_[c];
      if (i % 4 == 0) {
        must(clocks_->push_pooled({.keys = group_, .offsets = one_bag}, tick));
        must(uniform_->push(group_, ones));
      } else if (i % 4 == 1) {
        must(clocks_->push(repeated, repeated_ticks));
      } else if (i % 4 == 2) {
        const TablePush pushes[] = {{clocks_.get(), group_, ticks}, {uniform_.get(), group_, ones}};
        must(store_.push_all(pushes));
      } else {
        must(clocks_->push(group_, ticks));
      }
      ++completed_[c];
    }
  }

  /// Grows the group's shard and the others, then erases what it added.
  void others() {
    Random random(seed_);
    const std::vector<uint64_t> neighbours = keys_of_shard(kShard, kTogether + 4000);
    for (size_t first = kTogether; !stop_; first += 50) {
      if (first + 50 > neighbours.size()) first = kTogether;
      std::vector<uint64_t> keys(neighbours.begin() + static_cast<int64_t>(first),
                                 neighbours.begin() + static_cast<int64_t>(first) + 50);
      for (int i = 0; i < 50; ++i) keys.push_back(random.next());
      must(clocks_->push(keys, std::vector<float>(100 * kPushers, 1.0F)));
      must(uniform_->push(keys, std::vector<float>(100 * kUniformDim, 1.0F)));
      if (first % 100 != 0) continue;
      EXPECT_EQ(must(clocks_->erase(keys)), 100U);
      EXPECT_EQ(must(uniform_->erase(keys)), 100U);
    }
  }

  /// Whole rows by assignment, on keys of their own.
  void assign() {
    const std::vector<uint64_t> keys = range(1, 8);
    for (uint64_t i = 0; !stop_; ++i) {
      must(
          uniform_->update(keys, std::vector<float>(8 * kUniformDim, static_cast<float>(i % 512))));
      if (i % 64 == 0) must(uniform_->erase(keys));
    }
  }

  void reader(uint64_t seed) {
    Random random(seed);
    std::vector<float> seen(kTogether * kPushers, 0.0F);
    std::vector<uint64_t> wide = group_;
    for (const uint64_t key : range(1, 8)) wide.push_back(key);
    const std::vector<uint64_t> more = keys_of_shard(kShard, kTogether + 300);
    wide.insert(wide.end(), more.begin() + kTogether, more.end());
    while (!stop_) {
      read_clocks(random, seen);
      const std::vector<float> rows = lookup(*uniform_, wide);
      for (size_t key = 0; key < wide.size(); ++key) {
        const float* const row = &rows[key * kUniformDim];
        ASSERT_TRUE(std::all_of(row, row + kUniformDim, [&](float x) { return x == row[0]; }))
            << "half a row";
      }
    }
  }
  void read_clocks(Random& random, std::vector<float>& seen) {
    std::array<uint64_t, kPushers> at_least;
    for (uint32_t c = 0; c < kPushers; ++c) at_least[c] = completed_[c];
    // One key, the group, or the group so often that each row is read once for all of them.
    const uint64_t kind = random.below(3);
    const size_t first = kind == 0 ? random.below(kTogether) : 0;
    const size_t n = kind == 0 ? 1 : kind == 1 ? kTogether : kTogether * 20;
    std::vector<uint64_t> keys(n);
    for (size_t i = 0; i < n; ++i) keys[i] = group_[(first + i) % kTogether];
    const std::vector<float> rows = lookup(*clocks_, keys);
    // The keys of one batch are read in any order, so each is compared with the batches before.
    std::vector<float> now = seen;
    for (size_t i = 0; i < rows.size(); ++i) {
      const uint32_t c = i % kPushers;
      const size_t lane = (first * kPushers + i) % seen.size();
      ASSERT_GE(rows[i], seen[lane]) << "back in time";
      ASSERT_GE(rows[i], static_cast<float>(at_least[c])) << "an acknowledged push is missing";
      ASSERT_LE(rows[i], static_cast<float>(started_[c])) << "a push that was never made";
      now[lane] = std::max(now[lane], rows[i]);
    }
    seen = std::move(now);
  }

  Store& store_;
  const uint64_t seed_;
  std::shared_ptr<Table> clocks_;
  std::shared_ptr<Table> uniform_;
  const std::vector<uint64_t> group_;
  std::atomic<bool> stop_{false};
  std::array<std::atomic<uint64_t>, kPushers> started_ = {};
  std::array<std::atomic<uint64_t>, kPushers> completed_ = {};
};

// One long row that writers hardly ever leave alone: readers get through, and see it whole.
TEST(Stress, OneHotRow) {
  constexpr uint32_t kDim = 2048;
  const auto store = private_store(1);
  const auto table = must(store->table("t", sum_table(kDim)));
  const std::vector<uint64_t> key = {42};
  const uint64_t pushes = scaled(20000);
  std::atomic<uint32_t> writing{2};
  std::atomic<uint64_t> reads{0};
  in_threads(4, [&](uint32_t thread) {
    if (thread < 2) {
      const std::vector<float> ones(kDim, 1.0F);
      for (uint64_t i = 0; i < pushes; ++i) must(table->push(key, ones));
      --writing;
      return;
    }
    float before = 0;
    while (writing > 0) {
      const std::vector<float> row = lookup(*table, key);
      ASSERT_TRUE(std::all_of(row.begin(), row.end(), [&](float x) { return x == row[0]; }));
      ASSERT_GE(row[0], before);
      before = row[0];
      ++reads;
    }
  });
  EXPECT_GT(reads, 0U);
  EXPECT_EQ(lookup(*table, key)[0], static_cast<float>(2 * pushes));
}

TEST(Stress, VectorClocks) {
  const auto store = private_store(2, 2048 * kMiB);
  uint64_t pushes = 0;
  for (uint64_t round = 0; round < rounds() && !HasFailure(); ++round) {
    Round now(*store, round);
    now.run();
    pushes += now.pushes();
  }
  RecordProperty("pushes", std::to_string(pushes));
  EXPECT_GT(pushes, 0U);
}

}  // namespace
}  // namespace hotrow::test
