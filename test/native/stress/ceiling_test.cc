// Several threads at the ceiling: each call is whole or refused, memory stays under memoryBytes,
// and everybody gets on (guarantees E1 and E9).
#include <gtest/gtest.h>

#include <atomic>
#include <vector>

#include "model/plain_table.h"
#include "support/bits.h"
#include "support/random.h"
#include "support/scale.h"
#include "support/stores.h"
#include "support/threads.h"

namespace hotrow::test {
namespace {

constexpr uint64_t kCeiling = 24 * kMiB;
constexpr uint32_t kDim = 60;
constexpr uint32_t kWriters = 3;

/// Pushes and erases keys of its own and keeps a plain copy of them.
void writer(Table& table, PlainTable& plain, uint32_t thread, std::atomic<uint64_t>& refused) {
  Random random(thread);
  const uint64_t universe = kCeiling / stats_of(table).row_bytes / 2;
  for (uint64_t call = 0; call < scaled(250); ++call) {
    std::vector<uint64_t> keys = random.keys(random.between(1, universe / 8), universe);
    for (uint64_t& key : keys) key = key * kWriters + thread;
    const std::vector<float> rows(keys.size() * kDim, random.real());
    if (random.one_in(5)) {
      EXPECT_EQ(must(table.erase(keys)), plain.erase(keys));
    } else if (const Status status = table.push(keys, rows); status.ok()) {
      EXPECT_TRUE(plain.push(keys, rows));
    } else {
      EXPECT_TRUE(fails(status, StatusCode::kCapacity));
      ++refused;
    }
  }
}

TEST(Stress, WritersAtTheCeiling) {
  const auto store = private_store(2, kCeiling);
  const auto table = must(store->table(
      "t", {.dim = kDim, .optimizer = every_optimizer()[1], .initializer = uniform(1)}));
  std::vector<PlainTable> plain(kWriters, PlainTable(table->options()));
  std::atomic<uint64_t> refused{0};
  std::atomic<uint64_t> most_used{0};
  std::atomic<uint32_t> running{kWriters};
  in_threads(kWriters + 1, [&](uint32_t thread) {
    if (thread < kWriters) {
      writer(*table, plain[thread], thread, refused);
      --running;
      return;
    }
    while (running > 0) {
      most_used = std::max<uint64_t>(most_used, stats_of(*store).memory_used_bytes);
      std::this_thread::yield();
    }
  });
  EXPECT_GT(refused, 0U) << "the ceiling was never near";
  EXPECT_LE(most_used, kCeiling);
  uint64_t rows = 0;
  for (PlainTable& each : plain) {
    const std::vector<uint64_t> keys = each.keys();
    EXPECT_TRUE(same_bits(lookup(*table, keys), each.lookup(keys)));
    rows += each.rows();
  }
  EXPECT_EQ(stats_of(*table).rows, rows);
}

}  // namespace
}  // namespace hotrow::test
