// A cache of more than 4 GiB of values, on a device only: offsets of rows pass 32 bits, and those of
// handles too. What a row holds is made of its key, so that nothing need be remembered.
#include <gtest/gtest.h>

#include <algorithm>
#include <cstring>

#include "cuda/random_run.h"

namespace hotrow::test {
namespace {

constexpr uint32_t kDim = 128;
constexpr uint64_t kRowBytes = kDim * sizeof(float);
constexpr uint64_t kBytes = uint64_t{6} << 30;
constexpr uint64_t kCapacity = kBytes / kRowBytes;
constexpr uint64_t kBatch = uint64_t{1} << 20;
/// The first handle whose row lies beyond 4 GiB.
constexpr uint32_t kFar = (uint64_t{1} << 32) / kRowBytes;

uint64_t key_of(uint64_t i) { return i * 0x9e3779b97f4a7c15U; }

/// Small whole numbers, exact in f32, which tell rows and places in them apart.
void write_row(uint64_t key, float* row) {
  const uint64_t mixed = gpu::spread(key ^ 0x5555);
  for (uint32_t i = 0; i < kDim; ++i) {
    row[i] = static_cast<float>((mixed + i * 0x3c6ef372fe94f82bU) >> 44);
  }
}

Keys batch_of(uint64_t first) {
  Keys keys(std::min(kBatch, kCapacity - first));
  for (size_t i = 0; i < keys.size(); ++i) keys[i] = key_of(first + i);
  return keys;
}

class GpuLarge : public testing::Test {
 protected:
  void SetUp() override {
    if (!device_found().yes) GTEST_SKIP() << device_found().words;
    const RunShape shape{.dim = kDim, .policy = TierPolicy::kLru, .optimizer = OptimizerKind::kSgd};
    const RowRules rules(table_options(shape));
    subject_ = device_subject({tier_spec(shape, rules), kCapacity / Model::kWays});
    step_ = rules.optimizer().step(1, 1.0F);
    for (uint64_t first = 0; first < kCapacity; first += kBatch) {
      InsertBatch batch;
      batch.rows.keys = batch_of(first);
      batch.rows.values.resize(batch.rows.keys.size() * kRowBytes);
      for (size_t i = 0; i < batch.rows.keys.size(); ++i) {
        write_row(batch.rows.keys[i],
                  reinterpret_cast<float*>(batch.rows.values.data() + i * kRowBytes));
      }
      subject_->insert(batch);
    }
  }

  std::unique_ptr<Subject> subject_;
  UpdateStep step_;
};

TEST_F(GpuLarge, RowsBeyond4GiBAreWhole) {
  uint64_t found = 0;
  uint64_t wrong = 0;
  std::vector<float> row(kDim);
  for (uint64_t first = 0; first < kCapacity; first += kBatch) {
    const Keys keys = batch_of(first);
    Bytes out(keys.size() * kRowBytes, kPoison);
    std::vector<bool> missed(keys.size());
    for (const uint32_t at : subject_->lookup(keys, {false, kRowBytes}, {}, out)) missed[at] = true;
    for (size_t i = 0; i < keys.size(); ++i) {
      if (missed[i]) continue;
      ++found;
      write_row(keys[i], row.data());
      if (std::memcmp(out.data() + i * kRowBytes, row.data(), kRowBytes) != 0) ++wrong;
    }
  }
  const CacheCounts counts = subject_->counts();
  EXPECT_EQ(wrong, 0U);
  EXPECT_EQ(found, counts.rows);
  EXPECT_EQ(counts.inserted, kCapacity);
  EXPECT_EQ(counts.inserted - counts.evicted, counts.rows);
  EXPECT_GT(counts.rows, kCapacity * 8 / 10);
}

TEST_F(GpuLarge, RowsBeyond4GiBArePushedAssignedAndFlushed) {
  Keys far;
  Numbers handles;
  const Keys keys = batch_of(0);
  Numbers all;
  subject_->find(keys, {}, all);
  for (size_t i = 0; i < keys.size() && far.size() < 1000; ++i) {
    if (all[i] == kNone || all[i] < kFar) continue;
    far.push_back(keys[i]);
    handles.push_back(all[i]);
  }
  ASSERT_EQ(far.size(), 1000U);
  PushBatch push{.handles = handles,
                 .gradients = std::vector<float>(far.size() * kDim, 1.0F),
                 .steps = {step_}};
  subject_->push(push);
  EXPECT_EQ(subject_->count_dirty(), far.size());
  std::vector<float> expected(far.size() * kDim);
  for (size_t i = 0; i < far.size(); ++i) write_row(far[i], expected.data() + i * kDim);
  for (float& value : expected) value -= 1.0F;
  Bytes wanted(expected.size() * sizeof(float));
  std::memcpy(wanted.data(), expected.data(), wanted.size());
  const uint64_t far_bucket = kFar / Model::kWays;
  const CacheRows flushed = by_key(subject_->flush({far_bucket, kCapacity / Model::kWays}));
  EXPECT_TRUE(by_key({far, wanted, {}}).keys == flushed.keys);
  EXPECT_TRUE(by_key({far, wanted, {}}).values == flushed.values);
  EXPECT_EQ(subject_->count_dirty(), 0U);
  EXPECT_EQ(subject_->assign({far, Bytes(wanted.size(), kPoison), {}}, true), Numbers());
  Bytes out(wanted.size());
  EXPECT_EQ(subject_->lookup(far, {true, kRowBytes}, {}, out), Numbers());
  EXPECT_TRUE(out == Bytes(wanted.size(), kPoison));
  // Nothing else has changed.
  EXPECT_EQ(subject_->count_dirty(), far.size());
  subject_->erase(far);
  EXPECT_EQ(subject_->lookup(far, {true, kRowBytes}, {}, out).size(), far.size());
}

}  // namespace
}  // namespace hotrow::test
