// Times by verb, table and stage: what is recorded is found, by all threads, in bounded memory.
#include "base/stage_times.h"

#include <gtest/gtest.h>

#include <string>
#include <thread>
#include <vector>

namespace hotrow::test {
namespace {

using TwoStages = StageTimes<4, 2, 1>;

constexpr std::array<std::string_view, 2> kNames{"first", "second"};

std::vector<RequestTimes> all_of(const TwoStages& times) {
  return times.summaries([](size_t verb) { return "V" + std::to_string(verb); }, kNames,
                         [](std::string_view) { return true; });
}

TEST(StageTimes, AreByVerbAndTable) {
  TwoStages times;
  EXPECT_TRUE(all_of(times).empty());
  TwoStages::Pair* const user = times.pair("user", 1);
  EXPECT_EQ(user, times.pair("user", 1));
  EXPECT_NE(user, times.pair("user", 2));
  times.record(1, user, 0, 100);
  times.record(1, user, 1, 1000);
  times.record(1, nullptr, 0, 300);
  times.record(3, nullptr, 1, 7);
  const auto all = all_of(times);
  ASSERT_EQ(all.size(), 3U);  // a pair that nothing was recorded of is not shown
  EXPECT_EQ(all[0].verb + all[0].table, "V1");
  EXPECT_EQ(all[0].stages[0].stage, "first");
  EXPECT_EQ(all[0].stages[0].time.count, 2U);
  EXPECT_EQ(all[0].stages[0].time.max_ns, 300U);
  EXPECT_EQ(all[0].stages[1].time.count, 1U);
  EXPECT_EQ(all[1].verb, "V3");
  EXPECT_EQ(all[1].stages[0].time.count, 0U);
  EXPECT_EQ(all[2].verb + all[2].table, "V1user");
  EXPECT_EQ(all[2].stages[0].time.count, 1U);
  EXPECT_EQ(all[2].stages[1].time.max_ns, 1000U);
}

TEST(StageTimes, ShowOnlyTablesThatTheAskerMayKnow) {
  TwoStages times;
  times.record(0, times.pair("mine", 0), 0, 1);
  times.record(0, times.pair("theirs", 0), 0, 1);
  const auto all = times.summaries([](size_t) { return "V"; }, kNames,
                                   [](std::string_view table) { return table == "mine"; });
  ASSERT_EQ(all.size(), 2U);
  EXPECT_EQ(all[0].stages[0].time.count, 2U);
  EXPECT_EQ(all[1].table, "mine");
}

TEST(StageTimes, HaveALimitOfTables) {
  TwoStages times;
  for (size_t i = 0; i < TwoStages::kMostPairs; ++i) {
    ASSERT_NE(times.pair("t" + std::to_string(i), 0), nullptr);
  }
  EXPECT_EQ(times.pair("one more", 0), nullptr);
  EXPECT_NE(times.pair("t7", 0), nullptr);
  times.record(0, nullptr, 0, 5);
  EXPECT_EQ(all_of(times).size(), 1U);
}

TEST(StageTimes, LoseNothingOfSeveralThreads) {
  constexpr int kThreads = 4;
  constexpr int kTimes = 2000;
  TwoStages times;
  PairsOf<TwoStages, 4> pairs(times, "t");
  std::vector<std::thread> threads;
  for (int t = 0; t < kThreads; ++t) {
    threads.emplace_back([&] {
      for (int i = 0; i < kTimes; ++i) times.record(2, pairs[2], 1, 50);
    });
  }
  for (std::thread& thread : threads) thread.join();
  const auto all = all_of(times);
  ASSERT_EQ(all.size(), 2U);
  for (const RequestTimes& its : all) EXPECT_EQ(its.stages[1].time.count, kThreads * kTimes);
}

TEST(StageTimes, OfAClockThatTwoThreadsLookedAtAreNotNegative) {
  const Interval::Point now = std::chrono::steady_clock::now();
  EXPECT_EQ((Interval{now, now - std::chrono::nanoseconds(5)}).nanoseconds(), 0U);
  EXPECT_EQ((Interval{now, now + std::chrono::nanoseconds(5)}).nanoseconds(), 5U);
  EXPECT_TRUE(Interval().none());
}

}  // namespace
}  // namespace hotrow::test
