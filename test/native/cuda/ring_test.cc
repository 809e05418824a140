// The ring of misses on the CPU: outputs are whole whatever misses, and whichever way rows go up.
#include "cuda/ring.h"

#include <gtest/gtest.h>

#include <vector>

#include "cuda/host_device.h"
#include "support/status.h"

namespace hotrow::test {
namespace {

using Ring = gpu::MissRing<gpu::HostDevice>;
using Cache = gpu::Cache<gpu::HostDevice>;

constexpr uint32_t kDim = 12;
constexpr uint64_t kMostKeys = 4096;

float value_of(uint64_t key, uint32_t at) { return static_cast<float>(key * 16 + at); }

/// A cache that has the rows of even keys below 2,000, and a ring over it.
class GpuRing : public ::testing::TestWithParam<gpu::LaneOrder> {
 protected:
  GpuRing() : device_(1, GetParam()) {
    TierSpec spec = {};
    spec.dim = kDim;
    spec.policy = TierPolicy::kLru;
    cache_ = must(Cache::create(device_, spec, 512 * Cache::bucket_bytes(spec), {}));
    std::vector<uint64_t> keys;
    std::vector<float> rows;
    for (uint64_t key = 0; key < 2000; key += 2) {
      keys.push_back(key);
      for (uint32_t at = 0; at < kDim; ++at) rows.push_back(value_of(key, at));
    }
    std::vector<uint32_t> buckets(keys.size());
    std::vector<uint32_t> order(keys.size());
    std::byte scratch{};
    uint32_t evicted = 0;
    Cache::InsertTask task = {};
    task.rows = {keys.data(), reinterpret_cast<std::byte*>(rows.data()), nullptr};
    task.n = keys.size();
    task.evicted_count = &evicted;
    task.buckets = buckets.data();
    task.order = order.data();
    task.scratch = &scratch;
    must(cache_->insert(task, {1, 0}, {}));
    ring_ = must(Ring::create(device_, *cache_, kMostKeys, kDim * sizeof(float)));
  }

  Ring::Lookup lookup_of(const std::vector<uint64_t>& keys, std::vector<float>& out) const {
    out.assign(keys.size() * kDim, -1);
    return {keys.data(),
            keys.size(),
            gpu::Output::kF32,
            kDim * sizeof(float),
            reinterpret_cast<std::byte*>(out.data()),
            kDim * sizeof(float),
            {}};
  }
  /// Ends the oldest batch; returns how many rows were asked for.
  uint64_t end() {
    uint64_t count = 0;
    must(ring_->end([&](const Ring::Missed& missed) {
      count = missed.count;
      auto* const rows = reinterpret_cast<float*>(missed.rows);
      for (uint64_t i = 0; i < missed.count; ++i) {
        const uint64_t key = missed.keys[missed.positions[i]];
        for (uint32_t at = 0; at < kDim; ++at) rows[i * kDim + at] = value_of(key, at);
      }
      return Status();
    }));
    return count;
  }
  static void expect_rows(const std::vector<uint64_t>& keys, const std::vector<float>& out) {
    for (size_t i = 0; i < keys.size(); ++i) {
      for (uint32_t at = 0; at < kDim; ++at) {
        ASSERT_EQ(out[i * kDim + at], value_of(keys[i], at)) << "position " << i;
      }
    }
  }

  gpu::HostDevice device_;
  std::unique_ptr<Cache> cache_;
  std::unique_ptr<Ring> ring_;
};

std::vector<uint64_t> keys_from(uint64_t first, uint64_t count, uint64_t step) {
  std::vector<uint64_t> keys;
  for (uint64_t i = 0; i < count; ++i) keys.push_back(first + i * step);
  return keys;
}

TEST_P(GpuRing, NothingIsFetchedWhereNothingMisses) {
  const auto keys = keys_from(0, 500, 2);
  std::vector<float> out;
  must(ring_->begin(lookup_of(keys, out)));
  EXPECT_EQ(end(), 0U);
  must(ring_->finish());
  expect_rows(keys, out);
}

/// Few rows are read where they are, many are copied first.
TEST_P(GpuRing, MissesFillTheirPlaces) {
  for (const uint64_t count : {1U, 31U, 33U, 2000U, 4096U}) {
    auto keys = keys_from(1, count, 1);
    keys.back() = 1;  // twice
    std::vector<float> out;
    must(ring_->begin(lookup_of(keys, out)));
    EXPECT_GE(end(), count / 2);
    must(ring_->finish());
    expect_rows(keys, out);
  }
}

TEST_P(GpuRing, ThreeBatchesAreUnderWayAndEndInTheirOrder) {
  std::vector<std::vector<uint64_t>> keys;
  std::vector<std::vector<float>> outs(7);
  for (uint64_t i = 0; i < outs.size(); ++i) keys.push_back(keys_from(100 * i, 300 + i, 1));
  for (size_t i = 0; i < outs.size(); ++i) {
    must(ring_->begin(lookup_of(keys[i], outs[i])));
    if (i < 2) continue;
    EXPECT_EQ(end(), keys[i - 2].size() / 2) << i;
  }
  EXPECT_EQ(ring_->under_way(), 2U);
  end();
  end();
  must(ring_->finish());
  for (size_t i = 0; i < outs.size(); ++i) expect_rows(keys[i], outs[i]);
  EXPECT_EQ(ring_->missed(), 1059U);
}

TEST_P(GpuRing, RefusesMoreStagesThanThereAre) {
  const auto keys = keys_from(0, 8, 1);
  std::vector<std::vector<float>> outs(4);
  EXPECT_EQ(ring_->end([](const Ring::Missed&) { return Status(); }).code(), StatusCode::kConflict);
  for (size_t i = 0; i < 3; ++i) must(ring_->begin(lookup_of(keys, outs[i])));
  EXPECT_EQ(ring_->begin(lookup_of(keys, outs[3])).code(), StatusCode::kConflict);
  for (size_t i = 0; i < 3; ++i) end();
}

TEST_P(GpuRing, AFailureToFetchIsTheCallers) {
  const auto keys = keys_from(1, 8, 2);
  std::vector<float> out;
  must(ring_->begin(lookup_of(keys, out)));
  const Status status =
      ring_->end([](const Ring::Missed&) { return Status::closed("the table is closed"); });
  EXPECT_EQ(status.code(), StatusCode::kClosed);
  EXPECT_EQ(ring_->under_way(), 0U);
  EXPECT_EQ(out, std::vector<float>(out.size(), -1));
}

INSTANTIATE_TEST_SUITE_P(LaneOrders, GpuRing,
                         ::testing::Values(gpu::LaneOrder::kRising, gpu::LaneOrder::kFalling));

}  // namespace
}  // namespace hotrow::test
