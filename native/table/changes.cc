#include "table/changes.h"

#include <algorithm>
#include <cstring>
#include <utility>

namespace hotrow {

namespace {

constexpr uint64_t kChunkBytes = uint64_t{1} << 20;

}  // namespace

void RowImages::add(uint64_t hash, const std::byte* row, size_t row_bytes) {
  // Bytes first: when memory runs out, there are some too many, of no row.
  bytes.resize(hashes.size() * row_bytes);
  bytes.insert(bytes.end(), row, row + row_bytes);
  hashes.push_back(hash);
}

void RowImages::append(const RowImages& more, size_t row_bytes) {
  const auto end = more.bytes.begin() + static_cast<ptrdiff_t>(more.hashes.size() * row_bytes);
  bytes.resize(hashes.size() * row_bytes);
  bytes.insert(bytes.end(), more.bytes.begin(), end);
  hashes.insert(hashes.end(), more.hashes.begin(), more.hashes.end());
}

std::vector<uint32_t> RowImages::sorted() const {
  // Beside their positions, so that comparing two reads no third place.
  std::vector<std::pair<uint64_t, uint32_t>> pairs;
  pairs.reserve(hashes.size());
  for (uint32_t i = 0; i < hashes.size(); ++i) pairs.emplace_back(hashes[i], i);
  if (!std::ranges::is_sorted(hashes)) std::ranges::sort(pairs);
  std::vector<uint32_t> order;
  order.reserve(pairs.size());
  for (const auto& [hash, i] : pairs) order.push_back(i);
  return order;
}

Changes::~Changes() { budget_.release(charged_); }

Status Changes::open(uint64_t most_rows) {
  const MutexLock lock(mutex_);
  const uint64_t bytes = (most_rows / 64 + 1) * sizeof(Bits);
  if (!pages_.reserve(bytes)) {
    return Status::capacity("no address space for " + std::to_string(bytes) +
                            " bytes of marks of changed rows");
  }
  base_ = reinterpret_cast<Bits*>(pages_.data());
  return {};
}

bool Changes::charge(uint64_t bytes) {
  if (bytes > charged_) {
    if (!budget_.try_charge(bytes - charged_)) return false;
  } else {
    budget_.release(charged_ - bytes);
  }
  charged_ = bytes;
  return true;
}

bool Changes::cover(uint64_t handles) {
  const MutexLock lock(mutex_);
  const uint64_t bytes = round_up((handles / 64 + 1) * sizeof(Bits), kHugePageBytes);
  const uint64_t backed = pages_.backed();
  if (bytes <= backed) return true;
  if (bytes > pages_.reserved() || !charge(charged_ + bytes - backed)) return false;
  if (pages_.grow(bytes)) return true;
  (void)charge(charged_ - (bytes - backed));
  return false;
}

uint64_t Changes::chunk_rows() const {
  return std::max<uint64_t>(kChunkBytes / (row_bytes_ + sizeof(uint64_t)), 64);
}

// Every row that was prepared for may leave a hash and, while a cut is collected, an image.
bool Changes::make_room(uint64_t rows) {
  const uint64_t wanted = prepared_ + rows;
  const uint64_t hashes = removed_.size() + wanted;
  if (hashes > removed_.capacity()) {
    const uint64_t capacity = std::max<uint64_t>(hashes, 2 * removed_.capacity());
    // Charged whatever the ceiling says: whoever is at it must be able to remove rows.
    const uint64_t bytes = (capacity - removed_.capacity()) * sizeof(uint64_t);
    removed_.reserve(capacity);
    budget_.charge(bytes);
    charged_ += bytes;
  }
  if (remembers_) {
    const uint64_t before = gone_.memory_bytes();
    gone_.reserve(gone_.size() + wanted);
    budget_.charge(gone_.memory_bytes() - before);
    charged_ += gone_.memory_bytes() - before;
  }
  if (!collecting_) return true;
  const uint64_t size = chunk_rows();
  uint64_t free = 0;
  for (size_t i = filling_; i < saved_.size(); ++i) free += size - saved_[i].hashes.size();
  for (; free < wanted; free += size) {
    if (!charge(charged_ + size * (row_bytes_ + sizeof(uint64_t)))) return false;
    RowImages chunk;
    chunk.hashes.reserve(size);
    chunk.bytes.reserve(size * row_bytes_);
    saved_.push_back(std::move(chunk));
  }
  return true;
}

bool Changes::prepare(uint64_t rows) {
  const MutexLock lock(mutex_);
  if (!make_room(rows)) return false;
  prepared_ += rows;
  return true;
}

bool Changes::prepare_or_wait(uint64_t rows) {
  const MutexLock lock(mutex_);
  while (!make_room(rows)) {
    if (!collecting_) return false;
    no_longer_collecting_.wait(mutex_);
  }
  prepared_ += rows;
  return true;
}

void Changes::settle(uint64_t rows) {
  const MutexLock lock(mutex_);
  prepared_ -= rows;
}

void Changes::save(uint32_t handle, uint64_t hash, const std::byte* row) {
  {
    const MutexLock lock(mutex_);
    const uint64_t size = chunk_rows();
    while (saved_[filling_].hashes.size() == size) ++filling_;
    saved_[filling_].add(hash, row, row_bytes_);
  }
  take(handle);
}

void Changes::take(uint32_t handle) {
  const uint64_t bit = uint64_t{1} << (handle % 64);
  Bits& bits = bits_of(handle);
  bits.changed[1 - active()].fetch_and(~bit, kRelaxed);
  bits.kept.fetch_or(bit, kRelaxed);
}

bool Changes::leave(uint32_t handle, uint64_t hash, const std::byte* row) {
  if (frozen(handle)) save(handle, hash, row);
  const uint64_t bit = uint64_t{1} << (handle % 64);
  Bits& bits = bits_of(handle);
  bits.changed[active()].fetch_and(~bit, kRelaxed);
  return (bits.kept.fetch_and(~bit, kRelaxed) & bit) != 0;
}

void Changes::remove(uint32_t handle, uint64_t hash, const std::byte* row) {
  if (leave(handle, hash, row)) remove_demoted(hash);
}

void Changes::remove_demoted(uint64_t hash) {
  const MutexLock lock(mutex_);
  removed_.push_back(hash);
  if (!remembers_) return;
  gone_.insert(hash);
  gone_count_.store(gone_.size(), std::memory_order_release);
}

void Changes::demote(uint32_t handle, uint64_t hash, const std::byte* row) {
  (void)leave(handle, hash, row);
  // What can be read of it from now on is this row.
  come_back({&hash, 1});
}

void Changes::come_back(std::span<const uint64_t> hashes) {
  if (gone_count_.load(std::memory_order_acquire) == 0) return;
  const MutexLock lock(mutex_);
  for (const uint64_t hash : hashes) gone_.erase(hash);
  gone_count_.store(gone_.size(), std::memory_order_release);
}

void Changes::remember_gone(bool until_written) {
  const MutexLock lock(mutex_);
  remembers_ = true;
  until_written_ = until_written;
}

void Changes::forget_gone() {
  const MutexLock lock(mutex_);
  remembers_ = false;
  budget_.release(gone_.memory_bytes());
  charged_ -= gone_.memory_bytes();
  gone_ = {};
  gone_count_.store(0, std::memory_order_release);
}

void Changes::freeze() {
  const MutexLock lock(mutex_);
  active_.store(1 - active(), kRelaxed);
  cutting_.store(true, kRelaxed);
  collecting_ = true;
  removed_before_ = std::exchange(removed_, {});
}

std::vector<uint64_t> Changes::removed() const {
  const MutexLock lock(mutex_);
  return removed_before_;
}

bool Changes::any() const {
  const MutexLock lock(mutex_);
  if (!removed_.empty()) return true;
  const size_t words = pages_.backed() / sizeof(Bits);
  return std::any_of(base_, base_ + words,
                     [&](const Bits& bits) { return bits.changed[active()].load(kRelaxed) != 0; });
}

void Changes::forget_removed() {
  const MutexLock lock(mutex_);
  removed_.clear();
}

void Changes::add_removed(std::vector<uint64_t>& hashes) const {
  const MutexLock lock(mutex_);
  hashes.insert(hashes.end(), removed_.begin(), removed_.end());
}

std::vector<RowImages> Changes::collected() {
  std::vector<RowImages> saved;
  {
    const MutexLock lock(mutex_);
    collecting_ = false;
    saved = std::exchange(saved_, {});
    filling_ = 0;
  }
  no_longer_collecting_.notify_all();
  return saved;
}

void Changes::finish(bool written) {
  const MutexLock lock(mutex_);
  if (!written && removed_.empty()) removed_.swap(removed_before_);
  // Forgotten they may not be: without memory for both this waits for some.
  for (Backoff backoff; !written && !removed_before_.empty(); backoff.pause()) {
    try {
      removed_.reserve(removed_.size() + removed_before_.size());
      removed_.insert(removed_.end(), removed_before_.begin(), removed_before_.end());
      removed_before_.clear();
    } catch (const std::bad_alloc&) {
      continue;
    }
  }
  removed_before_ = {};
  cutting_.store(false, kRelaxed);
  if (written && until_written_) forget_written();
  const uint64_t bytes =
      pages_.backed() + removed_.capacity() * sizeof(uint64_t) + gone_.memory_bytes();
  if (bytes > charged_) {
    budget_.charge(bytes - charged_);
    charged_ = bytes;
  } else {
    (void)charge(bytes);
  }
}

// Of the keys remembered as gone only those are left that went since the cut.
void Changes::forget_written() {
  if (gone_.size() == 0) return;
  try {
    HashSet left;
    left.reserve(removed_.size());
    for (const uint64_t hash : removed_) {
      if (gone_.contains(hash)) left.insert(hash);
    }
    gone_ = std::move(left);
    gone_count_.store(gone_.size(), std::memory_order_release);
  } catch (const std::bad_alloc&) {
    // The others are gone from the version too: no harm in remembering them.
  }
}

uint64_t Changes::memory_bytes() const {
  const MutexLock lock(mutex_);
  return charged_;
}

}  // namespace hotrow
