// A CUDA device. Every call says in one sentence what failed, with CUDA's own words. The device is
// made current by each call, which any thread may make.
#ifndef HOTROW_CUDA_CUDA_DEVICE_H_
#define HOTROW_CUDA_CUDA_DEVICE_H_

#include <cuda_runtime.h>

#include <algorithm>
#include <cstring>
#include <cub/device/device_radix_sort.cuh>
#include <cub/device/device_scan.cuh>
#include <string>

#include "cuda/tile.h"
#include "hotrow/status.h"
#include "store/tier.h"

namespace hotrow::gpu {

/// The one shell of all kernels: each tile of W threads does one piece of work.
inline constexpr unsigned kBlockThreads = 256;
template <class Kernel>
__global__ void __launch_bounds__(kBlockThreads)
    run_tiles(const __grid_constant__ Kernel kernel, uint64_t tiles) {
  const uint64_t number =
      (uint64_t{blockIdx.x} * kBlockThreads + threadIdx.x) / Kernel::kWidth;
  if (number < tiles) kernel(DeviceTile<Kernel::kWidth>(), number);
}

class CudaDevice {
 public:
  using Stream = cudaStream_t;
  static constexpr bool kOnDevice = true;

  explicit CudaDevice(int number) : number_(number) {}

  Status describe(TierDevice& out) const {
    out = {};
    int count = 0;
    if (Status status = check("counting devices", cudaGetDeviceCount(&count)); !status.ok()) {
      return status;
    }
    if (number_ >= count) {
      return Status::not_found("there is no device " + std::to_string(number_) + ": this machine has " +
                               std::to_string(count));
    }
    cudaDeviceProp found{};
    size_t free = 0;
    size_t total = 0;
    Status status = current();
    if (status.ok()) status = check("device properties", cudaGetDeviceProperties(&found, number_));
    if (status.ok()) status = check("device memory", cudaMemGetInfo(&free, &total));
    int driver = 0;
    if (status.ok()) status = check("driver version", cudaDriverGetVersion(&driver));
    if (!status.ok()) return status;
    std::strncpy(out.name, found.name, sizeof out.name - 1);
    out.compute_major = static_cast<uint32_t>(found.major);
    out.compute_minor = static_cast<uint32_t>(found.minor);
    out.driver_version = static_cast<uint32_t>(driver);
    out.multiprocessors = static_cast<uint32_t>(found.multiProcessorCount);
    out.memory_bytes = total;
    out.free_bytes = free;
    return {};
  }

  Result<void*> allocate(size_t bytes) {
    void* memory = nullptr;
    Status status = current();
    if (status.ok()) status = check_memory(bytes, cudaMalloc(&memory, std::max<size_t>(bytes, 1)));
    if (!status.ok()) return status;
    return memory;
  }
  void free(void* memory) {
    if (current().ok()) (void)cudaFree(memory);
  }
  Result<void*> allocate_pinned(size_t bytes) {
    void* memory = nullptr;
    Status status = current();
    if (status.ok()) {
      status = check_memory(bytes, cudaMallocHost(&memory, std::max<size_t>(bytes, 1)));
    }
    if (!status.ok()) return status;
    return memory;
  }
  void free_pinned(void* memory) { (void)cudaFreeHost(memory); }

  Status copy_in(void* to, const void* from, size_t bytes, Stream stream) {
    return move(to, from, bytes, cudaMemcpyHostToDevice, stream);
  }
  Status copy_out(void* to, const void* from, size_t bytes, Stream stream) {
    return move(to, from, bytes, cudaMemcpyDeviceToHost, stream);
  }
  Status fill(void* to, int byte, size_t bytes, Stream stream) {
    if (Status status = current(); !status.ok()) return status;
    return check("filling memory", cudaMemsetAsync(to, byte, bytes, stream));
  }
  Status wait(Stream stream) {
    if (Status status = current(); !status.ok()) return status;
    return check("work on the device", cudaStreamSynchronize(stream));
  }
  Result<Stream> stream() {
    Stream stream = nullptr;
    Status status = current();
    if (status.ok()) {
      status = check("making a stream", cudaStreamCreateWithFlags(&stream, cudaStreamNonBlocking));
    }
    if (!status.ok()) return status;
    return stream;
  }
  void end(Stream stream) { (void)cudaStreamDestroy(stream); }

  template <class Kernel>
  Status launch(const Kernel& kernel, uint64_t tiles, Stream stream) {
    if (tiles == 0) return {};
    if (Status status = current(); !status.ok()) return status;
    constexpr uint64_t kTilesPerBlock = kBlockThreads / Kernel::kWidth;
    const auto blocks = static_cast<unsigned>((tiles + kTilesPerBlock - 1) / kTilesPerBlock);
    run_tiles<<<blocks, kBlockThreads, 0, stream>>>(kernel, tiles);
    return check("starting a kernel", cudaGetLastError());
  }

  /// The scratch holds the sorted copy, then CUB's own.
  Status sort_pairs(uint32_t* keys, uint32_t* values, uint64_t n, void* scratch, Stream stream) {
    if (Status status = current(); !status.ok()) return status;
    auto* const copies = static_cast<uint32_t*>(scratch);
    const size_t each = rounded(n * sizeof(uint32_t));
    auto* const other_values = reinterpret_cast<uint32_t*>(static_cast<std::byte*>(scratch) + each);
    cub::DoubleBuffer<uint32_t> sorted_keys(keys, copies);
    cub::DoubleBuffer<uint32_t> sorted_values(values, other_values);
    size_t bytes = cub_bytes(n);
    Status status = check(
        "sorting", cub::DeviceRadixSort::SortPairs(static_cast<std::byte*>(scratch) + 2 * each, bytes,
                                                   sorted_keys, sorted_values,
                                                   static_cast<int64_t>(n), 0, 32, stream));
    if (status.ok() && sorted_keys.Current() != keys) {
      status = move(keys, sorted_keys.Current(), n * sizeof *keys, cudaMemcpyDeviceToDevice, stream);
    }
    if (status.ok() && sorted_values.Current() != values) {
      status = move(values, sorted_values.Current(), n * sizeof *values, cudaMemcpyDeviceToDevice,
                    stream);
    }
    return status;
  }
  Status running_sums(const uint32_t* from, uint32_t* to, uint64_t n, void* scratch,
                      Stream stream) {
    if (Status status = current(); !status.ok()) return status;
    size_t bytes = scratch_bytes(n);
    return check("running sums", cub::DeviceScan::ExclusiveSum(scratch, bytes, from, to,
                                                               static_cast<int64_t>(n), stream));
  }
  static size_t scratch_bytes(uint64_t n) {
    return 2 * rounded(n * sizeof(uint32_t)) + cub_bytes(n);
  }

  static Status check(const char* what, cudaError_t error) {
    if (error == cudaSuccess) return {};
    const std::string words = cudaGetErrorString(error);
    return {StatusCode::kInternal, std::string(what) + ": " + words};
  }

 private:
  Status current() const { return check("choosing the device", cudaSetDevice(number_)); }
  static Status check_memory(size_t bytes, cudaError_t error) {
    if (error == cudaErrorMemoryAllocation) {
      (void)cudaGetLastError();
      return Status::capacity("the device has no " + std::to_string(bytes) + " bytes left");
    }
    return check("allocating memory", error);
  }
  Status move(void* to, const void* from, size_t bytes, cudaMemcpyKind kind, Stream stream) {
    if (bytes == 0) return {};
    if (Status status = current(); !status.ok()) return status;
    return check("copying", cudaMemcpyAsync(to, from, bytes, kind, stream));
  }
  static size_t rounded(size_t bytes) { return (bytes + 255) / 256 * 256; }
  static size_t cub_bytes(uint64_t n) {
    cub::DoubleBuffer<uint32_t> none;
    size_t sorting = 0;
    (void)cub::DeviceRadixSort::SortPairs(nullptr, sorting, none, none, static_cast<int64_t>(n));
    size_t summing = 0;
    (void)cub::DeviceScan::ExclusiveSum(nullptr, summing, static_cast<uint32_t*>(nullptr),
                                        static_cast<uint32_t*>(nullptr), static_cast<int64_t>(n));
    return rounded(std::max(sorting, summing));
  }

  int number_;
};

}  // namespace hotrow::gpu

#endif  // HOTROW_CUDA_CUDA_DEVICE_H_
