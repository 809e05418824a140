#include "table/counting_bloom.h"

#include <algorithm>
#include <string>

namespace hotrow {

namespace {

// What a shift of a whole word by one bit leaves of each byte: all but the bit of the byte above.
constexpr uint64_t kHalves = 0x7f7f7f7f7f7f7f7fU;

constexpr uint32_t counter_in(uint64_t word, uint32_t shift) {
  return static_cast<uint32_t>(word >> shift) & 0xff;
}

/// Raises one counter of a word to `count`, if it is lower.
void raise(std::atomic<uint64_t>& word, uint64_t seen, uint32_t shift, uint32_t count) {
  for (;;) {
    const uint32_t now = counter_in(seen, shift);
    if (now >= count) return;
    const uint64_t raised = seen + (uint64_t{count - now} << shift);
    if (word.compare_exchange_weak(seen, raised, std::memory_order_relaxed)) return;
  }
}

}  // namespace

Result<std::unique_ptr<CountingBloom>> CountingBloom::create(uint64_t capacity,
                                                             MemoryBudget& budget) {
  std::unique_ptr<CountingBloom> filter(new CountingBloom);
  HOTROW_RETURN_IF_ERROR(filter->open(capacity, budget));
  return filter;
}

Status CountingBloom::open(uint64_t capacity, MemoryBudget& budget) {
  // More than any machine holds; what is computed below stays in 64 bits.
  constexpr uint64_t kMostKeys = uint64_t{1} << 44;
  const uint64_t keys = std::clamp<uint64_t>(capacity, 1, kMostKeys);
  const uint64_t bytes = round_up(keys * kBytesPerKey, kHugePageBytes);
  if (capacity > kMostKeys || !reservation_.take(budget, bytes)) {
    return Status::capacity("counting " + std::to_string(capacity) + " keys takes " +
                            std::to_string(kBytesPerKey) + " bytes each: " + budget.in_use());
  }
  if (!pages_.reserve(bytes) || !pages_.grow(bytes)) {
    return Status::capacity("the system refused " + std::to_string(bytes) + " bytes of counters");
  }
  lines_per_section_ = bytes / kLineBytes / kSections;
  return {};
}

uint32_t CountingBloom::add(uint64_t hash, uint32_t times) {
  Line& line = line_of(hash);
  uint64_t seen[kHashes];
  uint32_t smallest = kMost;
  for (uint32_t i = 0; i < kHashes; ++i) {
    const Place at = place_of(hash, i);
    seen[i] = line.words[at.word].load(std::memory_order_relaxed);
    smallest = std::min(smallest, counter_in(seen[i], at.shift));
  }
  const uint32_t count = smallest + std::min(times, kMost - smallest);
  for (uint32_t i = 0; i < kHashes; ++i) {
    const Place at = place_of(hash, i);
    raise(line.words[at.word], seen[i], at.shift, count);
  }
  return count;
}

uint32_t CountingBloom::estimate(uint64_t hash) const {
  const Line& line = line_of(hash);
  uint32_t smallest = kMost;
  for (uint32_t i = 0; i < kHashes; ++i) {
    const Place at = place_of(hash, i);
    const uint64_t word = line.words[at.word].load(std::memory_order_relaxed);
    smallest = std::min(smallest, counter_in(word, at.shift));
  }
  return smallest;
}

void CountingBloom::halve_section(uint32_t section_number) {
  Line* const first = section(section_number);
  for (Line* line = first; line != first + lines_per_section_; ++line) {
    for (std::atomic<uint64_t>& word : line->words) {
      const uint64_t seen = word.load(std::memory_order_relaxed);
      if (seen != 0) word.store(seen >> 1 & kHalves, std::memory_order_relaxed);
    }
  }
}

void CountingBloom::halve() {
  for (uint32_t i = 0; i < kSections; ++i) halve_section(i);
}

void CountingBloom::copy_section(uint32_t section_number, std::span<uint64_t> words) const {
  const Line* const first = section(section_number);
  for (uint64_t i = 0; i < words.size(); ++i) {
    words[i] = first[i / kWords].words[i % kWords].load(std::memory_order_relaxed);
  }
}

}  // namespace hotrow
