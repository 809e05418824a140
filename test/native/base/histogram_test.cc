// Latencies: how far a percentile may be off, that nothing is lost, and that time is cut off.
#include "base/histogram.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <atomic>
#include <memory>
#include <thread>
#include <vector>

#include "support/random.h"
#include "support/scale.h"
#include "support/threads.h"

namespace hotrow::test {
namespace {

using Snapshot = LatencySnapshot;

constexpr uint32_t kPermilles[] = {0, 1, 10, 500, 900, 990, 999, 1000};

/// Is `got` within 1/32 of `expected`?
testing::AssertionResult near(uint64_t got, uint64_t expected) {
  const uint64_t off = got > expected ? got - expected : expected - got;
  if (off * 32 <= expected) return testing::AssertionSuccess();
  return testing::AssertionFailure() << got << ", expected " << expected << " within 1/32";
}

/// Nearest rank, by sorting.
uint64_t exact_percentile(const std::vector<uint64_t>& sorted, uint32_t permille) {
  const uint64_t rank = (sorted.size() * permille + 999) / 1000;
  return sorted[std::max<uint64_t>(rank, 1) - 1];
}

Snapshot recorded(const std::vector<uint64_t>& times) {
  const auto histogram = std::make_unique<LatencyHistogram>();
  for (const uint64_t ns : times) histogram->record(ns);
  return histogram->snapshot();
}

/// Times between 1 ns and 100 s, as many in each power of two.
std::vector<uint64_t> times_of_all_magnitudes(uint64_t seed, size_t n) {
  Random random(seed);
  std::vector<uint64_t> times(n);
  for (uint64_t& ns : times) {
    const uint64_t low = uint64_t{1} << random.below(37);
    ns = std::min(random.between(low, 2 * low - 1), Snapshot::kMaxNs);
  }
  return times;
}

void expect_same(const Snapshot& a, const Snapshot& b) {
  EXPECT_EQ(a.count(), b.count());
  EXPECT_EQ(a.sum_ns(), b.sum_ns());
  EXPECT_EQ(a.max_ns(), b.max_ns());
  for (uint32_t permille = 0; permille <= 1000; ++permille) {
    ASSERT_EQ(a.percentile_ns(permille), b.percentile_ns(permille)) << permille;
  }
}

TEST(LatencyHistogram, IsEmptyAtFirst) {
  const Snapshot none = recorded({});
  EXPECT_EQ(none.count(), 0U);
  EXPECT_EQ(none.percentile_ns(999), 0U);
  const LatencySummary summary = none.summary();
  EXPECT_EQ(summary.count, 0U);
  EXPECT_EQ(summary.mean_ns, 0.0);
  EXPECT_EQ(summary.max_ns, 0U);
}

TEST(LatencyHistogram, BucketsCoverAllTimesWithoutGapsAndRise) {
  uint32_t last = 0;
  for (uint64_t ns = 1; ns <= (1U << 20); ++ns) {
    const uint32_t bucket = Snapshot::bucket_of(ns);
    ASSERT_TRUE(bucket == last || bucket == last + 1) << ns;
    last = bucket;
  }
  for (uint32_t bits = 1; bits < 37; ++bits) {
    const uint64_t power = uint64_t{1} << bits;
    ASSERT_EQ(Snapshot::bucket_of(power), Snapshot::bucket_of(power - 1) + 1) << bits;
  }
}

TEST(LatencyHistogram, OneTimeIsFoundWithin3PercentAtEveryMagnitude) {
  for (uint32_t bits = 0; bits < 37; ++bits) {
    const uint64_t power = uint64_t{1} << bits;
    for (const uint64_t ns : {power - 1, power, power + power / 32, power + power / 16 - 1,
                              power + power / 2 + 1, 2 * power - 1}) {
      if (ns > Snapshot::kMaxNs) continue;
      EXPECT_TRUE(near(Snapshot::middle_of(Snapshot::bucket_of(ns)), ns));
      const Snapshot one = recorded({ns, Snapshot::kMaxNs});  // so that the maximum hides nothing
      EXPECT_TRUE(near(one.percentile_ns(500), ns));
      if (ns < 32) {
        EXPECT_EQ(one.percentile_ns(500), ns) << "small times are exact";
      }
      EXPECT_EQ(recorded({ns}).max_ns(), ns) << "the maximum is exact";
    }
  }
}

TEST(LatencyHistogram, PercentilesAreThoseOfASort) {
  for (uint64_t seed = 0; seed < 8; ++seed) {
    for (const size_t n : {1U, 2U, 3U, 10U, 999U, 1000U, 1001U, 20000U}) {
      std::vector<uint64_t> times = times_of_all_magnitudes(seed, n);
      const Snapshot snapshot = recorded(times);
      std::sort(times.begin(), times.end());
      for (const uint32_t permille : kPermilles) {
        ASSERT_TRUE(near(snapshot.percentile_ns(permille), exact_percentile(times, permille)))
            << "p" << permille << " of " << n << ", seed " << seed;
      }
    }
  }
}

TEST(LatencyHistogram, TheSummaryIsOfItsSnapshot) {
  std::vector<uint64_t> times = times_of_all_magnitudes(9, 10000);
  const Snapshot snapshot = recorded(times);
  std::sort(times.begin(), times.end());
  uint64_t sum = 0;
  for (const uint64_t ns : times) sum += ns;
  const LatencySummary summary = snapshot.summary();
  EXPECT_EQ(summary.count, times.size());
  EXPECT_EQ(summary.max_ns, times.back());
  EXPECT_DOUBLE_EQ(summary.mean_ns, static_cast<double>(sum) / 10000.0);
  EXPECT_TRUE(near(summary.p50_ns, exact_percentile(times, 500)));
  EXPECT_TRUE(near(summary.p90_ns, exact_percentile(times, 900)));
  EXPECT_TRUE(near(summary.p99_ns, exact_percentile(times, 990)));
  EXPECT_TRUE(near(summary.p999_ns, exact_percentile(times, 999)));
}

TEST(LatencyHistogram, NoPercentileIsAboveTheMaximum) {
  // 33 shares a bucket with 32, whose middle is 33.
  EXPECT_EQ(recorded({32, 32, 32}).percentile_ns(999), 32U);
}

TEST(LatencyHistogram, LongerTimesCountAs100Seconds) {
  const Snapshot snapshot = recorded({1, UINT64_MAX, Snapshot::kMaxNs + 1, Snapshot::kMaxNs});
  EXPECT_EQ(snapshot.count(), 4U);
  EXPECT_EQ(snapshot.max_ns(), Snapshot::kMaxNs);
  EXPECT_EQ(snapshot.sum_ns(), 3 * Snapshot::kMaxNs + 1);
  EXPECT_TRUE(near(snapshot.percentile_ns(999), Snapshot::kMaxNs));
}

TEST(LatencyHistogram, MergedSnapshotsAreOneHistogram) {
  const std::vector<uint64_t> a = times_of_all_magnitudes(1, 3000);
  const std::vector<uint64_t> b = times_of_all_magnitudes(2, 500);
  std::vector<uint64_t> both = a;
  both.insert(both.end(), b.begin(), b.end());
  Snapshot merged = recorded(a);
  merged.merge(recorded(b));
  merged.merge(recorded({}));
  expect_same(merged, recorded(both));
}

TEST(LatencyHistogram, ConcurrentRecordersLoseNothing) {
  constexpr uint32_t kThreads = 6;  // more than stripes
  const uint64_t each = scaled(50000);
  const auto histogram = std::make_unique<LatencyHistogram>();
  in_threads(kThreads, [&](uint32_t thread) {
    for (uint64_t i = 0; i < each; ++i) histogram->record(1000 + thread);
  });
  const Snapshot snapshot = histogram->snapshot();
  EXPECT_EQ(snapshot.count(), kThreads * each);
  EXPECT_EQ(snapshot.sum_ns(), each * (kThreads * 1000 + 15));
  EXPECT_EQ(snapshot.max_ns(), 1005U);
}

TEST(LatencyHistogram, ASnapshotBesideRecordersHoldsTogether) {
  const auto histogram = std::make_unique<LatencyHistogram>();
  std::atomic<bool> done{false};
  std::thread reader([&] {
    uint64_t before = 0;
    while (!done) {
      const Snapshot snapshot = histogram->snapshot();
      ASSERT_GE(snapshot.count(), before);
      before = snapshot.count();
      if (before == 0) continue;
      ASSERT_GE(snapshot.sum_ns(), before * 500) << "what is counted is in the sum";
      ASSERT_GE(snapshot.percentile_ns(1), 500U) << "and below the maximum";
    }
  });
  in_threads(3, [&](uint32_t) {
    for (uint64_t i = 0; i < scaled(50000); ++i) histogram->record(500 + i);
  });
  done = true;
  reader.join();
  EXPECT_EQ(histogram->snapshot().count(), 3 * scaled(50000));
}

TEST(CallTimer, RecordsTheTimeOfItsScope) {
  const auto histogram = std::make_unique<LatencyHistogram>();
  const auto start = std::chrono::steady_clock::now();
  {
    const CallTimer timer(*histogram, CallTimer::kFewKeys);
    std::this_thread::sleep_for(std::chrono::milliseconds(2));
  }
  const auto outer = std::chrono::steady_clock::now() - start;
  const Snapshot snapshot = histogram->snapshot();
  EXPECT_EQ(snapshot.count(), 1U);
  EXPECT_GE(snapshot.max_ns(), 2'000'000U);
  EXPECT_LE(std::chrono::nanoseconds(snapshot.max_ns()), outer);
}

TEST(CallTimer, CallsOfFewKeysAreSampledWhateverTheirPattern) {
  const auto even = std::make_unique<LatencyHistogram>();
  const auto odd = std::make_unique<LatencyHistogram>();
  constexpr int kCalls = 20'000;
  for (int i = 0; i < kCalls; ++i) const CallTimer timer(i % 2 == 0 ? *even : *odd, 1);
  for (const auto* histogram : {even.get(), odd.get()}) {
    EXPECT_EQ(histogram->snapshot().count() % CallTimer::kSampled, 0U);
    EXPECT_NEAR(static_cast<double>(histogram->snapshot().count()), kCalls / 2.0, kCalls / 10.0);
  }
}

TEST(LatencyHistogram, ATimeCountsForManyCalls) {
  const auto histogram = std::make_unique<LatencyHistogram>();
  histogram->record(10);
  histogram->record(5, 3);
  const LatencySummary summary = histogram->snapshot().summary();
  EXPECT_EQ(summary.count, 4U);
  EXPECT_EQ(summary.mean_ns, 25.0 / 4);
  EXPECT_EQ(summary.p50_ns, 5U);
}

}  // namespace
}  // namespace hotrow::test
