// A ring of misses under test, whatever device it is on, over a cache that has the rows of even
// keys below 2,000. Implemented by ring_on.h.
#ifndef HOTROW_TEST_CUDA_RING_SUBJECT_H_
#define HOTROW_TEST_CUDA_RING_SUBJECT_H_

#include <functional>
#include <memory>
#include <vector>

#include "cuda/subject.h"
#include "hotrow/status.h"

namespace hotrow::test {

inline constexpr uint32_t kRingDim = 12;
inline constexpr uint64_t kRingKeys = 4096;
inline constexpr uint64_t kRingCached = 2000;
/// What outputs hold before.
inline constexpr float kUnwritten = -1;

inline float ring_value(uint64_t key, uint32_t at) { return static_cast<float>(key * 16 + at); }

class RingSubject {
 public:
  struct Missed {
    const uint64_t* keys;
    const uint32_t* positions;  // [count]
    uint64_t count;
    float* rows;  // [count, kRingDim]
  };
  using Fetch = std::function<Status(const Missed& missed)>;

  virtual ~RingSubject() = default;
  virtual uint64_t stages() const = 0;
  virtual uint64_t under_way() const = 0;
  virtual uint64_t missed() const = 0;
  /// Batches are numbered from 0, those that were refused too.
  virtual Status begin(const Keys& keys) = 0;
  virtual Status end(const Fetch& fetch) = 0;
  virtual Status finish() = 0;
  /// The output [n, kRingDim] of a batch.
  virtual std::vector<float> rows(size_t batch) = 0;
};

/// On the CPU: lanes run in rising or in falling order.
std::unique_ptr<RingSubject> host_ring(bool rising);
/// On the device: only where one was found.
std::unique_ptr<RingSubject> device_ring();

}  // namespace hotrow::test

#endif  // HOTROW_TEST_CUDA_RING_SUBJECT_H_
