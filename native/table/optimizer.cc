#include "table/optimizer.h"

#include <algorithm>
#include <cmath>

namespace hotrow {

namespace {

UpdateRow kernel_of(OptimizerKind kind) {
  const UpdateKernels& kernels = update_kernels();
  switch (kind) {
    case OptimizerKind::kSgd:
      return kernels.sgd;
    case OptimizerKind::kAdagrad:
      return kernels.adagrad;
    case OptimizerKind::kRowwiseAdagrad:
      return kernels.rowwise_adagrad;
    case OptimizerKind::kAdam:
      return kernels.adam;
    case OptimizerKind::kFtrl:
      return kernels.ftrl;
    case OptimizerKind::kSum:
      return kernels.sum;
  }
  return kernels.sum;
}

// beta^t by squaring, in exactly rounded steps: std::pow differs between libm versions.
double power(double beta, uint64_t t) {
  double result = 1.0;
  for (; t > 0; t >>= 1, beta *= beta) {
    if ((t & 1) != 0) result *= beta;
  }
  return result;
}

}  // namespace

Optimizer::Optimizer(const OptimizerOptions& options)
    : options_(options), update_row_(kernel_of(options.kind)) {}

uint64_t Optimizer::state_values(uint64_t dim) const {
  switch (options_.kind) {
    case OptimizerKind::kSgd:
    case OptimizerKind::kSum:
      return 0;
    case OptimizerKind::kRowwiseAdagrad:
      return 1;
    case OptimizerKind::kAdagrad:
      return dim;
    case OptimizerKind::kAdam:
    case OptimizerKind::kFtrl:
      return 2 * dim;
  }
  return 0;
}

void Optimizer::fill_state(std::span<float> state) const {
  switch (options_.kind) {
    case OptimizerKind::kAdagrad:
    case OptimizerKind::kRowwiseAdagrad:
      std::fill(state.begin(), state.end(), options_.initial_accumulator);
      return;
    case OptimizerKind::kFtrl: {
      const auto half = state.size() / 2;
      std::fill(state.begin(), state.begin() + half, options_.initial_accumulator);
      std::fill(state.begin() + half, state.end(), 0.0F);
      return;
    }
    default:
      std::fill(state.begin(), state.end(), 0.0F);
  }
}

UpdateStep Optimizer::step(uint64_t step) const {
  UpdateStep constants{.learning_rate = options_.learning_rate,
                       .epsilon = options_.epsilon,
                       .beta1 = options_.beta1,
                       .beta2 = options_.beta2,
                       .one_minus_beta1 = 1.0F - options_.beta1,
                       .one_minus_beta2 = 1.0F - options_.beta2,
                       .beta = options_.beta,
                       .l1 = options_.l1,
                       .l2 = options_.l2};
  const double first = 1.0 - power(options_.beta1, step);
  const double second = 1.0 - power(options_.beta2, step);
  constants.adam_rate = static_cast<float>(options_.learning_rate / first);
  constants.adam_root_correction = static_cast<float>(std::sqrt(second));
  return constants;
}

}  // namespace hotrow
