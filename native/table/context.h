// What the tables of one store share: the memory ceiling, the gate that keeps pushes whole under
// it, and the threads.
#ifndef HOTROW_TABLE_CONTEXT_H_
#define HOTROW_TABLE_CONTEXT_H_

#include <algorithm>
#include <cstdint>

#include "base/sync.h"
#include "base/thread_pool.h"
#include "memory/budget.h"
#include "table/batch_index.h"

namespace hotrow {

struct TableContext {
  TableContext(uint64_t memory_bytes, uint32_t threads) : budget(memory_bytes), pool(threads) {}

  /// How many threads should share a batch of n keys: one thread's start costs as much as a few
  /// thousand keys.
  uint32_t parts_for(uint64_t n) const {
    constexpr uint64_t kKeysPerPart = 4096;
    const uint64_t most = std::min(pool.threads(), BatchIndex::kMaxParts);
    return static_cast<uint32_t>(std::clamp<uint64_t>(n / kKeysPerPart, 1, most));
  }

  MemoryBudget budget;
  // Held shared by every call that makes or removes rows; exclusively by a push that must know
  // exactly what it needs because the ceiling is near.
  SharedMutex capacity_gate;
  ThreadPool pool;
};

}  // namespace hotrow

#endif  // HOTROW_TABLE_CONTEXT_H_
