// The CPU's caches under test.
#include "cuda/host_device.h"
#include "cuda/subject_on.h"

namespace hotrow::test {

std::unique_ptr<Subject> host_subject(const CacheShape& shape, bool rising, unsigned threads) {
  const auto order = rising ? gpu::LaneOrder::kRising : gpu::LaneOrder::kFalling;
  const std::string what =
      std::to_string(threads) + (rising ? " threads, rising lanes" : " threads, falling lanes");
  return std::make_unique<SubjectOn<gpu::HostDevice>>(gpu::HostDevice(threads, order), shape, what);
}

}  // namespace hotrow::test
