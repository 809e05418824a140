// Cache<Device> against the model: the same runs on the CPU, in both orders of lanes and on one
// thread and four, and on a GPU where hotrow_gpu_tests finds one. GpuSmall is for sanitizers.
#include <gtest/gtest.h>

#include <cstdio>

#include "cuda/random_run.h"
#include "support/seed.h"

namespace hotrow::test {
namespace {

constexpr uint32_t kRowDims[] = {1, 3, 4, 8, 10, 12, 16, 31, 32, 40, 48, 64, 128, 132, 256};
constexpr ValueType kValueTypes[] = {ValueType::kF32, ValueType::kF16, ValueType::kBf16,
                                     ValueType::kI8, ValueType::kI4};
constexpr OptimizerKind kRules[] = {OptimizerKind::kSgd, OptimizerKind::kAdagrad,
                                    OptimizerKind::kAdam};
constexpr size_t kPolicies = 6;

/// Runs shape after shape, each with a seed of its own.
class Runs {
 public:
  explicit Runs(const char* filter) : seed_(test_seed(filter)) {}
  void run(const RunShape& shape) {
    if (testing::Test::HasFailure()) return;
    SCOPED_TRACE(describe(shape));
    RandomRun(shape, seed_ + runs_++).go();
  }

 private:
  uint64_t seed_;
  uint64_t runs_ = 0;
};

RunShape shape_of(size_t number, uint32_t dim, ValueType type) {
  return {.dim = dim,
          .type = type,
          .policy = static_cast<TierPolicy>(number % kPolicies),
          .optimizer = kRules[number / kPolicies % std::size(kRules)]};
}

TEST(GpuDevice, IsNamed) {
  std::printf("gpu=%s\n", device_found().words.c_str());
  if (!device_found().yes) GTEST_SKIP() << device_found().words;
}

TEST(GpuCache, DoesWhatTheModelSaysForAllRows) {
  Runs runs("GpuCache.DoesWhatTheModelSaysForAllRows");
  size_t number = 0;
  for (const ValueType type : kValueTypes) {
    for (const uint32_t dim : kRowDims) runs.run(shape_of(number++, dim, type));
  }
}

TEST(GpuCache, DoesWhatTheModelSaysUnderEveryPolicyForLong) {
  Runs runs("GpuCache.DoesWhatTheModelSaysUnderEveryPolicyForLong");
  for (size_t policy = 0; policy < kPolicies; ++policy) {
    RunShape shape = shape_of(policy, 8, ValueType::kF32);
    shape.steps = 600;
    runs.run(shape);
  }
}

TEST(GpuCache, HoldsFewBuckets) {
  Runs runs("GpuCache.HoldsFewBuckets");
  size_t number = 0;
  for (const uint64_t buckets : {2, 3, 8}) {
    for (size_t policy = 0; policy < kPolicies; ++policy) {
      RunShape shape = shape_of(number++, 12, ValueType::kF32);
      shape.buckets = buckets;
      shape.steps = 150;
      runs.run(shape);
    }
  }
}

TEST(GpuCache, RoundsByChanceAsTheTableDoes) {
  Runs runs("GpuCache.RoundsByChanceAsTheTableDoes");
  for (const ValueType type : {ValueType::kF16, ValueType::kBf16}) {
    for (const uint32_t dim : {1, 31, 64}) {
      RunShape shape = shape_of(dim, dim, type);
      shape.rounding = Rounding::kStochastic;
      runs.run(shape);
    }
  }
}

TEST(GpuSmall, RunsOfAllValueTypes) {
  Runs runs("GpuSmall.RunsOfAllValueTypes");
  size_t number = 2;
  for (const ValueType type : kValueTypes) {
    RunShape shape = shape_of(number++, 12, type);
    shape.buckets = 13;
    runs.run(shape);
  }
}

TEST(GpuSmall, RunsOfOddRows) {
  Runs runs("GpuSmall.RunsOfOddRows");
  size_t number = 1;
  for (const uint32_t dim : {1, 31, 64, 132}) {
    RunShape shape = shape_of(number++, dim, ValueType::kF32);
    shape.buckets = 7;
    runs.run(shape);
  }
}

/// Uses count the same in whatever order lookups come, so that the end is known.
TEST(GpuSmall, LookupsAtOnceSeeTheSameRowsAndCountEveryUse) {
  Random random(test_seed("GpuSmall.LookupsAtOnceSeeTheSameRowsAndCountEveryUse"));
  for (const TierPolicy policy :
       {TierPolicy::kLru, TierPolicy::kLfu, TierPolicy::kAgeingLfu, TierPolicy::kEpochLfu}) {
    const RunShape shape{.dim = 40, .policy = policy};
    const RowRules rules(table_options(shape));
    const TierSpec spec = tier_spec(shape, rules);
    const Subjects subjects = every_subject({spec, shape.buckets});
    const CacheLayout& layout = subjects[0]->layout;
    Model model(spec, layout, &rules);
    InsertBatch rows;
    for (uint64_t key = 0; key < 400; ++key) rows.rows.keys.push_back(key);
    const auto random_bytes = [&](size_t n) {
      Bytes bytes(n);
      for (std::byte& each : bytes) each = static_cast<std::byte>(random.next());
      return bytes;
    };
    rows.rows.values = random_bytes(400 * layout.value_stride);
    rows.rows.state = random_bytes(400 * layout.state_stride);
    model.insert(rows);
    const Use use{{.clock = static_cast<uint32_t>(random.below(1000)), .epoch = 3}, true};
    const RowForm form{true, layout.value_stride};
    constexpr int kRounds = 20;
    std::vector<Keys> batches(4);
    std::vector<Bytes> expected;
    for (Keys& keys : batches) {
      keys = random.keys(500, 420);
      expected.emplace_back(keys.size() * form.stride, kPoison);
      model.gather(model.handles(keys), form, expected.back());
      for (int round = 0; round < kRounds; ++round) model.touch(keys, use);
    }
    for (const auto& subject : subjects) {
      SCOPED_TRACE(subject->name);
      subject->insert(rows);
      EXPECT_EQ(subject->lookup_at_once(batches, form, use, kRounds), expected);
      EXPECT_EQ(subject->state(), model.state());
    }
  }
}

}  // namespace
}  // namespace hotrow::test
