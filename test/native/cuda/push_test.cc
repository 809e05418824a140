// Every rule on every value type that is pushed: the cache's rows and state against the table's own
// rules (RowRules::apply, whose kernels are those of native/simd), bit for bit, push after push.
#include <gtest/gtest.h>

#include <cmath>
#include <cstring>

#include "cuda/model.h"
#include "cuda/random_run.h"
#include "support/bits.h"
#include "support/seed.h"

namespace hotrow::test {
namespace {

constexpr int kRuleCount = 19;
constexpr uint64_t kRowsInCache = 48;

/// Every field is other than zero, so that each rule reads what it reads.
OptimizerOptions options_of(OptimizerKind kind) {
  OptimizerOptions options;
  options.kind = kind;
  options.learning_rate = 0.07F;
  options.initial_accumulator = 0.2F;
  options.epsilon = 1e-6F;
  options.beta1 = 0.8F;
  options.beta2 = 0.99F;
  options.beta = 0.9F;
  options.l1 = 0.3F;
  options.l2 = 0.01F;
  options.l21 = kind == OptimizerKind::kGroupFtrl ? 0.2F : 0;
  options.momentum = 0.7F;
  options.rho = 0.85F;
  options.decay_rate = 0.6F;
  options.decay_steps = 2;
  options.trust = 0.4F;
  options.weight_decay = kind == OptimizerKind::kAdamW || kind == OptimizerKind::kLamb ||
                                 kind == OptimizerKind::kLion || kind == OptimizerKind::kLars
                             ? 0.06F
                             : 0;
  return options;
}

/// As it is, decayed, clipped by value and by norm.
std::vector<OptimizerOptions> prepared(const OptimizerOptions& options) {
  std::vector<OptimizerOptions> all(4, options);
  if (options.kind == OptimizerKind::kSum) return {options};
  all[1].weight_decay = 0.09F;
  all[2].clip_value = 0.4F;
  all[2].weight_decay = 0.05F;
  all[3].clip_norm = 0.9F;
  return all;
}

class PushParity {
 public:
  PushParity(const OptimizerOptions& options, const RunShape& shape, uint64_t seed)
      : shape_(shape),
        random_(seed),
        rules_(with(options, shape)),
        spec_(tier_spec(shape, rules_)),
        subjects_(every_subject({spec_, 16})),
        model_(spec_, subjects_[0]->layout, &rules_) {
    fill();
  }

  /// `spread`: gradients up to 2^spread and down to 2^-spread.
  void push(uint64_t t, int spread) {
    PushBatch batch{.handles = model_.handles(keys_)};
    for (uint64_t i = 0; i < kRowsInCache * shape_.dim; ++i) {
      const int exponent = static_cast<int>(random_.below(2 * spread + 1)) - spread;
      const float sign = random_.one_in(6) ? 0.0F : 1.0F;
      batch.gradients.push_back(sign * std::ldexp(random_.real(), exponent));
    }
    batch.steps = {rules_.optimizer().step(t)};
    for (uint64_t i = 0; i < kRowsInCache; ++i) batch.random.push_back(random_.next());
    model_.push(batch);
    for (const auto& subject : subjects_) subject->push(batch);
  }

  void compare() {
    const CacheState expected = model_.state();
    for (const auto& subject : subjects_) {
      SCOPED_TRACE(subject->name);
      const CacheState got = subject->state();
      EXPECT_EQ(got.dirty, expected.dirty);
      EXPECT_TRUE(same_words(got.values, expected.values)) << "values";
      EXPECT_TRUE(same_words(got.state, expected.state)) << "state";
    }
  }

 private:
  static TableOptions with(const OptimizerOptions& options, const RunShape& shape) {
    TableOptions table = table_options(shape);
    table.optimizer = options;
    return table;
  }
  static testing::AssertionResult same_words(const Bytes& got, const Bytes& expected) {
    const auto floats = [](const Bytes& bytes) {
      std::vector<float> values(bytes.size() / sizeof(float));
      if (!values.empty()) std::memcpy(values.data(), bytes.data(), bytes.size());
      return values;
    };
    return same_bits(floats(got), floats(expected));
  }

  /// Rows begin as the table's do, with values of their own.
  void fill() {
    const CacheLayout& layout = subjects_[0]->layout;
    InsertBatch batch;
    for (uint64_t key = 0; key < kRowsInCache; ++key) keys_.push_back(key * 3);
    batch.rows = {.keys = keys_,
                  .values = Bytes(kRowsInCache * layout.value_stride),
                  .state = Bytes(kRowsInCache * layout.state_stride)};
    std::vector<float> row(rules_.row_bytes() / sizeof(float) + 1);
    auto* const bytes = reinterpret_cast<std::byte*>(row.data());
    RowRules::Scratch scratch(rules_);
    for (uint64_t i = 0; i < kRowsInCache; ++i) {
      rules_.begin_row(keys_[i], bytes, scratch);
      const std::vector<float> values = random_.reals(shape_.dim, -2, 2);
      rules_.codec().encode(values.data(), bytes, 0);
      std::memcpy(batch.rows.values.data() + i * layout.value_stride, bytes,
                  rules_.codec().bytes());
      if (batch.rows.state.empty()) continue;
      std::memcpy(batch.rows.state.data() + i * layout.state_stride, bytes + rules_.codec().bytes(),
                  rules_.state_values() * sizeof(float));
    }
    model_.insert(batch);
    for (const auto& subject : subjects_) subject->insert(batch);
  }

  const RunShape shape_;
  Random random_;
  const RowRules rules_;
  const TierSpec spec_;
  Subjects subjects_;
  Model model_;
  Keys keys_;
};

struct Numbered {
  ValueType type;
  Rounding rounding;
};
constexpr Numbered kPushed[] = {{ValueType::kF32, Rounding::kNearest},
                                {ValueType::kF16, Rounding::kNearest},
                                {ValueType::kBf16, Rounding::kNearest},
                                {ValueType::kF16, Rounding::kStochastic},
                                {ValueType::kBf16, Rounding::kStochastic}};

class GpuPush : public testing::TestWithParam<int> {};

TEST_P(GpuPush, RowsAndStateAreTheTables) {
  const auto kind = static_cast<OptimizerKind>(GetParam());
  uint64_t seed = test_seed("*GpuPush.RowsAndStateAreTheTables*");
  for (const OptimizerOptions& options : prepared(options_of(kind))) {
    for (const auto& [type, rounding] : kPushed) {
      for (const uint32_t dim : {1, 7, 16, 64, 67}) {
        const RunShape shape{.dim = dim, .type = type, .optimizer = kind, .rounding = rounding};
        SCOPED_TRACE(describe(shape) + ", decay " + std::to_string(options.weight_decay) +
                     ", clip " + std::to_string(options.clip_value) + " " +
                     std::to_string(options.clip_norm));
        PushParity parity(options, shape, seed++);
        for (uint64_t t = 1; t <= 4; ++t) parity.push(t, t == 3 ? 12 : 1);
        parity.compare();
        if (HasFailure()) return;
      }
    }
  }
}

/// Gradients whose squares pass f32's range at both ends: infinities and NaN come up in state.
TEST_P(GpuPush, NumbersBeyondTheRangeAreTheTables) {
  const auto kind = static_cast<OptimizerKind>(GetParam());
  uint64_t seed = test_seed("*GpuPush.NumbersBeyondTheRangeAreTheTables*");
  for (const OptimizerOptions& options : prepared(options_of(kind))) {
    for (const auto& [type, rounding] : kPushed) {
      const RunShape shape{.dim = 24, .type = type, .optimizer = kind, .rounding = rounding};
      SCOPED_TRACE(describe(shape));
      PushParity parity(options, shape, seed++);
      for (uint64_t t = 1; t <= 3; ++t) {
        parity.push(t, 126);
        parity.compare();
        if (HasFailure()) return;
      }
    }
  }
}

INSTANTIATE_TEST_SUITE_P(Rules, GpuPush, testing::Range(0, kRuleCount));

TEST(GpuSmall, PushesOfAllRules) {
  uint64_t seed = test_seed("GpuSmall.PushesOfAllRules");
  for (int rule = 0; rule < kRuleCount; ++rule) {
    const auto kind = static_cast<OptimizerKind>(rule);
    const auto& [type, rounding] = kPushed[rule % std::size(kPushed)];
    const RunShape shape{.dim = 20, .type = type, .optimizer = kind, .rounding = rounding};
    SCOPED_TRACE(describe(shape));
    PushParity parity(prepared(options_of(kind)).back(), shape, seed++);
    parity.push(1, 1);
    parity.push(2, 1);
    parity.compare();
  }
}

}  // namespace
}  // namespace hotrow::test
