// Admission: which keys get a row, and when.
#include <gtest/gtest.h>

#include "support/bits.h"
#include "support/random.h"
#include "support/tables.h"

namespace hotrow::test {
namespace {

TableOptions admitting(AdmissionOptions admission) {
  TableOptions options = sum_table(2);
  options.admission = admission;
  return options;
}

TEST(Admission, FromTheNthGradientOn) {
  const LoneTable table(admitting({.kind = AdmissionKind::kCount, .min_count = 3}));
  table.push({7}, 1);
  table.push({7}, 2);
  EXPECT_FALSE(table.has(7));
  EXPECT_EQ(table.stats().candidates, 1U);
  EXPECT_EQ(table.stats().not_admitted, 2U);
  EXPECT_EQ(table->size(), 0U);
  EXPECT_EQ(lookup(*table, {7}), std::vector<float>(2, 0.0F)) << "as a missing key's";
  table.push({7}, 4);
  EXPECT_TRUE(table.has(7));
  EXPECT_EQ(lookup(*table, {7}), std::vector<float>(2, 4.0F)) << "its own gradient counts";
  table.push({7}, 8);
  EXPECT_EQ(lookup(*table, {7}), std::vector<float>(2, 12.0F));
  EXPECT_EQ(table.stats().candidates, 0U);
}

TEST(Admission, DuplicatesInABatchCount) {
  const LoneTable table(admitting({.kind = AdmissionKind::kCount, .min_count = 3}));
  table.push({1, 2, 1, 1, 2}, 1);
  EXPECT_TRUE(table.has(1));
  EXPECT_EQ(lookup(*table, {1}), std::vector<float>(2, 3.0F));
  EXPECT_FALSE(table.has(2));
  table.push({2}, 1);
  EXPECT_EQ(lookup(*table, {2}), std::vector<float>(2, 1.0F));
}

TEST(Admission, AssignedRowsAreAdmittedAtOnce) {
  const LoneTable table(admitting({.kind = AdmissionKind::kCount, .min_count = 100}));
  table.push({1}, 1);
  must(table->update(std::vector<uint64_t>{1, 2}, std::vector<float>(4, 9.0F)));
  EXPECT_TRUE(table.has(1));
  EXPECT_TRUE(table.has(2));
  EXPECT_EQ(table.stats().candidates, 0U);
}

TEST(Admission, ErasingForgetsTheCount) {
  const LoneTable table(admitting({.kind = AdmissionKind::kCount, .min_count = 2}));
  table.push({1}, 1);
  EXPECT_EQ(must(table->erase(std::vector<uint64_t>{1})), 0U) << "it has no row";
  table.push({1}, 1);
  EXPECT_FALSE(table.has(1));
}

TEST(Admission, DecayForgetsRareKeys) {
  const LoneTable table(admitting({.kind = AdmissionKind::kCount, .min_count = 10}));
  for (int i = 0; i < 8; ++i) table.push({1}, 1);
  table.push({2}, 1);
  must(table->decay(0.5));
  EXPECT_EQ(table.stats().candidates, 1U) << "a count of one is none";
  for (int i = 0; i < 5; ++i) table.push({1}, 1);
  EXPECT_FALSE(table.has(1)) << "nine";
  table.push({1}, 1);
  EXPECT_TRUE(table.has(1)) << "ten";
}

TEST(Admission, CandidatesTakeNoRows) {
  const LoneTable table(admitting({.kind = AdmissionKind::kCount, .min_count = 2}));
  table.push(range(0, 100'000));
  const TableStats stats = table.stats();
  EXPECT_EQ(stats.candidates, 100'000U);
  EXPECT_EQ(stats.row_memory_bytes, 0U);
  EXPECT_EQ(stats.rows, 0U);
  EXPECT_TRUE(table.keys().empty());
  table.push(range(0, 100'000));
  EXPECT_EQ(table->size(), 100'000U);
}

TEST(Admission, ByChance) {
  const LoneTable table(admitting({.kind = AdmissionKind::kProbability, .probability = 0.25F}));
  table.push(range(0, 20'000));
  EXPECT_NEAR(static_cast<double>(table->size()) / 20'000, 0.25, 0.02);
  table.push(range(0, 20'000));
  EXPECT_NEAR(static_cast<double>(table->size()) / 20'000, 0.4375, 0.02) << "a chance each push";
}

TEST(Admission, TheSameKeysForAnyNumberOfThreads) {
  for (const AdmissionOptions& admission :
       {AdmissionOptions{.kind = AdmissionKind::kCount, .min_count = 3},
        AdmissionOptions{.kind = AdmissionKind::kBloom, .min_count = 3, .capacity = 30'000},
        AdmissionOptions{.kind = AdmissionKind::kProbability, .probability = 0.3F}}) {
    std::unordered_set<uint64_t> expected;
    for (const uint32_t threads : {1U, 2U, 4U}) {
      const LoneTable table(admitting(admission), threads);
      Random random(5);
      for (int i = 0; i < 6; ++i) {
        std::vector<uint64_t> keys(20'000);
        for (uint64_t& key : keys) key = random.below(30'000);
        table.push(keys);
      }
      if (threads == 1) expected = table.keys();
      EXPECT_EQ(table.keys(), expected);
      EXPECT_GT(expected.size(), 5'000U);
      EXPECT_LT(expected.size(), 30'000U);
    }
  }
}

TEST(Admission, InBoundedMemory) {
  const LoneTable table(
      admitting({.kind = AdmissionKind::kBloom, .min_count = 3, .capacity = 10'000}));
  const uint64_t before = table.stats().filter_memory_bytes;
  EXPECT_GT(before, 0U);
  table.push(range(0, 10'000));
  table.push(range(0, 10'000));
  EXPECT_LT(table->size(), 200U) << "few keys share all their counters with others";
  table.push(range(0, 10'000));
  EXPECT_EQ(table->size(), 10'000U) << "never later than due";
  EXPECT_EQ(table.stats().filter_memory_bytes, before);
  EXPECT_EQ(table.stats().candidates, 0U);
}

TEST(Admission, UnderALimitOfRows) {
  TableOptions options = admitting({.kind = AdmissionKind::kCount, .min_count = 2});
  options.eviction = {.policy = EvictionPolicy::kLru, .max_rows = 100};
  const LoneTable table(options);
  for (uint64_t first = 0; first < 5000; first += 50) {
    table.push(range(first, 50));
    ASSERT_LE(table->size(), 100U);
    table.push(range(first, 50));
    ASSERT_LE(table->size(), 100U);
    ASSERT_EQ(table.count(range(first, 50)), 50U);
  }
  // A crowd of keys seen once takes no row's place.
  const uint64_t evicted = table.stats().evicted_capacity;
  table.push(range(100'000, 5000));
  EXPECT_EQ(table.stats().evicted_capacity, evicted);
}

TEST(Admission, AFilterUnderALimitLetsInNoMoreThanWasPromised) {
  // Ten times as many keys as the filter is made for, so that nearly all share their counters.
  TableOptions options = admitting({.kind = AdmissionKind::kBloom, .min_count = 2, .capacity = 1});
  options.eviction = {.policy = EvictionPolicy::kLru, .max_rows = 25'000};
  for (const uint32_t threads : {1U, 2U}) {
    const LoneTable table(options, threads);
    for (uint64_t push = 0; push < 30; ++push) {
      table.push(range(push * 20'000, 20'000));
      ASSERT_LE(table->size(), 25'000U);
    }
  }
}

TEST(Admission, AChanceUnderALimitIsDrawnOnce) {
  TableOptions options = admitting({.kind = AdmissionKind::kProbability, .probability = 0.5F});
  options.eviction = {.policy = EvictionPolicy::kLru, .max_rows = 1000};
  const LoneTable table(options);
  for (uint64_t push = 0; push < 50; ++push) {
    table.push(range(push * 900, 900));
    ASSERT_LE(table->size(), 1000U);
  }
  EXPECT_NEAR(static_cast<double>(table.stats().created) / 45'000, 0.5, 0.02);
}

TEST(Admission, ALimitOfBytesBoundsTheKeysWithoutRowsToo) {
  TableOptions options = admitting({.kind = AdmissionKind::kCount, .min_count = 5});
  options.eviction = {.policy = EvictionPolicy::kLru, .max_bytes = 8 * kMiB};
  const LoneTable table(options);
  for (uint64_t push = 0; push < 40; ++push) table.push(range(push * 50'000, 50'000));
  const TableStats stats = table.stats();
  EXPECT_LE(stats.index_memory_bytes + stats.row_memory_bytes, 8 * kMiB);
  EXPECT_GT(stats.candidates, 10'000U);
  // Keys that come again and again get their rows all the same, some a little later.
  for (int i = 0; i < 8; ++i) table.push(range(5'000'000, 1000));
  EXPECT_EQ(table.count(range(5'000'000, 1000)), 1000U);
}

TEST(Admission, ContradictoryOptionsAreNamed) {
  const auto wrong = [](AdmissionOptions admission, const char* field) {
    return fails(admitting(admission).validate(), StatusCode::kInvalidArgument, field);
  };
  EXPECT_TRUE(wrong({.min_count = 2}, "admission.minCount"));
  EXPECT_TRUE(wrong({.kind = AdmissionKind::kCount}, "admission.minCount"));
  EXPECT_TRUE(wrong({.kind = AdmissionKind::kCount, .min_count = 0}, "admission.minCount"));
  EXPECT_TRUE(wrong({.probability = 0.5F}, "admission.probability"));
  EXPECT_TRUE(wrong({.kind = AdmissionKind::kProbability}, "admission.probability"));
  EXPECT_TRUE(wrong({.kind = AdmissionKind::kProbability, .probability = 0}, "probability"));
  EXPECT_TRUE(wrong({.kind = AdmissionKind::kBloom, .min_count = 2}, "admission.capacity"));
  EXPECT_TRUE(wrong({.kind = AdmissionKind::kBloom, .min_count = 300, .capacity = 5}, "255"));
  EXPECT_TRUE(wrong({.capacity = 5}, "admission.capacity"));
}

}  // namespace
}  // namespace hotrow::test
