// Push, update and erase: everything that writes rows.
//
// A push runs in three steps. collect: duplicates are merged and non-finite rows dealt with;
// nothing of the table is touched. reserve: rows and index memory are promised by the budget; the
// last moment at which a push can fail. apply: each key is locked, its row made if need be, and
// the optimizer run; the parts of a plan work side by side.
//
// reserve first asks generously, as if every key were new, because that needs no look at the
// table. Near the ceiling it takes the capacity gate exclusively, counts the keys that are really
// missing, and grows their shards beforehand.
#include <array>
#include <cstring>

#include "base/guarded.h"
#include "memory/epoch.h"
#include "table/collect-inl.h"
#include "table/table.h"

namespace hotrow {

namespace {

// Entries between the fetch of a bucket, the fetch of its row, and the update.
constexpr size_t kBucketAhead = 24;
constexpr size_t kRowAhead = 12;

// Keys erased between two visits to the pool of rows.
constexpr size_t kEraseChunk = 64;

/// Reads a batch with one row a position.
auto rows_of(ConstRowBatch rows, size_t dim) {
  return [data = rows.data(), dim] {
    return [data, dim](size_t position) { return std::pair{data + position * dim, 1.0F}; };
  };
}

}  // namespace

std::unique_ptr<PushPlan> SparseTable::take_plan() {
  std::unique_ptr<PushPlan> plan;
  {
    MutexLock lock(idle_mutex_);
    if (!idle_plans_.empty()) {
      plan = std::move(idle_plans_.back());
      idle_plans_.pop_back();
    }
  }
  if (!plan) plan = std::make_unique<PushPlan>();
  plan->table = this;
  plan->options = {};
  return plan;
}

void SparseTable::return_plan(std::unique_ptr<PushPlan> plan) {
  return_batch(std::move(plan->batch));
  const MutexLock lock(idle_mutex_);
  keep_idle(idle_plans_, std::move(plan));
}

// Checks what would be applied, not what came: finite gradients may sum to infinity.
bool SparseTable::check_finite(PushPart& part, size_t keys) const {
  const auto all_finite = row_kernels().all_finite;
  const std::span<const float> all = part.contiguous();
  if (!all.empty() && all_finite(all.data(), all.size())) return true;
  const bool skip = options_.non_finite == NonFinite::kSkip;
  for (size_t id = 0; id < keys; ++id) {
    const float* const row = part.row(id);
    if (row == nullptr || all_finite(row, layout_.dim)) continue;
    if (!skip) return false;
    part.skipped += part.added[id];
    part.added[id] = 0;
  }
  return true;
}

Status SparseTable::non_finite_status(const PushPlan& plan) const {
  const char* const argument = plan.kind == PushKind::kAssign ? "rows" : "gradients";
  for (uint32_t number = 0; number < plan.batch->parts(); ++number) {
    const BatchIndex::Part& batch = plan.batch->part(number);
    for (size_t id = 0; id < batch.size(); ++id) {
      const float* const row = plan.parts[number].row(id);
      if (row_kernels().all_finite(row, layout_.dim)) continue;
      return Status::invalid_argument(std::string(argument) +
                                      ": expected finite values, received NaN or infinity for "
                                      "key " +
                                      std::to_string(batch.keys[id]));
    }
  }
  return Status::invalid_argument(std::string(argument) + ": expected finite values");
}

bool SparseTable::reserve(PushPlan& plan, Certainty certainty) {
  if (certainty == Certainty::kExact) return reserve_exactly(plan);
  plan.keys_in.fill(0);
  for (uint32_t i = 0; i < plan.batch->parts(); ++i) {
    for (const uint64_t hash : plan.batch->part(i).hashes) ++plan.keys_in[Index::shard_of(hash)];
    plan.parts[i].rows_left = plan.batch->part(i).size();
  }
  const uint64_t index_bytes = body_->index.growth_bytes(plan.keys_in);
  if (!plan.index_bytes.take(context_.budget, index_bytes)) return false;
  const uint64_t rows = plan.batch->distinct();
  if (!body_->rows.reserve(rows)) {
    plan.index_bytes.reset();
    return false;
  }
  plan.reserved_rows = rows;
  return true;
}

bool SparseTable::reserve_exactly(PushPlan& plan) {
  plan.keys_in.fill(0);
  uint64_t missing = 0;
  for (uint32_t i = 0; i < plan.batch->parts(); ++i) {
    const BatchIndex::Part& batch = plan.batch->part(i);
    PushPart& part = plan.parts[i];
    part.rows_left = 0;
    for (size_t id = 0; id < batch.size(); ++id) {
      if (!part.applies(id)) continue;
      if (body_->index.probe(batch.keys[id], batch.hashes[id]).handle != Index::kNoHandle) continue;
      ++part.rows_left;
      ++plan.keys_in[Index::shard_of(batch.hashes[id])];
    }
    missing += part.rows_left;
  }
  if (!body_->rows.reserve(missing)) return false;
  plan.reserved_rows = missing;
  for (uint32_t shard = 0; shard < Index::kShards; ++shard) {
    if (plan.keys_in[shard] == 0) continue;
    if (!body_->index.grow(shard, plan.keys_in[shard], false, Index::Growth::kWithinBudget)) {
      release(plan);
      return false;
    }
  }
  return true;
}

void SparseTable::release(PushPlan& plan) {
  uint64_t created = 0;
  for (uint32_t i = 0; i < plan.batch->parts(); ++i) created += plan.parts[i].created;
  body_->rows.unreserve(plan.reserved_rows - created);
  plan.reserved_rows = 0;
  plan.index_bytes.reset();
}

void SparseTable::prefetch_row(uint64_t key, uint64_t hash) const {
  const Index::Sight sight = body_->index.peek(key, hash);
  if (sight.handle == Index::kNoHandle) return;
  const std::byte* const row = body_->rows.row(sight.handle);
  const size_t lines = std::min<size_t>((layout_.bytes() + kLineBytes - 1) / kLineBytes, 12);
  for (size_t i = 0; i < lines; ++i) __builtin_prefetch(row + i * kLineBytes, 1, 3);
}

void SparseTable::write_row(const KeyChange& change, std::byte* row) const {
  float* const w = layout_.values(row).data();
  if (change.kind == PushKind::kAssign) {
    std::memcpy(w, change.row, layout_.dim * sizeof(float));
  } else {
    optimizer_.apply(change.step, w, layout_.state_of(row).data(), change.row, layout_.dim,
                     change.scratch);
  }
}

/// False when the index has no place for the key and the system refuses memory to grow it.
bool SparseTable::apply_one(PushPart& part, RowAllocator& allocator, const KeyChange& change) {
  Index& index = body_->index;
  Index::Hold hold = index.lock(change.key, change.hash);
  if (hold.found()) {
    write_row(change, body_->rows.row(hold.handle()));
    index.unlock(hold);
    return true;
  }
  const uint32_t shard = hold.shard;
  if (index.wants_growth(shard)) {
    index.unlock(hold);
    // At once for all the batch may bring, so that no shard is rebuilt twice in a push. Refused
    // memory is no failure yet: the shard still has a few empty places.
    (void)index.grow(shard, change.keys_in_shard, false, Index::Growth::kAlways);
    hold = index.lock(change.key, change.hash);
  }
  while (!hold.found()) {
    const uint32_t handle = allocator.take(part.rows_left);
    std::byte* const row = body_->rows.row(handle);
    initializer_.fill(change.key, layout_.values(row));
    optimizer_.fill_state(layout_.state_of(row));
    if (index.insert(hold, change.key, handle)) {
      --part.rows_left;
      ++part.created;
      break;
    }
    index.unlock(hold);
    allocator.put_back(handle);
    if (!index.grow(shard, 1, true, Index::Growth::kAlways)) return false;
    hold = index.lock(change.key, change.hash);
  }
  write_row(change, body_->rows.row(hold.handle()));
  index.unlock(hold);
  return true;
}

void SparseTable::apply_part(const PushPlan& plan, uint32_t number, PushPart& part,
                             const StepTable& steps) {
  const BatchIndex::Part& batch = plan.batch->part(number);
  const size_t n = batch.size();
  RowAllocator allocator(body_->rows);
  for (size_t i = 0; i < std::min(n, kBucketAhead); ++i) {
    body_->index.prefetch_home(batch.hashes[i]);
  }
  for (size_t i = 0; i < std::min(n, kRowAhead); ++i) prefetch_row(batch.keys[i], batch.hashes[i]);
  for (size_t i = 0; i < n; ++i) {
    const size_t far = i + kBucketAhead;
    const size_t near = i + kRowAhead;
    if (far < n) body_->index.prefetch_home(batch.hashes[far]);
    if (near < n) prefetch_row(batch.keys[near], batch.hashes[near]);
    if (!part.applies(i)) continue;
    const uint32_t in_shard = plan.keys_in[Index::shard_of(batch.hashes[i])];
    if (!apply_one(part, allocator,
                   {batch.keys[i], batch.hashes[i], part.row(i), plan.kind,
                    steps.for_key(batch.keys[i]), in_shard, part.scratch.data()})) {
      part.failed = true;
      return;
    }
  }
}

Status SparseTable::apply(PushPlan& plan) {
  // A push of nothing is no step.
  const bool steps = plan.kind == PushKind::kGradient && plan.applies();
  const uint64_t t = steps ? steps_.fetch_add(1, std::memory_order_relaxed) + 1 : 1;
  const StepTable constants(optimizer_, t, plan.options.learning_rate);
  const uint32_t parts = plan.batch->parts();
  context_.pool.run(
      parts, [&](uint32_t number) { apply_part(plan, number, plan.parts[number], constants); });
  bool failed = false;
  uint64_t skipped = 0;
  uint64_t created = 0;
  for (uint32_t i = 0; i < parts; ++i) {
    failed |= plan.parts[i].failed;
    skipped += plan.parts[i].skipped;
    created += plan.parts[i].created;
  }
  release(plan);
  auto& applied = plan.kind == PushKind::kAssign ? counters_.updates : counters_.pushes;
  applied.fetch_add(plan.batch->size() - skipped, std::memory_order_relaxed);
  counters_.skipped.fetch_add(skipped, std::memory_order_relaxed);
  counters_.created.fetch_add(created, std::memory_order_relaxed);
  if (!failed) return {};
  return {StatusCode::kInternal, "table '" + name_ +
                                     "': the system refused memory in the middle of a push; "
                                     "part of it was applied"};
}

Status SparseTable::run_all(TableContext& context, std::span<PushPlan* const> plans) {
  const auto reserve_all = [&](Certainty certainty) {
    for (size_t i = 0; i < plans.size(); ++i) {
      if (plans[i]->table->reserve(*plans[i], certainty)) continue;
      for (size_t j = 0; j < i; ++j) plans[j]->table->release(*plans[j]);
      return plans[i];
    }
    return static_cast<PushPlan*>(nullptr);
  };
  const auto apply_all = [&] {
    Status result;
    for (PushPlan* plan : plans) {
      if (Status status = plan->table->apply(*plan); !status.ok()) result = std::move(status);
    }
    return result;
  };
  {
    const SharedLock gate(context.capacity_gate);
    if (reserve_all(Certainty::kGenerous) == nullptr) return apply_all();
  }
  EpochDomain::instance().reclaim();
  const ExclusiveLock gate(context.capacity_gate);
  const PushPlan* const refused = reserve_all(Certainty::kExact);
  if (refused == nullptr) return apply_all();
  return Status::capacity("table '" + refused->table->name_ + "': its new rows would not fit: " +
                          std::to_string(context.budget.used()) + " of memoryBytes " +
                          std::to_string(context.budget.limit()) + " are in use");
}

Status SparseTable::run(std::unique_ptr<PushPlan> plan, Status collected) {
  PushPlan* const only = plan.get();
  Status status = collected.ok() ? run_all(context_, {&only, 1}) : std::move(collected);
  return_plan(std::move(plan));
  return status;
}

Status SparseTable::push(KeyBatch keys, ConstRowBatch gradients, const PushOptions& options) {
  const PushRequest request{this, keys, gradients, options};
  return push_all({&request, 1});
}

Status SparseTable::push_all(std::span<const PushRequest> requests) {
  return guarded([&] { return push_together(requests); });
}

Status SparseTable::push_together(std::span<const PushRequest> requests) {
  const EpochGuard guard;
  for (const PushRequest& request : requests) {
    if (request.table->closed()) return request.table->closed_status();
    HOTROW_RETURN_IF_ERROR(
        request.table->check_rows("gradients", request.keys, request.gradients.size()));
    HOTROW_RETURN_IF_ERROR(request.table->optimizer_.check(request.options));
  }
  std::vector<std::unique_ptr<PushPlan>> plans;
  std::vector<PushPlan*> pointers;
  Status status;
  for (const PushRequest& request : requests) {
    plans.push_back(request.table->take_plan());
    pointers.push_back(plans.back().get());
    plans.back()->options = request.options;
    status = request.table->collect(*plans.back(), request.keys, PushKind::kGradient,
                                    rows_of(request.gradients, request.table->layout_.dim));
    if (!status.ok()) break;
  }
  if (status.ok() && !requests.empty()) {
    status = run_all(requests.front().table->context_, pointers);
  }
  for (auto& plan : plans) plan->table->return_plan(std::move(plan));
  return status;
}

Status SparseTable::update(KeyBatch keys, ConstRowBatch rows) {
  return guarded([&]() -> Status {
    const EpochGuard guard;
    if (closed()) return closed_status();
    HOTROW_RETURN_IF_ERROR(check_rows("rows", keys, rows.size()));
    std::unique_ptr<PushPlan> plan = take_plan();
    const Status status = collect(*plan, keys, PushKind::kAssign, rows_of(rows, layout_.dim));
    return run(std::move(plan), status);
  });
}

uint64_t SparseTable::erase_chunk(KeyBatch keys) {
  std::array<uint32_t, kEraseChunk> freed;
  size_t count = 0;
  for (const uint64_t key : keys) body_->index.prefetch_home(mix64(key));
  for (const uint64_t key : keys) {
    Index::Hold hold = body_->index.lock(key, mix64(key));
    if (hold.found()) {
      freed[count++] = hold.handle();
      body_->index.erase(hold);
    }
    body_->index.unlock(hold);
  }
  body_->rows.free({freed.data(), count});
  body_->rows.unreserve(count);
  return count;
}

Result<uint64_t> SparseTable::erase(KeyBatch keys) {
  return guarded([&]() -> Result<uint64_t> {
    const EpochGuard guard;
    if (closed()) return closed_status();
    const SharedLock gate(context_.capacity_gate);
    uint64_t erased = 0;
    for (size_t first = 0; first < keys.size(); first += kEraseChunk) {
      erased += erase_chunk(keys.subspan(first, std::min(kEraseChunk, keys.size() - first)));
    }
    counters_.erased.fetch_add(erased, std::memory_order_relaxed);
    return erased;
  });
}

}  // namespace hotrow
