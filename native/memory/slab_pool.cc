#include "memory/slab_pool.h"

#include <algorithm>
#include <cstring>

namespace hotrow {

namespace {

// Handles are 32 bits wide.
constexpr uint64_t kMaxRows = uint64_t{1} << 32;
// Growth is a sixteenth of what is there, within these bounds: few system calls for a large
// table, little unused memory for a small one.
constexpr uint64_t kMaxGrowthBytes = 64 * kHugePageBytes;

}  // namespace

SlabPool::SlabPool(uint64_t row_bytes, MemoryBudget& budget)
    : stride_(slab_stride(row_bytes)), budget_(budget) {}

SlabPool::~SlabPool() { budget_.release(memory_bytes()); }

Status SlabPool::open() {
  MutexLock lock(mutex_);
  const uint64_t most = std::min(budget_.limit(), kMaxRows * stride_);
  if (!pages_.reserve(most)) {
    return Status::capacity("no address space for " + std::to_string(most) + " bytes of rows");
  }
  base_ = pages_.data();
  return {};
}

bool SlabPool::grow(uint64_t rows) {
  const uint64_t backed = pages_.backed();
  const uint64_t needed = round_up(rows * stride_, kHugePageBytes);
  const uint64_t growth =
      round_up(std::clamp<uint64_t>(backed / 16, kHugePageBytes, kMaxGrowthBytes), kHugePageBytes);
  const uint64_t wished = std::min<uint64_t>(std::max(needed, backed + growth), pages_.reserved());
  for (const uint64_t target : {wished, needed}) {
    if (target < needed || !budget_.try_charge(target - backed)) continue;
    if (pages_.grow(target)) return true;
    budget_.release(target - backed);
  }
  return false;
}

bool SlabPool::reserve(uint64_t rows) {
  MutexLock lock(mutex_);
  const uint64_t total = reserved_ + rows;
  if (total > kMaxRows) return false;
  if (total > capacity() && !grow(total)) return false;
  reserved_ = total;
  return true;
}

void SlabPool::unreserve(uint64_t rows) {
  MutexLock lock(mutex_);
  reserved_ -= rows;
}

void SlabPool::allocate(std::span<uint32_t> handles) {
  MutexLock lock(mutex_);
  for (uint32_t& handle : handles) {
    if (free_count_ > 0) {
      handle = free_head_;
      std::memcpy(&free_head_, row(handle), sizeof free_head_);
      --free_count_;
    } else {
      handle = static_cast<uint32_t>(touched_++);
    }
  }
}

void SlabPool::free(std::span<const uint32_t> handles) {
  MutexLock lock(mutex_);
  // Backwards, so that they are taken again in the order they were allocated.
  for (size_t i = handles.size(); i-- > 0;) {
    std::memcpy(row(handles[i]), &free_head_, sizeof free_head_);
    free_head_ = handles[i];
  }
  free_count_ += handles.size();
}

uint64_t SlabPool::memory_bytes() const {
  MutexLock lock(mutex_);
  return pages_.backed();
}

}  // namespace hotrow
