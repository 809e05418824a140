// A cache filled to a load, and streams of keys into it with the handles that they have.
#ifndef HOTROW_BENCH_GPU_SCENE_H_
#define HOTROW_BENCH_GPU_SCENE_H_

#include <algorithm>
#include <memory>

#include "cuda/cache.h"
#include "kernels.h"

namespace hotrow::bench::HOTROW_EXECUTOR {

using Cache = gpu::Cache<Device>;

/// Rows that come in at once while a cache is filled.
inline constexpr uint64_t kFillBatch = Device::kOnDevice ? 1 << 20 : 4096;
/// The largest batch of lookups.
inline constexpr uint64_t kMostBatch = Device::kOnDevice ? 1 << 20 : 4096;
/// Keys of a stream: of the largest batch eight, so that what batches touch passes the L2 cache.
inline constexpr uint64_t kStreamKeys = 8 * kMostBatch;

/// Keys and handles [kStreamKeys] on the device.
struct KeyStream {
  explicit KeyStream(Device& device) : keys(device, kStreamKeys), handles(device, kStreamKeys) {}

  Array<uint64_t> keys;
  Array<uint32_t> handles;
  std::string kind = "uniform";
  double alpha = 0;
  double hit_rate = 1;  // measured

  /// The beginning of batch i of n.
  static uint64_t at(uint32_t i, uint64_t n) { return i % (kStreamKeys / n) * n; }
};

struct CountHits {
  static constexpr unsigned kWidth = 32;
  const uint32_t* handles;
  uint64_t n;
  uint64_t* hits;

  template <class Tile>
  HOTROW_DEVICE void operator()(const Tile& tile, uint64_t number) const {
    const uint64_t first = number * kWidth;
    const uint32_t there = tile.ballot(
        [&](unsigned lane) { return first + lane < n && handles[first + lane] != gpu::kNoHandle; });
    tile.leader([&] { gpu::atomic_add(hits, uint64_t{gpu::count_bits(there)}); });
  }
};

class Scene {
 public:
  Scene(Bench& bench, uint32_t dim, ValueType type, double pool_gib)
      : bench_(bench),
        spec_(spec_of(dim, type)),
        cache_(must(Cache::create(bench.device, spec_, pool_bytes(spec_, pool_gib), bench.stream))),
        keys_(bench.device, kFillBatch),
        rows_(bench.device, kFillBatch * row_bytes()),
        evicted_keys_(bench.device, kFillBatch),
        evicted_rows_(bench.device, kFillBatch * row_bytes()),
        buckets_(bench.device, kFillBatch),
        order_(bench.device, kFillBatch),
        scratch_(bench.device, Device::scratch_bytes(kFillBatch)),
        evicted_count_(bench.device, 1),
        resident_(bench.device, cache_->view().rows()) {}

  Cache& cache() { return *cache_; }
  uint32_t dim() const { return spec_.dim; }
  uint32_t row_bytes() const { return Cache::value_stride(spec_); }
  bool halves() const { return spec_.value_type == ValueType::kF16; }
  uint64_t capacity() const { return cache_->view().rows(); }
  double load() const {
    return static_cast<double>(resident_rows_) / static_cast<double>(capacity());
  }
  uint64_t resident_rows() const { return resident_rows_; }
  const uint32_t* resident() const { return resident_.data(); }
  uint64_t* batch_keys() const { return keys_.data(); }
  std::byte* batch_rows() const { return rows_.data(); }
  uint64_t* evicted_keys() const { return evicted_keys_.data(); }
  std::byte* evicted_rows() const { return evicted_rows_.data(); }
  uint32_t* evicted_count() const { return evicted_count_.data(); }
  TierMoment moment() const { return {1, 1}; }

  /// Puts new rows in until the share of the capacity is full; 1: until nearly every way is.
  void fill(double load) {
    const double wanted = load < 1 ? load : 2.5;
    const auto end = static_cast<uint64_t>(wanted * static_cast<double>(capacity()));
    while (next_id_ < end) {
      const uint64_t n = std::min(kFillBatch, end - next_id_);
      make_new(n);
      must(insert(n));
    }
    list_resident();
  }

  /// batch_keys [n] and batch_rows [n]: those of ids that never were.
  void make_new(uint64_t n) {
    bench_.run(MakeKeys{keys_.data(), n, next_id_}, tiles32(n));
    next_id_ += n;
    make_rows(n, 0);
  }
  /// batch_rows [n] of batch_keys.
  void make_rows(uint64_t n, uint32_t salt) {
    const uint32_t chunks = row_bytes() / 16;
    bench_.run(MakeRows{keys_.data(), rows_.data(), n, chunks, halves(), salt},
               tiles32(n * chunks));
  }
  /// Inserts batch_keys [n] with batch_rows. Dirty rows that go are counted on in evicted_count.
  Status insert(uint64_t n) {
    Cache::InsertTask task = {};
    task.rows = {keys_.data(), rows_.data(), nullptr};
    task.n = n;
    task.evicted = {evicted_keys_.data(), evicted_rows_.data(), nullptr};
    task.evicted_count = evicted_count_.data();
    task.buckets = buckets_.data();
    task.order = order_.data();
    task.scratch = scratch_.data();
    return cache_->insert(task, moment(), bench_.stream);
  }

  void list_resident() {
    must(bench_.device.fill(evicted_count_.data(), 0, 4, bench_.stream));
    bench_.run(ListResident{cache_->view(), resident_.data(), evicted_count_.data()},
               tiles32(capacity()));
    resident_rows_ = bench_.read(evicted_count_.data(), 1)[0];
  }

  /// Uniform keys; `misses` of them absent.
  void pick(KeyStream& stream, double misses) {
    stream.kind = "uniform";
    stream.alpha = 0;
    pick_keys(stream, nullptr, 0, static_cast<uint32_t>(misses * 0x1p32));
  }
  /// Keys of Zipf's ranks [kStreamKeys]; those below `cut` are there.
  void pick_ranks(KeyStream& stream, const uint32_t* ranks, uint64_t cut, double alpha) {
    stream.kind = "zipf";
    stream.alpha = alpha;
    pick_keys(stream, ranks, cut, 0);
  }

 private:
  static TierSpec spec_of(uint32_t dim, ValueType type) {
    TierSpec spec = {};
    spec.value_type = type;
    spec.optimizer = OptimizerKind::kSgd;
    spec.policy = TierPolicy::kAgeingLfu;
    spec.dim = dim;
    return spec;
  }
  static uint64_t pool_bytes(const TierSpec& spec, double gib) {
    if (!Device::kOnDevice) return 2048 * Cache::bucket_bytes(spec);
    const double rows = gib * 0x1p30 / Cache::value_stride(spec);
    return static_cast<uint64_t>(rows / gpu::kWays) * Cache::bucket_bytes(spec);
  }
  void pick_keys(KeyStream& stream, const uint32_t* ranks, uint64_t cut, uint32_t miss_share) {
    bench_.run(PickKeys{cache_->view(), resident_.data(), Shuffle::of(resident_rows_), ranks, cut,
                        miss_share, stream.keys.data(), stream.handles.data(), kStreamKeys},
               tiles32(kStreamKeys));
    const Array<uint64_t> hits(bench_.device, 1);
    must(bench_.device.fill(hits.data(), 0, 8, bench_.stream));
    bench_.run(CountHits{stream.handles.data(), kStreamKeys, hits.data()}, tiles32(kStreamKeys));
    stream.hit_rate = static_cast<double>(bench_.read(hits.data(), 1)[0]) / kStreamKeys;
  }

  Bench& bench_;
  const TierSpec spec_;
  std::unique_ptr<Cache> cache_;
  Array<uint64_t> keys_;
  Array<std::byte> rows_;
  Array<uint64_t> evicted_keys_;
  Array<std::byte> evicted_rows_;
  Array<uint32_t> buckets_;
  Array<uint32_t> order_;
  Array<std::byte> scratch_;
  Array<uint32_t> evicted_count_;
  Array<uint32_t> resident_;
  uint64_t resident_rows_ = 0;
  uint64_t next_id_ = 0;
};

}  // namespace hotrow::bench::HOTROW_EXECUTOR

#endif  // HOTROW_BENCH_GPU_SCENE_H_
