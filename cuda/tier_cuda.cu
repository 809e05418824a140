// The library of store/tier.h for CUDA devices.
#include "cuda/cuda_device.h"
#include "cuda/push_cuda.h"
#include "cuda/tier-inl.h"

extern "C" __attribute__((visibility("default"))) const hotrow::TierApi* hotrow_tier_api();

const hotrow::TierApi* hotrow_tier_api() {
  using hotrow::gpu::CudaDevice;
  return hotrow::gpu::Api<CudaDevice>::make(
      [](uint32_t number) { return std::make_unique<CudaDevice>(static_cast<int>(number)); });
}
