// An optimizer's rule bound to its options: state size, initial state, and the row kernel.
#ifndef HOTROW_TABLE_OPTIMIZER_H_
#define HOTROW_TABLE_OPTIMIZER_H_

#include <cstdint>
#include <span>

#include "hotrow/options.h"
#include "simd/kernels.h"

namespace hotrow {

class Optimizer {
 public:
  explicit Optimizer(const OptimizerOptions& options);

  /// f32 values of state behind a row of `dim` values: Adagrad dim, row-wise Adagrad 1, Adam and
  /// FTRL 2 dim (first one array, then the other), SGD and sum none.
  uint64_t state_values(uint64_t dim) const;
  /// Writes the state of a row that was never pushed.
  void fill_state(std::span<float> state) const;

  /// The constants of the table's push number `step`, counted from 1.
  UpdateStep step(uint64_t step) const;
  UpdateRow update_row() const { return update_row_; }

 private:
  OptimizerOptions options_;
  UpdateRow update_row_;
};

}  // namespace hotrow

#endif  // HOTROW_TABLE_OPTIMIZER_H_
