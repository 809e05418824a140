// Latencies in constant memory: a histogram with log-linear buckets, and a timer that feeds it.
//
// Buckets are those of HdrHistogram (Gil Tene, hdrhistogram.org): one a nanosecond below 16 ns,
// then 16 equal ones for each power of two, up to 100 s. A percentile is the middle of the bucket
// that holds it, so it is off by at most half a sixteenth: 3.125 %. Longer times count as 100 s.
//
// Threads: any number record at once, without waiting. Each thread adds to one of a few stripes, so
// that the bucket everybody hits is not one cache line that everybody writes. Nothing is lost: a
// snapshot counts every time whose record() happened before it, and some of those under way. Its
// maximum covers all that it counts; its sum may be ahead of its count by records under way.
#ifndef HOTROW_BASE_HISTOGRAM_H_
#define HOTROW_BASE_HISTOGRAM_H_

#include <algorithm>
#include <array>
#include <atomic>
#include <bit>
#include <chrono>
#include <cstdint>

#include "base/hash.h"
#include "hotrow/stats.h"

namespace hotrow {

/// Times recorded up to one moment: a value, which may be merged with others.
class LatencySnapshot {
 public:
  static constexpr uint64_t kMaxNs = 100'000'000'000;
  static constexpr uint32_t kStepBits = 4;
  static constexpr uint32_t kSteps = 1U << kStepBits;  // buckets for each power of two
  static constexpr uint32_t kBuckets = 536;            // bucket_of(kMaxNs) + 1

  /// The bucket of a time of at most kMaxNs. The leading one names the power of two, the four bits
  /// behind it the step; below 16 ns the time itself is the bucket.
  static constexpr uint32_t bucket_of(uint64_t ns) {
    if (ns < kSteps) return static_cast<uint32_t>(ns);
    const auto shift = static_cast<uint32_t>(std::bit_width(ns)) - kStepBits - 1;
    return (shift << kStepBits) + static_cast<uint32_t>(ns >> shift);
  }

  /// The middle of a bucket, which stands for all its times.
  static constexpr uint64_t middle_of(uint32_t bucket) {
    if (bucket < 2 * kSteps) return bucket;
    const uint32_t shift = (bucket >> kStepBits) - 1;
    const uint64_t lowest = uint64_t{kSteps + bucket % kSteps} << shift;
    return lowest + (uint64_t{1} << (shift - 1));
  }

  uint64_t count() const { return count_; }
  uint64_t sum_ns() const { return sum_ns_; }
  uint64_t max_ns() const { return max_ns_; }

  /// The smallest recorded time that at least `permille` thousandths of all do not exceed, within
  /// 3.125 %; 0 when there is none. Cost: a walk over the 536 buckets.
  uint64_t percentile_ns(uint32_t permille) const;
  LatencySummary summary() const;

  /// Adds what `other` holds, as if both had been recorded in one histogram.
  void merge(const LatencySnapshot& other);

 private:
  template <uint32_t kStripes>
  friend class StripedHistogram;

  std::array<uint64_t, kBuckets> buckets_ = {};
  uint64_t count_ = 0;
  uint64_t sum_ns_ = 0;
  uint64_t max_ns_ = 0;
};

static_assert(LatencySnapshot::bucket_of(LatencySnapshot::kMaxNs) + 1 == LatencySnapshot::kBuckets);

/// Each stripe has 4.3 KiB.
template <uint32_t kStripes>
class StripedHistogram {
 public:
  StripedHistogram() = default;
  StripedHistogram(const StripedHistogram&) = delete;
  StripedHistogram& operator=(const StripedHistogram&) = delete;

  /// Counts one time, as if `times` calls had taken so long. Two atomic additions to two lines of
  /// the thread's stripe: some 10 ns.
  void record(uint64_t ns, uint32_t times = 1);

  LatencySnapshot snapshot() const;

 private:
  struct alignas(64) Stripe {
    std::atomic<uint64_t> sum_ns{0};
    std::atomic<uint64_t> max_ns{0};
    // Counted by release after the time is in the sum and the maximum; a snapshot reads these
    // first, by acquire.
    std::array<std::atomic<uint64_t>, LatencySnapshot::kBuckets> buckets = {};
  };
  static_assert(sizeof(Stripe) < 8192);

  std::array<Stripe, kStripes> stripes_;
};

extern template class StripedHistogram<1>;
extern template class StripedHistogram<4>;
using LatencyHistogram = StripedHistogram<4>;

/// Records the time from its construction to its end, as that of a call of so many keys. Looking at
/// the clock twice takes some 50 ns, too much beside a call of few keys: of those only one in
/// kSampled is timed, and stands for all of them.
class CallTimer {
 public:
  static constexpr uint32_t kSampled = 16;
  static constexpr uint64_t kFewKeys = 64;

  /// `histogram` must outlive the timer: where others may free it, inside their EpochGuard.
  CallTimer(LatencyHistogram& histogram, uint64_t keys)
      : histogram_(histogram), times_(keys >= kFewKeys ? 1 : sampled()) {
    if (times_ > 0) start_ = Clock::now();
  }
  ~CallTimer() {
    if (times_ == 0) return;
    const std::chrono::nanoseconds elapsed = Clock::now() - start_;
    histogram_.record(static_cast<uint64_t>(elapsed.count()), times_);
  }
  CallTimer(const CallTimer&) = delete;
  CallTimer& operator=(const CallTimer&) = delete;

 private:
  using Clock = std::chrono::steady_clock;

  /// Calls for which this one of the thread stands: none or kSampled.
  static uint32_t sampled() {
    thread_local uint64_t calls = 0;
    // By a hash: calls often alternate between operations.
    return mix64(calls++) % kSampled == 0 ? kSampled : 0;
  }

  LatencyHistogram& histogram_;
  const uint32_t times_;
  Clock::time_point start_;
};

}  // namespace hotrow

#endif  // HOTROW_BASE_HISTOGRAM_H_
