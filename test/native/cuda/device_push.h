// Cache<CudaDevice>::push for the tests: the kernels of a family of rules are instantiated in a
// file of its own, so that nvcc compiles them side by side.
#ifndef HOTROW_TEST_CUDA_DEVICE_PUSH_H_
#define HOTROW_TEST_CUDA_DEVICE_PUSH_H_

#include "cuda/cuda_device.h"
#include "cuda/push.h"

namespace hotrow::test {

struct PushCall {
  gpu::CudaDevice& device;
  OptimizerKind kind;
  ValueType type;
  Rounding rounding;
  const gpu::PushTask& task;
  cudaStream_t stream;
};

/// Starts the kernel when the rule is one of kKinds; is it?
template <OptimizerKind... kKinds>
bool push_one_of(const PushCall& call, Status& status) {
  const auto start = [&](auto kind) {
    status = gpu::with_pushed_values(call.type, call.rounding, [&](auto type, auto rounding) {
      return call.device.launch(gpu::Push<decltype(kind)::value, decltype(type)::value,
                                          decltype(rounding)::value>{call.task},
                                call.task.n, call.stream);
    });
    return true;
  };
  return ((call.kind == kKinds && start(gpu::Constant<kKinds>())) || ...);
}

bool push_momentum(const PushCall& call, Status& status);
bool push_adagrad(const PushCall& call, Status& status);
bool push_adam(const PushCall& call, Status& status);
bool push_ftrl(const PushCall& call, Status& status);

}  // namespace hotrow::test

namespace hotrow::gpu {

template <>
Status push_rows<CudaDevice>(CudaDevice& device, OptimizerKind kind, ValueType type,
                             Rounding rounding, const PushTask& task, cudaStream_t stream);

}  // namespace hotrow::gpu

#endif  // HOTROW_TEST_CUDA_DEVICE_PUSH_H_
