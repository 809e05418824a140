// The CPU as a device: tiles run one after the other, or on several threads, each thread a lane
// order of its own choice. For tests on machines without a GPU, and for the emulated library.
#ifndef HOTROW_CUDA_HOST_DEVICE_H_
#define HOTROW_CUDA_HOST_DEVICE_H_

#include <algorithm>
#include <cstdlib>
#include <cstring>
#include <numeric>
#include <thread>
#include <vector>

#include "cuda/tile.h"
#include "hotrow/status.h"
#include "store/tier.h"

namespace hotrow::gpu {

class HostDevice {
 public:
  /// What work is ordered by; here everything is done when a call returns.
  struct Stream {};
  static constexpr bool kOnDevice = false;

  explicit HostDevice(unsigned threads = 1, LaneOrder order = LaneOrder::kRising,
                      uint64_t memory_bytes = uint64_t{1} << 32)
      : threads_(threads), order_(order), memory_bytes_(memory_bytes) {}

  Status describe(TierDevice& out) const {
    out = {};
    std::strncpy(out.name, "emulated by the CPU", sizeof out.name - 1);
    out.memory_bytes = out.free_bytes = memory_bytes_;
    return {};
  }

  /// 256-byte aligned. Poisoned: what is not written must not be read.
  Result<void*> allocate(size_t bytes) {
    const size_t whole = (std::max<size_t>(bytes, 1) + 255) / 256 * 256;
    void* const memory = whole <= memory_bytes_ ? std::aligned_alloc(256, whole) : nullptr;
    if (memory == nullptr) {
      return Status::capacity("the device has no " + std::to_string(bytes) + " bytes left");
    }
    std::memset(memory, 0xa5, whole);
    return memory;
  }
  void free(void* memory) { std::free(memory); }
  /// Memory of the host that the device reads and writes fast.
  Result<void*> allocate_pinned(size_t bytes) { return allocate(bytes); }
  void free_pinned(void* memory) { free(memory); }

  Status copy_in(void* to, const void* from, size_t bytes, Stream) { return copy(to, from, bytes); }
  Status copy_out(void* to, const void* from, size_t bytes, Stream) {
    return copy(to, from, bytes);
  }
  Status fill(void* to, int byte, size_t bytes, Stream) {
    std::memset(to, byte, bytes);
    return {};
  }
  Status wait(Stream) { return {}; }
  Result<Stream> stream() { return Stream(); }
  void end(Stream) {}

  /// Runs kernel(tile, i) for i below `tiles`.
  template <class Kernel>
  Status launch(const Kernel& kernel, uint64_t tiles, Stream) {
    if (order_ == LaneOrder::kRising) {
      run<HostTile<Kernel::kWidth, LaneOrder::kRising>>(kernel, tiles);
    } else {
      run<HostTile<Kernel::kWidth, LaneOrder::kFalling>>(kernel, tiles);
    }
    return {};
  }

  /// Sorts pairs by their key, equal ones in their order. `scratch` as scratch_bytes() asks.
  Status sort_pairs(uint32_t* keys, uint32_t* values, uint64_t n, void* /*scratch*/, Stream) {
    std::vector<uint32_t> order(n);
    std::iota(order.begin(), order.end(), 0U);
    std::stable_sort(order.begin(), order.end(),
                     [&](uint32_t a, uint32_t b) { return keys[a] < keys[b]; });
    std::vector<uint32_t> sorted(n);
    for (uint64_t i = 0; i < n; ++i) sorted[i] = keys[order[i]];
    std::copy(sorted.begin(), sorted.end(), keys);
    for (uint64_t i = 0; i < n; ++i) sorted[i] = values[order[i]];
    std::copy(sorted.begin(), sorted.end(), values);
    return {};
  }
  /// to [n] = sums of what stands before in from [n].
  Status running_sums(const uint32_t* from, uint32_t* to, uint64_t n, void* /*scratch*/, Stream) {
    std::exclusive_scan(from, from + n, to, 0U);
    return {};
  }
  /// What sort_pairs() and running_sums() of up to n need.
  static size_t scratch_bytes(uint64_t /*n*/) { return 1; }

 private:
  static Status copy(void* to, const void* from, size_t bytes) {
    if (bytes != 0) std::memcpy(to, from, bytes);
    return {};
  }
  template <class Tile, class Kernel>
  void run(const Kernel& kernel, uint64_t tiles) const {
    const auto part = [&](uint64_t first, uint64_t last) {
      for (uint64_t i = first; i < last; ++i) kernel(Tile(), i);
    };
    const uint64_t threads = std::min<uint64_t>(threads_, tiles);
    if (threads <= 1) return part(0, tiles);
    std::vector<std::thread> workers;
    for (uint64_t t = 0; t < threads; ++t) {
      workers.emplace_back(part, tiles * t / threads, tiles * (t + 1) / threads);
    }
    for (auto& worker : workers) worker.join();
  }

  unsigned threads_;
  LaneOrder order_;
  uint64_t memory_bytes_;
};

}  // namespace hotrow::gpu

#endif  // HOTROW_CUDA_HOST_DEVICE_H_
