// What makes an optimizer's options wrong. Field names as TypeScript spells them.
#include <string>

#include "base/check.h"
#include "hotrow/options.h"

namespace hotrow {

namespace {

/// A kind as TypeScript names it.
const char* name_of(OptimizerKind kind) {
  switch (kind) {
    case OptimizerKind::kSgd:
      return "sgd";
    case OptimizerKind::kAdagrad:
      return "adagrad";
    case OptimizerKind::kRowwiseAdagrad:
      return "rowwiseAdagrad";
    case OptimizerKind::kAdam:
      return "adam";
    case OptimizerKind::kFtrl:
      return "ftrl";
    case OptimizerKind::kSum:
      return "sum";
    case OptimizerKind::kMomentum:
      return "momentum";
    case OptimizerKind::kNesterov:
      return "nesterov";
    case OptimizerKind::kAdagradDecay:
      return "adagradDecay";
    case OptimizerKind::kRmsprop:
      return "rmsprop";
    case OptimizerKind::kAdadelta:
      return "adadelta";
    case OptimizerKind::kAdamW:
      return "adamw";
    case OptimizerKind::kAmsgrad:
      return "amsgrad";
    case OptimizerKind::kAdamax:
      return "adamax";
    case OptimizerKind::kRowwiseAdam:
      return "rowwiseAdam";
    case OptimizerKind::kGroupFtrl:
      return "groupFtrl";
    case OptimizerKind::kLamb:
      return "lamb";
    case OptimizerKind::kLars:
      return "lars";
    case OptimizerKind::kLion:
      return "lion";
  }
  return "?";
}

Status validate_ranges(const OptimizerOptions& o) {
  HOTROW_RETURN_IF_ERROR(expect_positive(o.learning_rate, "optimizer.learningRate"));
  HOTROW_RETURN_IF_ERROR(
      expect_not_negative(o.initial_accumulator, "optimizer.initialAccumulator"));
  // Without it, a gradient of zero on a fresh row divides zero by zero.
  HOTROW_RETURN_IF_ERROR(expect_positive(o.epsilon, "optimizer.epsilon"));
  HOTROW_RETURN_IF_ERROR(expect_fraction(o.beta1, "optimizer.beta1"));
  HOTROW_RETURN_IF_ERROR(expect_fraction(o.beta2, "optimizer.beta2"));
  HOTROW_RETURN_IF_ERROR(expect_positive(o.beta, "optimizer.beta"));
  HOTROW_RETURN_IF_ERROR(expect_not_negative(o.l1, "optimizer.l1"));
  HOTROW_RETURN_IF_ERROR(expect_not_negative(o.l2, "optimizer.l2"));
  HOTROW_RETURN_IF_ERROR(expect_not_negative(o.l21, "optimizer.l21"));
  HOTROW_RETURN_IF_ERROR(expect_fraction(o.momentum, "optimizer.momentum"));
  HOTROW_RETURN_IF_ERROR(expect_fraction(o.rho, "optimizer.rho"));
  HOTROW_RETURN_IF_ERROR(expect(o.decay_rate > 0 && o.decay_rate <= 1, "optimizer.decayRate",
                                "a number above 0 and at most 1", o.decay_rate));
  HOTROW_RETURN_IF_ERROR(
      expect(o.decay_steps > 0, "optimizer.decaySteps", "an integer above 0", o.decay_steps));
  HOTROW_RETURN_IF_ERROR(expect_positive(o.trust, "optimizer.trust"));
  HOTROW_RETURN_IF_ERROR(expect_not_negative(o.weight_decay, "optimizer.weightDecay"));
  HOTROW_RETURN_IF_ERROR(expect_not_negative(o.clip_value, "optimizer.clipValue"));
  return expect_not_negative(o.clip_norm, "optimizer.clipNorm");
}

/// A field that `kind` does not use must have its default: whoever sets it expects something.
Status validate_unused(const OptimizerOptions& o) {
  using Kind = OptimizerKind;
  const OptimizerOptions defaults;
  const bool sum = o.kind == Kind::kSum;
  const bool decays = o.kind == Kind::kAdagradDecay;
  struct Field {
    const char* name;
    bool used;
    double value;
    double by_default;
  };
  const Field fields[] = {
      {"l21", o.kind == Kind::kGroupFtrl, o.l21, defaults.l21},
      {"momentum", o.kind == Kind::kMomentum || o.kind == Kind::kNesterov || o.kind == Kind::kLars,
       o.momentum, defaults.momentum},
      {"rho", o.kind == Kind::kRmsprop || o.kind == Kind::kAdadelta, o.rho, defaults.rho},
      {"decayRate", decays, o.decay_rate, defaults.decay_rate},
      {"decaySteps", decays, static_cast<double>(o.decay_steps),
       static_cast<double>(defaults.decay_steps)},
      {"trust", o.kind == Kind::kLars, o.trust, defaults.trust},
      {"weightDecay", !sum, o.weight_decay, 0},
      {"clipValue", !sum, o.clip_value, 0},
      {"clipNorm", !sum, o.clip_norm, 0}};
  for (const Field& field : fields) {
    const std::string expected =
        number(field.by_default) + " (" + name_of(o.kind) + " does not use it)";
    HOTROW_RETURN_IF_ERROR(expect(field.used || field.value == field.by_default,
                                  std::string("optimizer.") + field.name, expected.c_str(),
                                  field.value));
  }
  return {};
}

}  // namespace

Status OptimizerOptions::validate() const {
  HOTROW_RETURN_IF_ERROR(validate_ranges(*this));
  HOTROW_RETURN_IF_ERROR(validate_unused(*this));
  if (clip_value > 0 && clip_norm > 0) {
    return Status::invalid_argument(
        "optimizer: expected clipValue or clipNorm, received clipValue " + number(clip_value) +
        " and clipNorm " + number(clip_norm));
  }
  return {};
}

Status PushOptions::validate() const {
  return learning_rate == 0 ? Status() : expect_positive(learning_rate, "learningRate");
}

}  // namespace hotrow
