// StagedCache<Device>: a cache for callers in the host's memory, as store/tier.h describes it. Each
// call goes through the stages in chunks and returns when its work is done.
//
// A failure of the device is kept, and every later call answers with it.
#ifndef HOTROW_CUDA_STAGED_CACHE_H_
#define HOTROW_CUDA_STAGED_CACHE_H_

#include <atomic>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "base/sync.h"
#include "cuda/cache.h"
#include "cuda/scatter.h"
#include "cuda/staging.h"

namespace hotrow::gpu {

/// How a chunk's bytes went.
struct Traffic {
  std::atomic<uint64_t> in{0};  // statistics, publish nothing
  std::atomic<uint64_t> out{0};
};

template <class Device>
class StagedCache {
 public:
  static Result<std::unique_ptr<StagedCache>> create(std::unique_ptr<Device> device,
                                                     const TierSpec& spec);
  ~StagedCache() = default;

  /// Runs work() unless something failed before, and keeps its failure.
  template <class Work>
  Status run(const Work& work) HOTROW_EXCLUDES(mutex_) {
    {
      const MutexLock lock(mutex_);
      if (!failure_.ok()) return failure_;
    }
    Status status = work();
    if (!status.ok()) {
      const MutexLock lock(mutex_);
      if (failure_.ok()) failure_ = status;
    }
    return status;
  }

  // As the functions of TierApi; staged_lookup.h and staged_rows.h.
  Status lookup(const TierLookup& lookup, TierMisses& misses);
  Status lookup_to(const TierLookup& lookup, float* out, TierMisses& misses);
  Status fill_output(float* out, const uint32_t* positions, const float* rows, uint64_t n);
  Status find(const uint64_t* keys, uint64_t n, TierMisses& misses);
  Status pool(const TierPool& pool);
  Status read(const TierRows& rows, TierMisses& misses);
  Status insert(TierInsert& insert);
  Status push(const TierPush& push, TierMisses& misses);
  Status assign(const TierAssign& assign, TierMisses& misses);
  Status hold(TierHold& hold, TierMisses& misses);
  Status let_go();
  Status erase(const uint64_t* keys, uint64_t n);
  Status flush(TierRows& rows, uint64_t& from);
  Status clear();
  Status stats(TierStats& stats);

  Cache<Device>& cache() { return *cache_; }
  const Device& device() const { return *device_; }

 private:
  using Stage = gpu::Stage<Device>;
  using Ring = StageRing<Device>;
  struct PoolChunk;

  explicit StagedCache(std::unique_ptr<Device> device) : device_(std::move(device)) {}
  template <class T>
  Status copy_in(T* to, const T* from, uint64_t n, const Stage& stage) {
    traffic_.in.fetch_add(n * sizeof(T), std::memory_order_relaxed);
    return device_->copy_in(to, from, n * sizeof(T), stage.stream);
  }
  template <class T>
  Status copy_out(T* to, const T* from, uint64_t n, const Stage& stage) {
    traffic_.out.fetch_add(n * sizeof(T), std::memory_order_relaxed);
    return device_->copy_out(to, from, n * sizeof(T), stage.stream);
  }
  /// Copies the caller's array into the stage and up.
  template <class T>
  Status send(T* StageArrays::* array, const T* from, uint64_t n, Stage& stage) {
    std::copy_n(from, n, stage.host.*array);
    return copy_in(stage.device.*array, stage.host.*array, n, stage);
  }
  template <class T>
  Status fetch(T* StageArrays::* array, uint64_t n, Stage& stage) {
    return copy_out(stage.host.*array, stage.device.*array, n, stage);
  }
  Status begin_misses(Stage& stage) {
    return device_->fill(stage.device.count, 0, sizeof(uint32_t), stage.stream);
  }
  Status fetch_misses(uint64_t n, Stage& stage) {
    HOTROW_RETURN_IF_ERROR(fetch(&StageArrays::misses, n, stage));
    return fetch(&StageArrays::count, 1, stage);
  }
  /// Appends a chunk's misses, in rising order.
  static void take_misses(const Stage& stage, uint64_t first, TierMisses& misses) {
    const uint64_t count = *stage.host.count;
    std::sort(stage.host.misses, stage.host.misses + count);
    for (uint64_t i = 0; i < count; ++i) {
      misses.positions[misses.count++] = static_cast<uint32_t>(first + stage.host.misses[i]);
    }
  }
  uint64_t row_bytes() const { return value_bytes(cache_->spec().value_type, cache_->spec().dim); }
  bool has_state() const { return cache_->view().state_stride != 0; }
  Status send_rows(const TierRows& rows, uint64_t first, uint64_t n, Stage& stage);
  Status fetch_evicted(uint64_t count, Stage& stage);
  Status push_steps(const TierPush& push, uint64_t n, const Stage& stage);
  void unpack(const StageArrays& from, bool evicted, uint64_t n, const TierRows& to,
              uint64_t first) const;
  /// As lookup(), which also counts it.
  Status look_up(const TierLookup& lookup, TierMisses& misses);
  void count_lookups(uint64_t keys, uint64_t missed) {
    lookups_.fetch_add(keys, std::memory_order_relaxed);
    hits_.fetch_add(keys - missed, std::memory_order_relaxed);
  }
  Status pool_chunk(const TierPool& pool, const PoolChunk& chunk);
  Status pool_long_bag(const TierPool& pool, const PoolChunk& chunk);

  // Before what lives on it.
  const std::unique_ptr<Device> device_;
  std::unique_ptr<Cache<Device>> cache_;
  std::unique_ptr<Stages<Device>> stages_;
  Traffic traffic_;
  std::atomic<uint64_t> lookups_{0}, hits_{0}, flushed_{0};  // statistics, publish nothing
  Mutex mutex_;
  Status failure_ HOTROW_GUARDED_BY(mutex_);
};

/// Rows that a stage holds where memory is no matter.
inline constexpr uint64_t kMostStageRows = 65'536;
inline constexpr uint64_t kLeastStageRows = 64;

template <class Device>
Result<std::unique_ptr<StagedCache<Device>>> StagedCache<Device>::create(
    std::unique_ptr<Device> device, const TierSpec& spec) {
  auto staged = std::unique_ptr<StagedCache>(new StagedCache(std::move(device)));
  CacheView shape;
  shape.dim = spec.dim;
  shape.value_stride = Cache<Device>::value_stride(spec);
  shape.state_stride = Cache<Device>::state_stride(spec);
  // Stages take at most a quarter.
  const uint64_t sample = stage_bytes<Device>(shape, kMostStageRows);
  const uint64_t fit = spec.bytes / 4 / Stages<Device>::kStages * kMostStageRows / sample;
  const uint64_t rows = std::clamp(fit, kLeastStageRows, kMostStageRows);
  staged->stages_ = std::make_unique<Stages<Device>>(*staged->device_, shape, rows);
  const uint64_t staging = staged->stages_->bytes() + Cache<Device>::kOtherBytes;
  if (spec.bytes <= staging) {
    return Status::capacity("gpu: " + std::to_string(spec.bytes) +
                            " bytes are too few for this table: its staging alone takes " +
                            std::to_string(staging));
  }
  HOTROW_RETURN_IF_ERROR(staged->stages_->allocate());
  const auto borrowed = staged->stages_->borrow(1);
  auto cache =
      Cache<Device>::create(*staged->device_, spec, spec.bytes - staging, borrowed.front()->stream);
  Status status = cache.status();
  if (cache.ok()) status = staged->device_->wait(borrowed.front()->stream);
  staged->stages_->give_back(borrowed);
  if (!status.ok()) return status;
  staged->cache_ = std::move(cache).value();
  return Result<std::unique_ptr<StagedCache>>(std::move(staged));
}

}  // namespace hotrow::gpu

#include "cuda/staged_lookup-inl.h"
#include "cuda/staged_rows-inl.h"

#endif  // HOTROW_CUDA_STAGED_CACHE_H_
