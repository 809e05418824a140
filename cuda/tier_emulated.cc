// The library of store/tier.h whose device is the CPU: what the cache of a GPU answers, on machines
// without one. For tests; slower than no cache.
#include "cuda/host_device.h"
#include "cuda/tier-inl.h"

// Declared here: the library has no other symbol, and no header.
extern "C" __attribute__((visibility("default"))) const hotrow::TierApi* hotrow_tier_api();

const hotrow::TierApi* hotrow_tier_api() {
  using hotrow::gpu::HostDevice;
  return hotrow::gpu::Api<HostDevice>::make(
      [](uint32_t) { return std::make_unique<HostDevice>(); });
}
