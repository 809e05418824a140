// The way between the host's memory and a device's: a few stages, each a stream with pinned arrays
// of the host and arrays of the device, for some rows at a time. A call borrows one, or a ring of
// them, so that one chunk of a batch is copied while the next is worked on.
#ifndef HOTROW_CUDA_STAGING_H_
#define HOTROW_CUDA_STAGING_H_

#include <algorithm>
#include <array>
#include <memory>
#include <vector>

#include "base/sync.h"
#include "cuda/cache.h"
#include "cuda/memory.h"

namespace hotrow::gpu {

/// Arrays for `rows` rows, the same on both sides.
struct StageArrays {
  uint64_t* keys;
  std::byte* values;  // at value_stride
  std::byte* state;   // at state_stride
  float* in;          // [rows, dim] gradients, or rows that missed
  float* out;         // [rows, dim] looked up, or pooled
  uint64_t* random;
  float* weights;
  uint32_t* uses;
  uint32_t* handles;
  uint32_t* misses;
  uint32_t* offsets;  // [rows + 1]
  TierWish* wishes;
  uint8_t* step_of;
  uint32_t* count;
  uint64_t* wide_count;
  Counters* counters;
  uint64_t* evicted_keys;
  std::byte* evicted_values;
  std::byte* evicted_state;

  RowList rows() const { return {keys, values, state}; }
  RowList evicted() const { return {evicted_keys, evicted_values, evicted_state}; }
  MissList miss_list() const { return {misses, count}; }
};

/// What only the device has.
struct StageScratch {
  uint32_t* buckets;
  uint32_t* order;
  void* sorting;
};

/// Cuts arrays from one piece of memory; from none, it only counts.
class Carver {
 public:
  explicit Carver(std::byte* memory) : memory_(memory) {}
  template <class T>
  void cut(T*& array, uint64_t count) {
    array = memory_ == nullptr ? nullptr : reinterpret_cast<T*>(memory_ + used_);
    used_ += (count * sizeof(T) + 255) / 256 * 256;
  }
  uint64_t used() const { return used_; }

 private:
  std::byte* memory_;
  uint64_t used_ = 0;
};

template <class Device>
struct Stage {
  StageArrays host = {};
  StageArrays device = {};
  StageScratch scratch = {};
  typename Device::Stream stream = {};
  Buffer<Device> device_memory;
  PinnedBuffer<Device> host_memory;
};

inline void cut_stage(Carver& carver, const CacheView& shape, uint64_t rows, StageArrays& arrays) {
  carver.cut(arrays.keys, rows);
  carver.cut(arrays.values, rows * shape.value_stride);
  carver.cut(arrays.state, rows * shape.state_stride);
  carver.cut(arrays.in, rows * shape.dim);
  carver.cut(arrays.out, rows * shape.dim);
  carver.cut(arrays.random, rows);
  carver.cut(arrays.weights, rows);
  carver.cut(arrays.uses, rows);
  carver.cut(arrays.handles, rows);
  carver.cut(arrays.misses, rows);
  carver.cut(arrays.offsets, rows + 1);
  carver.cut(arrays.wishes, rows);
  carver.cut(arrays.step_of, rows);
  carver.cut(arrays.count, 1);
  carver.cut(arrays.wide_count, 1);
  carver.cut(arrays.counters, kCounterStripes);
  carver.cut(arrays.evicted_keys, rows);
  carver.cut(arrays.evicted_values, rows * shape.value_stride);
  carver.cut(arrays.evicted_state, rows * shape.state_stride);
}
template <class Device>
void cut_scratch(Carver& carver, uint64_t rows, StageScratch& scratch) {
  carver.cut(scratch.buckets, rows);
  carver.cut(scratch.order, rows);
  std::byte* sorting = nullptr;
  carver.cut(sorting, Device::scratch_bytes(rows));
  scratch.sorting = sorting;
}

/// Bytes of the device that a stage of so many rows takes; `shape` is a view without memory.
template <class Device>
uint64_t stage_bytes(const CacheView& shape, uint64_t rows) {
  Carver carver(nullptr);
  StageArrays arrays;
  StageScratch scratch;
  cut_stage(carver, shape, rows, arrays);
  cut_scratch<Device>(carver, rows, scratch);
  return carver.used();
}

/// The stages of a cache; borrowed by any thread.
template <class Device>
class Stages {
 public:
  static constexpr size_t kStages = 3;

  Stages(Device& device, const CacheView& shape, uint64_t rows)
      : device_(device), shape_(shape), rows_(rows) {}
  ~Stages() {
    for (Stage<Device>& stage : stages_) {
      if (stage.device_memory.data() != nullptr) device_.end(stage.stream);
    }
  }
  Stages(const Stages&) = delete;
  Stages& operator=(const Stages&) = delete;

  /// Must succeed before anything else.
  Status allocate() HOTROW_EXCLUDES(mutex_) {
    const MutexLock lock(mutex_);
    for (Stage<Device>& stage : stages_) {
      const uint64_t bytes = stage_bytes<Device>(shape_, rows_);
      auto pinned = PinnedBuffer<Device>::create(device_, bytes);
      if (!pinned.ok()) return pinned.status();
      stage.host_memory = std::move(pinned).value();
      auto stream = device_.stream();
      if (!stream.ok()) return stream.status();
      stage.stream = stream.value();
      auto memory = Buffer<Device>::create(device_, bytes);
      if (!memory.ok()) {
        device_.end(stage.stream);
        return memory.status();
      }
      stage.device_memory = std::move(memory).value();
      Carver on_host(stage.host_memory.template as<std::byte>());
      cut_stage(on_host, shape_, rows_, stage.host);
      Carver on_device(stage.device_memory.template as<std::byte>());
      cut_stage(on_device, shape_, rows_, stage.device);
      cut_scratch<Device>(on_device, rows_, stage.scratch);
      free_.push_back(&stage);
    }
    return {};
  }

  uint64_t rows() const { return rows_; }
  Device& device() const { return device_; }
  /// Of the device.
  uint64_t bytes() const { return kStages * stage_bytes<Device>(shape_, rows_); }

  /// Waits for one; then takes more, up to `wanted`, as far as they are free.
  std::vector<Stage<Device>*> borrow(size_t wanted) HOTROW_EXCLUDES(mutex_) {
    MutexLock lock(mutex_);
    while (free_.empty()) returned_.wait(mutex_);
    std::vector<Stage<Device>*> taken;
    while (!free_.empty() && taken.size() < std::max<size_t>(wanted, 1)) {
      taken.push_back(free_.back());
      free_.pop_back();
    }
    return taken;
  }
  void give_back(const std::vector<Stage<Device>*>& stages) HOTROW_EXCLUDES(mutex_) {
    {
      const MutexLock lock(mutex_);
      free_.insert(free_.end(), stages.begin(), stages.end());
    }
    returned_.notify_all();
  }

 private:
  Device& device_;
  const CacheView shape_;
  const uint64_t rows_;
  std::array<Stage<Device>, kStages> stages_;
  Mutex mutex_;
  CondVar returned_;
  std::vector<Stage<Device>*> free_ HOTROW_GUARDED_BY(mutex_);
};

/// A ring of borrowed stages, each with a chunk of a batch under way or none.
template <class Device>
class StageRing {
 public:
  StageRing(Stages<Device>& stages, uint64_t rows)
      : stages_(stages),
        chunk_(stages.rows()),
        rows_(rows),
        ring_(stages.borrow(static_cast<size_t>((rows + chunk_ - 1) / chunk_))) {}
  ~StageRing() {
    // A chunk that failed may still be worked on.
    for (Stage<Device>* stage : ring_) (void)stages_.device().wait(stage->stream);
    stages_.give_back(ring_);
  }
  StageRing(const StageRing&) = delete;
  StageRing& operator=(const StageRing&) = delete;

  /// Calls start(stage, first, n) for every chunk, and finish(stage, first, n) in the same order,
  /// when its work is done.
  template <class Start, class Finish>
  Status run(const Start& start, const Finish& finish) {
    uint64_t finished = 0;
    const uint64_t depth = ring_.size() * chunk_;
    for (uint64_t first = 0; first < rows_ || finished < rows_;) {
      if (first < rows_ && first < finished + depth) {
        HOTROW_RETURN_IF_ERROR(start(stage_of(first), first, size_of(first)));
        first += chunk_;
        continue;
      }
      HOTROW_RETURN_IF_ERROR(stages_.device().wait(stage_of(finished).stream));
      HOTROW_RETURN_IF_ERROR(finish(stage_of(finished), finished, size_of(finished)));
      finished += chunk_;
    }
    return {};
  }

 private:
  Stage<Device>& stage_of(uint64_t first) { return *ring_[first / chunk_ % ring_.size()]; }
  uint64_t size_of(uint64_t first) const { return std::min(chunk_, rows_ - first); }

  Stages<Device>& stages_;
  const uint64_t chunk_;
  const uint64_t rows_;
  const std::vector<Stage<Device>*> ring_;
};

}  // namespace hotrow::gpu

#endif  // HOTROW_CUDA_STAGING_H_
