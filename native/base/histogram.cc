#include "base/histogram.h"

namespace hotrow {

namespace {

// Threads take the stripes in turn: as many threads as stripes then share none.
uint32_t number_of_this_thread() {
  static std::atomic<uint32_t> next{0};  // hands out numbers; publishes nothing
  thread_local const uint32_t number = next.fetch_add(1, std::memory_order_relaxed);
  return number;
}

}  // namespace

uint64_t LatencySnapshot::percentile_ns(uint32_t permille) const {
  if (count_ == 0) return 0;
  // Rounded up without a product of the whole count, which could leave 64 bits.
  const uint64_t whole = count_ / 1000 * permille;
  const uint64_t rest = (count_ % 1000 * permille + 999) / 1000;
  const uint64_t rank = std::clamp<uint64_t>(whole + rest, 1, count_);
  uint64_t seen = 0;
  uint32_t bucket = 0;
  while ((seen += buckets_[bucket]) < rank) ++bucket;
  return std::min(middle_of(bucket), max_ns_);
}

LatencySummary LatencySnapshot::summary() const {
  LatencySummary summary;
  if (count_ == 0) return summary;
  summary.count = count_;
  summary.mean_ns = static_cast<double>(sum_ns_) / static_cast<double>(count_);
  summary.p50_ns = percentile_ns(500);
  summary.p90_ns = percentile_ns(900);
  summary.p99_ns = percentile_ns(990);
  summary.p999_ns = percentile_ns(999);
  summary.max_ns = max_ns_;
  return summary;
}

void LatencySnapshot::merge(const LatencySnapshot& other) {
  for (uint32_t i = 0; i < kBuckets; ++i) buckets_[i] += other.buckets_[i];
  count_ += other.count_;
  sum_ns_ += other.sum_ns_;
  max_ns_ = std::max(max_ns_, other.max_ns_);
}

template <uint32_t kStripes>
void StripedHistogram<kStripes>::record(uint64_t ns, uint32_t times) {
  ns = std::min(ns, LatencySnapshot::kMaxNs);
  Stripe& stripe = stripes_[number_of_this_thread() % kStripes];
  stripe.sum_ns.fetch_add(ns * times, std::memory_order_relaxed);
  uint64_t max = stripe.max_ns.load(std::memory_order_relaxed);
  while (ns > max && !stripe.max_ns.compare_exchange_weak(max, ns, std::memory_order_relaxed)) {
  }
  stripe.buckets[LatencySnapshot::bucket_of(ns)].fetch_add(times, std::memory_order_release);
}

template <uint32_t kStripes>
LatencySnapshot StripedHistogram<kStripes>::snapshot() const {
  LatencySnapshot all;
  for (const Stripe& stripe : stripes_) {
    for (uint32_t i = 0; i < LatencySnapshot::kBuckets; ++i) {
      const uint64_t times = stripe.buckets[i].load(std::memory_order_acquire);
      all.buckets_[i] += times;
      all.count_ += times;
    }
    all.sum_ns_ += stripe.sum_ns.load(std::memory_order_relaxed);
    all.max_ns_ = std::max(all.max_ns_, stripe.max_ns.load(std::memory_order_relaxed));
  }
  return all;
}

template class StripedHistogram<1>;
template class StripedHistogram<4>;

}  // namespace hotrow
