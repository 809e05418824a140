// A CUDA device. Every call says in one sentence what failed, with CUDA's own words. The device is
// made current by each call, which any thread may make.
#ifndef HOTROW_CUDA_CUDA_DEVICE_H_
#define HOTROW_CUDA_CUDA_DEVICE_H_

#include <cuda_runtime.h>

#include <algorithm>
#include <cstring>
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
  const uint64_t number = (uint64_t{blockIdx.x} * kBlockThreads + threadIdx.x) / Kernel::kWidth;
  if (number < tiles) kernel(DeviceTile<Kernel::kWidth>(), number);
}

class CudaDevice {
 public:
  using Stream = cudaStream_t;
  static constexpr bool kOnDevice = true;

  explicit CudaDevice(int number) : number_(number) {}

  Status describe(TierDevice& out) const {
    out = {};
    HOTROW_RETURN_IF_ERROR(check_driver());
    int count = 0;
    HOTROW_RETURN_IF_ERROR(check("counting devices", cudaGetDeviceCount(&count)));
    if (number_ >= count) {
      return Status::not_found("there is no device " + std::to_string(number_) +
                               ": this machine has " + std::to_string(count));
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

  // cuda_sort.cu; see HostDevice.
  Status sort_pairs(uint32_t* keys, uint32_t* values, uint64_t n, void* scratch, Stream stream);
  Status running_sums(const uint32_t* from, uint32_t* to, uint64_t n, void* scratch, Stream stream);
  static size_t scratch_bytes(uint64_t n);

  static Status check(const char* what, cudaError_t error) {
    if (error == cudaSuccess) return {};
    const std::string words = cudaGetErrorString(error);
    return {StatusCode::kInternal, std::string(what) + ": " + words};
  }

 private:
  /// CUDA calls a driver that is not there an old one.
  static Status check_driver() {
    int driver = 0;
    HOTROW_RETURN_IF_ERROR(check("driver version", cudaDriverGetVersion(&driver)));
    if (driver == 0) return Status::not_found("no CUDA driver is installed");
    if (driver / 1000 >= CUDART_VERSION / 1000) return {};
    return Status::not_found("the driver is for CUDA " + std::to_string(driver / 1000) +
                             ": this library needs one for CUDA " +
                             std::to_string(CUDART_VERSION / 1000));
  }
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
  int number_;
};

}  // namespace hotrow::gpu

#endif  // HOTROW_CUDA_CUDA_DEVICE_H_
