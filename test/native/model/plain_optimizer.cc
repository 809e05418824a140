#include "model/plain_optimizer.h"

#include <algorithm>
#include <cmath>

namespace hotrow::test {

float sum_of_squares_by_sixteen(std::span<const float> x) {
  float partial[16] = {};
  for (size_t i = 0; i < x.size(); ++i) partial[i % 16] += x[i] * x[i];
  for (size_t half = 8; half > 0; half /= 2) {
    for (size_t j = 0; j < half; ++j) partial[j] += partial[j + half];
  }
  return partial[0];
}

namespace {

using Kind = OptimizerKind;
using Row = PlainRow;
using Gradient = std::span<const float>;
using Options = OptimizerOptions;

float norm(std::span<const float> x) { return std::sqrt(sum_of_squares_by_sixteen(x)); }

float mean_square(std::span<const float> x) {
  return sum_of_squares_by_sixteen(x) / static_cast<float>(x.size());
}

// beta^t by squaring, as the core does it: other orders round differently.
double power(double beta, uint64_t t) {
  double result = 1.0;
  for (; t > 0; t /= 2) {
    if (t % 2 == 1) result *= beta;
    beta *= beta;
  }
  return result;
}

/// learning_rate / (1 - beta1^t)
float unbiased_rate(const Options& o, uint64_t t) {
  return static_cast<float>(o.learning_rate / (1.0 - power(o.beta1, t)));
}
/// sqrt(1 - beta2^t)
float root_correction(const Options& o, uint64_t t) {
  return static_cast<float>(std::sqrt(1.0 - power(o.beta2, t)));
}

void momentum(const Options& o, Row& row, Gradient g) {
  for (size_t i = 0; i < g.size(); ++i) {
    row.first[i] = o.momentum * row.first[i] + g[i];
    const float ahead = o.momentum * row.first[i];
    const float direction = o.kind == Kind::kNesterov ? g[i] + ahead : row.first[i];
    row.w[i] -= o.learning_rate * direction;
  }
}

void lars(const Options& o, Row& row, Gradient g) {
  const float length = norm(row.w);
  const float steepness = norm(g);
  const float divisor = steepness + o.weight_decay * length;
  const float ratio = length > 0 && steepness > 0 ? o.trust * length / divisor : 1.0F;
  const float rate = o.learning_rate * ratio;
  for (size_t i = 0; i < g.size(); ++i) {
    const float pull = g[i] + o.weight_decay * row.w[i];
    row.first[i] = o.momentum * row.first[i] + rate * pull;
    row.w[i] -= row.first[i];
  }
}

void lion(const Options& o, Row& row, Gradient g) {
  const float kept = 1.0F - o.learning_rate * o.weight_decay;
  for (size_t i = 0; i < g.size(); ++i) {
    const float blend = o.beta1 * row.first[i] + (1.0F - o.beta1) * g[i];
    const float change = blend > 0 ? o.learning_rate : blend < 0 ? -o.learning_rate : 0.0F;
    row.w[i] = kept * row.w[i] - change;
    row.first[i] = o.beta2 * row.first[i] + (1.0F - o.beta2) * g[i];
  }
}

void adagrad(const Options& o, Row& row, Gradient g) {
  for (size_t i = 0; i < g.size(); ++i) {
    row.first[i] += g[i] * g[i];
    const float root = std::sqrt(row.first[i]) + o.epsilon;
    row.w[i] -= o.learning_rate * g[i] / root;
  }
}

void rowwise_adagrad(const Options& o, Row& row, Gradient g) {
  row.first[0] += mean_square(g);
  const float root = std::sqrt(row.first[0]) + o.epsilon;
  for (size_t i = 0; i < g.size(); ++i) row.w[i] -= o.learning_rate * g[i] / root;
}

void adagrad_decay(const Options& o, Row& row, Gradient g, uint64_t t) {
  const auto due = static_cast<float>(std::min<uint64_t>(t / o.decay_steps, 1 << 24));
  if (row.second[0] < due) {
    row.second[0] += 1;
    for (float& a : row.first) a = std::max(o.decay_rate * a, o.initial_accumulator);
  }
  adagrad(o, row, g);
}

void rmsprop(const Options& o, Row& row, Gradient g) {
  for (size_t i = 0; i < g.size(); ++i) {
    row.first[i] = o.rho * row.first[i] + (1.0F - o.rho) * (g[i] * g[i]);
    row.w[i] -= o.learning_rate * g[i] / (std::sqrt(row.first[i]) + o.epsilon);
  }
}

void adadelta(const Options& o, Row& row, Gradient g) {
  for (size_t i = 0; i < g.size(); ++i) {
    row.first[i] = o.rho * row.first[i] + (1.0F - o.rho) * (g[i] * g[i]);
    const float ratio = std::sqrt(row.second[i] + o.epsilon) / std::sqrt(row.first[i] + o.epsilon);
    const float change = ratio * g[i];
    row.second[i] = o.rho * row.second[i] + (1.0F - o.rho) * (change * change);
    row.w[i] -= o.learning_rate * change;
  }
}

void move_first(const Options& o, Row& row, Gradient g) {
  for (size_t i = 0; i < g.size(); ++i) {
    row.first[i] = o.beta1 * row.first[i] + (1.0F - o.beta1) * g[i];
  }
}

void move_second(const Options& o, Row& row, Gradient g) {
  for (size_t i = 0; i < g.size(); ++i) {
    row.second[i] = o.beta2 * row.second[i] + (1.0F - o.beta2) * (g[i] * g[i]);
  }
}

void adam(const Options& o, Row& row, Gradient g, uint64_t t) {
  move_first(o, row, g);
  move_second(o, row, g);
  const float kept = o.kind == Kind::kAdamW ? 1.0F - o.learning_rate * o.weight_decay : 1.0F;
  for (size_t i = 0; i < g.size(); ++i) {
    float square = row.second[i];
    if (o.kind == Kind::kAmsgrad) square = row.third[i] = std::max(row.third[i], square);
    const float root = std::sqrt(square) / root_correction(o, t) + o.epsilon;
    row.w[i] = kept * row.w[i] - unbiased_rate(o, t) * row.first[i] / root;
  }
}

void adamax(const Options& o, Row& row, Gradient g, uint64_t t) {
  move_first(o, row, g);
  for (size_t i = 0; i < g.size(); ++i) {
    row.second[i] = std::max(o.beta2 * row.second[i], std::fabs(g[i]));
    row.w[i] -= unbiased_rate(o, t) * row.first[i] / (row.second[i] + o.epsilon);
  }
}

void rowwise_adam(const Options& o, Row& row, Gradient g, uint64_t t) {
  move_first(o, row, g);
  row.second[0] = o.beta2 * row.second[0] + (1.0F - o.beta2) * mean_square(g);
  const float root = std::sqrt(row.second[0]) / root_correction(o, t) + o.epsilon;
  for (size_t i = 0; i < g.size(); ++i) row.w[i] -= unbiased_rate(o, t) * row.first[i] / root;
}

void lamb(const Options& o, Row& row, Gradient g, uint64_t t) {
  move_first(o, row, g);
  move_second(o, row, g);
  const auto mean_scale = static_cast<float>(1.0 / (1.0 - power(o.beta1, t)));
  std::vector<float> direction(g.size());
  for (size_t i = 0; i < g.size(); ++i) {
    const float root = std::sqrt(row.second[i]) / root_correction(o, t) + o.epsilon;
    direction[i] = mean_scale * row.first[i] / root + o.weight_decay * row.w[i];
  }
  const float length = norm(row.w);
  const float other = norm(direction);
  const float rate = o.learning_rate * (length > 0 && other > 0 ? length / other : 1.0F);
  for (size_t i = 0; i < g.size(); ++i) row.w[i] -= rate * direction[i];
}

void ftrl(const Options& o, Row& row, Gradient g) {
  for (size_t i = 0; i < g.size(); ++i) {
    const float before = row.first[i];
    row.first[i] = before + g[i] * g[i];
    const float sigma = (std::sqrt(row.first[i]) - std::sqrt(before)) / o.learning_rate;
    row.second[i] += g[i] - sigma * row.w[i];
    const float z = row.second[i];
    row.w[i] = !(std::fabs(z) > o.l1) ? 0.0F : std::copysign(o.l1, z) - z;
  }
  float share = 1;
  bool gone = false;
  if (o.kind == Kind::kGroupFtrl) {
    const float least = std::sqrt(static_cast<float>(g.size())) * o.l21;
    const float length = norm(row.w);
    gone = !(length > least);
    share = 1.0F - least / length;
  }
  for (size_t i = 0; i < g.size(); ++i) {
    const float divisor = (o.beta + std::sqrt(row.first[i])) / o.learning_rate + o.l2;
    row.w[i] = gone ? 0.0F : share * row.w[i] / divisor;
  }
}

bool decays_itself(Kind kind) {
  return kind == Kind::kAdamW || kind == Kind::kLamb || kind == Kind::kLars || kind == Kind::kLion;
}

void scale(std::vector<float>& x, float factor) {
  for (float& value : x) value *= factor;
}

void clip_norm(std::vector<float>& g, float limit) {
  if (std::isfinite(sum_of_squares_by_sixteen(g))) {
    const float length = norm(g);
    if (length > limit) scale(g, limit / length);
    return;
  }
  std::vector<float> small = g;
  scale(small, 0x1p-80F);
  const float length = norm(small);
  if (!(length > limit * 0x1p-80F)) return;
  scale(small, limit / length);
  g = small;
}

std::vector<float> prepared(const Options& o, const Row& row, Gradient g) {
  std::vector<float> ready(g.begin(), g.end());
  if (o.clip_value > 0) {
    for (float& x : ready) x = std::clamp(x, -o.clip_value, o.clip_value);
  }
  if (o.clip_norm > 0) clip_norm(ready, o.clip_norm);
  if (o.weight_decay > 0 && !decays_itself(o.kind)) {
    for (size_t i = 0; i < g.size(); ++i) ready[i] += o.weight_decay * row.w[i];
  }
  return ready;
}

void run(const Options& o, Row& row, Gradient g, uint64_t t) {
  switch (o.kind) {
    case Kind::kSgd:
      for (size_t i = 0; i < g.size(); ++i) row.w[i] -= o.learning_rate * g[i];
      return;
    case Kind::kSum:
      for (size_t i = 0; i < g.size(); ++i) row.w[i] += g[i];
      return;
    case Kind::kMomentum:
    case Kind::kNesterov:
      return momentum(o, row, g);
    case Kind::kLars:
      return lars(o, row, g);
    case Kind::kLion:
      return lion(o, row, g);
    case Kind::kAdagrad:
      return adagrad(o, row, g);
    case Kind::kRowwiseAdagrad:
      return rowwise_adagrad(o, row, g);
    case Kind::kAdagradDecay:
      return adagrad_decay(o, row, g, t);
    case Kind::kRmsprop:
      return rmsprop(o, row, g);
    case Kind::kAdadelta:
      return adadelta(o, row, g);
    case Kind::kAdam:
    case Kind::kAdamW:
    case Kind::kAmsgrad:
      return adam(o, row, g, t);
    case Kind::kAdamax:
      return adamax(o, row, g, t);
    case Kind::kRowwiseAdam:
      return rowwise_adam(o, row, g, t);
    case Kind::kLamb:
      return lamb(o, row, g, t);
    case Kind::kFtrl:
    case Kind::kGroupFtrl:
      return ftrl(o, row, g);
  }
}

}  // namespace

PlainRow PlainOptimizer::fresh(std::vector<float> w) const {
  PlainRow row{.w = std::move(w), .first = {}, .second = {}, .third = {}};
  const size_t dim = row.w.size();
  const bool accumulates = options_.kind == Kind::kAdagrad || options_.kind == Kind::kFtrl ||
                           options_.kind == Kind::kRowwiseAdagrad ||
                           options_.kind == Kind::kAdagradDecay ||
                           options_.kind == Kind::kGroupFtrl;
  // More state than a rule has does no harm here.
  row.first.assign(dim, accumulates ? options_.initial_accumulator : 0.0F);
  row.second.assign(dim, 0.0F);
  row.third.assign(dim, 0.0F);
  return row;
}

void PlainOptimizer::step(PlainRow& row, std::span<const float> g, uint64_t t, float learning_rate,
                          const OptimizerGroup* group) const {
  OptimizerOptions options = options_;
  if (learning_rate != 0) options.learning_rate = learning_rate;
  if (group != nullptr) {
    if (group->frozen) return;
    options.learning_rate *= group->rate_scale;
    if (group->weight_decay >= 0) options.weight_decay = group->weight_decay;
  }
  run(options, row, prepared(options, row, g), t);
}

}  // namespace hotrow::test
