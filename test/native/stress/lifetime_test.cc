// Tables and stores that go away in the middle of calls: every call ends in ok or ERR_CLOSED, and
// nothing is read after it was freed (guarantee E10; meant for ASan and ThreadSanitizer).
#include <gtest/gtest.h>

#include <atomic>
#include <memory>
#include <mutex>
#include <string>
#include <vector>

#include "support/random.h"
#include "support/scale.h"
#include "support/stores.h"
#include "support/threads.h"

namespace hotrow::test {
namespace {

bool ok_or_closed(const Status& status) {
  return status.ok() || status.code() == StatusCode::kClosed;
}

/// One random call; only ok and ERR_CLOSED are right answers.
void some_call(Table& table, Random& random) {
  const uint32_t dim = table.options().dim;
  const size_t n = random.one_in(20) ? 9000 : random.between(1, 200);
  const std::vector<uint64_t> keys = random.keys(n, 100000);
  std::vector<float> rows(n * dim, 1.0F);
  const std::vector<uint32_t> offsets = {0, static_cast<uint32_t>(n)};
  const BagBatch bags{.keys = keys, .offsets = offsets};
  Status status;
  switch (random.below(7)) {
    case 0:
      status = table.lookup(keys, rows);
      break;
    case 1:
      status = table.erase({keys.data(), n / 2}).status();
      break;
    case 2:
      status = table.update(keys, rows);
      break;
    case 3:
      status = table.push_pooled(bags, {rows.data(), dim});
      break;
    case 4:
      status = table.lookup_pooled(bags, {rows.data(), dim});
      break;
    case 5:
      status = table.stats().status();
      break;
    default:
      status = table.push(keys, rows);
  }
  ASSERT_TRUE(ok_or_closed(status)) << describe(status);
}

TEST(Lifetime, TablesAreDroppedInTheMiddleOfCalls) {
  const auto store = private_store(2, 2048 * kMiB);
  std::mutex mutex;
  std::shared_ptr<Table> current = must(store->table("t", sum_table(3)));
  std::atomic<bool> stop{false};
  std::atomic<uint64_t> calls{0};
  in_threads(4, [&](uint32_t thread) {
    Random random(thread);
    if (thread == 0) {
      for (uint64_t round = 0; round < scaled(150); ++round) {
        const uint64_t before = calls;
        while (calls < before + 5) std::this_thread::yield();
        must(store->drop("t"));
        auto next = must(store->table("t", sum_table(static_cast<uint32_t>(round % 5 + 1))));
        const std::lock_guard lock(mutex);
        current = std::move(next);
      }
      stop = true;
      return;
    }
    while (!stop) {
      std::shared_ptr<Table> table;
      {
        const std::lock_guard lock(mutex);
        table = current;
      }
      some_call(*table, random);
      ++calls;
    }
  });
}

// A table that grew until the moment of its drop leaves retired arrays behind; a bystander's long
// call on another table keeps them from being freed at once.
TEST(Lifetime, ATableThatGrowsIsDroppedBesideLongCalls) {
  const auto store = private_store(2, 2048 * kMiB);
  const auto bystander = must(store->table("bystander", sum_table(8)));
  std::atomic<bool> stop{false};
  in_threads(4, [&](uint32_t thread) {
    Random random(thread);
    if (thread >= 2) {
      while (!stop) (void)lookup(*bystander, random.keys(random.between(500, 8000), 100000));
      return;
    }
    const std::string name = "t" + std::to_string(thread);
    for (uint64_t round = 0; round < scaled(50); ++round) {
      const auto table = must(store->table(name, sum_table(1)));
      std::thread pusher([&] {
        Random keys(round);
        while (ok_or_closed(table->push(keys.keys(3000, UINT64_MAX), std::vector<float>(3000))) &&
               table->stats().ok()) {
        }
      });
      while (stats_of(*table).grown_shards < 500 + round % 7 * 300) std::this_thread::yield();
      must(store->drop(name));
      pusher.join();
    }
    if (thread == 0) stop = true;
  });
}

TEST(Lifetime, StoresAreClosedInTheMiddleOfCalls) {
  for (uint64_t round = 0; round < scaled(60); ++round) {
    const auto store = private_store(2);
    const auto table = must(store->table("t", sum_table(2)));
    const auto dense = must(store->dense("d", {.shape = {100}}));
    std::atomic<uint64_t> calls{0};
    in_threads(4, [&](uint32_t thread) {
      Random random(round * 4 + thread);
      if (thread == 0) {
        while (calls < 10) std::this_thread::yield();
        store->close();
        calls = UINT64_MAX / 2;
        return;
      }
      std::vector<float> values(100, 1.0F);
      while (calls < UINT64_MAX / 2) {
        some_call(*table, random);
        ASSERT_TRUE(ok_or_closed(dense->push(values)));
        ASSERT_TRUE(ok_or_closed(store->table("u", sum_table(1)).status()));
        ASSERT_TRUE(ok_or_closed(store->list().status()));
        ASSERT_TRUE(ok_or_closed(store->stats().status()));
        ++calls;
      }
    });
    EXPECT_TRUE(fails(table->stats(), StatusCode::kClosed));
  }
}

TEST(Lifetime, ClosingAtOnceFromManyThreads) {
  for (uint64_t round = 0; round < scaled(100); ++round) {
    const auto store = private_store();
    const auto table = must(store->table("t", sum_table(2)));
    in_threads(4, [&](uint32_t thread) {
      if (thread % 2 == 0) {
        store->close();
      } else {
        const Status dropped = store->drop("t");
        ASSERT_TRUE(ok_or_closed(dropped) || dropped.code() == StatusCode::kNotFound);
      }
    });
    EXPECT_TRUE(fails(table->stats(), StatusCode::kClosed));
  }
}

}  // namespace
}  // namespace hotrow::test
