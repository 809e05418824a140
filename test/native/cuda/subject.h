// A cache under test, whatever device it is on: Cache<Device> with the arrays of the host's memory.
// Tests know only this, so that the same ones run on the CPU and, where there is one, on a GPU, and
// can compare the two. Implemented by subject_on.h; a failure of the device is thrown.
#ifndef HOTROW_TEST_CUDA_SUBJECT_H_
#define HOTROW_TEST_CUDA_SUBJECT_H_

#include <cstddef>
#include <cstdint>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "hotrow/batch.h"
#include "simd/update_step.h"
#include "store/tier.h"

namespace hotrow::test {

using Bytes = std::vector<std::byte>;
using Keys = std::vector<uint64_t>;
/// Handles, positions or numbers.
using Numbers = std::vector<uint32_t>;

inline constexpr auto kPoison = std::byte{0xa5};
/// kNoHandle of cuda/view.h.
inline constexpr uint32_t kNone = UINT32_MAX;

struct CacheShape {
  TierSpec spec;
  uint64_t buckets;
};

/// What the test must know of a cache to lay rows out for it.
struct CacheLayout {
  uint64_t buckets = 0;
  uint32_t value_stride = 0;
  uint32_t state_stride = 0;
  uint64_t empty_keys[2] = {};
};

/// How rows come out: as f32, or as they lie; `stride` in bytes.
struct RowForm {
  bool raw;
  uint64_t stride;
};
struct Use {
  TierMoment moment;
  bool touch;
};

/// Rows in the strides of a cache.
struct CacheRows {
  Keys keys;
  Bytes values;
  Bytes state;  // empty: none
};
struct InsertBatch {
  CacheRows rows;
  Numbers uses;                  // empty: 1 each
  std::vector<TierWish> wishes;  // empty: kUsual
  TierMoment moment = {};
};
struct PushBatch {
  Numbers handles;
  std::vector<float> gradients;
  std::vector<UpdateStep> steps;
  std::vector<uint8_t> step_of;  // empty: steps[0]
  std::vector<uint64_t> random;  // empty: none
};
struct PoolBatch {
  Numbers handles;
  Numbers offsets;
  std::vector<float> weights;  // empty: none
  Pooling pooling = Pooling::kSum;
  Numbers missed_positions;
  std::vector<float> missed_rows;
  uint64_t stride = 0;  // values
};
struct DistinctKeys {
  Numbers numbers;
  Keys keys;
  bool operator==(const DistinctKeys&) const = default;
};
struct CacheCounts {
  uint64_t rows = 0, inserted = 0, evicted = 0, evicted_dirty = 0, refused = 0;
  bool operator==(const CacheCounts&) const = default;
};
/// Everything a cache holds; bytes of rows of empty ways are 0.
struct CacheState {
  Keys keys;
  Numbers scores;
  std::vector<uint8_t> dirty;
  std::vector<uint8_t> pins;
  Bytes values;
  Bytes state;
  bool operator==(const CacheState&) const = default;
};

class Subject {
 public:
  virtual ~Subject() = default;

  std::string name;
  CacheLayout layout;

  /// Lists of misses are as the cache gave them. Outputs keep what they hold where nothing is
  /// written.
  virtual Numbers lookup(const Keys& keys, RowForm form, Use use, Bytes& out) = 0;
  /// The same lookup by several threads at once, each on a stream of its own and `rounds` times.
  virtual std::vector<Bytes> lookup_at_once(const std::vector<Keys>& batches, RowForm form, Use use,
                                            int rounds) = 0;
  virtual Numbers find(const Keys& keys, Use use, Numbers& handles) = 0;
  virtual void gather(const Numbers& handles, RowForm form, Bytes& out) = 0;
  virtual void pin(const Numbers& handles, bool pinned) = 0;
  /// Returns the misses; `changed` is how many ways there were.
  virtual Numbers hold(const Keys& keys, TierHolding how, uint64_t& changed) = 0;
  virtual void let_go() = 0;
  virtual std::vector<float> pool(const PoolBatch& batch) = 0;
  /// The dirty rows that had to go, in any order.
  virtual CacheRows insert(const InsertBatch& batch) = 0;
  virtual void push(const PushBatch& batch) = 0;
  virtual Numbers assign(const CacheRows& rows, bool dirty) = 0;
  /// Reads values, and state where rows.state is not empty.
  virtual Numbers read(CacheRows& rows) = 0;
  virtual void erase(const Keys& keys) = 0;
  /// Dirty rows of the buckets from first to last, without the last.
  virtual CacheRows flush(std::pair<uint64_t, uint64_t> buckets) = 0;
  virtual uint64_t count_dirty() = 0;
  virtual void clear() = 0;
  virtual DistinctKeys dedupe(const Keys& keys) = 0;
  virtual CacheCounts counts() = 0;
  virtual CacheState state() = 0;
};

/// On the CPU: lanes run in rising or in falling order.
std::unique_ptr<Subject> host_subject(const CacheShape& shape, bool rising, unsigned threads);

/// "yes (NAME, driver 13.0)", or "skipped (REASON)".
struct DeviceFound {
  bool yes;
  std::string words;
};
const DeviceFound& device_found();
/// On the device: only where one was found.
std::unique_ptr<Subject> device_subject(const CacheShape& shape);

}  // namespace hotrow::test

#endif  // HOTROW_TEST_CUDA_SUBJECT_H_
