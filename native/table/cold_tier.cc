#include "table/cold_tier.h"

namespace hotrow {

Status ColdTier::remember_misses(uint64_t rows, MemoryBudget& budget) {
  // A sixteenth of what rows of 256 bytes take; more than that remembers more than is of use.
  constexpr uint64_t kLeast = uint64_t{1} << 12;
  constexpr uint64_t kMost = uint64_t{1} << 22;
  const uint64_t capacity = std::clamp(rows, kLeast, kMost);
  auto misses = CountingBloom::create(capacity, budget);
  if (!misses.ok()) return misses.status();
  misses_ = std::move(misses).value();
  // The counts overlap before they are halved, and then some rows pass at once: rows that are used
  // in bursts lose less so than by being missed twice (bench:tier).
  window_ = 16 * std::max(capacity, rows);
  return {};
}

uint32_t ColdTier::note_miss(uint64_t hash, uint32_t times) {
  // Halved section by section, one every so many misses.
  const uint64_t every = std::max<uint64_t>(window_ / CountingBloom::kSections, 1);
  const uint64_t before = noted_.fetch_add(times, std::memory_order_relaxed);
  for (uint64_t due = before / every; due < (before + times) / every; ++due) {
    misses_->halve_section(static_cast<uint32_t>(due % CountingBloom::kSections));
  }
  return misses_->add(hash, times);
}

void ColdTier::note_uses(uint64_t hash, double uses) {
  const uint32_t known = misses_->estimate(hash);
  const auto wanted = static_cast<uint32_t>(std::min(uses, double{CountingBloom::kMost}));
  if (wanted > known) (void)misses_->add(hash, wanted - known);
}

}  // namespace hotrow
