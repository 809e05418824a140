// Memory of a device, and memory of the host that it reads and writes fast ("pinned"), each freed
// with its owner.
#ifndef HOTROW_CUDA_MEMORY_H_
#define HOTROW_CUDA_MEMORY_H_

#include <cstddef>
#include <utility>
#include <vector>

#include "hotrow/status.h"

namespace hotrow::gpu {

/// The device must outlive it.
template <class Device, bool kPinned = false>
class Buffer {
 public:
  Buffer() = default;
  Buffer(Buffer&& other) noexcept { *this = std::move(other); }
  Buffer& operator=(Buffer&& other) noexcept {
    std::swap(device_, other.device_);
    std::swap(data_, other.data_);
    return *this;
  }
  ~Buffer() {
    if (data_ == nullptr) return;
    if constexpr (kPinned) {
      device_->free_pinned(data_);
    } else {
      device_->free(data_);
    }
  }

  /// ERR_CAPACITY when there is no room.
  static Result<Buffer> create(Device& device, size_t bytes) {
    auto memory = kPinned ? device.allocate_pinned(bytes) : device.allocate(bytes);
    if (!memory.ok()) return memory.status();
    Buffer buffer;
    buffer.device_ = &device;
    buffer.data_ = memory.value();
    return Result<Buffer>(std::move(buffer));
  }

  void* data() const { return data_; }
  template <class T>
  T* as() const {
    return static_cast<T*>(data_);
  }

 private:
  Device* device_ = nullptr;
  void* data_ = nullptr;
};

template <class Device>
using PinnedBuffer = Buffer<Device, true>;

}  // namespace hotrow::gpu

#endif  // HOTROW_CUDA_MEMORY_H_
