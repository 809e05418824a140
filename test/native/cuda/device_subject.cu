// The device's caches under test.
#include <cstdio>

#include "cuda/device_push.h"
#include "cuda/subject_on.h"

namespace hotrow::gpu {

template <>
Status push_rows<CudaDevice>(CudaDevice& device, OptimizerKind kind, ValueType type,
                             Rounding rounding, const PushTask& task, cudaStream_t stream) {
  const test::PushCall call{device, kind, type, rounding, task, stream};
  Status status;
  if (test::push_momentum(call, status) || test::push_adagrad(call, status) ||
      test::push_adam(call, status) || test::push_ftrl(call, status)) {
    return status;
  }
  return Status::invalid_argument("the tests have no kernel of this rule");
}

}  // namespace hotrow::gpu

namespace hotrow::test {

namespace {

constexpr int kDevice = 0;

DeviceFound look() {
  TierDevice found;
  if (const Status status = gpu::CudaDevice(kDevice).describe(found); !status.ok()) {
    return {false, "skipped (" + status.message() + ")"};
  }
  return {true, "yes (" + std::string(found.name) + ", driver " +
                    std::to_string(found.driver_version / 1000) + "." +
                    std::to_string(found.driver_version % 1000 / 10) + ")"};
}

}  // namespace

const DeviceFound& device_found() {
  static const DeviceFound found = look();
  return found;
}

std::unique_ptr<Subject> device_subject(const CacheShape& shape) {
  return std::make_unique<SubjectOn<gpu::CudaDevice>>(gpu::CudaDevice(kDevice), shape, "device");
}

}  // namespace hotrow::test
