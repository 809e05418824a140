// TouchFilter: how often a key was missed of late, about. A row comes to the device at its second
// miss, so that keys that come once do not push out those that come again.
//
// Counters of 8 bits by hash, without the keys: two keys may share one, and come too soon. Counts
// end at 255 and halve every so many misses. Any thread; a count that two threads raise at once may
// rise by one.
#ifndef HOTROW_STORE_TOUCH_FILTER_H_
#define HOTROW_STORE_TOUCH_FILTER_H_

#include <algorithm>
#include <atomic>
#include <bit>
#include <cstdint>
#include <vector>

namespace hotrow {

class TouchFilter {
 public:
  /// For about so many keys at a time.
  explicit TouchFilter(uint64_t keys)
      : counters_(std::bit_ceil(std::clamp(keys, kLeast, kMost))), mask_(counters_.size() - 1) {}

  /// Notes a miss; returns how many there were of late, this one included.
  uint32_t touch(uint64_t hash) {
    std::atomic<uint8_t>& counter = counters_[hash & mask_];
    const uint8_t seen = counter.load(std::memory_order_relaxed);
    if (seen < UINT8_MAX) {
      counter.store(static_cast<uint8_t>(seen + 1), std::memory_order_relaxed);
    }
    const uint64_t touches = touches_.fetch_add(1, std::memory_order_relaxed) + 1;
    if (touches % (kTouchesPerCounter * counters_.size()) == 0) halve();
    return uint32_t{seen} + 1;
  }

 private:
  static constexpr uint64_t kLeast = uint64_t{1} << 12;
  static constexpr uint64_t kMost = uint64_t{1} << 22;
  static constexpr uint64_t kTouchesPerCounter = 4;

  void halve() {
    for (auto& counter : counters_) {
      const uint8_t seen = counter.load(std::memory_order_relaxed);
      counter.store(seen / 2, std::memory_order_relaxed);
    }
  }

  // Numbers, which publish nothing.
  std::vector<std::atomic<uint8_t>> counters_;
  const uint64_t mask_;
  std::atomic<uint64_t> touches_{0};
};

}  // namespace hotrow

#endif  // HOTROW_STORE_TOUCH_FILTER_H_
