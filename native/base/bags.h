// What weights and divisors of bags come to, the same bits wherever rows are pooled.
#ifndef HOTROW_BASE_BAGS_H_
#define HOTROW_BASE_BAGS_H_

#include <cmath>
#include <cstddef>
#include <utility>

#include "hotrow/batch.h"

namespace hotrow {

inline float weight_of(const BagBatch& bags, size_t i) {
  return bags.weights.empty() ? 1.0F : bags.weights[i];
}

/// 1 over the bag's divisor, or 0 when that is zero. Summed in f64, in the order of the keys.
inline float bag_scale(const BagBatch& bags, size_t first, size_t last) {
  if (bags.pooling == Pooling::kSum) return 1.0F;
  double sum = 0;
  for (size_t i = first; i < last; ++i) {
    const double u = weight_of(bags, i);
    sum += bags.pooling == Pooling::kMean ? u : u * u;
  }
  if (bags.pooling == Pooling::kSqrtn) sum = std::sqrt(sum);
  return sum == 0 ? 0.0F : static_cast<float>(1.0 / sum);
}

/// The gradient of each position: its bag's, times its weight and the bag's divisor.
class BagGradients {
 public:
  BagGradients(const BagBatch& bags, const float* gradients, size_t dim)
      : bags_(bags), gradients_(gradients), dim_(dim) {}

  /// Positions must rise.
  std::pair<const float*, float> operator()(size_t position) {
    while (position >= end_) {
      const size_t begin = end_;
      end_ = bags_.offsets[++bags_begun_];
      scale_ = bag_scale(bags_, begin, end_);
    }
    const float* const row = gradients_ + (bags_begun_ - 1) * dim_;
    return {row, bags_.weights.empty() ? scale_ : scale_ * bags_.weights[position]};
  }

 private:
  const BagBatch& bags_;
  const float* gradients_;
  size_t dim_;
  size_t bags_begun_ = 0;
  size_t end_ = 0;  // of the bag begun last
  float scale_ = 1;
};

}  // namespace hotrow

#endif  // HOTROW_BASE_BAGS_H_
