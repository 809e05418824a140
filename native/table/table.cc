// Making, checking, measuring and closing a table.
#include "table/table.h"

#include <utility>

#include "base/guarded.h"
#include "memory/epoch.h"

namespace hotrow {

namespace {

RowLayout layout_of(const TableOptions& options, const Optimizer& optimizer) {
  return {options.dim, static_cast<uint32_t>(optimizer.state_values(options.dim))};
}

}  // namespace

SparseTable::SparseTable(std::string name, TableOptions options, TableContext& context)
    : name_(std::move(name)),
      options_(std::move(options)),
      context_(context),
      optimizer_(options_.optimizer, options_.groups),
      initializer_(options_.initializer, options_.seed),
      layout_(layout_of(options_, optimizer_)),
      body_(std::make_unique<Body>(layout_, context.budget)) {}

Result<std::shared_ptr<SparseTable>> SparseTable::create(std::string name, TableOptions options,
                                                         TableContext& context) {
  std::shared_ptr<SparseTable> table(new SparseTable(std::move(name), std::move(options), context));
  HOTROW_RETURN_IF_ERROR(table->body_->rows.open());
  HOTROW_RETURN_IF_ERROR(table->body_->index.open());
  return table;
}

void SparseTable::close() {
  if (closed_.exchange(true, std::memory_order_acq_rel)) return;
  EpochDomain::instance().synchronize();
  body_.reset();
  MutexLock lock(idle_mutex_);
  idle_plans_.clear();
  idle_batches_.clear();
}

Status SparseTable::check_keys(KeyBatch keys) {
  if (keys.size() <= BatchIndex::kMaxKeys) return {};
  return Status::invalid_argument("keys: expected at most 2^28 keys in one call, received " +
                                  std::to_string(keys.size()));
}

Status SparseTable::check_rows(const char* name, KeyBatch keys, size_t values) const {
  HOTROW_RETURN_IF_ERROR(check_keys(keys));
  if (values != keys.size() * options_.dim) {
    return Status::invalid_argument(
        std::string(name) + ": expected " + std::to_string(keys.size() * options_.dim) +
        " values (" + std::to_string(keys.size()) + " keys x dim " + std::to_string(options_.dim) +
        "), received " + std::to_string(values));
  }
  return {};
}

uint64_t SparseTable::size() const {
  const EpochGuard guard;
  return closed() ? 0 : body_->index.size();
}

Result<TableStats> SparseTable::stats() {
  return guarded([&]() -> Result<TableStats> {
    const EpochGuard guard;
    if (closed()) return closed_status();
    return count_all();
  });
}

TableStats SparseTable::count_all() const {
  constexpr auto kRelaxed = std::memory_order_relaxed;
  TableStats stats;
  stats.rows = body_->index.size();
  stats.row_bytes = body_->rows.stride();
  stats.row_memory_bytes = body_->rows.memory_bytes();
  stats.index_memory_bytes = body_->index.memory_bytes();
  stats.buckets = body_->index.buckets();
  stats.shards = Index::kShards;
  stats.lookups = counters_.lookups.load(kRelaxed);
  stats.hits = counters_.hits.load(kRelaxed);
  stats.pushes = counters_.pushes.load(kRelaxed);
  stats.updates = counters_.updates.load(kRelaxed);
  stats.created = counters_.created.load(kRelaxed);
  stats.erased = counters_.erased.load(kRelaxed);
  stats.skipped_gradients = counters_.skipped.load(kRelaxed);
  stats.grown_shards = body_->index.grown();
  return stats;
}

}  // namespace hotrow
