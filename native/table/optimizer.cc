#include "table/optimizer.h"

#include <algorithm>
#include <cmath>
#include <memory>
#include <string>

namespace hotrow {

namespace {

// Counts in f32 are exact up to here.
constexpr uint64_t kMaxDecays = uint64_t{1} << 24;

// beta^t by squaring, in exactly rounded steps: std::pow differs between libm versions.
double power(double beta, uint64_t t) {
  double result = 1.0;
  for (; t > 0; t >>= 1, beta *= beta) {
    if ((t & 1) != 0) result *= beta;
  }
  return result;
}

/// Does the rule decay the row itself, apart from the gradient?
bool decays_itself(OptimizerKind kind) {
  return kind == OptimizerKind::kAdamW || kind == OptimizerKind::kLamb ||
         kind == OptimizerKind::kLars || kind == OptimizerKind::kLion;
}

bool by_first_slot(const OptimizerGroup& a, const OptimizerGroup& b) {
  return a.first_slot < b.first_slot;
}

}  // namespace

Optimizer::Optimizer(const OptimizerOptions& options, std::span<const OptimizerGroup> groups)
    : options_(options),
      groups_(groups.begin(), groups.end()),
      update_row_(update_kernels().rule(options.kind)),
      prepare_(update_kernels().prepare) {
  std::sort(groups_.begin(), groups_.end(), by_first_slot);
  const auto decays = [](const OptimizerGroup& group) { return group.weight_decay > 0; };
  const bool decay =
      options.weight_decay > 0 || std::any_of(groups_.begin(), groups_.end(), decays);
  prepares_ =
      options.clip_value > 0 || options.clip_norm > 0 || (decay && !decays_itself(options.kind));
}

uint64_t Optimizer::state_values(uint64_t dim) const {
  switch (options_.kind) {
    case OptimizerKind::kSgd:
    case OptimizerKind::kSum:
      return 0;
    case OptimizerKind::kRowwiseAdagrad:
      return 1;
    case OptimizerKind::kAdagrad:
    case OptimizerKind::kMomentum:
    case OptimizerKind::kNesterov:
    case OptimizerKind::kRmsprop:
    case OptimizerKind::kLars:
    case OptimizerKind::kLion:
      return dim;
    case OptimizerKind::kAdagradDecay:
    case OptimizerKind::kRowwiseAdam:
      return dim + 1;
    case OptimizerKind::kAdam:
    case OptimizerKind::kFtrl:
    case OptimizerKind::kAdadelta:
    case OptimizerKind::kAdamW:
    case OptimizerKind::kAdamax:
    case OptimizerKind::kGroupFtrl:
    case OptimizerKind::kLamb:
      return 2 * dim;
    case OptimizerKind::kAmsgrad:
      return 3 * dim;
  }
  return 0;
}

void Optimizer::fill_state(std::span<float> state) const {
  size_t accumulators = 0;  // values at the beginning that start at initial_accumulator
  switch (options_.kind) {
    case OptimizerKind::kAdagrad:
    case OptimizerKind::kRowwiseAdagrad:
      accumulators = state.size();
      break;
    case OptimizerKind::kAdagradDecay:
      accumulators = state.size() - 1;
      break;
    case OptimizerKind::kFtrl:
    case OptimizerKind::kGroupFtrl:
      accumulators = state.size() / 2;
      break;
    default:
      break;
  }
  std::fill_n(state.begin(), accumulators, options_.initial_accumulator);
  std::fill_n(state.begin() + static_cast<ptrdiff_t>(accumulators), state.size() - accumulators,
              0.0F);
}

Status Optimizer::check(const PushOptions& options) const {
  HOTROW_RETURN_IF_ERROR(options.validate());
  if (options.learning_rate == 0) return {};
  for (const OptimizerGroup& group : groups_) {
    const float rate = options.learning_rate * group.rate_scale;
    if (std::isfinite(rate) && rate > 0) continue;
    return Status::invalid_argument(
        "learningRate: expected a number that is finite and above 0 times each group's rateScale, "
        "received " +
        std::to_string(options.learning_rate) + " and rateScale " +
        std::to_string(group.rate_scale));
  }
  return {};
}

Optimizer::Moment Optimizer::moment(uint64_t t) const {
  return {.first = 1.0 - power(options_.beta1, t),
          .second = 1.0 - power(options_.beta2, t),
          .decays = static_cast<float>(std::min(t / options_.decay_steps, kMaxDecays))};
}

UpdateStep Optimizer::constants(const Moment& moment, float learning_rate,
                                float weight_decay) const {
  UpdateStep step{.learning_rate = learning_rate,
                  .epsilon = options_.epsilon,
                  .beta1 = options_.beta1,
                  .beta2 = options_.beta2,
                  .one_minus_beta1 = 1.0F - options_.beta1,
                  .one_minus_beta2 = 1.0F - options_.beta2,
                  .adam_rate = static_cast<float>(learning_rate / moment.first),
                  .adam_root_correction = static_cast<float>(std::sqrt(moment.second)),
                  .beta = options_.beta,
                  .l1 = options_.l1,
                  .l2 = options_.l2,
                  .l21 = options_.l21,
                  .momentum = options_.momentum,
                  .rho = options_.rho,
                  .one_minus_rho = 1.0F - options_.rho,
                  .decay_rate = options_.decay_rate,
                  .decays = moment.decays,
                  .least_accumulator = options_.initial_accumulator,
                  .trust = options_.trust,
                  .mean_scale = static_cast<float>(1.0 / moment.first),
                  .clip_value = options_.clip_value,
                  .clip_norm = options_.clip_norm};
  if (decays_itself(options_.kind)) {
    step.weight_decay = weight_decay;
    step.kept_share = 1.0F - learning_rate * weight_decay;
  } else {
    step.added_decay = weight_decay;
  }
  const bool prepares = step.clip_value > 0 || step.clip_norm > 0 || step.added_decay > 0;
  step.way = prepares ? RowWay::kPrepared : RowWay::kDirect;
  return step;
}

UpdateStep Optimizer::step(uint64_t t, float learning_rate) const {
  return constants(moment(t), rate_or_own(learning_rate), options_.weight_decay);
}

StepTable::StepTable(const Optimizer& optimizer, uint64_t t, float learning_rate)
    : groups_(optimizer.groups_), base_(optimizer.step(t, learning_rate)) {
  if (groups_.empty()) return;
  const Optimizer::Moment moment = optimizer.moment(t);
  for (size_t i = 0; i < groups_.size(); ++i) {
    const OptimizerGroup& group = groups_[i];
    const float decay =
        group.weight_decay < 0 ? optimizer.options_.weight_decay : group.weight_decay;
    const float rate = optimizer.rate_or_own(learning_rate) * group.rate_scale;
    UpdateStep* const step =
        std::construct_at(&steps_.of[i], optimizer.constants(moment, rate, decay));
    if (group.frozen) step->way = RowWay::kFrozen;
  }
}

const UpdateStep& StepTable::for_slot(uint32_t slot) const {
  const auto after = std::upper_bound(groups_.begin(), groups_.end(),
                                      OptimizerGroup{.first_slot = slot}, by_first_slot);
  if (after == groups_.begin()) return base_;
  const auto index = static_cast<size_t>(after - groups_.begin()) - 1;
  return slot <= groups_[index].last_slot ? steps_.of[index] : base_;
}

}  // namespace hotrow
