// Lookup: a pipeline over windows of the batch.
//
// While the rows of one window are copied, the buckets of the next are probed and its rows are on
// their way from memory, and the buckets of the one after that are being fetched. A row is copied
// first and believed afterwards: when its home bucket changed meanwhile, the key is looked up
// again alone.
#include <array>

#include "base/guarded.h"
#include "memory/epoch.h"
#include "table/table.h"

namespace hotrow {

namespace {

// Keys per window. 8 to 32 measured alike; more spill the copy's rows from the first cache.
constexpr size_t kWindow = 16;
// Lines of a row that are fetched ahead; the processor's own prefetcher takes over after that.
constexpr size_t kPrefetchLines = 8;

void prefetch_lines(const std::byte* row, size_t bytes) {
  const size_t lines = std::min((bytes + kLineBytes - 1) / kLineBytes, kPrefetchLines);
  for (size_t i = 0; i < lines; ++i) __builtin_prefetch(row + i * kLineBytes, 0, 3);
}

}  // namespace

void SparseTable::fill_missing(uint64_t key, float* out) const {
  const std::span<float> row(out, layout_.dim);
  if (options_.missing == Missing::kZeros) {
    std::fill(row.begin(), row.end(), 0.0F);
  } else {
    initializer_.fill(key, row);
  }
}

bool SparseTable::gather_one(uint64_t key, uint64_t hash, float* out) {
  // Where writers never rest, the reader takes its turn as one.
  constexpr int kTries = 8;
  const auto copy = [&](uint32_t handle) {
    const float* const row = layout_.values(body_->rows.row(handle)).data();
    row_kernels().gather(&row, 1, layout_.dim, out);
  };
  for (int i = 0; i < kTries; ++i) {
    const Index::Sight sight = body_->index.probe(key, hash);
    if (sight.handle == Index::kNoHandle) {
      fill_missing(key, out);
      return false;
    }
    copy(sight.handle);
    if (Index::still(sight)) return true;
  }
  Index::Hold hold = body_->index.lock(key, hash);
  const bool found = hold.found();
  if (found) copy(hold.handle());
  body_->index.unlock(hold);
  if (!found) fill_missing(key, out);
  return found;
}

uint64_t SparseTable::gather_window(const Gather& request, const Index::Sight* sights, size_t first,
                                    size_t count) {
  std::array<const float*, kWindow> rows;
  const size_t dim = layout_.dim;
  float* const out = request.rows + first * dim;
  for (size_t i = 0; i < count; ++i) {
    // A missing key's own output stands in for its row, so that the copy needs no branch.
    rows[i] = sights[i].handle != Index::kNoHandle
                  ? layout_.values(body_->rows.row(sights[i].handle)).data()
                  : out + i * dim;
  }
  row_kernels().gather(rows.data(), count, dim, out);
  uint64_t hits = 0;
  for (size_t i = 0; i < count; ++i) {
    const uint64_t key = request.keys[first + i];
    bool found = true;
    if (sights[i].handle == Index::kNoHandle) {
      fill_missing(key, out + i * dim);
      found = false;
    } else if (!Index::still(sights[i])) {
      found = gather_one(key, mix64(key), out + i * dim);
    }
    hits += found ? 1 : 0;
    if (request.found != nullptr) request.found[first + i] = found ? 1 : 0;
  }
  return hits;
}

uint64_t SparseTable::gather(const Gather& request) {
  const Index& index = body_->index;
  const SlabPool& slab = body_->rows;
  const KeyBatch keys = request.keys;
  const size_t n = keys.size();
  const size_t row_bytes = layout_.dim * sizeof(float);
  // Hashes run two windows ahead of the copy, probes one.
  std::array<std::array<uint64_t, kWindow>, 2> hashes;
  std::array<std::array<Index::Sight, kWindow>, 2> sights;
  const auto count_at = [n](size_t first) { return std::min(kWindow, n - first); };
  const auto fetch = [&](size_t first) {
    auto& window = hashes[first / kWindow % 2];
    for (size_t i = 0, count = count_at(first); i < count; ++i) {
      window[i] = request.hashes != nullptr ? request.hashes[first + i] : mix64(keys[first + i]);
      index.prefetch_home(window[i]);
    }
  };
  const auto probe = [&](size_t first) {
    const size_t parity = first / kWindow % 2;
    for (size_t i = 0, count = count_at(first); i < count; ++i) {
      Index::Sight& sight = sights[parity][i];
      sight = index.probe(keys[first + i], hashes[parity][i]);
      if (sight.handle != Index::kNoHandle) prefetch_lines(slab.row(sight.handle), row_bytes);
    }
  };
  if (n == 0) return 0;
  uint64_t hits = 0;
  fetch(0);
  if (n > kWindow) fetch(kWindow);
  probe(0);
  for (size_t first = 0; first < n; first += kWindow) {
    if (first + kWindow < n) probe(first + kWindow);
    if (first + 2 * kWindow < n) fetch(first + 2 * kWindow);
    hits += gather_window(request, sights[first / kWindow % 2].data(), first, count_at(first));
  }
  return hits;
}

uint64_t SparseTable::gather_parallel(KeyBatch keys, float* out) {
  const uint32_t parts = context_.parts_for(keys.size());
  std::atomic<uint64_t> hits{0};
  context_.pool.run(parts, [&](uint32_t part) {
    const size_t first = keys.size() * part / parts;
    const size_t last = keys.size() * (part + 1) / parts;
    const uint64_t found =
        gather({keys.subspan(first, last - first), nullptr, out + first * layout_.dim, nullptr});
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
