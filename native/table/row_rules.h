// What a table's options make of a row: its layout, how it begins, how a gradient changes it.
// Constant once made; any thread may use it.
#ifndef HOTROW_TABLE_ROW_RULES_H_
#define HOTROW_TABLE_ROW_RULES_H_

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <span>
#include <vector>

#include "hotrow/options.h"
#include "table/heat.h"
#include "table/initializer.h"
#include "table/optimizer.h"
#include "table/row_codec.h"

namespace hotrow {

/// A row is its values in the table's value type, then the optimizer's state in f32.
class RowRules {
 public:
  /// Options are valid and carry the final seed.
  explicit RowRules(const TableOptions& options);

  uint32_t dim() const { return codec_.dim(); }
  uint64_t row_bytes() const { return codec_.bytes() + state_values_ * sizeof(float); }
  uint64_t state_values() const { return state_values_; }
  const RowCodec& codec() const { return codec_; }
  const Optimizer& optimizer() const { return optimizer_; }
  const HeatRule& heat() const { return heat_; }
  uint64_t seed() const { return seed_; }
  const AdmissionOptions& admission() const { return admission_; }
  const EvictionOptions& eviction() const { return eviction_; }
  /// Does the policy choose victims?
  bool evicts() const {
    return eviction_.policy != EvictionPolicy::kNone && eviction_.policy != EvictionPolicy::kTtl;
  }
  /// Rows that the table may hold, by max_rows and max_bytes; UINT64_MAX when neither is set.
  uint64_t limit_rows() const { return limit_rows_; }
  /// Keys that a shard may hold before those that have no row yet are aged: as many of these as of
  /// rows. UINT64_MAX where nothing is limited.
  uint64_t limit_shard_keys() const { return limit_shard_keys_; }

  float* state_of(std::byte* row) const { return reinterpret_cast<float*>(row + codec_.bytes()); }
  const float* state_of(const std::byte* row) const {
    return reinterpret_cast<const float*>(row + codec_.bytes());
  }

  /// out [dim] = what a lookup answers for a key without a row.
  void fill_missing(uint64_t key, std::span<float> out) const;

  /// What a row is changed with. One for each thread at work, made before anything is changed.
  struct Scratch {
    Scratch() = default;
    explicit Scratch(const RowRules& rules)
        : values(rules.codec_.in_place() ? 0 : rules.dim()),
          gradient(rules.optimizer_.scratch_values(rules.dim())) {}

    std::vector<float> values;    // of a row that is not kept as f32
    std::vector<float> gradient;  // the optimizer's
  };
  /// Writes a row that was never pushed.
  void begin_row(uint64_t key, std::byte* row, Scratch& scratch) const;
  /// Runs the optimizer on a row. `random` is this row's at this push: see RowCodec::encode.
  void apply(std::byte* row, const float* gradient, const UpdateStep& step, uint64_t random,
             Scratch& scratch) const;
  /// Replaces a row's values [dim]; its state stays. A row that was read is kept exactly.
  void assign(std::byte* row, const float* values, uint64_t random, Scratch& scratch) const {
    codec_.assign(values, row, random, scratch.values);
  }
  /// Replaces a row's state [state_values()].
  void assign_state(std::byte* row, const float* state) const {
    std::copy_n(state, state_values_, state_of(row));
  }

 private:
  const RowCodec codec_;
  const Optimizer optimizer_;
  const Initializer initializer_;
  const uint64_t state_values_;
  const uint64_t seed_;
  const Missing missing_;
  const AdmissionOptions admission_;
  const EvictionOptions eviction_;
  const uint64_t limit_rows_;
  const uint64_t limit_shard_keys_;
  const HeatRule heat_;
};

}  // namespace hotrow

#endif  // HOTROW_TABLE_ROW_RULES_H_
