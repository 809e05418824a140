// The pool: every part once, all before run() returns, from any number of callers.
#include "base/thread_pool.h"

#include <gtest/gtest.h>

#include <atomic>
#include <chrono>
#include <set>
#include <thread>
#include <vector>

#include "support/scale.h"
#include "support/threads.h"

namespace hotrow::test {
namespace {

TEST(ThreadPool, CallsEachPartOnce) {
  for (const uint32_t threads : {0U, 1U, 2U, 4U}) {
    ThreadPool pool(threads);
    EXPECT_EQ(pool.threads(), threads == 0 ? 1U : threads);
    for (const uint32_t parts : {0U, 1U, 2U, 3U, 4U, 5U, 100U}) {
      std::vector<std::atomic<int>> calls(parts);
      pool.run(parts, [&](uint32_t part) { ++calls[part]; });
      for (const auto& count : calls) ASSERT_EQ(count, 1) << threads << " threads";
    }
  }
}

TEST(ThreadPool, OneThreadWorksInOrderOnTheCaller) {
  ThreadPool pool(1);
  std::vector<uint32_t> order;
  pool.run(5, [&](uint32_t part) { order.push_back(part); });
  EXPECT_EQ(order, (std::vector<uint32_t>{0, 1, 2, 3, 4}));
}

TEST(ThreadPool, AnUnsplitRunStaysOnTheCaller) {
  ThreadPool pool(4);
  const auto caller = std::this_thread::get_id();
  pool.run(1, [&](uint32_t) { EXPECT_EQ(std::this_thread::get_id(), caller); });
}

TEST(ThreadPool, WritesOfTheWorkAreVisibleToTheCaller) {
  ThreadPool pool(4);
  for (uint64_t round = 0; round < scaled(2000); ++round) {
    uint64_t written[4] = {};  // plain on purpose: ThreadSanitizer checks the pool's ordering
    pool.run(4, [&](uint32_t part) { written[part] = round + part; });
    for (uint32_t part = 0; part < 4; ++part) ASSERT_EQ(written[part], round + part);
  }
}

TEST(ThreadPool, ManyCallersAtOnce) {
  ThreadPool pool(3);
  in_threads(4, [&](uint32_t) {
    for (uint64_t round = 0; round < scaled(500); ++round) {
      std::atomic<uint32_t> sum{0};
      pool.run(7, [&](uint32_t part) { sum += part + 1; });
      ASSERT_EQ(sum, 28U);
    }
  });
}

TEST(ThreadPool, ACallerNeverWaitsForHelpersThatAreBusyElsewhere) {
  ThreadPool pool(2);
  std::atomic<bool> release{false};
  std::atomic<uint32_t> inside{0};
  std::thread other([&] {
    pool.run(2, [&](uint32_t) {
      ++inside;
      while (!release) std::this_thread::yield();
    });
  });
  while (inside < 2) std::this_thread::yield();
  std::atomic<uint32_t> done{0};
  pool.run(8, [&](uint32_t) { ++done; });  // the only helper sleeps in the other run
  EXPECT_EQ(done, 8U);
  release = true;
  other.join();
}

TEST(ThreadPool, HelpersTakeParts) {
  ThreadPool pool(4);
  std::atomic<uint32_t> inside{0};
  // Each part waits for the others: four threads must be in it at once.
  pool.run(4, [&](uint32_t) {
    ++inside;
    while (inside < 4) std::this_thread::yield();
  });
  EXPECT_EQ(inside, 4U);
}

TEST(ThreadPool, StartsAndStopsManyTimes) {
  for (uint64_t round = 0; round < scaled(200); ++round) {
    ThreadPool pool(3);
    std::atomic<uint32_t> done{0};
    if (round % 2 == 0) pool.run(3, [&](uint32_t) { ++done; });
    ASSERT_EQ(done, round % 2 == 0 ? 3U : 0U);
  }
}

}  // namespace
}  // namespace hotrow::test
