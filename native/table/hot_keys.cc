#include "table/hot_keys.h"

#include <algorithm>
#include <bit>

#include "base/batch_check.h"

namespace hotrow {

namespace {

bool hotter(const HotKey& a, const HotKey& b) {
  if (a.count != b.count) return a.count > b.count;
  if (a.error != b.error) return a.error < b.error;
  return a.key < b.key;
}

}  // namespace

HotKeys::HotKeys(HotKeysOptions options)
    : shift_(std::min(options.sample_shift, kMostSampleShift)),
      counters_(std::clamp(options.wanted, 1U, kMostWanted) * kCountersPerWanted),
      slot_mask_(std::bit_ceil(uint64_t{counters_} * 4) - 1),
      slots_(slot_mask_ + 1, kFree) {
  counted_.reserve(counters_);
}

void HotKeys::offer(KeyBatch keys, std::span<const uint32_t> times) {
  if (keys.empty()) return;
  const uint64_t all = all_times(times, keys);
  const uint64_t first = offered_.fetch_add(all, std::memory_order_relaxed);
  const uint64_t end = first + all;
  uint64_t run = first >> shift_;
  if (place_in(run) < first) ++run;
  if (place_in(run) >= end) return;
  if (!mutex_.try_lock()) {
    uint64_t lost = 0;
    for (; place_in(run) < end; ++run) ++lost;
    dropped_.fetch_add(lost, std::memory_order_relaxed);
    return;
  }
  size_t i = 0;
  uint64_t passed = times.empty() ? 0 : times[0];  // up to and with key i
  for (; place_in(run) < end; ++run) {
    const uint64_t at = place_in(run) - first;
    if (times.empty()) {
      i = at;
    } else {
      while (passed <= at) passed += times[++i];
    }
    count(keys[i]);
  }
  mutex_.unlock();
}

void HotKeys::count(uint64_t key) {
  ++sampled_;
  const uint64_t slot = slot_of(key);
  if (slots_[slot] != kFree) {
    ++counted_[slots_[slot] - 1].count;
    return;
  }
  if (counted_.size() < counters_) {
    counted_.push_back({.key = key, .count = 1, .error = 0});
    slots_[slot] = static_cast<uint32_t>(counted_.size());
    return;
  }
  const uint32_t number = next_smallest();
  Counter& counter = counted_[number];
  remove(counter.key);
  counter = {.key = key, .count = counter.count + 1, .error = counter.count};
  slots_[slot_of(key)] = number + 1;  // the removal may have moved the free slot
}

uint32_t HotKeys::next_smallest() {
  for (;;) {
    while (cursor_ < counters_) {
      if (counted_[cursor_].count == smallest_) return cursor_;
      ++cursor_;
    }
    smallest_ = std::ranges::min(counted_, {}, &Counter::count).count;
    cursor_ = 0;
  }
}

uint64_t HotKeys::slot_of(uint64_t key) const {
  uint64_t slot = mix64(key) & slot_mask_;
  while (slots_[slot] != kFree && counted_[slots_[slot] - 1].key != key) {
    slot = (slot + 1) & slot_mask_;
  }
  return slot;
}

// Moves up what would no longer be found behind a gap (Knuth, volume 3, 6.4, algorithm R).
void HotKeys::remove(uint64_t key) {
  uint64_t gap = slot_of(key);
  for (uint64_t slot = gap;;) {
    slot = (slot + 1) & slot_mask_;
    if (slots_[slot] == kFree) break;
    const uint64_t home = mix64(counted_[slots_[slot] - 1].key) & slot_mask_;
    if (((slot - home) & slot_mask_) < ((slot - gap) & slot_mask_)) continue;
    slots_[gap] = slots_[slot];
    gap = slot;
  }
  slots_[gap] = kFree;
}

std::vector<HotKey> HotKeys::top(size_t n) const {
  std::vector<HotKey> keys;
  keys.reserve(counters_);  // before the lock, under which offers are dropped
  {
    MutexLock lock(mutex_);
    for (const Counter& each : counted_) {
      keys.push_back({each.key, each.count << shift_, each.error << shift_});
    }
  }
  const auto wanted = static_cast<std::ptrdiff_t>(std::min<uint64_t>(n, keys.size()));
  std::partial_sort(keys.begin(), keys.begin() + wanted, keys.end(), hotter);
  keys.resize(static_cast<size_t>(wanted));
  return keys;
}

void HotKeys::reset() {
  MutexLock lock(mutex_);
  counted_.clear();
  std::ranges::fill(slots_, kFree);
  sampled_ = 0;
  smallest_ = 0;
  cursor_ = 0;
  dropped_.store(0, std::memory_order_relaxed);
}

uint64_t HotKeys::sampled() const {
  MutexLock lock(mutex_);
  return sampled_;
}

}  // namespace hotrow
