#include "support/reference_optimizer.h"

#include <algorithm>
#include <cmath>

namespace hotrow::test {

namespace {

using Kind = OptimizerKind;

double norm(const std::vector<double>& x) {
  double squares = 0;
  for (const double value : x) squares += value * value;
  return std::sqrt(squares);
}

double mean_square(const std::vector<double>& x) {
  return norm(x) * norm(x) / static_cast<double>(x.size());
}

double sign(double x) { return x > 0 ? 1 : x < 0 ? -1 : 0; }

}  // namespace

ReferenceRow::ReferenceRow(const OptimizerOptions& options, std::span<const float> initial)
    : w(initial.begin(), initial.end()),
      options_(options),
      a_(w.size(), options.initial_accumulator),
      m_(w.size()),
      v_(w.size()),
      h_(w.size()),
      z_(w.size()) {}

ReferenceRow::Values ReferenceRow::prepared(std::span<const float> g) const {
  Values row(g.begin(), g.end());
  const double limit = options_.clip_value;
  const double length = norm(row);
  for (size_t i = 0; i < row.size(); ++i) {
    if (limit > 0) row[i] = std::clamp(row[i], -limit, limit);
    if (options_.clip_norm > 0 && length > options_.clip_norm)
      row[i] *= options_.clip_norm / length;
    const bool apart = options_.kind == Kind::kAdamW || options_.kind == Kind::kLamb ||
                       options_.kind == Kind::kLars || options_.kind == Kind::kLion;
    if (!apart) row[i] += options_.weight_decay * w[i];
  }
  return row;
}

void ReferenceRow::step(std::span<const float> gradient, uint64_t t, double rate) {
  rate_ = rate == 0 ? options_.learning_rate : rate;
  const Values g = prepared(gradient);
  switch (options_.kind) {
    case Kind::kSgd:
      for (size_t i = 0; i < g.size(); ++i) w[i] -= rate_ * g[i];
      return;
    case Kind::kSum:
      for (size_t i = 0; i < g.size(); ++i) w[i] += g[i];
      return;
    case Kind::kMomentum:
    case Kind::kNesterov:
      return momentum(g);
    case Kind::kLars:
      return lars(g);
    case Kind::kLion:
      return lion(g);
    case Kind::kAdagradDecay:
      if (decays_ < t / options_.decay_steps) {
        ++decays_;
        for (double& a : a_) {
          a = std::max<double>(options_.decay_rate * a, options_.initial_accumulator);
        }
      }
      return adagrad(g);
    case Kind::kAdagrad:
    case Kind::kRowwiseAdagrad:
      return adagrad(g);
    case Kind::kRmsprop:
      return rmsprop(g);
    case Kind::kAdadelta:
      return adadelta(g);
    case Kind::kAdam:
    case Kind::kAdamW:
    case Kind::kAmsgrad:
    case Kind::kRowwiseAdam:
      return adam(g, t);
    case Kind::kAdamax:
      return adamax(g, t);
    case Kind::kLamb:
      return lamb(g, t);
    case Kind::kFtrl:
    case Kind::kGroupFtrl:
      return ftrl(g);
  }
}

void ReferenceRow::momentum(const Values& g) {
  const double mu = options_.momentum;
  for (size_t i = 0; i < g.size(); ++i) {
    m_[i] = mu * m_[i] + g[i];
    w[i] -= rate_ * (options_.kind == Kind::kNesterov ? g[i] + mu * m_[i] : m_[i]);
  }
}

void ReferenceRow::lars(const Values& g) {
  const double decay = options_.weight_decay;
  const double length = norm(w);
  const double steepness = norm(g);
  const bool scaled = length > 0 && steepness > 0;
  const double local = scaled ? options_.trust * length / (steepness + decay * length) : 1;
  for (size_t i = 0; i < g.size(); ++i) {
    m_[i] = options_.momentum * m_[i] + rate_ * local * (g[i] + decay * w[i]);
    w[i] -= m_[i];
  }
}

void ReferenceRow::lion(const Values& g) {
  const double beta1 = options_.beta1;
  const double beta2 = options_.beta2;
  for (size_t i = 0; i < g.size(); ++i) {
    const double blend = beta1 * m_[i] + (1 - beta1) * g[i];
    w[i] -= rate_ * (sign(blend) + options_.weight_decay * w[i]);
    m_[i] = beta2 * m_[i] + (1 - beta2) * g[i];
  }
}

void ReferenceRow::adagrad(const Values& g) {
  const bool by_row = options_.kind == Kind::kRowwiseAdagrad;
  for (size_t i = 0; i < g.size(); ++i) {
    a_[i] += by_row ? mean_square(g) : g[i] * g[i];
    w[i] -= rate_ * g[i] / (std::sqrt(a_[i]) + options_.epsilon);
  }
}

void ReferenceRow::rmsprop(const Values& g) {
  const double rho = options_.rho;
  for (size_t i = 0; i < g.size(); ++i) {
    v_[i] = rho * v_[i] + (1 - rho) * g[i] * g[i];
    w[i] -= rate_ * g[i] / (std::sqrt(v_[i]) + options_.epsilon);
  }
}

void ReferenceRow::adadelta(const Values& g) {
  const double rho = options_.rho;
  const double epsilon = options_.epsilon;
  for (size_t i = 0; i < g.size(); ++i) {
    v_[i] = rho * v_[i] + (1 - rho) * g[i] * g[i];
    const double change = std::sqrt((h_[i] + epsilon) / (v_[i] + epsilon)) * g[i];
    h_[i] = rho * h_[i] + (1 - rho) * change * change;
    w[i] -= rate_ * change;
  }
}

void ReferenceRow::move_means(const Values& g) {
  const double beta1 = options_.beta1;
  const double beta2 = options_.beta2;
  const bool by_row = options_.kind == Kind::kRowwiseAdam;
  for (size_t i = 0; i < g.size(); ++i) {
    m_[i] = beta1 * m_[i] + (1 - beta1) * g[i];
    v_[i] = beta2 * v_[i] + (1 - beta2) * (by_row ? mean_square(g) : g[i] * g[i]);
    h_[i] = options_.kind == Kind::kAmsgrad ? std::max(h_[i], v_[i]) : v_[i];
  }
}

double ReferenceRow::adam_direction(size_t i, uint64_t t) const {
  const auto steps = static_cast<double>(t);
  const double mean = m_[i] / (1 - std::pow(double{options_.beta1}, steps));
  const double square = h_[i] / (1 - std::pow(double{options_.beta2}, steps));
  return mean / (std::sqrt(square) + options_.epsilon);
}

void ReferenceRow::adam(const Values& g, uint64_t t) {
  move_means(g);
  const double decay = options_.kind == Kind::kAdamW ? options_.weight_decay : 0;
  for (size_t i = 0; i < g.size(); ++i) {
    w[i] -= rate_ * (adam_direction(i, t) + decay * w[i]);
  }
}

void ReferenceRow::adamax(const Values& g, uint64_t t) {
  const double beta1 = options_.beta1;
  const double rate = rate_ / (1 - std::pow(beta1, static_cast<double>(t)));
  for (size_t i = 0; i < g.size(); ++i) {
    m_[i] = beta1 * m_[i] + (1 - beta1) * g[i];
    h_[i] = std::max(options_.beta2 * h_[i], std::fabs(g[i]));
    w[i] -= rate * m_[i] / (h_[i] + options_.epsilon);
  }
}

void ReferenceRow::lamb(const Values& g, uint64_t t) {
  move_means(g);
  Values direction(g.size());
  for (size_t i = 0; i < g.size(); ++i) {
    direction[i] = adam_direction(i, t) + options_.weight_decay * w[i];
  }
  const bool scaled = norm(w) > 0 && norm(direction) > 0;
  const double ratio = scaled ? norm(w) / norm(direction) : 1;
  for (size_t i = 0; i < g.size(); ++i) w[i] -= rate_ * ratio * direction[i];
}

void ReferenceRow::ftrl(const Values& g) {
  Values beyond(g.size());
  for (size_t i = 0; i < g.size(); ++i) {
    const double sigma = (std::sqrt(a_[i] + g[i] * g[i]) - std::sqrt(a_[i])) / rate_;
    z_[i] += g[i] - sigma * w[i];
    a_[i] += g[i] * g[i];
    beyond[i] = std::fabs(z_[i]) <= options_.l1 ? 0 : sign(z_[i]) * options_.l1 - z_[i];
  }
  const bool grouped = options_.kind == Kind::kGroupFtrl;
  const double least = grouped ? std::sqrt(static_cast<double>(g.size())) * options_.l21 : 0;
  const double length = norm(beyond);
  const double share = length <= least ? 0 : 1 - least / length;
  for (size_t i = 0; i < g.size(); ++i) {
    const double divisor = (options_.beta + std::sqrt(a_[i])) / rate_ + options_.l2;
    w[i] = share * beyond[i] / divisor;
  }
}

}  // namespace hotrow::test
