// The device of a translation unit: CUDA's where nvcc compiles it, the CPU otherwise. The sources
// here are compiled once for each, in a namespace of each; on the CPU they check and time nothing.
#ifndef HOTROW_BENCH_GPU_EXECUTOR_H_
#define HOTROW_BENCH_GPU_EXECUTOR_H_

#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <functional>
#include <string>
#include <vector>

#include "cuda/memory.h"
#include "cuda/tile.h"
#include "hotrow/status.h"
#include "options.h"
#include "report.h"

#ifdef __CUDACC__
#include "cuda/cuda_device.h"
#define HOTROW_EXECUTOR on_cuda
#else
#include "cuda/host_device.h"
#define HOTROW_EXECUTOR on_host
#endif

namespace hotrow::bench::HOTROW_EXECUTOR {

#ifdef __CUDACC__
using Device = gpu::CudaDevice;
#else
using Device = gpu::HostDevice;
#endif
using Stream = Device::Stream;

/// Work on a device that failed has spoilt everything after it.
inline void must(const Status& status) {
  if (status.ok()) return;
  std::fprintf(stderr, "hotrow_bench_gpu: %s\n", status.message().c_str());
  std::exit(1);
}
template <class T>
T must(Result<T> result) {
  must(result.status());
  return std::move(result).value();
}

/// n values on the device; pinned ones on the host.
template <class T, bool kPinned = false>
class Array {
 public:
  Array() = default;
  Array(Device& device, uint64_t n)
      : n_(n), memory_(must(gpu::Buffer<Device, kPinned>::create(device, n * sizeof(T)))) {}
  T* data() const { return memory_.template as<T>(); }
  uint64_t size() const { return n_; }
  uint64_t bytes() const { return n_ * sizeof(T); }

 private:
  uint64_t n_ = 0;
  gpu::Buffer<Device, kPinned> memory_;
};
template <class T>
using PinnedArray = Array<T, true>;

/// Of one operation, started on a stream.
using Work = std::function<Status(uint32_t repeat)>;

#ifdef __CUDACC__

/// Events around each repeat; nothing waits between repeats, so that launches run ahead.
class Clock {
 public:
  explicit Clock(Stream stream) : stream_(stream) {}
  ~Clock() {
    for (cudaEvent_t event : events_) (void)cudaEventDestroy(event);
  }
  Clock(const Clock&) = delete;
  Clock& operator=(const Clock&) = delete;

  static constexpr uint32_t kWarmUps = 20;

  Times time(uint32_t repeats, const Work& work, const Work& prepare = nullptr,
             uint32_t warm_ups = kWarmUps) {
    while (events_.size() < 2 * size_t{repeats}) {
      cudaEvent_t event = nullptr;
      must(Device::check("making an event", cudaEventCreate(&event)));
      events_.push_back(event);
    }
    for (uint32_t i = 0; i < warm_ups + repeats; ++i) {
      if (prepare) must(prepare(i));
      if (i >= warm_ups) record(2 * (i - warm_ups));
      must(work(i));
      if (i >= warm_ups) record(2 * (i - warm_ups) + 1);
    }
    must(Device::check("work on the device", cudaStreamSynchronize(stream_)));
    std::vector<double> samples(repeats);
    for (uint32_t i = 0; i < repeats; ++i) {
      float ms = 0;
      must(Device::check("reading events",
                         cudaEventElapsedTime(&ms, events_[2 * i], events_[2 * i + 1])));
      samples[i] = ms * 1e3;
    }
    return Times::of(std::move(samples));
  }

 private:
  void record(uint32_t event) {
    must(Device::check("recording an event", cudaEventRecord(events_[event], stream_)));
  }

  Stream stream_;
  std::vector<cudaEvent_t> events_;
};

#else

/// Runs the work twice and claims no time.
class Clock {
 public:
  explicit Clock(Stream /*stream*/) {}
  static constexpr uint32_t kWarmUps = 1;
  Times time(uint32_t /*repeats*/, const Work& work, const Work& prepare = nullptr,
             uint32_t /*warm_ups*/ = kWarmUps) {
    for (uint32_t i = 0; i < 2; ++i) {
      if (prepare) must(prepare(i));
      must(work(i));
    }
    return {};
  }
};

#endif

/// What every command works with.
struct Bench {
  const Settings& settings;
  Report& report;
  Device& device;
  Stream stream;
  Clock& clock;

  template <class T>
  Array<T> array(uint64_t n) {
    return Array<T>(device, n);
  }
  template <class Kernel>
  void run(const Kernel& kernel, uint64_t tiles) {
    must(device.launch(kernel, tiles, stream));
  }
  template <class T>
  std::vector<T> read(const T* from, uint64_t n) {
    std::vector<T> values(n);
    must(device.copy_out(values.data(), from, n * sizeof(T), stream));
    must(device.wait(stream));
    return values;
  }
  template <class T>
  void write(T* to, const std::vector<T>& values) {
    must(device.copy_in(to, values.data(), values.size() * sizeof(T), stream));
    must(device.wait(stream));
  }
  /// Wall-clock microseconds of work that waits for itself.
  Times wall(uint32_t repeats, const std::function<void(uint32_t)>& work) const {
    std::vector<double> samples;
    for (uint32_t i = 0; i < repeats; ++i) {
      const auto start = std::chrono::steady_clock::now();
      work(i);
      const std::chrono::duration<double, std::micro> took =
          std::chrono::steady_clock::now() - start;
      samples.push_back(took.count());
    }
    return Device::kOnDevice ? Times::of(std::move(samples)) : Times{};
  }
};

inline uint64_t tiles32(uint64_t n) { return (n + 31) / 32; }

}  // namespace hotrow::bench::HOTROW_EXECUTOR

#endif  // HOTROW_BENCH_GPU_EXECUTOR_H_
