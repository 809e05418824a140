// Cache<Device>: the rows of one table in a device's memory, for callers that have device pointers
// and streams. What comes from the host's memory and goes there: staged_cache.h.
//
// Nothing waits: work is started on the stream given, and done in its order. The caller orders
// streams: lookups may run beside each other on several, anything that changes rows runs alone. All
// arrays are device memory and stay until the work is done. Errors are those of starting work;
// those of the work itself come from the device's next call.
#ifndef HOTROW_CUDA_CACHE_H_
#define HOTROW_CUDA_CACHE_H_

#include <memory>

#include "cuda/dedupe.h"
#include "cuda/insert.h"
#include "cuda/lookup.h"
#include "cuda/memory.h"
#include "cuda/pool.h"
#include "cuda/push.h"
#include "cuda/rows.h"
#include "cuda/view.h"
#include "hotrow/status.h"
#include "simd/value_layout.h"
#include "store/tier.h"

namespace hotrow::gpu {

/// What a row becomes on its way out of a lookup.
enum class Output : uint8_t {
  kF32,  ///< values as f32
  kRaw,  ///< value_stride bytes as they lie, a multiple of 16; addresses and strides too
};

template <class Device>
class Cache {
 public:
  using Stream = typename Device::Stream;

  /// Takes at most `bytes` of the device for rows, at least two buckets, and kOtherBytes besides.
  /// The device must outlive it.
  static Result<std::unique_ptr<Cache>> create(Device& device, const TierSpec& spec, uint64_t bytes,
                                               Stream stream);
  static constexpr uint64_t kOtherBytes = kCounterStripes * sizeof(Counters);
  /// Bytes of the device that a bucket takes.
  static uint64_t bucket_bytes(const TierSpec& spec) {
    return kWays *
           (sizeof(uint64_t) + sizeof(uint32_t) + 2 + value_stride(spec) + state_stride(spec));
  }
  static uint32_t value_stride(const TierSpec& spec) {
    return rounded(value_bytes(spec.value_type, spec.dim));
  }
  static uint32_t state_stride(const TierSpec& spec) {
    return rounded(spec.state_values * sizeof(float));
  }

  const CacheView& view() const { return view_; }
  const TierSpec& spec() const { return spec_; }
  uint64_t bytes() const { return view_.buckets * bucket_bytes(spec_) + kOtherBytes; }
  /// [kCounterStripes], to be summed.
  Counters* counters() { return counters_.template as<Counters>(); }
  Touch touch(TierMoment moment, bool on) const { return {{spec_.policy, moment}, on}; }

  /// Rows of keys [n], duplicates legal, to out [n] at `stride` bytes; those of misses stay.
  Status lookup(const uint64_t* keys, uint64_t n, Output output, std::byte* out, uint64_t stride,
                const MissList& misses, const Touch& touch, Stream stream) {
    return with_format(output, stride, [&](auto format) {
      if (n > kSmallBatch) {
        return device_.launch(
            FindGather<decltype(format), 32>{view_, keys, n, out, stride, misses, touch},
            tiles32(n), stream);
      }
      constexpr unsigned kKeys = decltype(format)::kFewKeys;
      return device_.launch(
          FindGather<decltype(format), kKeys>{view_, keys, n, out, stride, misses, touch},
          (n + kKeys - 1) / kKeys, stream);
    });
  }
  /// Handles of keys [n].
  Status find(const uint64_t* keys, uint64_t n, uint32_t* handles, const MissList& misses,
              const Touch& touch, Stream stream) {
    return device_.launch(Find{view_, keys, n, handles, misses, touch}, tiles32(n), stream);
  }
  /// Rows of handles [n].
  Status gather(const uint32_t* handles, uint64_t n, Output output, std::byte* out, uint64_t stride,
                Stream stream) {
    return with_format(output, stride, [&](auto format) {
      return device_.launch(Gather<decltype(format)>{view_, handles, n, out, stride}, tiles32(n),
                            stream);
    });
  }
  /// Handles of distinct keys are held, or let go; held ways lose no row to another.
  Status pin(const uint32_t* handles, uint64_t n, bool pinned, Stream stream) {
    return device_.launch(Pin{view_, handles, n, pinned}, tiles32(n), stream);
  }

  /// The same of rows of distinct keys, as TierHold says; the ways changed are added to `changed`.
  Status hold(const uint64_t* keys, uint64_t n, TierHolding how, const MissList& misses,
              uint64_t* changed, Stream stream) {
    return device_.launch(Hold{view_, keys, n, how, misses, changed}, tiles32(n), stream);
  }
  /// Nothing is held any more.
  Status let_go(Stream stream) { return device_.fill(view_.pins, 0, view_.rows(), stream); }

  /// Bags of rows; see Pool. `missed_positions` [missed] and `missed_rows` [missed, dim] stand for
  /// those that `handles` [n] lack, which is changed.
  struct PoolTask {
    uint32_t* handles;
    const uint32_t* offsets;
    uint64_t bags;
    const float* weights;
    Pooling pooling;
    const uint32_t* missed_positions;
    const float* missed_rows;
    uint64_t missed;
    float* out;
    uint64_t stride;  // values
  };
  Status pool(const PoolTask& task, Stream stream);

  struct InsertTask {
    RowList rows;
    uint64_t n;
    const uint32_t* uses;
    const TierWish* wishes;
    RowList evicted;
    uint32_t* evicted_count;
    uint32_t* buckets;  // [n] scratch
    uint32_t* order;    // [n] scratch
    void* scratch;      // Device::scratch_bytes(n)
  };
  Status insert(const InsertTask& task, TierMoment moment, Stream stream);
  Status push(const PushTask& task, Stream stream) {
    return push_rows(device_, spec_.optimizer, spec_.value_type, spec_.rounding, task, stream);
  }
  Status assign(const RowList& rows, uint64_t n, bool dirty, const MissList& misses,
                Stream stream) {
    return device_.launch(Assign{view_, rows, dirty, misses}, n, stream);
  }
  Status read(const RowList& rows, uint64_t n, const MissList& misses, Stream stream) {
    return device_.launch(Read{view_, rows, misses}, n, stream);
  }
  Status erase(const uint64_t* keys, uint64_t n, Stream stream) {
    return device_.launch(Erase{view_, keys, counters()}, n, stream);
  }
  /// Dirty rows of `buckets` from `first` on, to a list that has room for 8 each.
  Status flush(uint64_t first, uint64_t buckets, const RowList& rows, uint32_t* count,
               Stream stream) {
    return device_.launch(Flush{view_, first, rows, count}, buckets, stream);
  }
  Status count_dirty(uint64_t* count, Stream stream) {
    return device_.launch(CountDirty{view_, count}, tiles32(view_.rows()), stream);
  }
  Status clear(Stream stream);

  /// The distinct keys of a batch in the order of their first appearance: numbers [n] says which of
  /// `distinct` each position has, `is_first` [n] and the last of `before` [n] how many there are.
  struct DedupeTask {
    const uint64_t* keys;
    uint64_t n;
    uint32_t* places;  // [place_count(n)] scratch
    uint32_t* first;   // [n] scratch
    uint32_t* is_first;
    uint32_t* before;
    void* scratch;
    uint32_t* numbers;
    uint64_t* distinct;
  };
  static uint64_t place_count(uint64_t n) {
    uint64_t places = 64;
    while (places < 2 * n) places *= 2;
    return places;
  }
  Status dedupe(const DedupeTask& task, Stream stream);

 private:
  Cache(Device& device, const TierSpec& spec) : device_(device), spec_(spec) {}
  static uint32_t rounded(size_t bytes) { return static_cast<uint32_t>((bytes + 15) / 16 * 16); }
  /// Batches up to here do not fill a device with a tile for 32 keys.
  static constexpr uint64_t kSmallBatch = 32'768;
  static uint64_t tiles32(uint64_t n) { return (n + 31) / 32; }
  Status allocate();
  template <class T>
  Status take(T*& field, size_t bytes) {
    auto memory = Buffer<Device>::create(device_, bytes);
    if (!memory.ok()) return memory.status();
    field = memory.value().template as<T>();
    arrays_.push_back(std::move(memory).value());
    return {};
  }

  /// f(RawRows or DecodedRows): f32 rows of whole chunks are copied as they lie.
  template <class F>
  Status with_format(Output output, uint64_t stride, const F& f) const {
    const bool as_they_lie =
        spec_.value_type == ValueType::kF32 && spec_.dim % 4 == 0 && stride % sizeof(Chunk) == 0;
    if (output == Output::kF32 && !as_they_lie) {
      return with_value_type(spec_.value_type,
                             [&](auto type) { return f(DecodedRows<decltype(type)::value>()); });
    }
    switch (view_.value_stride / sizeof(Chunk)) {
      case 2:
        return f(RawRows<2>());
      case 4:
        return f(RawRows<4>());
      case 8:
        return f(RawRows<8>());
      case 16:
        return f(RawRows<16>());
      case 32:
        return f(RawRows<32>());
      default:
        return f(RawRows<0>());
    }
  }

  Device& device_;
  const TierSpec spec_;
  CacheView view_;
  std::vector<Buffer<Device>> arrays_;
  Buffer<Device> counters_;
};

template <class Device>
Result<std::unique_ptr<Cache<Device>>> Cache<Device>::create(Device& device, const TierSpec& spec,
                                                             uint64_t bytes, Stream stream) {
  auto cache = std::unique_ptr<Cache>(new Cache(device, spec));
  CacheView& view = cache->view_;
  view.buckets = std::min(bytes / bucket_bytes(spec), kMostBuckets);
  if (view.buckets < 2) {
    return Status::capacity("gpu: " + std::to_string(bytes) + " bytes are too few for a cache: " +
                            std::to_string(2 * bucket_bytes(spec)) + " hold the least, 16 rows");
  }
  view.dim = spec.dim;
  view.state_values = spec.state_values;
  view.value_stride = value_stride(spec);
  view.state_stride = state_stride(spec);
  view.first_empty_bucket = bucket_of(view.empty_keys[0], view.buckets);
  while (bucket_of(++view.empty_keys[1], view.buckets) == view.first_empty_bucket) {
  }
  Status status = cache->allocate();
  if (status.ok()) status = cache->clear(stream);
  if (!status.ok()) return status;
  return Result<std::unique_ptr<Cache>>(std::move(cache));
}

template <class Device>
Status Cache<Device>::allocate() {
  const uint64_t rows = view_.rows();
  HOTROW_RETURN_IF_ERROR(take(view_.keys, rows * sizeof *view_.keys));
  HOTROW_RETURN_IF_ERROR(take(view_.scores, rows * sizeof *view_.scores));
  HOTROW_RETURN_IF_ERROR(take(view_.dirty, rows));
  HOTROW_RETURN_IF_ERROR(take(view_.pins, rows));
  HOTROW_RETURN_IF_ERROR(take(view_.values, rows * view_.value_stride));
  if (view_.state_stride != 0) {
    HOTROW_RETURN_IF_ERROR(take(view_.state, rows * view_.state_stride));
  }
  auto counters = Buffer<Device>::create(device_, kOtherBytes);
  if (!counters.ok()) return counters.status();
  counters_ = std::move(counters).value();
  return {};
}

template <class Device>
Status Cache<Device>::clear(Stream stream) {
  HOTROW_RETURN_IF_ERROR(device_.launch(Clear{view_}, view_.buckets, stream));
  return device_.fill(counters_.data(), 0, kOtherBytes, stream);
}

template <class Device>
Status Cache<Device>::pool(const PoolTask& task, Stream stream) {
  HOTROW_RETURN_IF_ERROR(
      device_.launch(NumberMissed{task.missed_positions, task.missed, task.handles},
                     tiles32(task.missed), stream));
  return with_value_type(spec_.value_type, [&](auto type) {
    return device_.launch(
        Pool<decltype(type)::value>{view_, task.handles, task.offsets, task.weights, task.pooling,
                                    task.missed_rows, task.out, task.stride},
        task.bags, stream);
  });
}

template <class Device>
Status Cache<Device>::insert(const InsertTask& task, TierMoment moment, Stream stream) {
  HOTROW_RETURN_IF_ERROR(device_.launch(
      NumberByBucket{task.rows.keys, task.n, view_.buckets, task.buckets, task.order},
      tiles32(task.n), stream));
  HOTROW_RETURN_IF_ERROR(
      device_.sort_pairs(task.buckets, task.order, task.n, task.scratch, stream));
  return device_.launch(Insert{view_,
                               {spec_.policy, moment},
                               task.buckets,
                               task.order,
                               task.n,
                               task.rows,
                               task.uses,
                               task.wishes,
                               task.evicted,
                               task.evicted_count,
                               counters()},
                        task.n, stream);
}

template <class Device>
Status Cache<Device>::dedupe(const DedupeTask& task, Stream stream) {
  const uint64_t places = place_count(task.n);
  const PositionTable table = {task.keys, task.n, task.places, places - 1};
  HOTROW_RETURN_IF_ERROR(device_.launch(ClearPlaces{task.places, places}, tiles32(places), stream));
  HOTROW_RETURN_IF_ERROR(device_.launch(Claim{table}, tiles32(task.n), stream));
  HOTROW_RETURN_IF_ERROR(
      device_.launch(First{table, task.first, task.is_first}, tiles32(task.n), stream));
  HOTROW_RETURN_IF_ERROR(
      device_.running_sums(task.is_first, task.before, task.n, task.scratch, stream));
  return device_.launch(NumberDistinct{table, task.first, task.before, task.numbers, task.distinct},
                        tiles32(task.n), stream);
}

}  // namespace hotrow::gpu

#endif  // HOTROW_CUDA_CACHE_H_
