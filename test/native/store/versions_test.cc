// Versions: what a commit keeps, what is gone without one, and that a version is one instant.
#include <gtest/gtest.h>

#include <atomic>
#include <filesystem>
#include <fstream>
#include <span>
#include <thread>
#include <vector>

#include "storage/engine.h"
#include "support/folder.h"
#include "support/random.h"
#include "support/scale.h"
#include "support/status.h"
#include "support/stores.h"

namespace hotrow::test {
namespace {

std::shared_ptr<Store> open_at(const std::string& path, uint32_t threads = 1) {
  return must(Store::open(path, {.memory_bytes = 512 * kMiB, .threads = threads}));
}

TableOptions small_adam() {
  return {.dim = 5, .optimizer = optimizer(OptimizerKind::kAdam), .initializer = uniform(0.1F)};
}

void push_some(Table& table, uint64_t seed, size_t n = 300) {
  Random random(seed);
  const auto keys = random.keys(n, 2000);
  std::vector<float> gradients(n * table.options().dim);
  for (size_t i = 0; i < gradients.size(); ++i) {
    gradients[i] = static_cast<float>(random.between(0, 100)) / 100 - 0.5F;
  }
  must(table.push(keys, gradients));
}

TEST(Versions, AStoreInMemoryHasNone) {
  const auto store = private_store();
  EXPECT_TRUE(fails(store->commit().status(), StatusCode::kUnsupported, "memory"));
}

TEST(Versions, CountFromOneAndKeepTheCursor) {
  const Folder folder;
  {
    const auto store = open_at(folder / "s");
    EXPECT_EQ(must(store->version()).version, 0U);
    EXPECT_EQ(must(store->commit({.cursor = "first"})).version, 1U);
    EXPECT_EQ(must(store->commit({.cursor = "day 3, file 7"})).version, 2U);
  }
  const VersionInfo info = must(open_at(folder / "s")->version());
  EXPECT_EQ(info.version, 2U);
  EXPECT_EQ(info.parent, 1U);
  EXPECT_EQ(info.cursor, "day 3, file 7");
}

TEST(Versions, WhatIsOnDiskIsListedAndOpenedByItsName) {
  const Folder folder;
  {
    const auto store = open_at(folder / "s");
    push_some(*must(store->table("t", small_adam())), 1);
    must(store->dense("d", {.shape = {3}}));
    must(store->commit());
  }
  const auto store = open_at(folder / "s");
  const auto all = must(store->list());
  ASSERT_EQ(all.size(), 2U);
  EXPECT_TRUE(fails(store->table("d").status(), StatusCode::kConflict, "'d'"));
  EXPECT_TRUE(fails(store->dense("t").status(), StatusCode::kConflict, "'t'"));
  const auto table = must(store->table("t"));
  EXPECT_EQ(table->options().dim, 5U);
  EXPECT_EQ(stats_of(*table).rows, all[1].rows);
  EXPECT_EQ(stats_of(*table).steps, 1U);
  EXPECT_EQ(must(store->dense("d"))->size(), 3U);
}

TEST(Versions, AReopenedStoreGoesOnBitForBit) {
  const Folder folder;
  const std::vector<uint64_t> all = range(0, 2000);
  const auto plain = private_store();
  const auto reference = must(plain->table("t", small_adam()));
  for (uint64_t round = 0; round < 6; ++round) {
    const auto store = open_at(folder / "s");
    const auto table = must(store->table("t", small_adam()));
    push_some(*table, round);
    push_some(*reference, round);
    if (round % 2 == 1) {
      const std::vector<uint64_t> gone = range(round * 100, 150);
      EXPECT_EQ(must(table->erase(gone)), must(reference->erase(gone)));
    }
    must(store->commit().status());
    EXPECT_EQ(lookup(*table, all), lookup(*reference, all)) << round;
    EXPECT_EQ(stats_of(*table).rows, stats_of(*reference).rows);
  }
}

TEST(Versions, WhatWasNotCommittedIsGone) {
  const Folder folder;
  const std::vector<uint64_t> all = range(0, 2000);
  std::vector<float> committed;
  {
    const auto store = open_at(folder / "s");
    const auto table = must(store->table("t", small_adam()));
    push_some(*table, 1);
    must(store->commit().status());
    committed = lookup(*table, all);
    push_some(*table, 2);
    must(table->erase(range(0, 500)).status());
    must(store->table("later", sum_table(2)).status());
    EXPECT_NE(lookup(*table, all), committed);
  }
  const auto store = open_at(folder / "s");
  EXPECT_EQ(must(store->list()).size(), 1U);
  EXPECT_EQ(lookup(*must(store->table("t", small_adam())), all), committed);
}

TEST(Versions, ErasedRowsStayGoneAndMayComeBack) {
  const Folder folder;
  const std::vector<uint64_t> keys = range(0, 100);
  const auto rows = [&](float value) { return std::vector<float>(100 * 2, value); };
  {
    const auto store = open_at(folder / "s");
    const auto table = must(store->table("t", sum_table(2)));
    must(table->push(keys, rows(1)));
    must(store->commit().status());
    must(table->erase(keys).status());
    must(store->commit().status());
  }
  {
    const auto store = open_at(folder / "s");
    const auto table = must(store->table("t", sum_table(2)));
    EXPECT_EQ(stats_of(*table).rows, 0U);
    must(table->push(keys, rows(2)));
    must(store->commit().status());
    // Gone and back between two versions.
    must(table->erase(keys).status());
    must(table->push(keys, rows(3)));
    must(store->commit().status());
  }
  const auto store = open_at(folder / "s");
  EXPECT_EQ(lookup(*must(store->table("t", sum_table(2))), keys), rows(3));
}

// So many rows are collected ahead of their writing, and come back by several threads.
TEST(Versions, OfManyRowsComeBackWholeBesideCallsThatChangeThem) {
  const Folder folder;
  constexpr size_t kRows = 150'000;
  const std::vector<uint64_t> keys = range(0, kRows);
  std::vector<float> rows(kRows);
  for (size_t i = 0; i < kRows; ++i) rows[i] = static_cast<float>(i);
  {
    const auto store = open_at(folder / "s");
    const auto table = must(store->table("t", sum_table(1)));
    must(table->push(keys, rows));
    must(store->commit().status());
    must(table->erase(range(0, 1000)).status());
    must(table->push(range(1000, 50'000), std::vector<float>(50'000, 1.0F)));
    must(store->commit().status());
  }
  for (size_t i = 0; i < 51'000; ++i) rows[i] = i < 1000 ? 0 : rows[i] + 1;
  const auto store = open_at(folder / "s");
  const auto table = must(store->table("t", sum_table(1)));
  uint64_t erased = 1000;
  for (size_t first = 2000; first < kRows; first += 2001) {
    const std::vector<uint64_t> some = range(first, 2);
    must(table->push(some, std::vector<float>{2, 2}));
    rows[first + 1] += 2;
    rows[first] = 0;
    erased += must(table->erase(std::span(some).first(1)));
    EXPECT_EQ(stats_of(*table).rows, kRows - erased);
  }
  EXPECT_EQ(must(table->scan(0, 2 * kRows)).keys.size(), kRows - erased);
  EXPECT_EQ(stats_of(*table).cold_rows, 0U);
  EXPECT_EQ(lookup(*table, keys), rows);
}

// What changed lately is read first: it is in memory where nothing else can be read.
TEST(Versions, RowsThatChangedLatelyComeIntoMemoryFirst) {
  const Folder folder;
  const std::vector<uint64_t> keys = range(0, 20'000);
  const std::vector<uint64_t> hot = range(7000, 300);
  {
    const auto store = open_at(folder / "s");
    const auto table = must(store->table("t", sum_table(8)));
    must(table->push(keys, std::vector<float>(8 * keys.size(), 1.0F)));
    must(store->commit().status());
    must(table->push(hot, std::vector<float>(8 * hot.size(), 1.0F)));
    must(store->commit().status());
  }
  // The first block of the largest file, which has the rows of the first version.
  std::filesystem::path largest;
  for (const auto& entry : std::filesystem::directory_iterator(folder / "s/rows")) {
    if (largest.empty() || entry.file_size() > file_size(largest)) largest = entry.path();
  }
  {
    std::fstream file(largest, std::ios::in | std::ios::out | std::ios::binary);
    file.seekp(100);
    file.write("damaged", 7);
  }
  const auto store = open_at(folder / "s");
  const auto table = must(store->table("t", sum_table(8)));
  EXPECT_TRUE(
      fails(table->scan(0, 1).status(), StatusCode::kCorruption, largest.filename().string()));
  EXPECT_EQ(stats_of(*table).cold_rows, keys.size() - hot.size());
  EXPECT_EQ(lookup(*table, hot), std::vector<float>(8 * hot.size(), 2.0F));
  EXPECT_EQ(stats_of(*table).cold_hits, 0U);
}

TEST(Versions, DroppedTablesStayGone) {
  const Folder folder;
  const std::vector<uint64_t> keys = range(0, 10);
  {
    const auto store = open_at(folder / "s");
    must(must(store->table("t", sum_table(1)))->push(keys, std::vector<float>(10, 1.0F)));
    must(store->commit().status());
  }
  {
    const auto store = open_at(folder / "s");
    must(store->drop("t"));
    EXPECT_TRUE(fails(store->drop("t"), StatusCode::kNotFound));
    must(must(store->table("t", sum_table(3)))->push(keys, std::vector<float>(30, 2.0F)));
    must(store->commit().status());
  }
  const auto store = open_at(folder / "s");
  EXPECT_TRUE(fails(store->table("t", sum_table(1)).status(), StatusCode::kConflict, "dim"));
  EXPECT_EQ(lookup(*must(store->table("t", sum_table(3))), keys), std::vector<float>(30, 2.0F));
}

TEST(Versions, DenseParametersAreInThem) {
  const Folder folder;
  const DenseOptions options{.shape = {700, 600}, .optimizer = optimizer(OptimizerKind::kAdam)};
  const auto plain = private_store();
  const auto reference = must(plain->dense("w", options));
  const std::vector<float> gradient(700 * 600, 0.25F);
  for (int round = 0; round < 3; ++round) {
    const auto store = open_at(folder / "s");
    const auto dense = must(store->dense("w", options));
    must(dense->push(gradient));
    must(reference->push(gradient));
    std::vector<float> values(gradient.size());
    std::vector<float> expected(gradient.size());
    must(dense->pull(values));
    must(reference->pull(expected));
    EXPECT_EQ(values, expected) << round;
    must(store->commit().status());
  }
}

TEST(Versions, ASecondWriterIsToldWhoHasThePath) {
  const Folder folder;
  const auto store = open_at(folder / "s");
  EXPECT_TRUE(fails(Engine::open(folder / "s").status(), StatusCode::kLocked,
                    std::to_string(::getpid()).c_str()));
}

// Every push adds 1 to the same keys of two tables. A version that is no single instant has rows
// that differ.
TEST(Versions, AreOneInstantWhilePushesGoOn) {
  const Folder folder;
  constexpr uint32_t kThreads = 2;
  const uint64_t groups = scaled(3000);
  constexpr uint64_t kGroup = 7;
  uint64_t pushed = 0;
  {
    const auto store = open_at(folder / "s", 2);
    const auto a = must(store->table("a", sum_table(kThreads)));
    const auto b = must(store->table("b", sum_table(kThreads)));
    std::atomic<bool> done{false};
    std::atomic<uint64_t> pushes{0};
    std::vector<std::thread> threads;
    for (uint32_t thread = 0; thread < kThreads; ++thread) {
      threads.emplace_back([&, thread] {
        Random random(thread);
        std::vector<float> gradients(kGroup * kThreads);
        for (uint64_t i = 0; i < kGroup; ++i) gradients[i * kThreads + thread] = 1;
        while (!done.load()) {
          const auto keys = range(random.between(0, groups - 1) * kGroup, kGroup);
          const TablePush both[] = {{a.get(), keys, gradients, {}}, {b.get(), keys, gradients, {}}};
          must(store->push_all(both));
          pushes.fetch_add(1);
        }
      });
    }
    for (uint64_t version = 1; version <= 12; ++version) {
      const uint64_t before = pushes.load();
      EXPECT_EQ(must(store->commit()).version, version);
      pushed = before;
    }
    done.store(true);
    for (std::thread& thread : threads) thread.join();
  }
  const auto store = open_at(folder / "s");
  const auto a = must(store->table("a", sum_table(kThreads)));
  const auto b = must(store->table("b", sum_table(kThreads)));
  const std::vector<uint64_t> all = range(0, groups * kGroup);
  const std::vector<float> rows = lookup(*a, all);
  EXPECT_EQ(rows, lookup(*b, all));
  double sum = 0;
  for (uint64_t group = 0; group < groups; ++group) {
    for (uint64_t i = 0; i < kGroup; ++i) {
      for (uint32_t lane = 0; lane < kThreads; ++lane) {
        const float first = rows[group * kGroup * kThreads + lane];
        ASSERT_EQ(rows[(group * kGroup + i) * kThreads + lane], first) << group;
        if (i == 0) sum += first;
      }
    }
  }
  // All that had returned before the last commit was called.
  EXPECT_GE(sum, static_cast<double>(pushed));
}

}  // namespace
}  // namespace hotrow::test
