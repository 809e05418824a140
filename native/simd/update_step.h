// The constants of one optimizer step, as kernels read them, on the CPU and on a device.
#ifndef HOTROW_SIMD_UPDATE_STEP_H_
#define HOTROW_SIMD_UPDATE_STEP_H_

#include <cstdint>

namespace hotrow {

/// What is done to a row in one step.
enum class RowWay : uint8_t {
  kDirect,    ///< the rule runs on the summed gradient
  kPrepared,  ///< the gradient is clipped or decayed first
  kFrozen,    ///< nothing
};

/// The constants of one optimizer step, the same for every row of a group in a call.
struct UpdateStep {
  float learning_rate = 0;
  float epsilon = 0;
  float beta1 = 0;
  float beta2 = 0;
  float one_minus_beta1 = 0;
  float one_minus_beta2 = 0;
  float adam_rate = 0;             // learning_rate / (1 - beta1^t)
  float adam_root_correction = 0;  // sqrt(1 - beta2^t)
  float beta = 0;
  float l1 = 0;
  float l2 = 0;
  float l21 = 0;
  float momentum = 0;
  float rho = 0;
  float one_minus_rho = 0;
  float decay_rate = 0;
  float decays = 0;             // floor(t / decay_steps), at most 2^24
  float least_accumulator = 0;  // initial_accumulator
  float trust = 0;
  float mean_scale = 0;    // 1 / (1 - beta1^t)
  float weight_decay = 0;  // of rules that decay the row themselves
  float kept_share = 1;    // 1 - learning_rate * weight_decay, of the same rules
  float added_decay = 0;   // of the other rules: added_decay * w is added to the gradient
  float clip_value = 0;
  float clip_norm = 0;
  RowWay way = RowWay::kDirect;
};

}  // namespace hotrow

#endif  // HOTROW_SIMD_UPDATE_STEP_H_
