// The optimizers in float64, written from the formulas in hotrow/options.h alone: what the f32
// kernels must come close to.
#ifndef HOTROW_TEST_SUPPORT_REFERENCE_OPTIMIZER_H_
#define HOTROW_TEST_SUPPORT_REFERENCE_OPTIMIZER_H_

#include <cstdint>
#include <span>
#include <vector>

#include "hotrow/options.h"

namespace hotrow::test {

class ReferenceRow {
 public:
  ReferenceRow(const OptimizerOptions& options, std::span<const float> initial);

  /// One step with gradient g, `t` counted from 1; `rate` 0: the optimizer's.
  void step(std::span<const float> g, uint64_t t, double rate = 0);

  std::vector<double> w;

 private:
  using Values = std::vector<double>;

  Values prepared(std::span<const float> g) const;
  void momentum(const Values& g);
  void lars(const Values& g);
  void lion(const Values& g);
  void adagrad(const Values& g);
  void rmsprop(const Values& g);
  void adadelta(const Values& g);
  void adam(const Values& g, uint64_t t);
  void adamax(const Values& g, uint64_t t);
  void lamb(const Values& g, uint64_t t);
  void ftrl(const Values& g);
  void move_means(const Values& g);
  /// The row's part that comes from m and v, bias corrected: m' / (sqrt(v') + epsilon).
  double adam_direction(size_t i, uint64_t t) const;

  OptimizerOptions options_;
  double rate_ = 0;
  uint64_t decays_ = 0;
  Values a_;  // Adagrad's a, FTRL's n
  Values m_;
  Values v_;
  Values h_;  // AMSGrad's h, Adadelta's u, Adamax's u
  Values z_;
};

}  // namespace hotrow::test

#endif  // HOTROW_TEST_SUPPORT_REFERENCE_OPTIMIZER_H_
