// The scratch of one push: the batch's distinct keys with the one row each of them gets.
//
// Plans are kept and reused, because their arrays are as large as batches.
#ifndef HOTROW_TABLE_PUSH_PLAN_H_
#define HOTROW_TABLE_PUSH_PLAN_H_

#include <cstdint>
#include <cstring>
#include <memory>
#include <span>
#include <vector>

#include "base/batch_index.h"
#include "hotrow/batch.h"
#include "hotrow/options.h"
#include "memory/budget.h"
#include "simd/kernels.h"
#include "table/cold_tier.h"
#include "table/front_rows.h"
#include "table/index.h"
#include "table/moment.h"
#include "table/row_rules.h"

namespace hotrow {

class SparseTable;

enum class PushKind : uint8_t {
  kGradient,  ///< duplicates are summed in batch order
  kAssign,    ///< the last duplicate wins
};

/// The rows of one part of the batch, by the ids of its BatchIndex::Part.
class PushPart {
 public:
  void reset(size_t keys, uint32_t dim, PushKind kind) {
    dim_ = dim;
    kind_ = kind;
    summed_ = kind == PushKind::kGradient && dim <= kAlwaysSummedDim;
    // Minus zero is the one value that changes no other when added to.
    sums_.assign(summed_ ? keys * dim : 0, -0.0F);
    borrowed_.assign(summed_ ? 0 : keys, nullptr);
    owned_.assign(summed_ ? 0 : keys, kBorrowed);
    added.clear();
    claimed.clear();
    order_.clear();
    rows_left = created = skipped = not_admitted = 0;
    failed = false;
    kernels_ = &row_kernels();
  }

  /// The sums of rows of one value, by id: what add() would add to them; null for other rows.
  float* single_values() { return summed_ && dim_ == 1 ? sums_.data() : nullptr; }
  /// Adds one row of the batch, times `scale`.
  void add(uint32_t id, const float* row, float scale) {
    if (summed_) {
      accumulate(sums_.data() + size_t{id} * dim_, row, scale);
    } else if (kind_ == PushKind::kAssign ||
               (borrowed_[id] == nullptr && owned_[id] == kBorrowed && scale == 1.0F)) {
      borrowed_[id] = row;
    } else {
      accumulate(own(id), row, scale);
    }
  }

  /// Somebody else applies what there is to the key; see FrontRows. Of a key that applies().
  void claim(uint32_t id, size_t keys) {
    if (added.empty()) added.assign(keys, 1);
    added[id] = 0;
    claimed.push_back(id);
  }
  /// Is there anything to apply to the key?
  bool applies(size_t id) const { return added.empty() || added[id] > 0; }
  /// The row of a key; null when none was added.
  const float* row(size_t id) const {
    if (summed_) return sums_.data() + id * dim_;
    return owned_[id] == kBorrowed ? borrowed_[id] : sums_.data() + size_t{owned_[id]} * dim_;
  }
  /// All rows in one piece, where they lie so; else empty.
  std::span<const float> contiguous() const {
    return summed_ ? std::span<const float>(sums_) : std::span<const float>();
  }

  /// Sorts the ids by shard, so that the parts of the index that one shard's keys need are visited
  /// together and its writer enters once. Begins with shard `first` and goes round: pushes that
  /// run at once had better not follow each other from shard to shard.
  void sort_by_shard(const std::vector<uint64_t>& hashes, uint32_t first);
  /// The id to visit i-th.
  size_t id(size_t i) const { return order_.empty() ? i : order_[i]; }
  /// Positions of the batch that were added; 1 where nobody counts them.
  uint32_t times(size_t id) const { return added.empty() ? 1 : added[id] & ~kUncounted; }
  /// Notes that the filter has yet to count the key: only once the whole part is done, so that no
  /// key is let in, beyond what was promised, by the keys beside it.
  void count_later(size_t id) { added[id] |= kUncounted; }
  bool counts_later(size_t id) const { return (added[id] & kUncounted) != 0; }

  RowRules::Scratch scratch;
  // By id: positions that were added, each as often as it counts; none, and nothing is applied.
  // Empty unless NonFinite::kSkip or admission needs it, or ids were claimed.
  std::vector<uint32_t> added;
  std::vector<uint32_t> claimed;  // ids, by FrontRows
  uint64_t rows_left = 0;         // rows this part may still create
  uint64_t created = 0;
  uint64_t skipped = 0;
  uint64_t not_admitted = 0;
  bool failed = false;

 private:
  // Up to here every key gets a sum of its own at once: copying a short row is cheaper than
  // deciding whether to. Longer rows that come once are used where they are.
  static constexpr uint32_t kAlwaysSummedDim = 16;
  static constexpr uint32_t kBorrowed = UINT32_MAX;
  // In `added`; a batch has fewer positions.
  static constexpr uint32_t kUncounted = uint32_t{1} << 31;

  void accumulate(float* sum, const float* row, float scale) {
    if (scale == 1.0F) {
      kernels_->add(sum, row, dim_);
    } else {
      kernels_->add_scaled(sum, row, scale, dim_);
    }
  }
  /// The key's own sum, made from what was borrowed.
  float* own(uint32_t id) {
    if (owned_[id] == kBorrowed) {
      owned_[id] = static_cast<uint32_t>(sums_.size() / dim_);
      sums_.resize(sums_.size() + dim_, -0.0F);
      if (borrowed_[id] != nullptr)
        accumulate(sums_.data() + sums_.size() - dim_, borrowed_[id], 1);
    }
    return sums_.data() + size_t{owned_[id]} * dim_;
  }

  std::vector<uint32_t> order_;  // ids by shard, or empty: as they come
  std::vector<float> sums_;
  std::vector<const float*> borrowed_;  // by id: the caller's row
  std::vector<uint32_t> owned_;         // by id: number of the row in sums_
  uint32_t dim_ = 0;
  PushKind kind_ = PushKind::kGradient;
  bool summed_ = false;
  const RowKernels* kernels_ = nullptr;
};

struct PushPlan {
  SparseTable* table = nullptr;
  PushKind kind = PushKind::kGradient;
  PushOptions options;
  // Of an update: the batch's first row, and what goes with the rows.
  const float* rows = nullptr;
  UpdateOptions update;
  // Rows that were the table's come back as they are: not judged, and no call that anybody counts.
  bool comes_back = false;
  FrontRows* front = nullptr;
  std::span<const uint32_t> times;  // of each position; see TablePush. Empty: once
  std::unique_ptr<BatchIndex> batch;
  mutable std::vector<PushPart> parts;  // at least as many as the batch has; each its thread's
  IndexShards::Counts keys_in = {};     // distinct keys by shard that the index may have to take
  uint64_t draw = 0;                    // numbers the pushes and updates begun
  uint32_t first_shard = 0;             // where its parts begin
  const StepTable* steps = nullptr;     // while it is applied
  uint64_t number = 0;                  // the table's pushes so far, this one included
  Moment moment;
  DemotionStamps stamps;  // of a table that demotes: since when its rows are in memory
  uint64_t reserved_rows = 0;
  uint64_t prepared = 0;  // rows whose change may leave something for a version
  uint64_t spared = 0;    // rows that its keys have already, and which must not be evicted for it
  Reservation index_bytes;

  /// Is there anything to apply at all, here or by whoever claimed it?
  bool applies() const {
    for (uint32_t i = 0; i < batch->parts(); ++i) {
      if (!parts[i].claimed.empty()) return true;
      for (size_t id = 0; id < batch->part(i).size(); ++id) {
        if (parts[i].applies(id)) return true;
      }
    }
    return false;
  }
};

}  // namespace hotrow

#endif  // HOTROW_TABLE_PUSH_PLAN_H_
