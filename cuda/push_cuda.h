// Pushes on CUDA devices: one file for each family of rules, so that they compile side by side and
// anew only when their rules change.
#ifndef HOTROW_CUDA_PUSH_CUDA_H_
#define HOTROW_CUDA_PUSH_CUDA_H_

#include "cuda/cuda_device.h"
#include "cuda/push.h"

namespace hotrow::gpu {

#define HOTROW_PUSH_FAMILY(name)                                                                \
  Status push_##name(CudaDevice& device, OptimizerKind kind, ValueType type, Rounding rounding, \
                     const PushTask& task, cudaStream_t stream)
HOTROW_PUSH_FAMILY(momentum);  // push_momentum.cu
HOTROW_PUSH_FAMILY(adagrad);   // push_adagrad.cu
HOTROW_PUSH_FAMILY(adam);      // push_adam.cu
HOTROW_PUSH_FAMILY(ftrl);      // push_ftrl.cu

template <>
inline Status push_rows(CudaDevice& device, OptimizerKind kind, ValueType type, Rounding rounding,
                        const PushTask& task, cudaStream_t stream) {
  switch (kind) {
    case OptimizerKind::kSgd:
    case OptimizerKind::kSum:
    case OptimizerKind::kMomentum:
    case OptimizerKind::kNesterov:
    case OptimizerKind::kLars:
    case OptimizerKind::kLion:
      return push_momentum(device, kind, type, rounding, task, stream);
    case OptimizerKind::kAdagrad:
    case OptimizerKind::kRowwiseAdagrad:
    case OptimizerKind::kAdagradDecay:
    case OptimizerKind::kRmsprop:
    case OptimizerKind::kAdadelta:
      return push_adagrad(device, kind, type, rounding, task, stream);
    case OptimizerKind::kAdam:
    case OptimizerKind::kAdamW:
    case OptimizerKind::kAmsgrad:
    case OptimizerKind::kAdamax:
    case OptimizerKind::kRowwiseAdam:
    case OptimizerKind::kLamb:
      return push_adam(device, kind, type, rounding, task, stream);
    case OptimizerKind::kFtrl:
    case OptimizerKind::kGroupFtrl:
      return push_ftrl(device, kind, type, rounding, task, stream);
  }
  return {StatusCode::kInternal, "gpu: no such rule"};
}

}  // namespace hotrow::gpu

#endif  // HOTROW_CUDA_PUSH_CUDA_H_
