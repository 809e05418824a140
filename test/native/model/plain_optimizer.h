// The optimizers again, as plain scalar f32 loops in the order of operations that options.h and
// simd/kernels.h document. What they give must equal the core's rows bit for bit.
#ifndef HOTROW_TEST_MODEL_PLAIN_OPTIMIZER_H_
#define HOTROW_TEST_MODEL_PLAIN_OPTIMIZER_H_

#include <cstdint>
#include <span>
#include <vector>

#include "hotrow/options.h"

namespace hotrow::test {

struct PlainRow {
  std::vector<float> w;
  std::vector<float> first;   // Adagrad's a, Adam's m, FTRL's n; one value for row-wise Adagrad
  std::vector<float> second;  // Adam's v, FTRL's z
};

class PlainOptimizer {
 public:
  explicit PlainOptimizer(const OptimizerOptions& options) : options_(options) {}

  /// A row that was never pushed.
  PlainRow fresh(std::vector<float> w) const;
  /// One step with the summed gradient g; `t` counts the pushes of the table from 1.
  void step(PlainRow& row, std::span<const float> g, uint64_t t) const;

 private:
  void adagrad(PlainRow& row, std::span<const float> g) const;
  void rowwise_adagrad(PlainRow& row, std::span<const float> g) const;
  void adam(PlainRow& row, std::span<const float> g, uint64_t t) const;
  void ftrl(PlainRow& row, std::span<const float> g) const;

  OptimizerOptions options_;
};

/// Sum of squares in sixteen partial sums (element i in sum i mod 16), folded by halves.
float sum_of_squares_by_sixteen(std::span<const float> x);

}  // namespace hotrow::test

#endif  // HOTROW_TEST_MODEL_PLAIN_OPTIMIZER_H_
