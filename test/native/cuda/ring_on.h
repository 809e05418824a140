// RingSubject for any device.
#ifndef HOTROW_TEST_CUDA_RING_ON_H_
#define HOTROW_TEST_CUDA_RING_ON_H_

#include <algorithm>

#include "cuda/ring.h"
#include "cuda/ring_subject.h"
#include "cuda/subject_on.h"

namespace hotrow::test {

template <class Device>
class RingOn : public RingSubject {
 public:
  using Cache = gpu::Cache<Device>;
  using Ring = gpu::MissRing<Device>;

  explicit RingOn(Device device) : device_(device), stream_(demand(device_.stream())) {
    TierSpec spec = {};
    spec.dim = kRingDim;
    spec.policy = TierPolicy::kLru;
    cache_ = demand(Cache::create(device_, spec, 512 * Cache::bucket_bytes(spec), stream_));
    insert();
    ring_ = demand(Ring::create(device_, *cache_, kRingKeys, kRowBytes));
  }
  ~RingOn() override {
    ring_.reset();
    cache_.reset();
    device_.end(stream_);
  }

  uint64_t stages() const override { return Ring::kStages; }
  uint64_t under_way() const override { return ring_->under_way(); }
  uint64_t missed() const override { return ring_->missed(); }

  Status begin(const Keys& keys) override {
    Batch batch;
    batch.n = keys.size();
    batch.keys = demand(Pinned::create(device_, batch.n * sizeof(uint64_t)));
    std::copy(keys.begin(), keys.end(), batch.keys.template as<uint64_t>());
    batch.out = in(std::vector<float>(batch.n * kRingDim, kUnwritten));
    batches_.push_back(std::move(batch));
    const Batch& last = batches_.back();
    return ring_->begin({last.keys.template as<uint64_t>(),
                         last.n,
                         gpu::Output::kF32,
                         kRowBytes,
                         last.out.template as<std::byte>(),
                         kRowBytes,
                         {}});
  }
  Status end(const Fetch& fetch) override {
    return ring_->end([&](const typename Ring::Missed& missed) {
      return fetch(
          {missed.keys, missed.positions, missed.count, reinterpret_cast<float*>(missed.rows)});
    });
  }
  Status finish() override { return ring_->finish(); }

  std::vector<float> rows(size_t batch) override {
    std::vector<float> out(batches_[batch].n * kRingDim);
    demand(device_.copy_out(out.data(), batches_[batch].out.data(), out.size() * sizeof(float),
                            stream_));
    demand(device_.wait(stream_));
    return out;
  }

 private:
  using Memory = gpu::Buffer<Device>;
  using Pinned = gpu::PinnedBuffer<Device>;
  static constexpr uint32_t kRowBytes = kRingDim * sizeof(float);

  struct Batch {
    uint64_t n = 0;
    Pinned keys;
    Memory out;
  };

  void insert() {
    Keys keys;
    std::vector<float> values;
    for (uint64_t key = 0; key < kRingCached; key += 2) {
      keys.push_back(key);
      for (uint32_t at = 0; at < kRingDim; ++at) values.push_back(ring_value(key, at));
    }
    const uint64_t n = keys.size();
    const Memory on = in(keys);
    const Memory rows = in(values);
    const Memory evicted = in(Numbers(1));
    const Memory buckets = in(Numbers(n));
    const Memory order = in(Numbers(n));
    const Memory scratch = demand(Memory::create(device_, Device::scratch_bytes(n)));
    typename Cache::InsertTask task = {};
    task.rows = {on.template as<uint64_t>(), rows.template as<std::byte>(), nullptr};
    task.n = n;
    task.evicted_count = evicted.template as<uint32_t>();
    task.buckets = buckets.template as<uint32_t>();
    task.order = order.template as<uint32_t>();
    task.scratch = scratch.data();
    demand(cache_->insert(task, {1, 0}, stream_));
    demand(device_.wait(stream_));
  }
  template <class T>
  Memory in(const std::vector<T>& from) {
    Memory memory = demand(Memory::create(device_, from.size() * sizeof(T)));
    demand(device_.copy_in(memory.data(), from.data(), from.size() * sizeof(T), stream_));
    demand(device_.wait(stream_));
    return memory;
  }

  Device device_;
  typename Device::Stream stream_;
  std::unique_ptr<Cache> cache_;
  std::unique_ptr<Ring> ring_;
  std::vector<Batch> batches_;
};

}  // namespace hotrow::test

#endif  // HOTROW_TEST_CUDA_RING_ON_H_
