// Sorting and running sums on a CUDA device, by CUB. Alone in a file: its kernels take longest to
// compile.
#include <algorithm>
#include <cub/device/device_radix_sort.cuh>
#include <cub/device/device_scan.cuh>

#include "cuda/cuda_device.h"

namespace hotrow::gpu {

namespace {

size_t rounded(size_t bytes) { return (bytes + 255) / 256 * 256; }

size_t cub_bytes(uint64_t n) {
  cub::DoubleBuffer<uint32_t> none;
  size_t sorting = 0;
  (void)cub::DeviceRadixSort::SortPairs(nullptr, sorting, none, none, static_cast<int64_t>(n));
  size_t summing = 0;
  (void)cub::DeviceScan::ExclusiveSum(nullptr, summing, static_cast<uint32_t*>(nullptr),
                                      static_cast<uint32_t*>(nullptr), static_cast<int64_t>(n));
  return rounded(std::max(sorting, summing));
}

}  // namespace

// The scratch holds the sorted copies, then CUB's own.
Status CudaDevice::sort_pairs(uint32_t* keys, uint32_t* values, uint64_t n, void* scratch,
                              Stream stream) {
  HOTROW_RETURN_IF_ERROR(current());
  auto* const bytes = static_cast<std::byte*>(scratch);
  const size_t each = rounded(n * sizeof(uint32_t));
  cub::DoubleBuffer<uint32_t> sorted_keys(keys, reinterpret_cast<uint32_t*>(bytes));
  cub::DoubleBuffer<uint32_t> sorted_values(values, reinterpret_cast<uint32_t*>(bytes + each));
  size_t cub = cub_bytes(n);
  HOTROW_RETURN_IF_ERROR(check(
      "sorting", cub::DeviceRadixSort::SortPairs(bytes + 2 * each, cub, sorted_keys, sorted_values,
                                                 static_cast<int64_t>(n), 0, 32, stream)));
  if (sorted_keys.Current() != keys) {
    HOTROW_RETURN_IF_ERROR(
        move(keys, sorted_keys.Current(), n * sizeof *keys, cudaMemcpyDeviceToDevice, stream));
  }
  if (sorted_values.Current() == values) return {};
  return move(values, sorted_values.Current(), n * sizeof *values, cudaMemcpyDeviceToDevice,
              stream);
}

Status CudaDevice::running_sums(const uint32_t* from, uint32_t* to, uint64_t n, void* scratch,
                                Stream stream) {
  HOTROW_RETURN_IF_ERROR(current());
  size_t bytes = scratch_bytes(n);
  return check("running sums", cub::DeviceScan::ExclusiveSum(scratch, bytes, from, to,
                                                             static_cast<int64_t>(n), stream));
}

size_t CudaDevice::scratch_bytes(uint64_t n) {
  return 2 * rounded(n * sizeof(uint32_t)) + cub_bytes(n);
}

}  // namespace hotrow::gpu
