// Epochs: nothing is freed while a call that could see it is pinned, everything is in the end.
#include "memory/epoch.h"

#include <gtest/gtest.h>

#include <array>
#include <atomic>
#include <chrono>
#include <memory>
#include <thread>

#include "support/scale.h"
#include "support/threads.h"

namespace hotrow::test {
namespace {

EpochDomain& domain() { return EpochDomain::instance(); }

/// A thread that stays pinned until told otherwise.
class Pinned {
 public:
  Pinned() : thread_([this] { run(); }) {
    while (!pinned_) std::this_thread::yield();
  }
  ~Pinned() { end(); }
  void end() {
    release_ = true;
    if (thread_.joinable()) thread_.join();
  }

 private:
  void run() {
    const EpochGuard guard;
    pinned_ = true;
    while (!release_) std::this_thread::yield();
  }
  std::atomic<bool> pinned_{false};
  std::atomic<bool> release_{false};
  std::thread thread_;
};

TEST(Epoch, RetiredWithoutPinsRunsByTheNextSynchronize) {
  int runs = 0;
  domain().retire([&] { ++runs; });
  domain().synchronize();
  EXPECT_EQ(runs, 1);
  domain().synchronize();
  EXPECT_EQ(runs, 1);
}

TEST(Epoch, RetireWaitsForACallPinnedBefore) {
  std::atomic<int> runs{0};
  Pinned reader;
  domain().retire([&] { ++runs; });
  for (int i = 0; i < 100; ++i) domain().retire([] {});
  EXPECT_EQ(runs, 0);
  reader.end();
  domain().synchronize();
  EXPECT_EQ(runs, 1);
}

TEST(Epoch, ACallPinnedLaterDoesNotDelay) {
  std::atomic<int> runs{0};
  domain().retire([&] { ++runs; });
  domain().retire([] {});
  Pinned later;
  domain().retire([] {});
  EXPECT_EQ(runs, 1);
}

TEST(Epoch, PinsNest) {
  std::atomic<bool> ran{false};
  std::atomic<int> stage{0};
  std::thread nested([&] {
    domain().pin();
    domain().pin();
    domain().unpin();
    stage = 1;
    while (stage != 2) std::this_thread::yield();
    domain().unpin();
  });
  while (stage != 1) std::this_thread::yield();
  domain().retire([&] { ran = true; });
  domain().retire([] {});
  EXPECT_FALSE(ran) << "the outermost pin still holds";
  stage = 2;
  nested.join();
  domain().synchronize();
  EXPECT_TRUE(ran);
}

TEST(Epoch, ACallMayRetireWhileItIsPinned) {
  std::atomic<int> runs{0};
  {
    const EpochGuard guard;
    domain().retire([&] { ++runs; });
    domain().retire([] {});
    EXPECT_EQ(runs, 0) << "its own pin is as good as any other";
  }
  domain().synchronize();
  EXPECT_EQ(runs, 1);
}

TEST(Epoch, SynchronizeWaitsForPinnedCalls) {
  Pinned reader;
  std::atomic<bool> returned{false};
  std::thread waiter([&] {
    domain().synchronize();
    returned = true;
  });
  std::this_thread::sleep_for(std::chrono::milliseconds(20));
  EXPECT_FALSE(returned);
  reader.end();
  waiter.join();
  EXPECT_TRUE(returned);
}

TEST(Epoch, SynchronizeReturnsThoughSomebodyIsAlwaysPinned) {
  std::atomic<bool> stop{false};
  std::atomic<uint64_t> turn{0};
  const auto overlap = [&] {
    while (!stop) {
      const EpochGuard guard;
      // Lets the other in before it leaves.
      const uint64_t mine = turn += 1;
      while (!stop && turn <= mine) std::this_thread::yield();
    }
  };
  std::thread first(overlap);
  std::thread second(overlap);
  while (turn < 10) std::this_thread::yield();
  for (int i = 0; i < 20; ++i) domain().synchronize();
  stop = true;
  first.join();
  second.join();
}

// What a call retires before it ends must be gone when the synchronize that waited for the call
// returns, whoever else is pinned by then: close() frees what such a deleter refers to.
TEST(Epoch, SynchronizeRunsWhatTheAwaitedCallsRetired) {
  std::atomic<int> stage{0};
  std::atomic<bool> ran{false};
  std::thread call([&] {
    const EpochGuard guard;
    stage = 1;
    while (stage != 2) std::this_thread::yield();
    domain().retire([&] { ran = true; });
  });
  while (stage != 1) std::this_thread::yield();
  std::atomic<bool> ran_by_return{false};
  std::thread closing([&] {
    domain().synchronize();
    ran_by_return = ran.load();
  });
  std::this_thread::sleep_for(std::chrono::milliseconds(20));
  auto bystander = std::make_unique<Pinned>();
  stage = 2;
  call.join();
  // A bystander that ends after a while, as every call does.
  std::this_thread::sleep_for(std::chrono::milliseconds(20));
  bystander.reset();
  closing.join();
  EXPECT_TRUE(ran_by_return);
  domain().synchronize();
}

TEST(Epoch, SlotsOfEndedThreadsServeNewOnes) {
  for (uint64_t round = 0; round < scaled(200); ++round) {
    std::thread([] { const EpochGuard guard; }).join();
  }
  domain().synchronize();
}

// Readers follow a pointer that a writer keeps replacing; whoever sees a freed value reads poison
// (and ASan or ThreadSanitizer reports it).
TEST(Epoch, ReadersNeverMeetWhatWasFreed) {
  struct Value {
    std::array<std::atomic<uint64_t>, 8> words;
    explicit Value(uint64_t x) {
      for (auto& word : words) word = x;
    }
    ~Value() {
      for (auto& word : words) word = UINT64_MAX;
    }
  };
  std::atomic<Value*> current{new Value(0)};
  std::atomic<bool> stop{false};
  std::atomic<uint64_t> freed{0};
  const uint64_t rounds = scaled(20000);
  in_threads(4, [&](uint32_t thread) {
    if (thread == 0) {
      for (uint64_t i = 1; i <= rounds; ++i) {
        const EpochGuard guard;
        Value* const old = current.exchange(new Value(i));
        domain().retire([old, &freed] {
          delete old;
          ++freed;
        });
      }
      stop = true;
      return;
    }
    while (!stop) {
      const EpochGuard guard;
      const Value* const value = current.load();
      const uint64_t first = value->words[0];
      for (const auto& word : value->words) ASSERT_EQ(word, first);
      ASSERT_NE(first, UINT64_MAX);
    }
  });
  domain().synchronize();
  EXPECT_EQ(freed, rounds);
  delete current.load();
}

}  // namespace
}  // namespace hotrow::test
