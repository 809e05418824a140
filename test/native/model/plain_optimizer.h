// The optimizers again, as plain scalar f32 loops in the order of operations that options.h
// documents. What they give must equal the core's rows bit for bit.
#ifndef HOTROW_TEST_MODEL_PLAIN_OPTIMIZER_H_
#define HOTROW_TEST_MODEL_PLAIN_OPTIMIZER_H_

#include <cstdint>
#include <span>
#include <vector>

#include "hotrow/options.h"

namespace hotrow::test {

struct PlainRow {
  std::vector<float> w;
  std::vector<float> first;   // a, m or n; Adadelta's v; one value for row-wise Adagrad
  std::vector<float> second;  // v, u or z; Adagrad's p; one value for row-wise Adam
  std::vector<float> third;   // AMSGrad's h
};

class PlainOptimizer {
 public:
  explicit PlainOptimizer(const OptimizerOptions& options) : options_(options) {}

  /// A row that was never pushed.
  PlainRow fresh(std::vector<float> w) const;
  /// One step with the summed gradient g; `t` counts the pushes of the table from 1. The rate of
  /// the push (0: the optimizer's) and the group of the key (null: none) change the options.
  void step(PlainRow& row, std::span<const float> g, uint64_t t, float learning_rate = 0,
            const OptimizerGroup* group = nullptr) const;

 private:
  OptimizerOptions options_;
};

/// Sum of squares in sixteen partial sums (element i in sum i mod 16), folded by halves.
float sum_of_squares_by_sixteen(std::span<const float> x);

}  // namespace hotrow::test

#endif  // HOTROW_TEST_MODEL_PLAIN_OPTIMIZER_H_
