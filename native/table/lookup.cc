// Lookup: which way a batch takes, and how it is split over threads. The way of a key: gather.cc.

#include "base/guarded.h"
#include "memory/epoch.h"
#include "table/table.h"

namespace hotrow {

uint64_t SparseTable::gather_parallel(KeyBatch keys, float* out) {
  const uint32_t parts = context_.parts_for(keys.size());
  std::atomic<uint64_t> hits{0};
  context_.pool.run(parts, [&](uint32_t part) {
    const size_t first = keys.size() * part / parts;
    const size_t last = keys.size() * (part + 1) / parts;
    const uint64_t found =
        gather({keys.subspan(first, last - first), nullptr, out + first * layout_.dim});
    hits.fetch_add(found, std::memory_order_relaxed);
  });
  return hits.load(std::memory_order_relaxed);
}

void SparseTable::count_lookups(uint64_t keys, uint64_t hits) {
  counters_.lookups.fetch_add(keys, std::memory_order_relaxed);
  counters_.hits.fetch_add(hits, std::memory_order_relaxed);
}

Status SparseTable::lookup(KeyBatch keys, RowBatch rows) {
  return guarded([&]() -> Status {
    const EpochGuard guard;
    if (closed()) return closed_status();
    HOTROW_RETURN_IF_ERROR(check_rows("rows", keys, rows.size()));
    const uint64_t hits = expects_repetition(keys.size()) ? gather_repeated(keys, rows.data())
                                                          : gather_parallel(keys, rows.data());
    count_lookups(keys.size(), hits);
    return {};
  });
}

}  // namespace hotrow
