// Stands for device_subject.cu where tests are built without nvcc.
#include "cuda/ring_subject.h"
#include "cuda/subject.h"

namespace hotrow::test {

const DeviceFound& device_found() {
  static const DeviceFound found{.yes = false,
                                 .words = "skipped (hotrow_gpu_tests has the device's tests)"};
  return found;
}

std::unique_ptr<Subject> device_subject(const CacheShape& /*shape*/) { return nullptr; }

std::unique_ptr<RingSubject> device_ring() { return nullptr; }

}  // namespace hotrow::test
