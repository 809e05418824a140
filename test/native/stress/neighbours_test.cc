// Keys that come and go in the buckets where others' chains pass: a reader gets the row of its key
// or none, never another key's.
#include <gtest/gtest.h>

#include <atomic>
#include <thread>
#include <vector>

#include "support/hash_inverse.h"
#include "support/random.h"
#include "support/scale.h"
#include "support/stores.h"

namespace hotrow::test {
namespace {

constexpr uint32_t kPair = 2;

float value_of(size_t key) { return static_cast<float>(key + 1); }

/// One thread gives and takes rows, the other looks them up, for so many batches.
void come_and_go(const TableOptions& options, uint64_t batches) {
  const auto store = private_store();
  const auto table = must(store->table("t", options));
  // As many as a few buckets hold, so that chains cross and places are taken over at once.
  const std::vector<uint64_t> keys = keys_of_shard(3, 26);
  std::atomic<bool> done{false};
  std::thread writer([&] {
    Random random(1);
    while (!done.load(std::memory_order_relaxed)) {
      const size_t gone = random.below(keys.size());
      const size_t come = random.below(keys.size());
      must(table->erase({&keys[gone], 1}).status());
      must(table->update({&keys[come], 1}, std::vector<float>(kPair, value_of(come))));
    }
  });
  Random random(2);
  std::vector<size_t> asked(256);
  std::vector<uint64_t> batch(asked.size());
  std::vector<float> rows(asked.size() * kPair);
  for (uint64_t i = 0; i < batches && !::testing::Test::HasFailure(); ++i) {
    for (size_t at = 0; at < asked.size(); ++at) {
      asked[at] = random.below(keys.size());
      batch[at] = keys[asked[at]];
    }
    must(table->lookup(batch, rows));
    for (size_t at = 0; at < asked.size(); ++at) {
      const float got = rows[at * kPair];
      EXPECT_TRUE(got == 0 || got == value_of(asked[at])) << "key " << asked[at] << " got " << got;
      EXPECT_EQ(rows[at * kPair + 1], got);
    }
  }
  done.store(true);
  writer.join();
}

TEST(Neighbours, NoKeyGetsAnothersRow) { come_and_go(sum_table(kPair), scaled(40'000)); }

TEST(Neighbours, NoKeyGetsAnothersRowWhereBucketsKeepHeat) {
  TableOptions options = sum_table(kPair);
  options.eviction = {.policy = EvictionPolicy::kLru};
  come_and_go(options, scaled(40'000));
}

}  // namespace
}  // namespace hotrow::test
