#include "memory/line_arena.h"

#include <algorithm>
#include <cstring>
#include <iterator>
#include <new>
#include <utility>

namespace hotrow {

namespace {

constexpr uint64_t kMaxLines = UINT32_MAX;  // 256 GiB of buckets: some 16 billion keys

}  // namespace

LineArena::~LineArena() { budget_.release(memory_bytes()); }

Status LineArena::open() {
  MutexLock lock(mutex_);
  // Room beyond the ceiling, because a shard that must grow in the middle of a push may pass it.
  constexpr uint64_t kBeyond = uint64_t{1} << 30;
  const uint64_t most = std::min(budget_.limit() + kBeyond, kMaxLines * kLineBytes);
  if (!pages_.reserve(most)) {
    return Status::capacity("no address space for " + std::to_string(most) + " bytes of index");
  }
  base_ = pages_.data();
  return {};
}

bool LineArena::grow(uint64_t lines, bool within_budget) {
  const uint64_t backed = pages_.backed();
  const uint64_t target = round_up(lines * kLineBytes, kHugePageBytes);
  if (target <= backed) return true;
  if (target > pages_.reserved()) return false;
  const uint64_t bytes = target - backed;
  if (!within_budget) {
    budget_.charge(bytes);
  } else if (!budget_.try_charge(bytes)) {
    return false;
  }
  if (pages_.grow(target)) return true;
  budget_.release(bytes);
  return false;
}

std::optional<uint32_t> LineArena::allocate(uint32_t lines, bool within_budget) {
  const std::optional<Range> taken = take(lines, within_budget);
  if (!taken) return std::nullopt;
  // Without the lock: other shards grow meanwhile.
  PageRange::fetch(taken->fresh);
  if (taken->used) std::memset(line(taken->first), 0, lines * kLineBytes);
  return taken->first;
}

std::optional<LineArena::Range> LineArena::take(uint32_t lines, bool within_budget) {
  const MutexLock lock(mutex_);
  const auto fit = by_size_.lower_bound({lines, 0});
  if (fit == by_size_.end()) {
    if (end_ + lines > kMaxLines || !grow(end_ + lines, within_budget)) return std::nullopt;
    const auto first = static_cast<uint32_t>(end_);
    end_ += lines;
    return Range{.first = first, .fresh = pages_.claim(end_ * kLineBytes)};
  }
  const auto [size, first] = *fit;
  // The rest of a hole takes over its nodes, so that this needs no memory.
  auto by_size = by_size_.extract(fit);
  auto by_line = free_.extract(first);
  if (size > lines) {
    by_size.value() = {size - lines, first + lines};
    by_line.key() = first + lines;
    by_line.mapped() = size - lines;
    by_size_.insert(std::move(by_size));
    free_.insert(std::move(by_line));
  }
  return Range{.first = first, .used = true};
}

void LineArena::add_free(uint32_t first, uint32_t lines) {
  const auto noted = free_.emplace(first, lines).first;
  try {
    by_size_.emplace(lines, first);
  } catch (const std::bad_alloc&) {
    free_.erase(noted);
    throw;
  }
}

void LineArena::free(uint32_t first, uint32_t lines) {
  MutexLock lock(mutex_);
  const auto next = free_.lower_bound(first);
  if (next != free_.begin()) {
    const auto before = std::prev(next);
    if (before->first + before->second == first) {
      first = before->first;
      lines += before->second;
      by_size_.erase({before->second, before->first});
      free_.erase(before);
    }
  }
  const auto after = free_.lower_bound(first + 1);
  if (after != free_.end() && first + lines == after->first) {
    lines += after->second;
    by_size_.erase({after->second, after->first});
    free_.erase(after);
  }
  try {
    add_free(first, lines);
  } catch (const std::bad_alloc&) {
    // Lines that cannot be noted as free are lost until the arena goes.
  }
}

uint64_t LineArena::memory_bytes() const {
  MutexLock lock(mutex_);
  return pages_.backed();
}

}  // namespace hotrow
