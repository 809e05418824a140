// The optimizers' inner loops. Formulas: hotrow/options.h, in exactly this order of operations.
#include "simd/kernels.h"
#include "simd/targets.h"

#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "simd/update_kernels.cc"
#include <hwy/foreach_target.h>  // re-includes this file for every instruction set
#include <hwy/highway.h>

#include "simd/lanes-inl.h"

HWY_BEFORE_NAMESPACE();
namespace hotrow {
namespace HWY_NAMESPACE {

void update_sgd(float* w, float* /*state*/, const float* g, size_t n, const UpdateStep& step) {
  for_lanes(n, [&](auto d, size_t i) {
    const auto change = hn::Mul(hn::Set(d, step.learning_rate), hn::LoadU(d, g + i));
    hn::StoreU(hn::Sub(hn::LoadU(d, w + i), change), d, w + i);
  });
}

void update_adagrad(float* w, float* state, const float* g, size_t n, const UpdateStep& step) {
  for_lanes(n, [&](auto d, size_t i) {
    const auto gradient = hn::LoadU(d, g + i);
    const auto sum = hn::Add(hn::LoadU(d, state + i), hn::Mul(gradient, gradient));
    hn::StoreU(sum, d, state + i);
    const auto root = hn::Add(hn::Sqrt(sum), hn::Set(d, step.epsilon));
    const auto change = hn::Div(hn::Mul(hn::Set(d, step.learning_rate), gradient), root);
    hn::StoreU(hn::Sub(hn::LoadU(d, w + i), change), d, w + i);
  });
}

/// Sum of squares in sixteen partial sums (element i goes to sum i mod 16), folded by halves:
/// the same bits for every vector width.
HWY_INLINE float sum_of_squares(const float* x, size_t n) {
  HWY_ALIGN float partial[16] = {};
  size_t i = 0;
  for (; i + 16 <= n; i += 16) {
    for_lanes(16, [&](auto d, size_t j) {
      const auto v = hn::LoadU(d, x + i + j);
      hn::Store(hn::Add(hn::Load(d, partial + j), hn::Mul(v, v)), d, partial + j);
    });
  }
  for (size_t j = 0; i + j < n; ++j) partial[j] += x[i + j] * x[i + j];
  for (size_t half = 8; half > 0; half /= 2) {
    for (size_t j = 0; j < half; ++j) partial[j] += partial[j + half];
  }
  return partial[0];
}

void update_rowwise_adagrad(float* w, float* state, const float* g, size_t n,
                            const UpdateStep& step) {
  state[0] += sum_of_squares(g, n) / static_cast<float>(n);
  const hn::CappedTag<float, 1> one;
  const float root = hn::GetLane(hn::Sqrt(hn::Set(one, state[0]))) + step.epsilon;
  for_lanes(n, [&](auto d, size_t i) {
    const auto scaled = hn::Mul(hn::Set(d, step.learning_rate), hn::LoadU(d, g + i));
    const auto change = hn::Div(scaled, hn::Set(d, root));
    hn::StoreU(hn::Sub(hn::LoadU(d, w + i), change), d, w + i);
  });
}

void update_adam(float* w, float* state, const float* g, size_t n, const UpdateStep& step) {
  float* const first = state;
  float* const second = state + n;
  for_lanes(n, [&](auto d, size_t i) {
    const auto gradient = hn::LoadU(d, g + i);
    const auto m = hn::Add(hn::Mul(hn::Set(d, step.beta1), hn::LoadU(d, first + i)),
                           hn::Mul(hn::Set(d, step.one_minus_beta1), gradient));
    const auto v = hn::Add(hn::Mul(hn::Set(d, step.beta2), hn::LoadU(d, second + i)),
                           hn::Mul(hn::Set(d, step.one_minus_beta2), hn::Mul(gradient, gradient)));
    hn::StoreU(m, d, first + i);
    hn::StoreU(v, d, second + i);
    const auto root = hn::Add(hn::Div(hn::Sqrt(v), hn::Set(d, step.adam_root_correction)),
                              hn::Set(d, step.epsilon));
    const auto change = hn::Div(hn::Mul(hn::Set(d, step.adam_rate), m), root);
    hn::StoreU(hn::Sub(hn::LoadU(d, w + i), change), d, w + i);
  });
}

void update_ftrl(float* w, float* state, const float* g, size_t n, const UpdateStep& step) {
  float* const squares = state;
  float* const linear = state + n;
  for_lanes(n, [&](auto d, size_t i) {
    const auto rate = hn::Set(d, step.learning_rate);
    const auto gradient = hn::LoadU(d, g + i);
    const auto before = hn::LoadU(d, squares + i);
    const auto after = hn::Add(before, hn::Mul(gradient, gradient));
    const auto root = hn::Sqrt(after);
    const auto sigma = hn::Div(hn::Sub(root, hn::Sqrt(before)), rate);
    const auto pull = hn::Sub(gradient, hn::Mul(sigma, hn::LoadU(d, w + i)));
    const auto z = hn::Add(hn::LoadU(d, linear + i), pull);
    hn::StoreU(after, d, squares + i);
    hn::StoreU(z, d, linear + i);
    const auto l1 = hn::Set(d, step.l1);
    const auto divisor =
        hn::Add(hn::Div(hn::Add(hn::Set(d, step.beta), root), rate), hn::Set(d, step.l2));
    const auto shrunk = hn::Div(hn::Sub(hn::CopySign(l1, z), z), divisor);
    hn::StoreU(hn::IfThenElseZero(hn::Gt(hn::Abs(z), l1), shrunk), d, w + i);
  });
}

void update_sum(float* w, float* /*state*/, const float* g, size_t n, const UpdateStep& /*step*/) {
  for_lanes(n, [&](auto d, size_t i) {
    hn::StoreU(hn::Add(hn::LoadU(d, w + i), hn::LoadU(d, g + i)), d, w + i);
  });
}

const UpdateKernels* update_table() {
  static const UpdateKernels kTable = {hwy::TargetName(HWY_TARGET),
                                       update_sgd,
                                       update_adagrad,
                                       update_rowwise_adagrad,
                                       update_adam,
                                       update_ftrl,
                                       update_sum};
  return &kTable;
}

}  // namespace HWY_NAMESPACE
}  // namespace hotrow
HWY_AFTER_NAMESPACE();

#if HWY_ONCE

#include "simd/dispatch-inl.h"

namespace hotrow {

const UpdateKernels& update_kernels() {
  static const UpdateKernels* const kChosen = HOTROW_TABLE_FOR(simd_level(), update_table);
  return *kChosen;
}

std::vector<const UpdateKernels*> all_update_kernels() {
  return tables_of_all_levels<const UpdateKernels*>(
      [](SimdLevel level) { return HOTROW_TABLE_FOR(level, update_table); });
}

}  // namespace hotrow

#endif  // HWY_ONCE
