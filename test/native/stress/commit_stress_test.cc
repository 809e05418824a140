// Commits beside everything else: lookups, pushes, growth, erasing and eviction go on while one
// version after the other is written (guarantees E2, E4 and E9). Meant for ThreadSanitizer too.
#include <gtest/gtest.h>

#include <atomic>
#include <chrono>
#include <thread>
#include <vector>

#include "support/fast_folder.h"
#include "support/random.h"
#include "support/scale.h"
#include "support/stores.h"
#include "support/threads.h"

namespace hotrow::test {
namespace {

constexpr uint32_t kClients = 2;
constexpr uint64_t kGroup = 64;

TEST(CommitStress, BesideLookupsPushesGrowthAndEviction) {
  const FastFolder folder;
  std::array<std::atomic<uint64_t>, kClients> finished = {};
  {
    const auto store = must(Store::open(folder / "s", {.memory_bytes = 512 * kMiB, .threads = 2}));
    const auto clocks = must(store->table("clocks", sum_table(kClients)));
    TableOptions bounded = sum_table(8);
    bounded.eviction = {.policy = EvictionPolicy::kLru, .max_rows = 3000};
    const auto evicting = must(store->table("evicting", bounded));
    std::atomic<bool> stop{false};
    const auto group = range(0, kGroup);
    in_threads(kClients + 3, [&](uint32_t thread) {
      Random random(thread);
      std::vector<float> ticks(kGroup * kClients, 0.0F);
      if (thread < kClients) {
        for (uint64_t key = 0; key < kGroup; ++key) ticks[key * kClients + thread] = 1;
      }
      while (!stop) {
        if (thread < kClients) {
          must(clocks->push(group, ticks));
          finished[thread].fetch_add(1);
        } else if (thread == kClients) {
          const std::vector<uint64_t> keys = random.keys(200, 20'000);
          must(evicting->push(keys, std::vector<float>(keys.size() * 8, 1.0F)));
          if (random.one_in(4)) must(evicting->erase(random.keys(50, 20'000)).status());
        } else if (thread == kClients + 1) {
          const std::vector<float> rows = lookup(*clocks, group);
          for (uint64_t key = 0; key < kGroup; ++key) (void)rows[key];
          (void)lookup(*evicting, random.keys(200, 20'000));
        } else {
          const auto end = std::chrono::steady_clock::now() +
                           std::chrono::milliseconds(static_cast<int64_t>(2000 * test_scale()));
          while (std::chrono::steady_clock::now() < end) must(store->commit().status());
          stop = true;
        }
      }
    });
    must(store->commit().status());
  }
  const auto store = must(Store::open(folder / "s", {.memory_bytes = 512 * kMiB, .threads = 2}));
  const auto rows = lookup(*must(store->table("clocks", sum_table(kClients))), range(0, kGroup));
  for (uint64_t i = 0; i < rows.size(); ++i) {
    ASSERT_EQ(rows[i], static_cast<float>(finished[i % kClients].load())) << i / kClients;
  }
}

// A store close to its ceiling changes every row while each commit writes them.
TEST(CommitStress, MemoryStaysUnderItsCeiling) {
  const FastFolder folder;
  constexpr uint64_t kCeiling = 96 * kMiB;
  const auto store = must(Store::open(folder / "s", {.memory_bytes = kCeiling, .threads = 1}));
  const auto table = must(store->table("t", sum_table(64)));
  std::atomic<bool> stop{false};
  std::atomic<uint64_t> peak{0};
  uint64_t refused = 0;
  in_threads(2, [&](uint32_t thread) {
    if (thread == 0) {
      for (uint64_t i = 0; i < scaled(12); ++i) must(store->commit().status());
      stop = true;
      return;
    }
    Random random(1);
    while (!stop) {
      const std::vector<uint64_t> keys = random.keys(1000, 400'000);
      const Status status = table->push(keys, std::vector<float>(keys.size() * 64, 1.0F));
      if (!status.ok()) {
        EXPECT_TRUE(fails(status, StatusCode::kCapacity));
        ++refused;
      }
      peak = std::max(peak.load(), stats_of(*store).memory_used_bytes);
    }
  });
  // Room for the hashes that removals may leave, eight bytes a key of each push under way, is
  // charged beyond the ceiling: who is at it must be able to remove rows (docs/GUARANTEES.md,
  // Limits).
  constexpr uint64_t kHashes = kCeiling / 128;
  EXPECT_LE(peak.load(), kCeiling + kHashes);
  RecordProperty("refused", std::to_string(refused));
}

}  // namespace
}  // namespace hotrow::test
