// Keys that wait for a thread: how many, in which pieces, and how it ends.
#include "store/fill_queue.h"

#include <gtest/gtest.h>

#include <atomic>
#include <chrono>
#include <thread>
#include <vector>

#include "support/stores.h"

namespace hotrow::test {
namespace {

/// A queue whose thread stands still until it is told to go on.
class Queue : public ::testing::Test {
 protected:
  void expect_waiting(uint64_t count) {
    const auto end = std::chrono::steady_clock::now() + std::chrono::seconds(20);
    while (queue_.figures().waiting != count && std::chrono::steady_clock::now() < end) {
      std::this_thread::yield();
    }
    EXPECT_EQ(queue_.figures().waiting, count);
  }
  void expect_fill_under_way() {
    while (begun_ == 0) std::this_thread::yield();
  }

  std::atomic<bool> open_{true};
  std::atomic<uint32_t> begun_{0};
  std::vector<std::vector<uint64_t>> filled_;
  FillQueue queue_{[this](KeyBatch keys) {
    ++begun_;
    while (!open_) std::this_thread::yield();
    filled_.emplace_back(keys.begin(), keys.end());
  }};
};

TEST_F(Queue, BringsDistinctKeysInPieces) {
  open_ = false;
  queue_.offer(range(9, 1));
  expect_fill_under_way();
  queue_.offer(range(0, FillQueue::kAtOnce + 10));
  queue_.offer(range(0, 5));
  open_ = true;
  expect_waiting(0);
  ASSERT_EQ(filled_.size(), 3U);
  EXPECT_EQ(filled_[0], range(9, 1));
  EXPECT_EQ(filled_[1], range(0, FillQueue::kAtOnce));
  EXPECT_EQ(filled_[2], range(FillQueue::kAtOnce, 10));
  EXPECT_EQ(queue_.figures().dropped, 0U);
}

TEST_F(Queue, WhatHasNoRoomIsDroppedAndCounted) {
  open_ = false;
  queue_.offer(range(0, 1));
  expect_fill_under_way();
  queue_.offer(range(0, FillQueue::kMost - 10));
  queue_.offer(range(0, 25));
  EXPECT_EQ(queue_.figures().dropped, 15U);
  EXPECT_EQ(queue_.figures().waiting, FillQueue::kMost + 1);
  queue_.offer(range(0, 5));
  EXPECT_EQ(queue_.figures().dropped, 20U);
  open_ = true;
  expect_waiting(0);
  queue_.offer(range(0, 5));
  expect_waiting(0);
  EXPECT_EQ(queue_.figures().dropped, 20U);
}

TEST_F(Queue, EndsWithWhatIsUnderWayAndDropsTheRest) {
  open_ = false;
  queue_.offer(range(0, 1));
  expect_fill_under_way();
  queue_.offer(range(1, 100));
  std::thread stopping([this] { queue_.stop(); });
  while (queue_.figures().dropped < 100) std::this_thread::yield();
  open_ = true;
  stopping.join();
  EXPECT_EQ(begun_, 1U);
  EXPECT_EQ(queue_.figures().waiting, 0U);
  queue_.offer(range(0, 7));
  EXPECT_EQ(queue_.figures().dropped, 107U);
  EXPECT_EQ(begun_, 1U);
}

TEST_F(Queue, EndsWithoutEverHavingBegun) { queue_.stop(); }

}  // namespace
}  // namespace hotrow::test
