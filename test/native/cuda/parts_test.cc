// Small parts of cuda/ by known values: hashing, scores, the sampling of uses, walks over chunks,
// and which keys stand for empty ways.
#include <gtest/gtest.h>

#include <set>
#include <vector>

#include "cuda/copy.h"
#include "cuda/host_device.h"
#include "cuda/model.h"
#include "cuda/random_run.h"
#include "cuda/scores.h"
#include "cuda/view.h"

namespace hotrow::test {
namespace {

// By an implementation of fmix64 in another language.
TEST(GpuParts, SpreadIsMurmursFinalizer) {
  EXPECT_EQ(gpu::spread(0), 0U);
  EXPECT_EQ(gpu::spread(1), 0xb456bcfc34c2cb2cU);
  EXPECT_EQ(gpu::spread(2), 0x3abf2a20650683e7U);
  EXPECT_EQ(gpu::spread(uint64_t{1} << 63), 0x8f780810af31a493U);
  EXPECT_EQ(gpu::spread(UINT64_MAX - 1), 0x3a8593886c55a02bU);
  EXPECT_EQ(gpu::spread(UINT64_MAX), 0x64b5720b4b825f21U);
}

TEST(GpuParts, BucketsAreTheUpperBitsScaled) {
  EXPECT_EQ(gpu::bucket_of(0, 61), 0U);
  EXPECT_EQ(gpu::bucket_of(1, 61), 42U);
  EXPECT_EQ(gpu::bucket_of(2, 61), 13U);
  EXPECT_EQ(gpu::bucket_of(UINT64_MAX, 61), 23U);
  EXPECT_EQ(gpu::bucket_of(UINT64_MAX, gpu::kMostBuckets), 105600800U);
  EXPECT_EQ(gpu::bucket_of(1, uint64_t{1} << 32), 3025583356U);
  std::vector<int> counts(61);
  for (uint64_t key = 0; key < 61'000; ++key) ++counts.at(gpu::bucket_of(key, 61));
  for (const int count : counts) EXPECT_NEAR(count, 1000, 160);
}

/// Every cache of few buckets finds two keys of different buckets, and knows which is whose.
TEST(GpuParts, EmptyWaysHoldKeysOfOtherBuckets) {
  const RunShape shape;
  const RowRules rules(table_options(shape));
  for (uint64_t buckets = 2; buckets <= 70; ++buckets) {
    const auto subject = host_subject({tier_spec(shape, rules), buckets}, true, 1);
    const CacheState state = subject->state();
    ASSERT_EQ(state.keys.size(), buckets * Model::kWays);
    for (size_t way = 0; way < state.keys.size(); ++way) {
      ASSERT_NE(gpu::bucket_of(state.keys[way], buckets), way / Model::kWays) << buckets;
    }
  }
}

TEST(GpuParts, OneBucketIsTooFew) {
  const RunShape shape;
  const RowRules rules(table_options(shape));
  try {
    host_subject({tier_spec(shape, rules), 1}, true, 1);
    FAIL() << "made";
  } catch (const std::runtime_error& error) {
    EXPECT_NE(std::string(error.what()).find("are too few for a cache"), std::string::npos)
        << error.what();
  }
}

gpu::Scores scores(TierPolicy policy, uint32_t clock, uint32_t epoch) {
  return {policy, {.clock = clock, .epoch = epoch}};
}

TEST(GpuScores, LruIsTheClock) {
  const auto lru = scores(TierPolicy::kLru, 77, 5);
  EXPECT_EQ(lru.fresh(9), 77U);
  EXPECT_EQ(lru.touched(12, 8), 77U);
  EXPECT_EQ(lru.rank(12), 12U);
  EXPECT_EQ(lru.rank(UINT32_MAX), UINT32_MAX);
}

TEST(GpuScores, LfuCountsAndStaysAtTheEnd) {
  const auto lfu = scores(TierPolicy::kLfu, 77, 5);
  EXPECT_EQ(lfu.fresh(9), 9U);
  EXPECT_EQ(lfu.fresh(UINT32_MAX), UINT32_MAX);
  EXPECT_EQ(lfu.touched(9, 8), 17U);
  EXPECT_EQ(lfu.touched(UINT32_MAX - 9, 8), UINT32_MAX - 1);
  EXPECT_EQ(lfu.touched(UINT32_MAX - 8, 8), UINT32_MAX);
  EXPECT_EQ(lfu.touched(UINT32_MAX - 7, 8), UINT32_MAX);
  EXPECT_EQ(lfu.touched(UINT32_MAX, 8), UINT32_MAX);
  EXPECT_EQ(lfu.rank(12), 12U);
}

TEST(GpuScores, AgeingLfuHalvesWithEveryEpoch) {
  const auto now = scores(TierPolicy::kAgeingLfu, 77, 0x105);
  EXPECT_EQ(now.fresh(9), 0x05000009U);
  EXPECT_EQ(now.fresh(0x1234567), 0x05ffffffU) << "uses end at 24 bits";
  EXPECT_EQ(now.fresh(UINT32_MAX), 0x05ffffffU);
  EXPECT_EQ(now.rank(0x05000009), 9U);
  EXPECT_EQ(now.rank(0x04000009), 4U);
  EXPECT_EQ(now.rank(0x03000009), 2U);
  EXPECT_EQ(now.rank(0x0000ffff), 0xffffU >> 5);
  EXPECT_EQ(now.rank(0xff0000ff), 0xffU >> 6) << "six epochs ago";
  EXPECT_EQ(now.rank(0x06ffffff), 0U) << "255 epochs ago";
  EXPECT_EQ(now.rank(0xeeffffff), 1U) << "23 epochs ago";
  EXPECT_EQ(now.rank(0xedffffff), 0U) << "24 epochs ago";
  EXPECT_EQ(now.touched(0x05000009, 8), 0x05000011U);
  EXPECT_EQ(now.touched(0x04000009, 8), 0x0500000cU);
  EXPECT_EQ(now.touched(0x05fffff8, 8), 0x05ffffffU);
  EXPECT_EQ(now.touched(0x05ffffff, 8), 0x05ffffffU);
  EXPECT_EQ(scores(TierPolicy::kAgeingLfu, 0, 256).rank(0xff000009), 4U) << "epochs wrap";
}

TEST(GpuScores, EpochPoliciesLetOlderEpochsGoFirst) {
  const auto lru = scores(TierPolicy::kEpochLru, 0x3abcdef, 0x205);
  EXPECT_EQ(lru.fresh(9), 0x05abcdefU);
  EXPECT_EQ(lru.touched(0x01000000, 8), 0x05abcdefU);
  EXPECT_EQ(lru.rank(0x05000002), 0xff000002U);
  EXPECT_EQ(lru.rank(0x04ffffff), 0xfeffffffU);
  EXPECT_EQ(lru.rank(0x06ffffff), 0x00ffffffU) << "255 epochs ago, not one ahead";
  const auto lfu = scores(TierPolicy::kEpochLfu, 1, 0x205);
  EXPECT_EQ(lfu.fresh(9), 0x05000009U);
  EXPECT_EQ(lfu.fresh(UINT32_MAX), 0x05ffffffU);
  EXPECT_EQ(lfu.touched(0x01000009, 8), 0x05000011U) << "not halved";
  EXPECT_EQ(lfu.touched(0x01fffff9, 8), 0x05ffffffU);
  EXPECT_EQ(lfu.rank(0xff000009), 0xf9000009U) << "six epochs ago";
}

TEST(GpuScores, CustomStaysAsGiven) {
  const auto custom = scores(TierPolicy::kCustom, 77, 5);
  EXPECT_EQ(custom.fresh(UINT32_MAX), UINT32_MAX);
  EXPECT_EQ(custom.touched(12, 8), 12U);
  EXPECT_EQ(custom.rank(12), 12U);
}

/// The model's own scores, written another way, for many more.
TEST(GpuScores, AreTheModels) {
  Random random(11);
  for (int i = 0; i < 200'000; ++i) {
    const auto policy = static_cast<TierPolicy>(random.below(6));
    const TierMoment now{.clock = static_cast<uint32_t>(random.next()),
                         .epoch = static_cast<uint32_t>(random.next())};
    const gpu::Scores got{policy, now};
    const PlainScores expected(policy, now);
    const auto score = static_cast<uint32_t>(random.next());
    const auto uses = static_cast<uint32_t>(random.next() >> (32 + random.below(32)));
    ASSERT_EQ(got.fresh(uses), expected.fresh(uses));
    ASSERT_EQ(got.rank(score), expected.rank(score));
    ASSERT_EQ(got.touched(score, 8), expected.touched(score, 8));
  }
}

TEST(GpuTouch, LooksAtOneKeyInEightWhateverTheClock) {
  for (const uint32_t clock : {0U, 1U, 1000U, UINT32_MAX}) {
    const gpu::Touch touch{scores(TierPolicy::kLfu, clock, 0), true};
    int touched = 0;
    for (uint64_t position = 0; position < 8000; ++position) {
      uint32_t score = 5;
      touch(&score, position);
      ASSERT_EQ(score != 5, is_sampled(position, touch.scores.now)) << position;
      if (score != 5) ++touched;
    }
    EXPECT_NEAR(touched, 1000, 20);
  }
  uint32_t score = 5;
  for (uint64_t position = 0; position < 100; ++position) {
    gpu::Touch{scores(TierPolicy::kLfu, 1, 0), false}(&score, position);
  }
  EXPECT_EQ(score, 5U) << "off";
}

/// All lanes together: each chunk of W rows once, in `chunks` steps.
template <unsigned W, unsigned kChunks>
void walk(uint32_t chunks) {
  using Walk = gpu::ChunkWalk<W, kChunks>;
  std::vector<int> seen(W * chunks);
  for (unsigned lane = 0; lane < W; ++lane) {
    Walk at = Walk::begin(lane, chunks);
    for (uint32_t done = 0; done < chunks; ++done) {
      ASSERT_LT(at.row, W) << chunks;
      ASSERT_LT(at.chunk, chunks);
      ++seen[at.row * chunks + at.chunk];
      // Neighbours move neighbouring chunks.
      ASSERT_EQ(at.row * chunks + at.chunk, done * W + lane);
      at.step(chunks);
    }
  }
  for (const int times : seen) ASSERT_EQ(times, 1) << chunks;
}

TEST(GpuChunkWalk, CoversEachChunkOnce) {
  for (uint32_t chunks = 1; chunks <= 70; ++chunks) {
    walk<32, 0>(chunks);
    walk<16, 0>(chunks);
    walk<8, 0>(chunks);
  }
  walk<32, 1>(1);
  walk<32, 2>(2);
  walk<32, 3>(3);
  walk<32, 4>(4);
  walk<32, 8>(8);
  walk<32, 12>(12);
  walk<32, 16>(16);
  walk<32, 32>(32);
  walk<32, 33>(33);
  walk<8, 16>(16);
}

}  // namespace
}  // namespace hotrow::test
