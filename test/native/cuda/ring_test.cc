// The ring of misses on the CPU, and on a GPU where one is found: outputs are whole whatever
// misses.
#include <gtest/gtest.h>

#include <algorithm>
#include <vector>

#include "cuda/host_device.h"
#include "cuda/ring_on.h"
#include "support/status.h"

namespace hotrow::test {

std::unique_ptr<RingSubject> host_ring(bool rising) {
  const auto order = rising ? gpu::LaneOrder::kRising : gpu::LaneOrder::kFalling;
  return std::make_unique<RingOn<gpu::HostDevice>>(gpu::HostDevice(1, order));
}

namespace {

enum class Where : uint8_t { kRising, kFalling, kDevice };

/// GpuSmall is for sanitizers.
class GpuSmallRing : public ::testing::TestWithParam<Where> {
 protected:
  void SetUp() override {
    if (GetParam() == Where::kDevice && !device_found().yes) {
      GTEST_SKIP() << "gpu=" << device_found().words;
    }
    ring_ = GetParam() == Where::kDevice ? device_ring() : host_ring(GetParam() == Where::kRising);
  }

  static Status fetch(const RingSubject::Missed& missed) {
    for (uint64_t i = 0; i < missed.count; ++i) {
      const uint64_t key = missed.keys[missed.positions[i]];
      for (uint32_t at = 0; at < kRingDim; ++at) {
        missed.rows[i * kRingDim + at] = ring_value(key, at);
      }
    }
    return {};
  }
  /// Ends the oldest batch; returns how many rows were asked for.
  uint64_t end() {
    uint64_t count = 0;
    must(ring_->end([&](const RingSubject::Missed& missed) {
      count = missed.count;
      return fetch(missed);
    }));
    return count;
  }
  void expect_rows(size_t batch, const Keys& keys) {
    const std::vector<float> out = ring_->rows(batch);
    for (size_t i = 0; i < keys.size(); ++i) {
      for (uint32_t at = 0; at < kRingDim; ++at) {
        ASSERT_EQ(out[i * kRingDim + at], ring_value(keys[i], at))
            << "batch " << batch << ", position " << i;
      }
    }
  }

  std::unique_ptr<RingSubject> ring_;
};

Keys keys_from(uint64_t first, uint64_t count, uint64_t step) {
  Keys keys;
  for (uint64_t i = 0; i < count; ++i) keys.push_back(first + i * step);
  return keys;
}
uint64_t missing_of(const Keys& keys) {
  return static_cast<uint64_t>(
      std::ranges::count_if(keys, [](uint64_t key) { return key % 2 == 1 || key >= kRingCached; }));
}

TEST_P(GpuSmallRing, NothingIsFetchedWhereNothingMisses) {
  const Keys keys = keys_from(0, 500, 2);
  must(ring_->begin(keys));
  EXPECT_EQ(end(), 0U);
  must(ring_->finish());
  expect_rows(0, keys);
}

TEST_P(GpuSmallRing, MissesFillTheirPlaces) {
  size_t batch = 0;
  for (const uint64_t count : {1U, 31U, 33U, 2000U, 4096U}) {
    Keys keys = keys_from(1, count, 1);
    keys.back() = 1;  // twice
    must(ring_->begin(keys));
    EXPECT_EQ(end(), missing_of(keys));
    must(ring_->finish());
    expect_rows(batch++, keys);
  }
}

/// Counts begin anew and places are those of their batch, though stages are used again at once.
TEST_P(GpuSmallRing, BatchesAreUnderWayAndEndInTheirOrder) {
  constexpr uint64_t kBatches = 11;
  const uint64_t ahead = ring_->stages() - 1;
  std::vector<Keys> keys;
  uint64_t missing = 0;
  for (uint64_t i = 0; i < kBatches; ++i) {
    keys.push_back(keys_from(100 * i, 300 + i, 1));
    missing += missing_of(keys[i]);
    must(ring_->begin(keys[i]));
    if (i < ahead) continue;
    EXPECT_EQ(end(), missing_of(keys[i - ahead])) << i;
  }
  EXPECT_EQ(ring_->under_way(), ahead);
  for (uint64_t i = 0; i < ahead; ++i) end();
  must(ring_->finish());
  for (uint64_t i = 0; i < kBatches; ++i) expect_rows(i, keys[i]);
  EXPECT_EQ(ring_->missed(), missing);
}

TEST_P(GpuSmallRing, TheNextBatchIsBegunWhileRowsAreFetched) {
  constexpr uint64_t kBatches = 9;
  std::vector<Keys> keys;
  for (uint64_t i = 0; i < kBatches; ++i) keys.push_back(keys_from(50 * i + 1, 200 + 64 * i, 1));
  uint64_t begun = 0;
  for (; begun + 1 < ring_->stages(); ++begun) must(ring_->begin(keys[begun]));
  for (uint64_t i = 0; i < kBatches; ++i) {
    must(ring_->end([&](const RingSubject::Missed& missed) {
      if (begun < kBatches) must(ring_->begin(keys[begun++]));
      return fetch(missed);
    }));
  }
  must(ring_->finish());
  for (uint64_t i = 0; i < kBatches; ++i) expect_rows(i, keys[i]);
}

TEST_P(GpuSmallRing, ABatchWhoseRowsAreFetchedHasItsStage) {
  const Keys keys = keys_from(1, 100, 1);
  for (uint64_t i = 0; i < ring_->stages(); ++i) must(ring_->begin(keys));
  must(ring_->end([&](const RingSubject::Missed& missed) {
    EXPECT_EQ(ring_->begin(keys_from(7, 100, 1)).code(), StatusCode::kConflict);
    EXPECT_EQ(ring_->under_way(), ring_->stages());
    return fetch(missed);
  }));
  must(ring_->finish());
  expect_rows(0, keys);
}

TEST_P(GpuSmallRing, RefusesMoreBatchesThanThereAreStages) {
  const Keys keys = keys_from(0, 8, 1);
  EXPECT_EQ(ring_->end(fetch).code(), StatusCode::kConflict);
  for (size_t i = 0; i < ring_->stages(); ++i) must(ring_->begin(keys));
  EXPECT_EQ(ring_->begin(keys).code(), StatusCode::kConflict);
  for (size_t i = 0; i < ring_->stages(); ++i) EXPECT_EQ(end(), 4U);
  must(ring_->finish());
  expect_rows(0, keys);
}

TEST_P(GpuSmallRing, AFailureToFetchIsTheCallersAndTheNextBatchIsWhole) {
  const Keys keys = keys_from(1, 8, 2);
  must(ring_->begin(keys));
  must(ring_->begin(keys));
  const Status status =
      ring_->end([](const RingSubject::Missed&) { return Status::closed("the table is closed"); });
  EXPECT_EQ(status.code(), StatusCode::kClosed);
  EXPECT_EQ(ring_->under_way(), 1U);
  EXPECT_EQ(end(), 8U);
  must(ring_->finish());
  EXPECT_EQ(ring_->rows(0), std::vector<float>(8 * kRingDim, kUnwritten));
  expect_rows(1, keys);
}

INSTANTIATE_TEST_SUITE_P(Where, GpuSmallRing,
                         ::testing::Values(Where::kRising, Where::kFalling, Where::kDevice));

}  // namespace
}  // namespace hotrow::test
