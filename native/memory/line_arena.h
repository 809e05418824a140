// Arrays of cache lines for bucket arrays, named by 32-bit line numbers.
//
// One reserved range; freed ranges merge with their neighbours and are reused best fit, so the
// odd sizes of growing shards do not wear the range out. Calls are rare (a shard's growth).
#ifndef HOTROW_MEMORY_LINE_ARENA_H_
#define HOTROW_MEMORY_LINE_ARENA_H_

#include <cstddef>
#include <cstdint>
#include <map>
#include <optional>
#include <set>
#include <span>
#include <utility>

#include "base/sync.h"
#include "hotrow/status.h"
#include "memory/budget.h"
#include "memory/pages.h"

namespace hotrow {

class LineArena {
 public:
  explicit LineArena(MemoryBudget& budget) : budget_(budget) {}
  ~LineArena();
  LineArena(const LineArena&) = delete;
  LineArena& operator=(const LineArena&) = delete;

  /// Reserves address space; must succeed before anything else is called.
  Status open();

  std::byte* line(uint32_t number) const { return base_ + number * kLineBytes; }

  /// `lines` zeroed lines in a row, or nothing: over the budget (which is not asked when
  /// `within_budget` is false) or refused by the system.
  std::optional<uint32_t> allocate(uint32_t lines, bool within_budget) HOTROW_EXCLUDES(mutex_);
  void free(uint32_t first, uint32_t lines) HOTROW_EXCLUDES(mutex_);

  uint64_t memory_bytes() const HOTROW_EXCLUDES(mutex_);

 private:
  struct Range {
    uint32_t first = 0;
    bool used = false;           // before, so that its lines must be zeroed
    std::span<std::byte> fresh;  // pages to fetch
  };
  std::optional<Range> take(uint32_t lines, bool within_budget) HOTROW_EXCLUDES(mutex_);
  bool grow(uint64_t lines, bool within_budget) HOTROW_REQUIRES(mutex_);
  void add_free(uint32_t first, uint32_t lines) HOTROW_REQUIRES(mutex_);

  MemoryBudget& budget_;
  std::byte* base_ = nullptr;
  mutable Mutex mutex_;
  PageRange pages_ HOTROW_GUARDED_BY(mutex_);
  uint64_t end_ HOTROW_GUARDED_BY(mutex_) = 0;  // lines ever handed out, zero beyond
  std::map<uint32_t, uint32_t> free_ HOTROW_GUARDED_BY(mutex_);  // first line -> lines
  std::set<std::pair<uint32_t, uint32_t>> by_size_ HOTROW_GUARDED_BY(mutex_);  // lines, first
};

}  // namespace hotrow

#endif  // HOTROW_MEMORY_LINE_ARENA_H_
