// Lookup: a pipeline over the batch, one key at a time.
//
// A key's bucket is fetched, sixteen keys later looked into and its row fetched, eight keys later
// its row copied; so at any moment some two dozen lines are on their way from memory. A row is
// copied first and believed afterwards: when its home bucket changed meanwhile, the key is looked
// up again alone. Keys that are not in their home bucket are set aside and finished together,
// because waiting for a second bucket would stop the others.
#include <array>

#include "base/guarded.h"
#include "memory/epoch.h"
#include "table/table.h"

namespace hotrow {

namespace {

// Keys between the stages. 8 to 24 and 6 to 12 measured alike.
constexpr size_t kProbeLag = 16;
constexpr size_t kCopyLag = 8;
constexpr size_t kRing = 32;  // at least the sum of the lags
// Keys set aside before they are finished.
constexpr size_t kAside = 32;
// Lines of a row that are fetched ahead; the processor's own prefetcher takes over after that.
constexpr size_t kPrefetchLines = 8;

/// Reads one value that a writer may be changing; whoever reads validates it afterwards.
float load_racing(const float* value) {
  float copy;
  __atomic_load(value, &copy, __ATOMIC_RELAXED);
  return copy;
}

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

// Copies the row of the key at `position` and believes it, or looks the key up again.
uint64_t SparseTable::gather_sighted(const Gather& request, size_t position,
                                     const Index::Sight& sight) {
  const uint64_t key = request.keys[position];
  float* const out = request.rows + position * layout_.dim;
  bool found = sight.handle != Index::kNoHandle;
  if (!found) {
    fill_missing(key, out);
  } else {
    const float* const row = layout_.values(body_->rows.row(sight.handle)).data();
    if (layout_.dim == 1) {
      *out = load_racing(row);
    } else {
      request.copy(&row, 1, layout_.dim, out);
    }
    if (!Index::still(sight)) found = gather_one(key, mix64(key), out);
  }
  if (request.found != nullptr) request.found[position] = found ? 1 : 0;
  return found ? 1 : 0;
}

uint64_t SparseTable::gather_aside(const Gather& request, std::span<const uint32_t> positions) {
  std::array<Index::Sight, kAside> sights;
  for (size_t i = 0; i < positions.size(); ++i) {
    const uint64_t key = request.keys[positions[i]];
    sights[i] = body_->index.probe(key, mix64(key));
    if (sights[i].handle == Index::kNoHandle) continue;
    prefetch_lines(body_->rows.row(sights[i].handle), layout_.dim * sizeof(float));
  }
  uint64_t hits = 0;
  for (size_t i = 0; i < positions.size(); ++i) {
    hits += gather_sighted(request, positions[i], sights[i]);
  }
  return hits;
}

uint64_t SparseTable::gather(Gather request) {
  const Index& index = body_->index;
  const SlabPool& slab = body_->rows;
  const size_t n = request.keys.size();
  const size_t row_bytes = layout_.dim * sizeof(float);
  request.copy = row_kernels().gather;
  std::array<const Index::BucketType*, kRing> homes;
  std::array<Index::Sight, kRing> sights;
  std::array<uint32_t, kAside> aside;
  size_t set_aside = 0;
  uint64_t hits = 0;
  const auto look = [&](size_t at) {
    Index::Sight& sight = sights[at % kRing];
    sight = Index::glance(homes[at % kRing], request.keys[at]);
    if (sight.handle < Index::kNoHandle) prefetch_lines(slab.row(sight.handle), row_bytes);
    if (sight.home == nullptr) __builtin_prefetch(homes[at % kRing] + 1, 0, 3);
  };
  const auto finish = [&](size_t at) {
    const Index::Sight& sight = sights[at % kRing];
    if (sight.home != nullptr) {
      hits += gather_sighted(request, at, sight);
      return;
    }
    aside[set_aside++] = static_cast<uint32_t>(at);
    if (set_aside < kAside) return;
    hits += gather_aside(request, aside);
    set_aside = 0;
  };
  for (size_t i = 0; i < n + kProbeLag + kCopyLag; ++i) {
    if (i < n) {
      const uint64_t hash = request.hashes != nullptr ? request.hashes[i] : mix64(request.keys[i]);
      homes[i % kRing] = index.home_of(hash);
      __builtin_prefetch(homes[i % kRing], 0, 3);
    }
    if (i >= kProbeLag && i - kProbeLag < n) look(i - kProbeLag);
    if (i >= kProbeLag + kCopyLag) finish(i - kProbeLag - kCopyLag);
  }
  return hits + gather_aside(request, {aside.data(), set_aside});
}

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
