// Batches with repeated keys: when to look for duplicates, and lookups that read each row once.
#include <utility>

#include "table/collect-inl.h"
#include "table/table.h"

namespace hotrow {

namespace {

// Below this many keys, finding duplicates costs more than reading rows again.
constexpr size_t kFewKeys = 512;
// Above this share of distinct keys, too.
constexpr float kMostlyDistinct = 0.6F;
}  // namespace

std::unique_ptr<BatchIndex> SparseTable::take_batch() {
  MutexLock lock(idle_mutex_);
  if (idle_batches_.empty()) return std::make_unique<BatchIndex>();
  std::unique_ptr<BatchIndex> batch = std::move(idle_batches_.back());
  idle_batches_.pop_back();
  return batch;
}

void SparseTable::return_batch(std::unique_ptr<BatchIndex> batch) {
  if (!batch) return;
  const MutexLock lock(idle_mutex_);
  keep_idle(idle_batches_, std::move(batch));
}

void SparseTable::note_repetition(const BatchIndex& batch) {
  if (batch.size() < kFewKeys) return;
  const auto share = static_cast<float>(batch.distinct()) / static_cast<float>(batch.size());
  distinct_share_.store(share, std::memory_order_relaxed);
}

bool SparseTable::expects_repetition(size_t n) const {
  return n >= kFewKeys && distinct_share_.load(std::memory_order_relaxed) < kMostlyDistinct;
}

uint64_t SparseTable::gather_distinct(BatchIndex& batch, const GatherRequest& request) {
  batch.assign(request.keys, context_.parts_for(request.keys.size()), context_.pool);
  note_repetition(batch);
  std::atomic<uint64_t> hits{0};
  context_.pool.run(batch.parts(), [&](uint32_t number) {
    BatchIndex::Part& part = batch.part(number);
    part.rows.resize(part.size() * options_.dim);
    part.found.resize(part.size());
    GatherRequest distinct = request;
    distinct.keys = part.keys;
    distinct.hashes = part.hashes.data();
    distinct.rows = part.rows.data();
    distinct.stride = options_.dim;
    distinct.found = part.found.data();
    (void)rows_->gather(distinct);
    uint64_t found = 0;
    batch.each(number, [&](size_t, uint32_t id) { found += part.found[id]; });
    hits.fetch_add(found, std::memory_order_relaxed);
  });
  return hits.load(std::memory_order_relaxed);
}

uint64_t SparseTable::gather_repeated(const GatherRequest& request) {
  std::unique_ptr<BatchIndex> batch = take_batch();
  const uint64_t hits = gather_distinct(*batch, request);
  const size_t dim = options_.dim;
  context_.pool.run(batch->parts(), [&](uint32_t number) {
    const BatchIndex::Part& part = batch->part(number);
    batch->each(number, [&](size_t position, uint32_t id) {
      std::copy_n(part.rows.data() + id * dim, dim, request.rows + position * request.stride);
      if (request.found != nullptr) request.found[position] = part.found[id];
    });
  });
  return_batch(std::move(batch));
  return hits;
}

}  // namespace hotrow
