// An optimizer's rule bound to its options and to a table's groups: state size, initial state, the
// constants of a step, and what is done to a row.
#ifndef HOTROW_TABLE_OPTIMIZER_H_
#define HOTROW_TABLE_OPTIMIZER_H_

#include <cstdint>
#include <span>
#include <vector>

#include "hotrow/keys.h"
#include "hotrow/options.h"
#include "simd/kernels.h"

namespace hotrow {

/// Immutable after construction; used by any number of threads.
class Optimizer {
 public:
  /// Options and groups are valid.
  explicit Optimizer(const OptimizerOptions& options, std::span<const OptimizerGroup> groups = {});

  /// f32 values of state behind a row of `dim` values, in the order of hotrow/options.h: none for
  /// SGD and sum, one value for row-wise Adagrad, `dim` for one array, and so on.
  uint64_t state_values(uint64_t dim) const;
  /// Writes the state of a row that was never pushed.
  void fill_state(std::span<float> state) const;
  /// f32 values of scratch that update_row() needs for a row of `dim` values: 0 when it never
  /// prepares a gradient.
  uint64_t scratch_values(uint64_t dim) const { return prepares_ ? dim : 0; }

  /// Can a push have these options? Names the option that is wrong.
  Status check(const PushOptions& options) const;
  /// The constants of the table's push number t, counted from 1, for keys in no group.
  /// `learning_rate` 0: the optimizer's.
  UpdateStep step(uint64_t t, float learning_rate = 0) const;

  /// Runs the rule alone.
  UpdateRow update_row() const { return update_row_; }
  /// Applies the summed gradient g [n] to the row w [n] and its state, as `step` says. `scratch`
  /// [scratch_values(n)] is overwritten; g stays.
  void apply(const UpdateStep& step, float* w, float* state, const float* g, size_t n,
             float* scratch) const {
    if (step.way != RowWay::kDirect) [[unlikely]] {
      if (step.way == RowWay::kFrozen) return;
      g = prepare_(w, g, n, step, scratch);
    }
    update_row_(w, state, g, n, step);
  }

 private:
  friend class StepTable;
  /// What the constants of a step owe to t alone.
  struct Moment {
    double first;   // 1 - beta1^t
    double second;  // 1 - beta2^t
    float decays;
  };

  Moment moment(uint64_t t) const;
  UpdateStep constants(const Moment& moment, float learning_rate, float weight_decay) const;
  float rate_or_own(float learning_rate) const {
    return learning_rate == 0 ? options_.learning_rate : learning_rate;
  }

  OptimizerOptions options_;
  std::vector<OptimizerGroup> groups_;  // by first slot
  UpdateRow update_row_;
  decltype(UpdateKernels::prepare) prepare_;
  bool prepares_;
};

/// The constants of one push for every key. Made once a push, on the stack; needs no memory.
class StepTable {
 public:
  /// As Optimizer::step. The optimizer must outlive the table.
  StepTable(const Optimizer& optimizer, uint64_t t, float learning_rate = 0);
  StepTable(const StepTable&) = delete;
  StepTable& operator=(const StepTable&) = delete;

  /// Cost: with groups, a search among them; without, nothing.
  const UpdateStep& for_key(uint64_t key) const {
    return groups_.empty() ? base_ : for_slot(slot_of(key));
  }

 private:
  const UpdateStep& for_slot(uint32_t slot) const;

  std::span<const OptimizerGroup> groups_;
  UpdateStep base_;
  // The groups' constants, as far as there are groups: zeros for all of them would cost every push.
  union Steps {
    Steps() {}
    UpdateStep of[kMaxGroups];
  };
  Steps steps_;
};

}  // namespace hotrow

#endif  // HOTROW_TABLE_OPTIMIZER_H_
