#include "support/stores.h"

namespace hotrow::test {

namespace {

constexpr OptimizerKind kKinds[] = {
    OptimizerKind::kSgd,       OptimizerKind::kAdagrad,  OptimizerKind::kRowwiseAdagrad,
    OptimizerKind::kAdam,      OptimizerKind::kFtrl,     OptimizerKind::kSum,
    OptimizerKind::kMomentum,  OptimizerKind::kNesterov, OptimizerKind::kAdagradDecay,
    OptimizerKind::kRmsprop,   OptimizerKind::kAdadelta, OptimizerKind::kAdamW,
    OptimizerKind::kAmsgrad,   OptimizerKind::kAdamax,   OptimizerKind::kRowwiseAdam,
    OptimizerKind::kGroupFtrl, OptimizerKind::kLamb,     OptimizerKind::kLars,
    OptimizerKind::kLion};

/// What only this rule reads.
void set_own_fields(OptimizerOptions& options) {
  switch (options.kind) {
    case OptimizerKind::kMomentum:
    case OptimizerKind::kNesterov:
      options.momentum = 0.7F;
      return;
    case OptimizerKind::kAdagradDecay:
      options.decay_rate = 0.6F;
      options.decay_steps = 3;
      return;
    case OptimizerKind::kRmsprop:
      options.rho = 0.85F;
      return;
    case OptimizerKind::kAdadelta:
      options.rho = 0.85F;
      options.epsilon = 1e-3F;
      return;
    case OptimizerKind::kGroupFtrl:
      options.l21 = 0.2F;
      return;
    case OptimizerKind::kLars:
      options.momentum = 0.7F;
      options.trust = 0.4F;
      options.weight_decay = 0.06F;
      return;
    case OptimizerKind::kAdamW:
    case OptimizerKind::kLamb:
    case OptimizerKind::kLion:
      options.weight_decay = 0.06F;
      return;
    default:
      return;
  }
}

}  // namespace

std::vector<OptimizerOptions> every_optimizer() {
  std::vector<OptimizerOptions> all;
  for (const OptimizerKind kind : kKinds) {
    OptimizerOptions options = optimizer(kind, 0.07F);
    options.initial_accumulator = 0.2F;
    options.epsilon = 1e-6F;
    options.beta1 = 0.8F;
    options.beta2 = 0.99F;
    options.beta = 0.9F;
    options.l1 = 0.3F;
    options.l2 = 0.01F;
    set_own_fields(options);
    all.push_back(options);
  }
  return all;
}

std::vector<OptimizerOptions> every_preparation(const OptimizerOptions& options) {
  std::vector<OptimizerOptions> all = {options};
  if (options.kind == OptimizerKind::kSum) return all;
  const auto with = [&](float decay, float value, float norm) {
    OptimizerOptions prepared = options;
    prepared.weight_decay = decay;
    prepared.clip_value = value;
    prepared.clip_norm = norm;
    all.push_back(prepared);
  };
  with(0.09F, 0, 0);
  with(0, 0.4F, 0);
  with(0, 0, 0.9F);
  with(0.09F, 0.4F, 0);
  with(0.09F, 0, 0.9F);
  return all;
}

const char* name_of(OptimizerKind kind) {
  static constexpr const char* kNames[] = {
      "sgd",      "adagrad",  "rowwise_adagrad", "adam",       "ftrl",     "sum",
      "momentum", "nesterov", "adagrad_decay",   "rmsprop",    "adadelta", "adamw",
      "amsgrad",  "adamax",   "rowwise_adam",    "group_ftrl", "lamb",     "lars",
      "lion"};
  static_assert(std::size(kNames) == std::size(kKinds));
  return kNames[static_cast<size_t>(kind)];
}

std::string describe(const OptimizerOptions& options) {
  return std::string(name_of(options.kind)) + " decay " + std::to_string(options.weight_decay) +
         " clip " + std::to_string(options.clip_value) + " " + std::to_string(options.clip_norm);
}

}  // namespace hotrow::test
