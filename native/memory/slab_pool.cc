#include "memory/slab_pool.h"

#include <algorithm>
#include <cstring>

namespace hotrow {

namespace {

// Growth is a sixteenth of what is there, within these bounds: few system calls for a large
// table, little unused memory for a small one.
constexpr uint64_t kMaxGrowthBytes = 64 * kHugePageBytes;

}  // namespace

SlabPool::SlabPool(uint64_t row_bytes, MemoryBudget& budget)
    : stride_(slab_stride(row_bytes)), budget_(budget) {}

SlabPool::~SlabPool() { budget_.release(memory_bytes()); }

Status SlabPool::open(uint64_t most_rows) {
  MutexLock lock(mutex_);
  most_rows_ = std::min<uint64_t>(most_rows, kMostRows);
  const uint64_t most = std::min(budget_.limit(), most_rows_ * stride_);
  if (!pages_.reserve(most)) {
    return Status::capacity("no address space for " + std::to_string(most) + " bytes of rows");
  }
  base_ = pages_.data();
  if (!pages_.grow(stride_)) return Status::capacity("the system refuses memory for a first row");
  return {};
}

// Backs room for `rows` rows, and some more, so that small steps need few system calls. Rows that
// are never handed out cost address space only; the budget is asked for promised rows alone.
bool SlabPool::back(uint64_t rows) {
  const uint64_t needed = round_up(rows * stride_, kHugePageBytes);
  const uint64_t backed = pages_.backed();
  if (needed <= backed) return true;
  const uint64_t step = std::clamp<uint64_t>(backed / 16, kHugePageBytes, kMaxGrowthBytes);
  const uint64_t wished = std::min<uint64_t>(std::max(needed, backed + step), pages_.reserved());
  return pages_.grow(wished) || pages_.grow(needed);
}

uint64_t SlabPool::bytes_for(uint64_t promised) const {
  const uint64_t rows = std::max({touched_, promised, held_rows_});
  // Pages that were fetched stay so.
  return std::max<uint64_t>(round_up(rows * stride_, kHugePageBytes), pages_.claimed());
}

bool SlabPool::reserve(uint64_t rows, uint64_t headroom) {
  MutexLock lock(mutex_);
  const uint64_t promised = promised_ + rows;
  if (promised > most_rows_) return false;
  const uint64_t bytes = bytes_for(promised);
  const uint64_t more = bytes > charged_ ? bytes - charged_ : 0;
  if (more > 0) {
    if (!budget_.try_charge(more + headroom)) return false;
    budget_.release(headroom);
  }
  if (!back(std::max(touched_, promised))) {
    budget_.release(more);
    return false;
  }
  charged_ += more;
  promised_ = promised;
  return true;
}

void SlabPool::unreserve(uint64_t rows) {
  MutexLock lock(mutex_);
  promised_ -= rows;
  const uint64_t bytes = bytes_for(promised_);
  if (bytes < charged_) {
    budget_.release(charged_ - bytes);
    charged_ = bytes;
  }
}

uint64_t SlabPool::over_limit(uint64_t rows) const {
  MutexLock lock(mutex_);
  const uint64_t promised = promised_ + rows;
  return promised > most_rows_ ? promised - most_rows_ : 0;
}

uint64_t SlabPool::handles() const {
  const MutexLock lock(mutex_);
  return std::max(touched_, promised_);
}

bool SlabPool::back_ahead(uint64_t rows) {
  if (!reserve(rows)) return false;
  MutexLock lock(mutex_);
  // The memory stays backed and charged, as if its rows had been handed out once.
  promised_ -= rows;
  held_rows_ = std::max(held_rows_, promised_ + rows);
  return true;
}

void SlabPool::allocate(std::span<uint32_t> handles) { PageRange::fetch(take(handles)); }

std::span<std::byte> SlabPool::take(std::span<uint32_t> handles) {
  const MutexLock lock(mutex_);
  for (uint32_t& handle : handles) {
    if (free_count_ > 0) {
      handle = free_head_;
      std::memcpy(&free_head_, row(handle), sizeof free_head_);
      --free_count_;
    } else {
      handle = static_cast<uint32_t>(touched_++);
    }
  }
  // Where promised rows reach into a next page, it is fetched before others are there.
  return pages_.claim(std::min(charged_, touched_ * stride_ + kHugePageBytes / 2));
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
  return charged_;
}

}  // namespace hotrow
