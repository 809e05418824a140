// The optimizers in float64, written from the formulas in hotrow/options.h alone: what the f32
// kernels must come close to.
#ifndef HOTROW_TEST_SUPPORT_REFERENCE_OPTIMIZER_H_
#define HOTROW_TEST_SUPPORT_REFERENCE_OPTIMIZER_H_

#include <cmath>
#include <cstdint>
#include <span>
#include <vector>

#include "hotrow/options.h"

namespace hotrow::test {

class ReferenceRow {
 public:
  ReferenceRow(const OptimizerOptions& options, std::span<const float> initial)
      : options_(options), w(initial.begin(), initial.end()) {
    const size_t dim = w.size();
    a.assign(dim, options.initial_accumulator);
    m.assign(dim, 0.0);
    v.assign(dim, 0.0);
    z.assign(dim, 0.0);
  }

  /// One step with gradient g, `t` counted from 1.
  void step(std::span<const float> g, uint64_t t) {
    double squares = 0;
    for (const double x : g) squares += x * x;
    if (options_.kind == OptimizerKind::kRowwiseAdagrad) {
      a[0] += squares / static_cast<double>(g.size());
    }
    for (size_t i = 0; i < g.size(); ++i) step_value(i, g[i], t);
  }

 private:
  void step_value(size_t i, double g, uint64_t t) {
    const double rate = options_.learning_rate;
    switch (options_.kind) {
      case OptimizerKind::kSgd:
        w[i] -= rate * g;
        return;
      case OptimizerKind::kAdagrad:
        a[i] += g * g;
        w[i] -= rate * g / (std::sqrt(a[i]) + options_.epsilon);
        return;
      case OptimizerKind::kRowwiseAdagrad:
        w[i] -= rate * g / (std::sqrt(a[0]) + options_.epsilon);
        return;
      case OptimizerKind::kAdam: {
        const double beta1 = options_.beta1;
        const double beta2 = options_.beta2;
        m[i] = beta1 * m[i] + (1 - beta1) * g;
        v[i] = beta2 * v[i] + (1 - beta2) * g * g;
        const double mean = m[i] / (1 - std::pow(beta1, t));
        const double spread = v[i] / (1 - std::pow(beta2, t));
        w[i] -= rate * mean / (std::sqrt(spread) + options_.epsilon);
        return;
      }
      case OptimizerKind::kFtrl: {
        const double sigma = (std::sqrt(a[i] + g * g) - std::sqrt(a[i])) / rate;
        z[i] += g - sigma * w[i];
        a[i] += g * g;
        const double sign = z[i] < 0 ? -1 : 1;
        const double divisor = (options_.beta + std::sqrt(a[i])) / rate + options_.l2;
        w[i] = std::fabs(z[i]) <= options_.l1 ? 0 : (sign * options_.l1 - z[i]) / divisor;
        return;
      }
      case OptimizerKind::kSum:
        w[i] += g;
        return;
    }
  }

  OptimizerOptions options_;

 public:
  std::vector<double> w;
  std::vector<double> a;  // Adagrad's a (row-wise: only a[0]), FTRL's n
  std::vector<double> m;
  std::vector<double> v;
  std::vector<double> z;
};

}  // namespace hotrow::test

#endif  // HOTROW_TEST_SUPPORT_REFERENCE_OPTIMIZER_H_
