// The slab: where rows lie, what is promised, what is used again.
#include "memory/slab_pool.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <cstring>
#include <memory>
#include <numeric>
#include <set>
#include <vector>

#include "support/scale.h"
#include "support/status.h"
#include "support/threads.h"

namespace hotrow::test {
namespace {

constexpr uint64_t kHuge = kHugePageBytes;

std::vector<uint32_t> allocate(SlabPool& pool, size_t n) {
  std::vector<uint32_t> handles(n);
  pool.allocate(handles);
  return handles;
}

TEST(SlabPool, StridePacksSmallRowsAndAlignsLargeOnes) {
  const std::pair<uint64_t, uint64_t> expected[] = {
      {4, 8},   {8, 8},    {12, 16},   {16, 16},   {20, 32},   {32, 32},   {36, 64},
      {64, 64}, {68, 128}, {128, 128}, {132, 192}, {256, 256}, {260, 320}, {8192 * 12, 8192 * 12}};
  for (const auto& [bytes, stride] : expected) {
    EXPECT_EQ(slab_stride(bytes), stride) << bytes;
    EXPECT_EQ(SlabPool(bytes, *std::make_unique<MemoryBudget>(0)).stride(), stride);
  }
}

TEST(SlabPool, RowsLieOnLinesOrNeverStraddleOne) {
  for (uint64_t bytes = 4; bytes <= 300; bytes += 4) {
    MemoryBudget budget(64 * kHuge);
    SlabPool pool(bytes, budget);
    must(pool.open());
    ASSERT_TRUE(pool.reserve(1000));
    for (const uint32_t handle : allocate(pool, 1000)) {
      const auto at = reinterpret_cast<uintptr_t>(pool.row(handle));
      if (bytes <= 32) {
        ASSERT_EQ(at / kLineBytes, (at + bytes - 1) / kLineBytes) << bytes;
        ASSERT_EQ(at % pool.stride(), 0U);
      } else {
        ASSERT_EQ(at % kLineBytes, 0U) << bytes;
      }
    }
  }
}

TEST(SlabPool, RowsDoNotOverlap) {
  MemoryBudget budget(64 * kHuge);
  SlabPool pool(40, budget);
  must(pool.open());
  ASSERT_TRUE(pool.reserve(5000));
  const std::vector<uint32_t> handles = allocate(pool, 5000);
  for (const uint32_t handle : handles) std::memset(pool.row(handle), handle & 0xff, 40);
  for (const uint32_t handle : handles) {
    const std::byte* const row = pool.row(handle);
    ASSERT_TRUE(std::all_of(
        row, row + 40, [&](std::byte b) { return b == static_cast<std::byte>(handle & 0xff); }));
  }
  EXPECT_EQ(std::set<uint32_t>(handles.begin(), handles.end()).size(), handles.size());
}

TEST(SlabPool, RowsNeverMoveWhenThePoolGrows) {
  MemoryBudget budget(64 * kHuge);
  SlabPool pool(64, budget);
  must(pool.open());
  ASSERT_TRUE(pool.reserve(1));
  const uint32_t first = allocate(pool, 1)[0];
  std::byte* const at = pool.row(first);
  *at = std::byte{5};
  ASSERT_TRUE(pool.reserve(4 * kHuge / 64));
  EXPECT_EQ(pool.row(first), at);
  EXPECT_EQ(*at, std::byte{5});
}

TEST(SlabPool, ReservationsAreChargedAndBounded) {
  MemoryBudget budget(4 * kHuge);
  SlabPool pool(64, budget);
  must(pool.open());
  EXPECT_EQ(budget.used(), 0U) << "address space costs nothing";
  const uint64_t rows_per_page = kHuge / 64;
  ASSERT_TRUE(pool.reserve(rows_per_page));
  EXPECT_EQ(budget.used(), kHuge);
  EXPECT_EQ(pool.memory_bytes(), kHuge);
  ASSERT_FALSE(pool.reserve(3 * rows_per_page + 1)) << "one row above the budget";
  EXPECT_EQ(budget.used(), pool.memory_bytes());
  ASSERT_TRUE(pool.reserve(3 * rows_per_page));
  EXPECT_EQ(budget.used(), 4 * kHuge);
  EXPECT_FALSE(pool.reserve(1));
  pool.unreserve(1);
  EXPECT_TRUE(pool.reserve(1));
  EXPECT_FALSE(pool.reserve(1));
}

TEST(SlabPool, ARefusedReservationPromisesNothing) {
  MemoryBudget budget(2 * kHuge);
  SlabPool pool(64, budget);
  must(pool.open());
  ASSERT_FALSE(pool.reserve(UINT64_MAX / 128));
  ASSERT_FALSE(pool.reserve(uint64_t{1} << 33));
  ASSERT_TRUE(pool.reserve(2 * kHuge / 64));
}

TEST(SlabPool, RefusesWhatAnotherPoolHasTaken) {
  MemoryBudget budget(2 * kHuge);
  SlabPool a(64, budget);
  SlabPool b(64, budget);
  must(a.open());
  must(b.open());
  ASSERT_TRUE(a.reserve(1));
  ASSERT_TRUE(b.reserve(1));
  EXPECT_FALSE(a.reserve(kHuge / 64));
  EXPECT_TRUE(a.reserve(kHuge / 64 - 1)) << "its own page is not full";
}

TEST(SlabPool, GivesItsMemoryBackAtItsEnd) {
  MemoryBudget budget(8 * kHuge);
  {
    SlabPool pool(64, budget);
    must(pool.open());
    ASSERT_TRUE(pool.reserve(100000));
    EXPECT_GT(budget.used(), 0U);
  }
  EXPECT_EQ(budget.used(), 0U);
}

TEST(SlabPool, FreedRowsAreUsedAgainBeforeNewOnes) {
  MemoryBudget budget(8 * kHuge);
  SlabPool pool(64, budget);
  must(pool.open());
  ASSERT_TRUE(pool.reserve(10));
  const std::vector<uint32_t> first = allocate(pool, 10);
  pool.free({first.data() + 2, 3});
  pool.unreserve(3);
  ASSERT_TRUE(pool.reserve(3));
  const std::vector<uint32_t> again = allocate(pool, 3);
  EXPECT_EQ(again, (std::vector<uint32_t>{first[2], first[3], first[4]}));
}

TEST(SlabPool, ChurnNeedsNoFurtherMemory) {
  MemoryBudget budget(8 * kHuge);
  SlabPool pool(256, budget);
  must(pool.open());
  for (int round = 0; round < 50; ++round) {
    ASSERT_TRUE(pool.reserve(5000));
    const std::vector<uint32_t> handles = allocate(pool, 5000);
    pool.free(handles);
    pool.unreserve(5000);
  }
  EXPECT_EQ(pool.memory_bytes(), kHuge);
}

TEST(RowAllocator, TakesNoMoreThanExpectedAndGivesTheRestBack) {
  MemoryBudget budget(8 * kHuge);
  SlabPool pool(64, budget);
  must(pool.open());
  ASSERT_TRUE(pool.reserve(100));
  std::set<uint32_t> taken;
  {
    RowAllocator allocator(pool);
    for (uint64_t left = 70; left > 0; --left) {
      EXPECT_TRUE(taken.insert(allocator.take(left)).second);
    }
  }
  {
    RowAllocator allocator(pool);
    const uint32_t handle = allocator.take(30);
    EXPECT_FALSE(taken.contains(handle));
    allocator.put_back(handle);
    EXPECT_EQ(allocator.take(30), handle);
  }
  const std::vector<uint32_t> rest = allocate(pool, 29);
  for (const uint32_t handle : rest) {
    EXPECT_FALSE(taken.contains(handle));
    EXPECT_LT(handle, 100U) << "rows given back are used before new ones";
  }
}

TEST(SlabPool, ThreadsGetDistinctRows) {
  MemoryBudget budget(64 * kHuge);
  SlabPool pool(64, budget);
  must(pool.open());
  std::vector<std::set<uint32_t>> kept(4);
  in_threads(4, [&](uint32_t thread) {
    for (uint64_t round = 0; round < scaled(400); ++round) {
      ASSERT_TRUE(pool.reserve(50));
      RowAllocator allocator(pool);
      std::vector<uint32_t> gone;
      for (uint32_t i = 0; i < 50; ++i) {
        const uint32_t handle = allocator.take(50 - i);
        *pool.row(handle) = static_cast<std::byte>(thread);
        if (i % 5 == 0) {
          kept[thread].insert(handle);
        } else {
          gone.push_back(handle);
        }
      }
      pool.free(gone);
      pool.unreserve(gone.size());
    }
  });
  std::set<uint32_t> all;
  for (uint32_t thread = 0; thread < 4; ++thread) {
    for (const uint32_t handle : kept[thread]) {
      ASSERT_TRUE(all.insert(handle).second) << "two threads own one row";
      ASSERT_EQ(*pool.row(handle), static_cast<std::byte>(thread));
    }
  }
}

}  // namespace
}  // namespace hotrow::test
