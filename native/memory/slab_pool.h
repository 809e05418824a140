// Rows of one size under 32-bit handles.
//
// A row's address is base + handle * stride: the pool reserves address space for all it may ever
// hold and backs it as it grows, so rows never move and a lookup needs no directory. Rows under a
// cache line are packed by 8, 16 or 32 bytes and never straddle one; larger rows start on a line.
// Freed rows are reused, last freed first, and linked through their own first bytes, so that
// freeing needs no memory. A freed row stays mapped, so a reader that still holds its address reads
// garbage, never faults; the sequence word of its bucket tells it so. The row of handle 0 is mapped
// from the start, for readers that need some row to read.
#ifndef HOTROW_MEMORY_SLAB_POOL_H_
#define HOTROW_MEMORY_SLAB_POOL_H_

#include <cstddef>
#include <cstdint>
#include <span>

#include "base/sync.h"
#include "hotrow/status.h"
#include "memory/budget.h"
#include "memory/pages.h"

namespace hotrow {

/// Rows of a pool at most: handles beyond are the index's to use.
inline constexpr uint32_t kMostRows = 0xf0000000;

/// Bytes from one row to the next for rows of `row_bytes`.
constexpr uint64_t slab_stride(uint64_t row_bytes) {
  for (const uint64_t packed : {8U, 16U, 32U}) {
    if (row_bytes <= packed) return packed;
  }
  return round_up(row_bytes, kLineBytes);
}

class SlabPool {
 public:
  /// Charges its memory to `budget`, which must outlive it.
  SlabPool(uint64_t row_bytes, MemoryBudget& budget);
  ~SlabPool();
  SlabPool(const SlabPool&) = delete;
  SlabPool& operator=(const SlabPool&) = delete;

  /// Reserves address space for at most `most_rows` rows; must succeed before anything else is
  /// called.
  Status open(uint64_t most_rows = UINT64_MAX);

  uint64_t stride() const { return stride_; }
  uint64_t most_rows() const { return most_rows_; }
  std::byte* row(uint32_t handle) const { return base_ + handle * stride_; }
  /// Fetches the row's first lines, to be read.
  void prefetch(uint32_t handle) const {
    const std::byte* const first = row(handle);
    const uint64_t bytes = stride_ < kMostPrefetched ? stride_ : kMostPrefetched;
    for (uint64_t i = 0; i < bytes; i += kLineBytes) __builtin_prefetch(first + i, 0, 3);
  }

  /// Promises that `rows` more rows can be allocated; false when they do not fit the budget or
  /// the system refuses. Give the promise back by unreserve() with the same number.
  /// Of new memory, `headroom` bytes are left to others.
  [[nodiscard]] bool reserve(uint64_t rows, uint64_t headroom = 0) HOTROW_EXCLUDES(mutex_);
  void unreserve(uint64_t rows) HOTROW_EXCLUDES(mutex_);
  /// How many rows too many `rows` more would be for the pool's own limit.
  uint64_t over_limit(uint64_t rows) const HOTROW_EXCLUDES(mutex_);
  /// Handles that may have been handed out, or may be without another promise, are below this.
  uint64_t handles() const HOTROW_EXCLUDES(mutex_);
  /// Backs memory for `rows` more rows now, so that promising them is quick. False as reserve().
  [[nodiscard]] bool back_ahead(uint64_t rows) HOTROW_EXCLUDES(mutex_);

  /// Takes `handles.size()` rows, which the caller has reserved. Contents are undefined.
  void allocate(std::span<uint32_t> handles) HOTROW_EXCLUDES(mutex_);
  void free(std::span<const uint32_t> handles) HOTROW_EXCLUDES(mutex_);

  uint64_t memory_bytes() const HOTROW_EXCLUDES(mutex_);

 private:
  // The processor itself goes on from there.
  static constexpr uint64_t kMostPrefetched = 12 * kLineBytes;
  // Ends the list of free rows; never followed, free_count_ says when it ends.
  static constexpr uint32_t kNone = UINT32_MAX;

  bool back(uint64_t rows) HOTROW_REQUIRES(mutex_);
  /// allocate() but for the fetching of the fresh pages it returns, which needs no lock.
  std::span<std::byte> take(std::span<uint32_t> handles) HOTROW_EXCLUDES(mutex_);
  /// Memory to account for when that many rows are promised.
  uint64_t bytes_for(uint64_t promised) const HOTROW_REQUIRES(mutex_);

  const uint64_t stride_;
  uint64_t most_rows_ = kMostRows;  // constant from open() on
  MemoryBudget& budget_;
  std::byte* base_ = nullptr;
  mutable Mutex mutex_;
  PageRange pages_ HOTROW_GUARDED_BY(mutex_);
  // The row freed last, which names the one before, and so on.
  uint32_t free_head_ HOTROW_GUARDED_BY(mutex_) = kNone;
  uint64_t free_count_ HOTROW_GUARDED_BY(mutex_) = 0;
  uint64_t touched_ HOTROW_GUARDED_BY(mutex_) = 0;    // rows ever handed out
  uint64_t promised_ HOTROW_GUARDED_BY(mutex_) = 0;   // rows promised, allocated ones included
  uint64_t held_rows_ HOTROW_GUARDED_BY(mutex_) = 0;  // rows backed ahead of need
  uint64_t charged_ HOTROW_GUARDED_BY(mutex_) = 0;    // bytes the budget was asked for
};

/// Hands out rows of a pool one by one, taking them in blocks; gives back what it did not use.
/// For one thread.
class RowAllocator {
 public:
  explicit RowAllocator(SlabPool& pool) : pool_(pool) {}
  ~RowAllocator() {
    if (next_ < filled_) pool_.free({block_ + next_, filled_ - next_});
  }
  RowAllocator(const RowAllocator&) = delete;
  RowAllocator& operator=(const RowAllocator&) = delete;

  /// At most `expected` more rows will be asked for: a block never takes more than that.
  uint32_t take(uint64_t expected) {
    if (next_ == filled_) {
      filled_ = static_cast<uint32_t>(expected < kBlock ? expected : kBlock);
      next_ = 0;
      pool_.allocate({block_, filled_});
    }
    return block_[next_++];
  }
  /// Undoes the last take().
  void put_back(uint32_t handle) { block_[--next_] = handle; }

 private:
  static constexpr uint32_t kBlock = 64;
  SlabPool& pool_;
  uint32_t block_[kBlock];
  uint32_t next_ = 0;
  uint32_t filled_ = 0;
};

}  // namespace hotrow

#endif  // HOTROW_MEMORY_SLAB_POOL_H_
