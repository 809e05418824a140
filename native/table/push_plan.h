// The scratch of one push: its keys without duplicates, with their summed gradients.
//
// A plan is split by key hash into parts, one a thread. A part meets the batch in order, so the
// gradients of a key are summed in batch order however many parts there are, and no two parts
// share a key. Plans are kept and reused, because their arrays are as large as batches.
#ifndef HOTROW_TABLE_PUSH_PLAN_H_
#define HOTROW_TABLE_PUSH_PLAN_H_

#include <bit>
#include <cstdint>
#include <cstring>
#include <vector>

#include "base/hash.h"
#include "memory/budget.h"
#include "simd/kernels.h"

namespace hotrow {

class SparseTable;

enum class PushKind : uint8_t {
  kGradient,  ///< duplicates are summed
  kAssign,    ///< the last duplicate wins
};

struct PushEntry {
  static constexpr uint32_t kBorrowed = UINT32_MAX;

  uint64_t key;
  uint64_t hash;
  const float* borrowed;  // the caller's row, while `own` is kBorrowed
  uint32_t own;           // else: number of the row in PushPart's sums
};

class PushPart {
 public:
  /// Starts over, expecting about `keys` keys of `dim` values.
  void reset(uint64_t keys, uint32_t dim, PushKind kind) {
    const uint64_t slots = std::bit_ceil(keys * 2 + 16);
    slots_.assign(slots, 0);
    entries_.clear();
    sums_.clear();
    dim_ = dim;
    kind_ = kind;
    rows_left = created = skipped = 0;
    failed = false;
    kernels_ = &row_kernels();
  }

  /// Adds one row of the batch, times `scale`.
  void add(uint64_t key, uint64_t hash, const float* row, float scale) {
    const size_t mask = slots_.size() - 1;
    size_t slot = hash & mask;
    for (; slots_[slot] != 0; slot = (slot + 1) & mask) {
      PushEntry& entry = entries_[slots_[slot] - 1];
      if (entry.key == key) return merge(entry, row, scale);
    }
    if ((entries_.size() + 1) * 4 > slots_.size() * 3) {
      enlarge();
      return add(key, hash, row, scale);
    }
    entries_.push_back({key, hash, row, PushEntry::kBorrowed});
    slots_[slot] = static_cast<uint32_t>(entries_.size());
    if (scale != 1.0F) {
      entries_.back().own = new_sum();
      kernels_->scale(sum(entries_.back().own), row, scale, dim_);
    }
  }

  std::vector<PushEntry>& entries() { return entries_; }
  const std::vector<PushEntry>& entries() const { return entries_; }
  const float* row(const PushEntry& entry) const {
    return entry.own == PushEntry::kBorrowed ? entry.borrowed
                                             : sums_.data() + size_t{entry.own} * dim_;
  }

  uint64_t rows_left = 0;  // rows this part may still create
  uint64_t created = 0;
  uint64_t skipped = 0;
  bool failed = false;

 private:
  float* sum(uint32_t own) { return sums_.data() + size_t{own} * dim_; }
  uint32_t new_sum() {
    sums_.resize(sums_.size() + dim_);
    return static_cast<uint32_t>(sums_.size() / dim_ - 1);
  }
  void merge(PushEntry& entry, const float* row, float scale) {
    if (kind_ == PushKind::kAssign) {
      entry.borrowed = row;
      return;
    }
    if (entry.own == PushEntry::kBorrowed) {
      entry.own = new_sum();
      std::memcpy(sum(entry.own), entry.borrowed, dim_ * sizeof(float));
    }
    if (scale == 1.0F) {
      kernels_->add(sum(entry.own), row, dim_);
    } else {
      kernels_->add_scaled(sum(entry.own), row, scale, dim_);
    }
  }
  void enlarge() {
    slots_.assign(slots_.size() * 2, 0);
    const size_t mask = slots_.size() - 1;
    for (size_t i = 0; i < entries_.size(); ++i) {
      size_t slot = entries_[i].hash & mask;
      while (slots_[slot] != 0) slot = (slot + 1) & mask;
      slots_[slot] = static_cast<uint32_t>(i + 1);
    }
  }

  std::vector<uint32_t> slots_;  // open addressing: number of the entry, counted from 1
  std::vector<PushEntry> entries_;
  std::vector<float> sums_;
  uint32_t dim_ = 0;
  PushKind kind_ = PushKind::kGradient;
  const RowKernels* kernels_ = nullptr;
};

struct PushPlan {
  SparseTable* table = nullptr;
  PushKind kind = PushKind::kGradient;
  uint64_t batch = 0;              // rows of the call, duplicates counted
  std::vector<PushPart> parts;     // at least as many as used
  uint32_t used = 0;
  uint64_t reserved_rows = 0;
  Reservation index_bytes;

  uint64_t entries() const {
    uint64_t sum = 0;
    for (uint32_t i = 0; i < used; ++i) sum += parts[i].entries().size();
    return sum;
  }
};

}  // namespace hotrow

#endif  // HOTROW_TABLE_PUSH_PLAN_H_
