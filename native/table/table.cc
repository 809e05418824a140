// Making, checking and closing a table.
#include "table/table.h"

#include "base/batch_check.h"

#include <utility>

#include "memory/epoch.h"

namespace hotrow {

SparseTable::SparseTable(std::string name, TableOptions options, TableContext& context)
    : name_(std::move(name)),
      options_(std::move(options)),
      context_(context),
      call_gate_(context.call_gate),
      rules_(options_) {}

Result<std::shared_ptr<SparseTable>> SparseTable::create(std::string name, TableOptions options,
                                                         TableContext& context) {
  std::shared_ptr<SparseTable> table(new SparseTable(std::move(name), std::move(options), context));
  auto rows = make_row_map(table->rules_, table->context_.budget);
  if (!rows.ok()) return rows.status();
  table->rows_ = std::move(rows).value();
  if (const uint32_t wanted = table->options_.hot_keys; wanted > 0) {
    auto sketch = std::make_unique<HotKeys>(HotKeysOptions{.wanted = wanted});
    if (!table->sketch_memory_.take(table->context_.budget, sketch->memory_bytes())) {
      return Status::capacity("hotKeys: " + std::to_string(sketch->memory_bytes()) +
                              " bytes for the counts would not fit under memoryBytes");
    }
    table->hot_keys_ = std::move(sketch);
  }
  return table;
}

void SparseTable::close() {
  if (closed_.exchange(true, std::memory_order_acq_rel)) return;
  EpochDomain::instance().synchronize();
  rows_.reset();
  tier_.reset();
  hot_keys_.reset();
  sketch_memory_.reset();
  MutexLock lock(idle_mutex_);
  idle_plans_.clear();
  idle_batches_.clear();
}

Moment SparseTable::moment() const {
  constexpr auto kRelaxed = std::memory_order_relaxed;
  if (!HeatRule::needed(options_.eviction.policy)) return {};
  const uint64_t accesses = counters_.lookups.load(kRelaxed) + counters_.pushes.load(kRelaxed) +
                            counters_.updates.load(kRelaxed);
  const uint64_t now = options_.eviction.ttl_ms == 0 ? 0 : context_.clock.now_ms();
  return {rules_.heat().clock(accesses, now), steps_.load(kRelaxed)};
}

Status SparseTable::check_learns() const {
  if (options_.value_type != ValueType::kI8 && options_.value_type != ValueType::kI4) return {};
  return Status::invalid_argument(
      "valueType: expected 'f32', 'f16' or 'bf16' for a push; table '" + name_ + "' has rows of " +
      (options_.value_type == ValueType::kI8 ? "'i8'" : "'i4'") + ", which take update() only");
}

static_assert(kMostBatchKeys == BatchIndex::kMaxKeys);

Status SparseTable::check_keys(KeyBatch keys) { return hotrow::check_keys(keys); }

Status SparseTable::check_rows(const char* name, KeyBatch keys, size_t values) const {
  return hotrow::check_rows(name, keys, values, options_.dim);
}

Status SparseTable::check_found(const LookupOptions& options, size_t keys) {
  return hotrow::check_found(options, keys);
}

uint64_t SparseTable::size() const {
  const EpochGuard guard;
  return closed() ? 0 : count_rows().rows;
}

}  // namespace hotrow
