// The index on one thread: against std::unordered_map, with keys that collide on purpose, growing,
// refused memory.
#include "table/index.h"

#include <gtest/gtest.h>

#include <functional>
#include <unordered_map>
#include <vector>

#include "support/hash_inverse.h"
#include "support/index_map.h"
#include "support/random.h"
#include "support/scale.h"

namespace hotrow::test {
namespace {

using Index = PlainIndex;
using Expected = std::unordered_map<uint64_t, uint32_t>;

TEST(ShardLocation, PacksAndUnpacks) {
  for (const ShardLocation at :
       {ShardLocation{0, 1}, ShardLocation{UINT32_MAX, UINT32_MAX}, ShardLocation{12345, 678}}) {
    const ShardLocation back = ShardLocation::unpack(at.pack());
    EXPECT_EQ(back.first_line, at.first_line);
    EXPECT_EQ(back.homes, at.homes);
  }
  EXPECT_EQ((ShardLocation{0, 1}.buckets()), 3U);
  EXPECT_EQ((ShardLocation{0, 320}.buckets()), 332U);
}

TEST(Index, StartsEmpty) {
  const IndexMap<> map;
  EXPECT_EQ(map.index.size(), 0U);
  EXPECT_EQ(map.index.grown(), 0U);
  EXPECT_EQ(map.index.buckets(), 3U * Index::kShards);
  for (const uint64_t key : {uint64_t{0}, uint64_t{1}, UINT64_MAX}) {
    EXPECT_EQ(map.find(key), Index::kNoHandle);
  }
}

TEST(Index, NoKeyIsReserved) {
  IndexMap<> map;
  const uint64_t keys[] = {0, 1, UINT64_MAX, UINT64_MAX - 1, uint64_t{1} << 63, UINT32_MAX};
  for (uint32_t i = 0; i < std::size(keys); ++i) {
    EXPECT_TRUE(map.insert(keys[i], i));
    EXPECT_FALSE(map.insert(keys[i], 99)) << "it is there";
  }
  for (uint32_t i = 0; i < std::size(keys); ++i) EXPECT_EQ(map.find(keys[i]), i);
  EXPECT_TRUE(map.erase(0));
  EXPECT_FALSE(map.erase(0));
  EXPECT_EQ(map.find(0), Index::kNoHandle);
  EXPECT_EQ(map.find(1), 1U);
}

TEST(Index, PeekFindsKeysInTheirHome) {
  IndexMap<> map;
  map.insert(5, 55);
  const EpochGuard guard;
  EXPECT_EQ(Index::peek(*map.index.home_of(mix64(5)), 5).handle(), 55U);
  EXPECT_EQ(Index::peek(*map.index.home_of(mix64(6)), 6).handle(), Index::kNoHandle);
}

template <class BucketT>
void random_calls_on(uint64_t seed, const std::vector<uint64_t>& universe, uint64_t calls) {
  SCOPED_TRACE(testing::Message() << "seed " << seed << ", " << BucketT::kPlaces << " places");
  Random random(seed);
  IndexMap<BucketT> map;
  Expected expected;
  for (uint64_t i = 0; i < calls; ++i) {
    const uint64_t key = universe[random.below(universe.size())];
    // Fills up first, then churns, then empties.
    const uint64_t insert_share = i < calls / 2 ? 8 : i < calls * 3 / 4 ? 5 : 2;
    if (random.below(10) < insert_share) {
      const auto handle = static_cast<uint32_t>(i);
      ASSERT_EQ(map.insert(key, handle), expected.emplace(key, handle).second);
    } else {
      ASSERT_EQ(map.erase(key), expected.erase(key) == 1);
    }
    const uint64_t probed = universe[random.below(universe.size())];
    const auto found = expected.find(probed);
    ASSERT_EQ(map.find(probed), found == expected.end() ? Index::kNoHandle : found->second);
    if (i % 4096 == 0) {
      ASSERT_TRUE(same_keys(map, expected));
    }
  }
  EXPECT_TRUE(same_keys(map, expected));
}

void random_calls(uint64_t seed, const std::vector<uint64_t>& universe, uint64_t calls) {
  random_calls_on<PlainBucket>(seed, universe, calls);
  random_calls_on<HeatBucket>(seed, universe, calls);
  // Chains of many buckets.
  random_calls_on<Bucket<2, false>>(seed, universe, calls / 4);
}

TEST(Index, RandomCallsAgainstAMap) {
  Random random(9);
  std::vector<uint64_t> universe(20000);
  for (uint64_t& key : universe) key = random.next();
  random_calls(1, universe, scaled(100000));
}

TEST(Index, DenseKeysAgainstAMap) {
  std::vector<uint64_t> universe(5000);
  for (size_t i = 0; i < universe.size(); ++i) universe[i] = i;
  random_calls(2, universe, scaled(40000));
}

TEST(Index, OneShardsKeysAgainstAMap) {
  random_calls(3, keys_of_shard(17, 3000), scaled(30000));
  random_calls(4, keys_of_shard(Index::kShards - 1, 400), scaled(30000));
}

TEST(Index, KeysOfOneHomeChainThroughTheShard) {
  random_calls(5, keys_of_first_home(0, 300), scaled(20000));
  random_calls(6, keys_of_first_home(Index::kShards - 1, 120), scaled(20000));
}

TEST(Index, KeysOfTheLastHomeRunIntoTheTail) {
  random_calls(7, keys_of_last_home(5, 150), scaled(10000));
  random_calls(8, keys_of_last_home(Index::kShards - 1, 11), scaled(10000));
}

TEST(Index, MixedCollisionsAgainstAMap) {
  std::vector<uint64_t> universe = keys_of_first_home(7, 40);
  for (const auto& more : {keys_of_last_home(7, 40), keys_of_shard(7, 200), keys_of_shard(8, 50)}) {
    universe.insert(universe.end(), more.begin(), more.end());
  }
  universe.insert(universe.end(), {0, 1, UINT64_MAX});
  random_calls(9, universe, scaled(60000));
}

TEST(Index, KeysOfOneHomeAreFoundAfterOthersBeforeThemWent) {
  IndexMap<> map;
  const std::vector<uint64_t> keys = keys_of_first_home(3, 30);
  for (uint32_t i = 0; i < keys.size(); ++i) map.insert(keys[i], i);
  for (uint32_t i = 0; i < keys.size(); i += 2) EXPECT_TRUE(map.erase(keys[i]));
  for (uint32_t i = 0; i < keys.size(); ++i) {
    EXPECT_EQ(map.find(keys[i]), i % 2 == 0 ? Index::kNoHandle : i);
  }
  // An insertion must not put a second copy of a key that lies further along the chain.
  for (uint32_t i = 1; i < keys.size(); i += 2) EXPECT_FALSE(map.insert(keys[i], 1000));
}

TEST(Index, GrowsFromEmpty) {
  IndexMap<> map;
  Expected expected;
  const auto n = static_cast<uint32_t>(scaled(300000));
  for (uint32_t i = 0; i < n; ++i) {
    map.insert(i * 0x9e3779b97f4a7c15U, i);
    expected.emplace(i * 0x9e3779b97f4a7c15U, i);
  }
  EXPECT_TRUE(same_keys(map, expected));
  EXPECT_GT(map.index.grown(), 0U);
  const double load = static_cast<double>(n) / (5.0 * static_cast<double>(map.index.buckets()));
  if (n >= 100000) {
    EXPECT_GT(load, 0.35);
    EXPECT_LT(load, 0.85);
  }
}

TEST(Index, OldArraysAreUsedAgain) {
  IndexMap<> map;
  const auto n = static_cast<uint32_t>(scaled(300000));
  for (uint32_t i = 0; i < n; ++i) map.insert(i, i);
  // Each growth leaves an array; all of them together would be several times what is in use.
  EXPECT_LT(map.index.memory_bytes(), map.index.buckets() * kLineBytes * 3 + 2 * kHugePageBytes);
  EXPECT_EQ(map.budget.used(), map.index.memory_bytes());
}

TEST(Index, GrowKeepsEveryKeyAndNoticesReaders) {
  IndexMap<> map;
  Expected expected;
  const std::vector<uint64_t> keys = keys_of_shard(40, 100);
  for (uint32_t i = 0; i < keys.size(); ++i) {
    map.insert(keys[i], i);
    expected.emplace(keys[i], i);
  }
  const EpochGuard guard;
  const Index::Sight here = map.index.probe(keys[0], mix64(keys[0]));
  const uint64_t elsewhere = keys_of_shard(41, 1)[0];
  const Index::Sight there = map.index.probe(elsewhere, mix64(elsewhere));
  const uint64_t grown = map.index.grown();
  ASSERT_TRUE(map.grow(40, 0, true, Growth::kWithinBudget));
  EXPECT_EQ(map.index.grown(), grown + 1);
  EXPECT_FALSE(Index::still(here)) << "its bucket has moved";
  EXPECT_TRUE(Index::still(there)) << "another shard has not";
  EXPECT_TRUE(here.home->load().moved());
  EXPECT_TRUE(same_keys(map, expected));
  const Index::Sight again = map.index.probe(keys[0], mix64(keys[0]));
  EXPECT_NE(again.home, here.home);
  EXPECT_TRUE(Index::still(again));
}

TEST(Index, StillNoticesEveryWriterOfTheHome) {
  IndexMap<> map;
  const std::vector<uint64_t> keys = keys_of_first_home(9, 3);
  map.insert(keys[0], 0);
  const EpochGuard guard;
  const auto sight_of = [&](uint64_t key) { return map.index.probe(key, mix64(key)); };
  Index::Sight sight = sight_of(keys[0]);
  {
    Index::Writer writer(map.index);
    writer.enter(IndexShards::of(mix64(keys[0])));
    const auto hold = writer.find(keys[0], mix64(keys[0]));
    EXPECT_TRUE(Index::still(sight)) << "nothing has changed yet";
    writer.begin(hold);
    EXPECT_FALSE(Index::still(sight)) << "a writer is at work";
    writer.end(hold);
  }
  EXPECT_FALSE(Index::still(sight)) << "a writer came and went";
  sight = sight_of(keys[0]);
  EXPECT_TRUE(Index::still(sight));
  map.insert(keys[1], 1);
  EXPECT_FALSE(Index::still(sight));
  sight = sight_of(keys[2]);
  EXPECT_EQ(sight.handle, Index::kNoHandle);
  map.insert(keys[2], 2);
  EXPECT_FALSE(Index::still(sight));
}

TEST(Index, GrowMakesRoomForWhatIsPromised) {
  IndexMap<> map;
  ASSERT_TRUE(map.grow(3, 5000, false, Growth::kWithinBudget));
  const uint64_t grown = map.index.grown();
  EXPECT_EQ(grown, 1U);
  const std::vector<uint64_t> keys = keys_of_shard(3, 5000);
  for (uint32_t i = 0; i < keys.size(); ++i) {
    ASSERT_FALSE(map.wants_growth(3)) << i;
    map.insert(keys[i], i);
  }
  EXPECT_EQ(map.index.grown(), grown);
  ASSERT_TRUE(map.grow(3, 0, false, Growth::kWithinBudget));
  EXPECT_EQ(map.index.grown(), grown) << "there was nothing to do";
}

TEST(Index, RefusedMemoryChangesNothing) {
  IndexMap<> map(2 * kHugePageBytes);
  Expected expected;
  const std::vector<uint64_t> keys = keys_of_shard(12, 500);
  for (uint32_t i = 0; i < keys.size(); ++i) {
    map.insert(keys[i], i);
    expected.emplace(keys[i], i);
  }
  const uint64_t grown = map.index.grown();
  const uint64_t used = map.budget.used();
  EXPECT_FALSE(map.grow(12, 1000000, false, Growth::kWithinBudget));
  EXPECT_EQ(map.index.grown(), grown);
  EXPECT_EQ(map.budget.used(), used);
  EXPECT_TRUE(same_keys(map, expected));
  EXPECT_TRUE(map.erase(keys[0])) << "no bucket stays locked";
  EXPECT_TRUE(map.insert(keys[0], 0));
  // Nothing stays frozen either when memory ends in the middle of a rebuild.
  EXPECT_FALSE(map.grow(12, 200000000, false, Growth::kAlways));
  EXPECT_TRUE(same_keys(map, expected));
  EXPECT_TRUE(map.erase(keys[1]));
}

// What a call reserves for its index must cover what its keys then take, though none of the old
// arrays can be freed before the call ends.
TEST(Index, GrowthBytesCoverOneCallOfManyNewKeys) {
  // The worst sizes: just above a step of growth, where the arrays left behind weigh most.
  for (const uint64_t n : {scaled(1 << 15), scaled(1 << 17), scaled(1 << 20)}) {
    IndexMap<> map;
    for (uint64_t call = 0; call < 4; ++call) {
      const EpochGuard whole_call;
      IndexShards::Counts counts = {};
      for (uint64_t i = 0; i < n; ++i) ++counts[IndexShards::of(mix64(call * n + i))];
      const uint64_t promised = map.index.memory_bytes() + map.index.growth_bytes(counts);
      for (uint64_t i = 0; i < n; ++i) {
        const uint64_t key = call * n + i;
        map.insert(key, static_cast<uint32_t>(i), counts[IndexShards::of(mix64(key))]);
      }
      EXPECT_LE(map.index.memory_bytes(), promised) << n << " keys, call " << call;
    }
    EXPECT_EQ(map.index.size(), 4 * n);
  }
}

TEST(Index, ChainsStayShortHoweverManyKeysComeAndGo) {
  IndexMap<> map;
  constexpr uint64_t kKeys = 4000;
  for (uint64_t i = 0; i < kKeys; ++i) map.insert(i, 1);
  const uint64_t rounds = 30;
  for (uint64_t i = 0; i < rounds * kKeys; ++i) {
    ASSERT_TRUE(map.erase(i));
    ASSERT_TRUE(map.insert(i + kKeys, 1));
  }
  const EpochGuard guard;
  uint64_t buckets = 0;
  constexpr uint64_t kMisses = 4000;
  for (uint64_t i = 0; i < kMisses; ++i) {
    const uint64_t key = uint64_t{1} << 40 | i;
    const auto* bucket = map.index.home_of(mix64(key));
    for (++buckets; bucket->load().overflow(); ++bucket) ++buckets;
  }
  EXPECT_LT(static_cast<double>(buckets) / kMisses, 2.5) << "buckets per missing key";
}

}  // namespace
}  // namespace hotrow::test
