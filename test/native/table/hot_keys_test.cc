// The sketch of hot keys: what it guarantees, what it samples, and that it waits for nobody.
#include "table/hot_keys.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <atomic>
#include <cmath>
#include <numeric>
#include <set>
#include <string>
#include <unordered_map>
#include <vector>

#include "support/failing_new.h"
#include "support/hash_inverse.h"
#include "support/random.h"
#include "support/scale.h"
#include "support/threads.h"

namespace hotrow::test {
namespace {

constexpr uint32_t kAll = UINT32_MAX;
constexpr uint32_t kSixteenCounters = 1;  // wanted

using Counts = std::unordered_map<uint64_t, uint64_t>;

/// Keys of which the i-th most frequent one comes in proportion to 1 / i^exponent.
std::vector<uint64_t> zipf_keys(uint64_t seed, size_t n, uint32_t universe, double exponent) {
  std::vector<double> sums(universe);
  double sum = 0;
  for (uint32_t i = 0; i < universe; ++i) sums[i] = sum += std::pow(i + 1, -exponent);
  Random random(seed);
  std::vector<uint64_t> keys(n);
  for (uint64_t& key : keys) {
    const double at = static_cast<double>(random.next() >> 11) * 0x1.0p-53 * sum;
    key = static_cast<uint64_t>(std::ranges::upper_bound(sums, at) - sums.begin());
  }
  return keys;
}

Counts count_all(const std::vector<uint64_t>& keys) {
  Counts counts;
  for (const uint64_t key : keys) ++counts[key];
  return counts;
}

/// The paper's guarantees for a sketch that counted `keys`, each once.
void expect_guarantees(const HotKeys& sketch, const std::vector<uint64_t>& keys) {
  const Counts truth = count_all(keys);
  const uint64_t bound = keys.size() / sketch.counters();
  std::set<uint64_t> counted;
  uint64_t sum = 0;
  for (const HotKey& hot : sketch.top(kAll)) {
    ASSERT_TRUE(counted.insert(hot.key).second) << hot.key << " is counted twice";
    const auto found = truth.find(hot.key);
    ASSERT_NE(found, truth.end()) << hot.key << " never came";
    ASSERT_LE(found->second, hot.count) << hot.key;
    ASSERT_LE(hot.count - hot.error, found->second) << hot.key;
    ASSERT_LE(hot.error, bound);
    sum += hot.count;
  }
  ASSERT_EQ(sum, keys.size()) << "each key raised one count by one";
  ASSERT_EQ(counted.size(), std::min<size_t>(sketch.counters(), truth.size()));
  for (const auto& [key, count] : truth) {
    ASSERT_TRUE(count <= bound || counted.contains(key)) << key << " came " << count << " times";
  }
}

/// How many of the `wanted` truly most frequent keys top(wanted) names.
uint32_t recalled(const HotKeys& sketch, const std::vector<uint64_t>& keys, uint32_t wanted) {
  std::vector<HotKey> truth;
  for (const auto& [key, count] : count_all(keys)) truth.push_back({key, count, 0});
  std::ranges::sort(truth, std::ranges::greater{}, &HotKey::count);
  std::set<uint64_t> named;
  for (const HotKey& hot : sketch.top(wanted)) named.insert(hot.key);
  return static_cast<uint32_t>(std::count_if(truth.begin(), truth.begin() + wanted,
                                             [&](auto& key) { return named.contains(key.key); }));
}

TEST(HotKeys, AKeyThatStandsForSeveralCountsAsThese) {
  Random random(71);
  HotKeys folded({.wanted = 4, .sample_shift = 3});
  HotKeys plain({.wanted = 4, .sample_shift = 3});
  for (int round = 0; round < 50; ++round) {
    const std::vector<uint64_t> keys = random.keys(random.below(40), 20);
    std::vector<uint32_t> times;
    std::vector<uint64_t> all;
    for (const uint64_t key : keys) {
      times.push_back(static_cast<uint32_t>(random.between(1, 50)));
      all.insert(all.end(), times.back(), key);
    }
    folded.offer(keys, times);
    plain.offer(all);
  }
  const auto a = folded.top(kAll);
  const auto b = plain.top(kAll);
  ASSERT_EQ(a.size(), b.size());
  for (size_t i = 0; i < a.size(); ++i) {
    EXPECT_EQ(a[i].key, b[i].key);
    EXPECT_EQ(a[i].count, b[i].count);
  }
}

TEST(HotKeys, IsEmptyAtFirst) {
  HotKeys sketch;
  EXPECT_TRUE(sketch.top(10).empty());
  sketch.offer({});
  EXPECT_TRUE(sketch.top(10).empty());
  EXPECT_EQ(sketch.sampled(), 0U);
}

TEST(HotKeys, CountsFewKeysExactly) {
  HotKeys sketch({.wanted = kSixteenCounters, .sample_shift = 0});
  std::vector<uint64_t> keys;
  for (uint64_t i = 0; i < 16; ++i) keys.insert(keys.end(), i + 1, i == 0 ? UINT64_MAX : i - 1);
  sketch.offer(keys);
  sketch.offer(keys);
  const std::vector<HotKey> top = sketch.top(kAll);
  ASSERT_EQ(top.size(), 16U);
  for (uint64_t i = 0; i < 16; ++i) {
    EXPECT_EQ(top[i].key, i == 15 ? UINT64_MAX : 14 - i);
    EXPECT_EQ(top[i].count, 2 * (16 - i));
    EXPECT_EQ(top[i].error, 0U);
  }
  EXPECT_EQ(sketch.sampled(), 2 * keys.size());
}

TEST(HotKeys, OrdersEqualCountsByErrorThenKey) {
  HotKeys sketch({.wanted = kSixteenCounters, .sample_shift = 0});
  std::vector<uint64_t> keys(16);
  std::iota(keys.rbegin(), keys.rend(), 100);
  sketch.offer(keys);
  EXPECT_EQ(sketch.top(2)[0].key, 100U);
  EXPECT_EQ(sketch.top(2)[1].key, 101U);
  sketch.offer(std::vector<uint64_t>{1});         // takes a counter over: count 2, error 1
  sketch.offer(std::vector<uint64_t>{100, 101});  // one of the two has count 2 and no error
  const std::vector<HotKey> top = sketch.top(3);
  EXPECT_EQ(top[0].error, 0U);
  EXPECT_EQ(top[2].error, 1U);
  EXPECT_EQ(sketch.top(0).size(), 0U);
}

TEST(HotKeys, KeepsItsGuaranteesOnZipfStreams) {
  for (const double exponent : {0.0, 0.7, 1.0, 1.4}) {
    for (const uint32_t wanted : {kSixteenCounters, 8U, 64U}) {
      for (const uint32_t universe : {17U, 1000U, 100000U}) {
        const std::vector<uint64_t> keys = zipf_keys(wanted, scaled(30000), universe, exponent);
        HotKeys sketch({.wanted = wanted, .sample_shift = 0});
        sketch.offer(keys);
        SCOPED_TRACE("exponent " + std::to_string(exponent) + ", wanted " + std::to_string(wanted) +
                     ", universe " + std::to_string(universe));
        expect_guarantees(sketch, keys);
      }
    }
  }
}

TEST(HotKeys, KeepsItsGuaranteesWhenAllKeysStartAtOneSlot) {
  // Their chains run over the end of the slots; each new key takes another one out of them.
  std::vector<uint64_t> keys;
  Random random(4);
  for (uint64_t i = 0; i < scaled(3000); ++i) {
    keys.push_back(unmix64((random.below(40) + 1) << 32 | (61 + random.below(3))));
  }
  for (size_t n = 1; n <= keys.size(); n += 1 + n / 10) {
    HotKeys sketch({.wanted = kSixteenCounters, .sample_shift = 0});
    sketch.offer({keys.data(), n});
    expect_guarantees(sketch, {keys.begin(), keys.begin() + static_cast<std::ptrdiff_t>(n)});
  }
}

TEST(HotKeys, FindsAHotKeyThatComesLate) {
  HotKeys sketch({.wanted = kSixteenCounters, .sample_shift = 0});
  std::vector<uint64_t> keys(10000);
  std::iota(keys.begin(), keys.end(), 0);
  keys.insert(keys.end(), 2000, 77777777);
  sketch.offer(keys);
  const HotKey hottest = sketch.top(1).at(0);
  EXPECT_EQ(hottest.key, 77777777U);
  EXPECT_GE(hottest.count, 2000U);
  EXPECT_LE(hottest.count - hottest.error, 2000U);
}

TEST(HotKeys, NamesTheTopOfAStream) {
  constexpr uint32_t kWanted = 64;
  const std::vector<uint64_t> keys = zipf_keys(6, 1000000, 300000, 1.1);
  HotKeys all({.wanted = kWanted, .sample_shift = 0});
  HotKeys some({.wanted = kWanted, .sample_shift = 6});
  all.offer(keys);
  some.offer(keys);
  const uint32_t of_all = recalled(all, keys, kWanted);
  const uint32_t of_some = recalled(some, keys, kWanted);
  EXPECT_GE(of_all, 62U);
  EXPECT_GE(of_some, 50U);
  RecordProperty("recalled_of_all", static_cast<int>(of_all));
  RecordProperty("recalled_of_some", static_cast<int>(of_some));
  // Counts are in keys offered, whatever the sample.
  const auto hottest = static_cast<double>(count_all(keys)[0]);
  EXPECT_NEAR(static_cast<double>(some.top(1).at(0).count), hottest, 0.1 * hottest);
}

TEST(HotKeys, SamplesOneKeyOfEveryRun) {
  for (const uint32_t shift : {0U, 1U, 4U, 9U}) {
    HotKeys sketch({.wanted = 4096, .sample_shift = shift});
    std::vector<uint64_t> keys(uint64_t{100} << shift);
    std::iota(keys.begin(), keys.end(), 0);
    sketch.offer(keys);
    EXPECT_EQ(sketch.sampled(), 100U) << shift;
    std::set<uint64_t> runs;
    for (const HotKey& hot : sketch.top(kAll)) runs.insert(hot.key >> shift);
    EXPECT_EQ(runs.size(), 100U) << shift;
  }
}

TEST(HotKeys, SamplesTheSameKeysHoweverCallsSplitThem) {
  const std::vector<uint64_t> keys = zipf_keys(8, 20000, 5000, 1.0);
  HotKeys whole({.wanted = 8, .sample_shift = 3});
  whole.offer(keys);
  for (const uint64_t most : {1U, 7U, 1000U}) {
    HotKeys split({.wanted = 8, .sample_shift = 3});
    Random random(most);
    for (size_t at = 0; at < keys.size();) {
      const size_t n = std::min<size_t>(random.between(0, most), keys.size() - at);
      split.offer({keys.data() + at, n});
      at += n;
    }
    const std::vector<HotKey> a = whole.top(kAll);
    const std::vector<HotKey> b = split.top(kAll);
    ASSERT_EQ(a.size(), b.size());
    for (size_t i = 0; i < a.size(); ++i) {
      ASSERT_EQ(a[i].key, b[i].key);
      ASSERT_EQ(a[i].count, b[i].count);
      ASSERT_EQ(a[i].error, b[i].error);
    }
  }
}

TEST(HotKeys, SamplesEveryFieldOfPeriodicBatches) {
  constexpr uint64_t kFields = 32;  // divides the sampling interval
  HotKeys sketch({.wanted = 64, .sample_shift = 6});
  std::vector<uint64_t> keys(64 * 64 * kFields);
  for (size_t i = 0; i < keys.size(); ++i) keys[i] = i % kFields;
  sketch.offer(keys);
  const std::vector<HotKey> top = sketch.top(kAll);
  ASSERT_EQ(top.size(), kFields);
  const uint64_t each = keys.size() / kFields;
  EXPECT_LT(top.front().count, each * 3 / 2);
  EXPECT_GT(top.back().count, each / 2);
}

TEST(HotKeys, ForgetsAllWhenReset) {
  const std::vector<uint64_t> keys = zipf_keys(1, 5000, 1000, 1.0);
  HotKeys sketch({.wanted = kSixteenCounters, .sample_shift = 0});
  sketch.offer(keys);
  sketch.reset();
  EXPECT_TRUE(sketch.top(kAll).empty());
  EXPECT_EQ(sketch.sampled(), 0U);
  const std::vector<uint64_t> other = zipf_keys(2, 5000, 300, 0.5);
  sketch.offer(other);
  expect_guarantees(sketch, other);
}

TEST(HotKeys, NeedsNoMemoryAfterItsConstruction) {
  const std::vector<uint64_t> keys = zipf_keys(3, 50000, 50000, 0.5);
  HotKeys sketch({.wanted = 8, .sample_shift = 0});
  {
    const FailingAllocation none(0);
    sketch.offer(keys);
    sketch.reset();
    sketch.offer(keys);
    EXPECT_FALSE(FailingAllocation::fired());
  }
  expect_guarantees(sketch, keys);
  EXPECT_EQ(sketch.counters(), 128U);
  EXPECT_EQ(sketch.memory_bytes(), 128U * 40);
}

TEST(HotKeys, TakesOptionsOutsideTheirRangeAsTheNearest) {
  EXPECT_EQ(HotKeys({.wanted = 0}).counters(), 16U);
  EXPECT_EQ(HotKeys({.wanted = UINT32_MAX}).counters(), 16U * 4096);
  HotKeys rare({.wanted = 1, .sample_shift = UINT32_MAX});
  rare.offer(std::vector<uint64_t>(1000, 5));
  EXPECT_LE(rare.sampled(), 1U);
}

TEST(HotKeys, ThreadsLoseOnlyWhatIsCountedAsDropped) {
  constexpr uint32_t kThreads = 4;
  constexpr size_t kBatch = 256;
  constexpr uint32_t kShift = 3;
  const uint64_t rounds = scaled(2000);
  HotKeys sketch({.wanted = 8, .sample_shift = kShift});
  in_threads(kThreads, [&](uint32_t thread) {
    const std::vector<uint64_t> keys = zipf_keys(thread, kBatch, 1000, 1.0);
    for (uint64_t round = 0; round < rounds; ++round) {
      sketch.offer(keys);
      if (round % 64 != thread) continue;
      const std::vector<HotKey> top = sketch.top(5);
      ASSERT_TRUE(std::is_sorted(top.rbegin(), top.rend(),
                                 [](auto& a, auto& b) { return a.count < b.count; }));
    }
  });
  EXPECT_EQ(sketch.sampled() + sketch.dropped(), kThreads * rounds * kBatch >> kShift);
  uint64_t sum = 0;
  for (const HotKey& hot : sketch.top(kAll)) sum += hot.count;
  EXPECT_EQ(sum, sketch.sampled() << kShift);
  RecordProperty("dropped_ppm", std::to_string(1000000 * sketch.dropped() /
                                               (sketch.sampled() + sketch.dropped())));
}

TEST(HotKeys, OffersAreDroppedWhileAnotherThreadHasTheSketch) {
  HotKeys sketch({.wanted = kSixteenCounters, .sample_shift = 0});
  const std::vector<uint64_t> many = zipf_keys(1, 200000, 1000, 0.5);
  const std::vector<uint64_t> few(3, 5);
  std::atomic<bool> dropped{false};
  uint64_t offered[2] = {};
  in_threads(2, [&](uint32_t thread) {
    while (!dropped) {
      const std::vector<uint64_t>& keys = thread == 0 ? many : few;
      sketch.offer(keys);
      offered[thread] += keys.size();
      if (sketch.dropped() > 0) dropped = true;
    }
  });
  EXPECT_EQ(sketch.sampled() + sketch.dropped(), offered[0] + offered[1]);
  sketch.reset();
  EXPECT_EQ(sketch.dropped(), 0U);
}

}  // namespace
}  // namespace hotrow::test
