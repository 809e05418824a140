// The filter that admits keys: what it promises of its estimates, and how often it overrates.
#include "table/counting_bloom.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <atomic>
#include <cmath>
#include <map>
#include <string>
#include <unordered_map>
#include <vector>

#include "hotrow/keys.h"
#include "support/hash_inverse.h"
#include "support/random.h"
#include "support/scale.h"
#include "support/status.h"
#include "support/threads.h"

namespace hotrow::test {
namespace {

constexpr uint64_t kHuge = kHugePageBytes;
constexpr uint64_t kBudget = 64 * kHuge;

/// A filter with a budget of its own.
struct Filter {
  explicit Filter(uint64_t capacity = 1) : bloom(must(CountingBloom::create(capacity, budget))) {}

  uint32_t add(uint64_t key, uint32_t times = 1) { return bloom->add(mix64(key), times); }
  uint32_t estimate(uint64_t key) const { return bloom->estimate(mix64(key)); }
  std::vector<uint64_t> counters() const {
    const uint64_t words = bloom->section_words();
    std::vector<uint64_t> all(words * CountingBloom::kSections);
    for (uint32_t i = 0; i < CountingBloom::kSections; ++i) {
      bloom->copy_section(i, {all.data() + i * words, words});
    }
    return all;
  }

  MemoryBudget budget{kBudget};
  std::unique_ptr<CountingBloom> bloom;
};

/// The header's rate for n distinct keys, written as the mean of (1 - (15/16)^j)^4 over a Poisson
/// number j of keys in the line: not its closed form.
double stated_rate(uint64_t n, uint64_t capacity) {
  const double mean = 4.0 * static_cast<double>(n) / static_cast<double>(capacity);
  double probability = std::exp(-mean);
  double rate = 0;
  for (int j = 1; j < 400; ++j) {
    probability *= mean / j;
    rate += probability * std::pow(1 - std::pow(15.0 / 16.0, j), 4);
  }
  return rate;
}

/// Keys that look up more often the smaller they are.
std::vector<uint64_t> skewed_keys(uint64_t seed, size_t n, uint64_t universe) {
  Random random(seed);
  std::vector<uint64_t> keys(n);
  for (uint64_t& key : keys) {
    const auto u = static_cast<double>(random.real(0.0F, 1.0F));
    key = static_cast<uint64_t>(std::pow(static_cast<double>(universe), u));
  }
  return keys;
}

TEST(CountingBloom, CountsAKeyThatIsAlone) {
  for (const uint64_t key : {uint64_t{0}, uint64_t{1}, UINT64_MAX}) {
    Filter filter;
    EXPECT_EQ(filter.estimate(key), 0U);
    EXPECT_EQ(filter.add(key), 1U);
    EXPECT_EQ(filter.add(key, 4), 5U);
    EXPECT_EQ(filter.add(key, 0), 5U);
    EXPECT_EQ(filter.estimate(key), 5U);
    EXPECT_EQ(filter.estimate(key + 1), 0U);
  }
}

TEST(CountingBloom, NeverUnderratesAKey) {
  for (const uint64_t universe : {100U, 100000U, 2000000U}) {  // the last overfills the filter
    Filter filter;
    std::unordered_map<uint64_t, uint32_t> seen;
    Random random(universe);
    for (uint64_t i = 0; i < scaled(400000); ++i) {
      const uint64_t key = random.below(universe);
      const auto times = static_cast<uint32_t>(random.between(1, 3));
      uint32_t& count = seen[key];
      count += times;
      ASSERT_GE(filter.add(key, times), std::min(count, CountingBloom::kMost));
    }
    for (const auto& [key, count] : seen) {
      ASSERT_GE(filter.estimate(key), std::min(count, CountingBloom::kMost)) << key;
    }
  }
}

TEST(CountingBloom, StopsAtItsMostInsteadOfWrapping) {
  Filter filter;
  for (uint32_t i = 1; i <= 1000; ++i) {
    ASSERT_EQ(filter.add(7), std::min(i, CountingBloom::kMost));
  }
  EXPECT_EQ(filter.add(8, UINT32_MAX), CountingBloom::kMost);
  EXPECT_EQ(filter.add(8, UINT32_MAX), CountingBloom::kMost);
  EXPECT_EQ(filter.estimate(9), 0U) << "no carry into a neighbour";
}

TEST(CountingBloom, AKeyTouchesOneLineOfItsSection) {
  Filter filter;
  Random random(5);
  for (int round = 0; round < 6; ++round) {
    const uint64_t hash = random.next();
    const std::vector<uint64_t> before = filter.counters();
    filter.bloom->add(hash, CountingBloom::kMost);
    const std::vector<uint64_t> after = filter.counters();
    const uint64_t words = filter.bloom->section_words();
    const uint64_t first = CountingBloom::section_of(hash) * words;
    std::vector<size_t> changed;
    for (size_t i = 0; i < after.size(); ++i) {
      if (after[i] != before[i]) changed.push_back(i);
    }
    ASSERT_EQ(changed.size(), 4U);
    ASSERT_GE(changed.front(), first);
    ASSERT_LT(changed.back(), first + words);
    ASSERT_EQ(changed.front() / 8, changed.back() / 8) << "words of one line";
  }
}

TEST(CountingBloom, RaisesOnlyTheSmallestCounters) {
  // Two keys of one line that share their counter no. 0 and no other.
  Filter filter;
  filter.bloom->add(0x0000, 10);
  EXPECT_EQ(filter.bloom->add(0x1110, 1), 1U) << "its other counters were 0";
  EXPECT_EQ(filter.bloom->estimate(0x2220), 0U);
  EXPECT_EQ(filter.bloom->estimate(0x0000), 10U);
  for (int i = 0; i < 9; ++i) filter.bloom->add(0x1110, 1);
  EXPECT_EQ(filter.bloom->estimate(0x0000), 10U) << "raised by nobody else's ten sightings";
}

TEST(CountingBloom, OverratesUnseenKeysAsOftenAsStated) {
  const uint64_t probes = scaled(400000);
  for (const double load : {0.25, 0.5, 1.0, 1.5, 2.0, 4.0}) {
    Filter filter;
    const auto n = static_cast<uint64_t>(load * static_cast<double>(filter.bloom->capacity()));
    for (uint64_t key = 0; key < n; ++key) filter.add(key);
    uint64_t wrong = 0;
    for (uint64_t i = 0; i < probes; ++i) wrong += filter.estimate(n + i) > 0 ? 1 : 0;
    const double rate = stated_rate(n, filter.bloom->capacity());
    const auto expected = rate * static_cast<double>(probes);
    // Five standard deviations, and a little for how full these lines happen to be.
    EXPECT_NEAR(static_cast<double>(wrong), expected, 5 * std::sqrt(expected) + 0.02 * expected)
        << "at " << load << " of the capacity";
    RecordProperty("measured_ppm_at_" + std::to_string(load),
                   std::to_string(1000000 * wrong / probes));
  }
}

TEST(CountingBloom, StatesTheRatesOfItsHeader) {
  const std::map<double, double> header = {{0.25, 0.00017}, {0.5, 0.00091}, {1.0, 0.0056},
                                           {1.5, 0.0164},   {2.0, 0.0349},  {4.0, 0.180}};
  for (const auto& [load, rate] : header) {
    EXPECT_NEAR(stated_rate(static_cast<uint64_t>(load * 1000000), 1000000), rate, rate * 0.02);
  }
}

TEST(CountingBloom, KeysOfSlotsAreSpreadAsWell) {
  Filter filter;
  const uint64_t n = filter.bloom->capacity();
  for (uint64_t i = 0; i < n; ++i) filter.add(slot_key(static_cast<uint32_t>(i % 26), i / 26));
  const uint64_t probes = scaled(400000);
  uint64_t wrong = 0;
  for (uint64_t i = 0; i < probes; ++i) {
    wrong += filter.estimate(slot_key(static_cast<uint32_t>(i % 26), n + i)) > 0 ? 1 : 0;
  }
  const double expected = stated_rate(n, n) * static_cast<double>(probes);
  EXPECT_NEAR(static_cast<double>(wrong), expected, 5 * std::sqrt(expected) + 0.02 * expected);
}

TEST(CountingBloom, AdmitsFewKeysOfASkewedStreamTooEarly) {
  Filter filter;
  std::unordered_map<uint64_t, uint32_t> seen;
  for (const uint64_t key : skewed_keys(3, 1200000, uint64_t{1} << 20)) {
    filter.add(key);
    ++seen[key];
  }
  const double rate = stated_rate(seen.size(), filter.bloom->capacity());
  RecordProperty("keys", std::to_string(seen.size()));
  RecordProperty("stated_ppm", std::to_string(static_cast<uint64_t>(rate * 1e6)));
  double last = 1;
  for (const uint32_t threshold : {2U, 3U, 5U, 10U}) {
    uint64_t rare = 0;
    uint64_t wrong = 0;
    for (const auto& [key, count] : seen) {
      if (count >= threshold) continue;
      ++rare;
      wrong += filter.estimate(key) >= threshold ? 1 : 0;
    }
    const double part = static_cast<double>(wrong) / static_cast<double>(rare);
    EXPECT_LE(part, rate) << "threshold " << threshold << ", " << seen.size() << " keys";
    EXPECT_LT(part, last) << "higher thresholds are reached by mistake less often";
    last = part;
    RecordProperty("wrong_ppm_of_threshold_" + std::to_string(threshold),
                   std::to_string(static_cast<uint64_t>(part * 1e6)));
  }
}

TEST(CountingBloom, HalvesEveryCounterRoundingDown) {
  Filter filter;
  std::unordered_map<uint64_t, uint32_t> added;
  for (uint64_t key = 0; key < 600; ++key) {  // few enough not to meet
    added[key] = filter.add(key, static_cast<uint32_t>(key % 300));
  }
  filter.bloom->halve();
  for (auto& [key, count] : added) ASSERT_EQ(filter.estimate(key), count /= 2) << key;
  filter.bloom->halve_section(CountingBloom::section_of(mix64(299)));
  EXPECT_EQ(filter.estimate(299), CountingBloom::kMost / 4);
  EXPECT_EQ(filter.estimate(298), CountingBloom::kMost / 2) << "of another section";
  for (int i = 0; i < 7; ++i) filter.bloom->halve();
  EXPECT_EQ(filter.counters(), std::vector<uint64_t>(filter.counters().size())) << "all forgotten";
}

TEST(CountingBloom, IsChargedByHugePagesAndGivesThemBack) {
  MemoryBudget budget(kBudget);
  const uint64_t per_page = kHuge / CountingBloom::kBytesPerKey;
  for (const uint64_t capacity :
       {uint64_t{0}, uint64_t{1}, per_page, per_page + 1, 10 * per_page}) {
    {
      const auto bloom = must(CountingBloom::create(capacity, budget));
      EXPECT_EQ(bloom->memory_bytes(), std::max(kHuge, round_up(capacity * 16, kHuge)));
      EXPECT_EQ(budget.used(), bloom->memory_bytes());
      EXPECT_GE(bloom->capacity(), capacity);
      EXPECT_EQ(bloom->section_words() * 8 * CountingBloom::kSections, bloom->memory_bytes())
          << "no memory is left unused";
    }
    EXPECT_EQ(budget.used(), 0U);
  }
}

TEST(CountingBloom, IsRefusedAboveTheBudget) {
  MemoryBudget budget(4 * kHuge);
  ASSERT_TRUE(budget.try_charge(1));
  const uint64_t per_page = kHuge / CountingBloom::kBytesPerKey;
  for (const uint64_t capacity :
       {3 * per_page + 1, 4 * per_page, uint64_t{1} << 44, uint64_t{1} << 60, UINT64_MAX}) {
    EXPECT_TRUE(fails(CountingBloom::create(capacity, budget), StatusCode::kCapacity,
                      "counting " + std::to_string(capacity) + " keys"));
    EXPECT_EQ(budget.used(), 1U) << "nothing is charged";
  }
  EXPECT_TRUE(ok(CountingBloom::create(3 * per_page, budget)));
}

TEST(CountingBloom, IsRefusedWhatTheSystemDoesNotHave) {
  MemoryBudget budget(UINT64_MAX);
  EXPECT_TRUE(fails(CountingBloom::create(uint64_t{1} << 44, budget), StatusCode::kCapacity,
                    "the system refused"));
  EXPECT_EQ(budget.used(), 0U);
}

TEST(CountingBloom, IsBitEqualForAnyPartitionBySection) {
  const std::vector<uint64_t> keys = skewed_keys(11, scaled(600000), 400000);
  std::vector<uint64_t> expected;
  for (const uint32_t parts : {1U, 2U, 3U, 7U, 16U}) {
    Filter filter;
    std::vector<std::vector<uint32_t>> returned(parts);
    in_threads(parts, [&](uint32_t part) {
      for (const uint64_t key : keys) {
        const uint64_t hash = mix64(key);
        if (CountingBloom::section_of(hash) * parts / CountingBloom::kSections != part) continue;
        filter.bloom->add(hash, 1 + key % 2);
      }
      for (uint32_t i = 0; i < CountingBloom::kSections; ++i) {
        if (i * parts / CountingBloom::kSections == part) filter.bloom->halve_section(i);
      }
    });
    if (parts == 1) expected = filter.counters();
    EXPECT_TRUE(filter.counters() == expected) << parts << " parts";
  }
}

TEST(CountingBloom, OneKeysOverlappingAddsCountAtLeastAsOneThreads) {
  constexpr uint32_t kThreads = 4;
  Filter filter;
  std::atomic<uint32_t> highest{0};
  in_threads(kThreads, [&](uint32_t) {
    for (uint32_t i = 1; i <= 60; ++i) {
      const uint32_t count = filter.add(77);
      ASSERT_GE(count, i) << "at least the thread's own";
      if (i == 60) highest = std::max(highest.load(), count);
    }
  });
  EXPECT_GE(filter.estimate(77), highest);
  EXPECT_LE(filter.estimate(77), 60 * kThreads);
}

TEST(CountingBloom, ThreadsOfOneLineLoseNothingOfEachOther) {
  // Four keys of one line that share no counter, but every word with another.
  Filter filter;
  const uint64_t hashes[] = {0x0000, 0x1111, 0x2222, 0x3333};
  for (uint64_t round = 0; round < scaled(400); ++round) {
    for (int i = 0; i < 8; ++i) filter.bloom->halve_section(0);
    in_threads(4, [&](uint32_t thread) {
      for (uint32_t i = 0; i < 200; ++i) filter.bloom->add(hashes[thread], 1);
    });
    for (const uint64_t hash : hashes) ASSERT_EQ(filter.bloom->estimate(hash), 200U);
  }
}

TEST(CountingBloom, HalvingBesideAddsKeepsHalfOfWhatWasThere) {
  constexpr uint32_t kBefore = 200;
  constexpr uint32_t kMore = 20;
  Filter filter;
  const uint64_t hashes[] = {0x0000, 0x1111, 0x2222};
  for (uint64_t round = 0; round < scaled(400); ++round) {
    for (int i = 0; i < 8; ++i) filter.bloom->halve_section(0);
    for (const uint64_t hash : hashes) filter.bloom->add(hash, kBefore);
    in_threads(4, [&](uint32_t thread) {
      if (thread == 3) {
        filter.bloom->halve_section(0);
        return;
      }
      for (uint32_t i = 0; i < kMore; ++i) filter.bloom->add(hashes[thread], 1);
    });
    for (const uint64_t hash : hashes) {
      ASSERT_GE(filter.bloom->estimate(hash), kBefore / 2);
      ASSERT_LE(filter.bloom->estimate(hash), kBefore + kMore);
    }
  }
}

}  // namespace
}  // namespace hotrow::test
