#include "model/plain_optimizer.h"

#include <cmath>

namespace hotrow::test {

namespace {

// beta^t by squaring, as the core does it: other orders round differently.
double power(double beta, uint64_t t) {
  double result = 1.0;
  for (; t > 0; t /= 2) {
    if (t % 2 == 1) result *= beta;
    beta *= beta;
  }
  return result;
}

}  // namespace

PlainRow PlainOptimizer::fresh(std::vector<float> w) const {
  PlainRow row{.w = std::move(w), .first = {}, .second = {}};
  const size_t dim = row.w.size();
  switch (options_.kind) {
    case OptimizerKind::kAdagrad:
      row.first.assign(dim, options_.initial_accumulator);
      break;
    case OptimizerKind::kRowwiseAdagrad:
      row.first.assign(1, options_.initial_accumulator);
      break;
    case OptimizerKind::kAdam:
      row.first.assign(dim, 0.0F);
      row.second.assign(dim, 0.0F);
      break;
    case OptimizerKind::kFtrl:
      row.first.assign(dim, options_.initial_accumulator);
      row.second.assign(dim, 0.0F);
      break;
    case OptimizerKind::kSgd:
    case OptimizerKind::kSum:
      break;
  }
  return row;
}

void PlainOptimizer::step(PlainRow& row, std::span<const float> g, uint64_t t) const {
  switch (options_.kind) {
    case OptimizerKind::kSgd:
      for (size_t i = 0; i < g.size(); ++i) row.w[i] -= options_.learning_rate * g[i];
      return;
    case OptimizerKind::kAdagrad:
      return adagrad(row, g);
    case OptimizerKind::kRowwiseAdagrad:
      return rowwise_adagrad(row, g);
    case OptimizerKind::kAdam:
      return adam(row, g, t);
    case OptimizerKind::kFtrl:
      return ftrl(row, g);
    case OptimizerKind::kSum:
      for (size_t i = 0; i < g.size(); ++i) row.w[i] += g[i];
      return;
  }
}

void PlainOptimizer::adagrad(PlainRow& row, std::span<const float> g) const {
  for (size_t i = 0; i < g.size(); ++i) {
    row.first[i] += g[i] * g[i];
    const float root = std::sqrt(row.first[i]) + options_.epsilon;
    row.w[i] -= options_.learning_rate * g[i] / root;
  }
}

float sum_of_squares_by_sixteen(std::span<const float> x) {
  float partial[16] = {};
  for (size_t i = 0; i < x.size(); ++i) partial[i % 16] += x[i] * x[i];
  for (size_t half = 8; half > 0; half /= 2) {
    for (size_t j = 0; j < half; ++j) partial[j] += partial[j + half];
  }
  return partial[0];
}

void PlainOptimizer::rowwise_adagrad(PlainRow& row, std::span<const float> g) const {
  row.first[0] += sum_of_squares_by_sixteen(g) / static_cast<float>(g.size());
  const float root = std::sqrt(row.first[0]) + options_.epsilon;
  for (size_t i = 0; i < g.size(); ++i) row.w[i] -= options_.learning_rate * g[i] / root;
}

void PlainOptimizer::adam(PlainRow& row, std::span<const float> g, uint64_t t) const {
  const double first = 1.0 - power(options_.beta1, t);
  const double second = 1.0 - power(options_.beta2, t);
  const auto rate = static_cast<float>(options_.learning_rate / first);
  const auto correction = static_cast<float>(std::sqrt(second));
  const float rest1 = 1.0F - options_.beta1;
  const float rest2 = 1.0F - options_.beta2;
  for (size_t i = 0; i < g.size(); ++i) {
    row.first[i] = options_.beta1 * row.first[i] + rest1 * g[i];
    row.second[i] = options_.beta2 * row.second[i] + rest2 * (g[i] * g[i]);
    const float root = std::sqrt(row.second[i]) / correction + options_.epsilon;
    row.w[i] -= rate * row.first[i] / root;
  }
}

void PlainOptimizer::ftrl(PlainRow& row, std::span<const float> g) const {
  for (size_t i = 0; i < g.size(); ++i) {
    const float before = row.first[i];
    row.first[i] = before + g[i] * g[i];
    const float root = std::sqrt(row.first[i]);
    const float sigma = (root - std::sqrt(before)) / options_.learning_rate;
    row.second[i] += g[i] - sigma * row.w[i];
    const float z = row.second[i];
    const float divisor = (options_.beta + root) / options_.learning_rate + options_.l2;
    const bool within = !(std::fabs(z) > options_.l1);
    row.w[i] = within ? 0.0F : (std::copysign(options_.l1, z) - z) / divisor;
  }
}

}  // namespace hotrow::test
