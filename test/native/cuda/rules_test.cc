// The rules of the GPU tier beside those of the table: the same bytes of row and state after every
// push, whichever way the lanes run.
#include "cuda/rules.h"

#include <gtest/gtest.h>

#include <cmath>
#include <limits>
#include <string>
#include <vector>

#include "support/random.h"
#include "support/reference_values.h"
#include "support/scale.h"
#include "support/stores.h"
#include "table/row_rules.h"

namespace hotrow::test {
namespace {

using gpu::HostTile;
using gpu::LaneOrder;
using Limits = std::numeric_limits<float>;

constexpr uint32_t kDims[] = {1, 3, 15, 16, 17, 31, 33, 48, 64, 100, 128};
constexpr uint64_t kPushes = 6;

struct Kept {
  ValueType type;
  Rounding rounding;
};
constexpr Kept kEveryKept[] = {{ValueType::kF32, Rounding::kNearest},
                               {ValueType::kF16, Rounding::kNearest},
                               {ValueType::kF16, Rounding::kStochastic},
                               {ValueType::kBf16, Rounding::kNearest},
                               {ValueType::kBf16, Rounding::kStochastic}};

/// What sums, roots and roundings treat apart from ordinary values.
float edge(Random& random) {
  constexpr float kEdges[] = {0.0F,           -0.0F,    Limits::denorm_min(),
                              -Limits::min(), 0x1p-24F, -1e-30F,
                              1e19F,          -3e20F,   65504.0F,
                              -1e5F,          1e38F,    -1e-5F,
                              Limits::max(),  -0x1p-14F};
  return kEdges[random.below(std::size(kEdges))];
}

/// Ordinary values, some edges among them, edges alone, or zeros; alike for rows and gradients.
std::vector<float> some_values(Random& random, uint32_t dim) {
  const uint64_t way = random.below(8);
  std::vector<float> values = random.reals(dim, -2.0F, 2.0F);
  for (float& value : values) {
    if (way == 0 || (way <= 2 && random.one_in(8))) value = edge(random);
    if (way == 3) value *= 0x1p-20F;
    if (way == 4) value = 0;
  }
  return values;
}

/// A row, pushed by the tier's rules.
template <LaneOrder kOrder>
void push(const TableOptions& options, const RowRules& rules, Bytes& row, const float* gradient,
          const UpdateStep& step, uint64_t random) {
  const HostTile<gpu::kRowLanes, kOrder> tile;
  float* const state = rules.state_values() == 0 ? nullptr : rules.state_of(row.data());
  gpu::with_pushed_values(options.value_type, options.rounding, [&](auto type, auto rounding) {
    gpu::with_rule(options.optimizer.kind, [&](auto kind) {
      gpu::update_row<decltype(kind)::value>(
          tile,
          gpu::RowValues<decltype(type)::value, decltype(rounding)::value>(row.data(), random),
          state, gradient, options.dim, step);
    });
  });
}

class Twins {
 public:
  Twins(const TableOptions& options, Random& random)
      : options_(options), rules_(options), scratch_(rules_), rows_(3, first_row(random)) {}

  void push(Random& random, uint64_t t) {
    const std::vector<float> g = some_values(random, options_.dim);
    const uint64_t chance = random.next();
    const UpdateStep step = rules_.optimizer().step(t);
    rules_.apply(rows_[0].data(), g.data(), step, chance, scratch_);
    test::push<LaneOrder::kRising>(options_, rules_, rows_[1], g.data(), step, chance);
    test::push<LaneOrder::kFalling>(options_, rules_, rows_[2], g.data(), step, chance);
    ASSERT_EQ(differs(rows_[1]), "") << "push " << t;
    ASSERT_EQ(differs(rows_[2]), "") << "push " << t << ", lanes falling";
  }

 private:
  static constexpr size_t kGuard = 64;

  Bytes first_row(Random& random) {
    Bytes row(rules_.row_bytes() + kGuard, std::byte{0x5a});
    rules_.begin_row(random.next(), row.data(), scratch_);
    rules_.assign(row.data(), some_values(random, options_.dim).data(), 0, scratch_);
    return row;
  }
  /// Where it is not the table's row; empty: nowhere.
  std::string differs(const Bytes& row) const {
    if (row == rows_[0]) return "";
    size_t at = 0;
    while (row[at] == rows_[0][at]) ++at;
    const size_t values = rules_.codec().bytes();
    return at < values ? "values at byte " + std::to_string(at)
                       : "state at byte " + std::to_string(at - values);
  }

  TableOptions options_;
  RowRules rules_;
  RowRules::Scratch scratch_;
  std::vector<Bytes> rows_;  // the table's, and one for each order of lanes
};

TEST(CudaRules, RowsAndStateAreTheTables) {
  Random random(1);
  const uint64_t trials = scaled(4);
  for (const OptimizerOptions& rule : every_optimizer()) {
    for (const OptimizerOptions& options : every_preparation(rule)) {
      for (const Kept& kept : kEveryKept) {
        for (const uint32_t dim : kDims) {
          SCOPED_TRACE(describe(options) + " " + name_of(kept.type) + " dim " +
                       std::to_string(dim));
          for (uint64_t trial = 0; trial < trials; ++trial) {
            Twins twins({.dim = dim,
                         .value_type = kept.type,
                         .rounding = kept.rounding,
                         .optimizer = options,
                         .initializer = uniform(0.5F),
                         .seed = 7},
                        random);
            for (uint64_t t = 1; t <= kPushes; ++t) {
              twins.push(random, t);
              if (HasFatalFailure()) return;
            }
          }
        }
      }
    }
  }
}

TEST(CudaRules, LongRows) {
  Random random(2);
  for (const OptimizerOptions& rule : every_optimizer()) {
    SCOPED_TRACE(describe(rule));
    Twins twins({.dim = kMaxDim, .value_type = ValueType::kF16, .optimizer = rule, .seed = 7},
                random);
    for (uint64_t t = 1; t <= 3; ++t) {
      twins.push(random, t);
      if (HasFatalFailure()) return;
    }
  }
}

TEST(CudaRules, FrozenRowsStay) {
  for (const OptimizerOptions& rule : every_optimizer()) {
    const TableOptions options{.dim = 20, .value_type = ValueType::kBf16, .optimizer = rule};
    const RowRules rules(options);
    const Bytes before(rules.row_bytes(), std::byte{0x3c});
    Bytes row = before;
    UpdateStep step = rules.optimizer().step(1);
    step.way = RowWay::kFrozen;
    push<LaneOrder::kRising>(options, rules, row, std::vector<float>(20, 1.0F).data(), step, 1);
    EXPECT_EQ(row, before) << describe(rule);
  }
}

}  // namespace
}  // namespace hotrow::test
