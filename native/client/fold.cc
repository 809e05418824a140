#include "client/fold.h"

#include <algorithm>
#include <utility>

namespace hotrow::client {

namespace {

// Below this many keys a message costs more than what is in it.
constexpr size_t kFewKeys = 512;
// A batch that has more distinct keys than this share goes out as it is: about there folding costs
// what it saves (docs/PERFORMANCE.md), and a table merges duplicates below the same share, by which
// it is the same for eviction how often a lookup has a key.
constexpr float kMostlyDistinct = 0.6F;
// After such a one, so many are not looked at.
constexpr uint32_t kPassed = 15;
constexpr size_t kMostIdle = 4;

bool bit(std::span<const uint8_t> bits, size_t i) { return (bits[i / 8] >> (i % 8) & 1) != 0; }

}  // namespace

Fold::Fold(KeyBatch keys, std::unique_ptr<BatchIndex> index, Folds& folds)
    : keys_(keys), index_(std::move(index)), folds_(&folds) {
  times_.resize(index_->distinct());
  for (const uint32_t id : index_->places()) ++times_[id];
}

Fold::~Fold() {
  if (index_ != nullptr) folds_->give(std::move(index_));
}

// From the last to the first. Position i takes the row of its key's id, which is at most i: a
// key's id is no larger than the position where it first comes. So no row is overwritten before all
// that need it have it.
void Fold::spread(std::span<float> rows, size_t width) const {
  if (!folded() || width == 0) return;
  const uint32_t* const places = index_->places().data();
  for (size_t i = keys_.size(); i-- > 0;) {
    if (places[i] == i) continue;
    std::copy_n(rows.data() + places[i] * width, width, rows.data() + i * width);
  }
}

void Fold::spread_bits(std::span<uint8_t> bits) const {
  if (!folded() || bits.empty()) return;
  const size_t distinct = keys().size();
  std::fill(bits.begin() + static_cast<ptrdiff_t>((distinct + 7) / 8), bits.end(), uint8_t{0});
  const uint32_t* const places = index_->places().data();
  for (size_t i = keys_.size(); i-- > 0;) {
    const auto mask = static_cast<uint8_t>(1U << (i % 8));
    const bool value = bit(bits, places[i]);
    bits[i / 8] = static_cast<uint8_t>(value ? bits[i / 8] | mask : bits[i / 8] & ~mask);
  }
}

std::vector<float> Fold::sums(std::span<const float> rows, size_t width) const {
  std::vector<float> sums(keys().size() * width);
  const uint32_t* const places = index_->places().data();
  size_t begun = 0;  // ids so far: they rise in the order in which keys first come
  for (size_t i = 0; i < keys_.size(); ++i) {
    const float* const row = rows.data() + i * width;
    float* const sum = sums.data() + places[i] * width;
    if (places[i] == begun) {
      std::copy_n(row, width, sum);
      ++begun;
      continue;
    }
    for (size_t d = 0; d < width; ++d) sum[d] += row[d];
  }
  return sums;
}

Fold Folds::of(KeyBatch keys) {
  if (!worth_looking(keys.size())) return Fold(keys);
  std::unique_ptr<BatchIndex> index = take();
  index->assign(keys, 1, pool_);
  const auto distinct = static_cast<float>(index->distinct());
  if (distinct > kMostlyDistinct * static_cast<float>(keys.size())) {
    pass_.store(kPassed, std::memory_order_relaxed);
    give(std::move(index));
    return Fold(keys);
  }
  pass_.store(0, std::memory_order_relaxed);
  return {keys, std::move(index), *this};
}

bool Folds::worth_looking(size_t n) {
  if (n < kFewKeys || !on_.load(std::memory_order_relaxed)) return false;
  const uint32_t pass = pass_.load(std::memory_order_relaxed);
  if (pass == 0) return true;
  pass_.store(pass - 1, std::memory_order_relaxed);
  return false;
}

std::unique_ptr<BatchIndex> Folds::take() {
  const MutexLock lock(mutex_);
  if (idle_.empty()) return std::make_unique<BatchIndex>();
  std::unique_ptr<BatchIndex> index = std::move(idle_.back());
  idle_.pop_back();
  return index;
}

void Folds::give(std::unique_ptr<BatchIndex> index) noexcept {
  const MutexLock lock(mutex_);
  if (idle_.size() >= kMostIdle) return;
  try {
    idle_.push_back(std::move(index));
  } catch (const std::bad_alloc&) {
    // The next call makes its own.
  }
}

}  // namespace hotrow::client
