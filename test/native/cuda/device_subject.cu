// The device's caches under test.
#include <cstdio>

#include "cuda/push_cuda.h"
#include "cuda/ring_on.h"
#include "cuda/subject_on.h"

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

std::unique_ptr<RingSubject> device_ring() {
  return std::make_unique<RingOn<gpu::CudaDevice>>(gpu::CudaDevice(kDevice));
}

}  // namespace hotrow::test
