// Pushes and updates: from a batch with duplicates to rows that have changed, all of them or none.
//
// A push runs in three steps. collect: duplicates are merged and non-finite rows dealt with;
// nothing of the table is touched. reserve (reserve.cc): rows and index memory are promised by the
// budget; the last moment at which a push can fail. apply (apply.cc): the parts of the batch, which
// share no shard, work side by side.
//
// Three gates make a push whole. Mostly it reserves as if all its keys were new, beside any other
// call. Where a table is at its own limit, it takes that table's gate exclusively, counts the keys
// that are really new, and evicts. Where the store's ceiling is near, it takes the store's gate
// exclusively.
#include <algorithm>

#include "base/batch_check.h"
#include "base/guarded.h"
#include "memory/epoch.h"
#include "table/collect-inl.h"
#include "table/table.h"

namespace hotrow {

namespace {

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
  plan->update = {};
  plan->comes_back = false;
  plan->front = nullptr;
  plan->times = {};
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
    if (row == nullptr || all_finite(row, options_.dim)) continue;
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
      if (row_kernels().all_finite(row, options_.dim)) continue;
      return Status::invalid_argument(std::string(argument) +
                                      ": expected finite values, received NaN or infinity for "
                                      "key " +
                                      std::to_string(batch.keys[id]));
    }
  }
  return Status::invalid_argument(std::string(argument) + ": expected finite values");
}

/// The gates of the tables of one push, by rising address so that two pushes cannot wait for each
/// other.
class SparseTable::Gates {
 public:
  /// Takes those of `exclusive` tables exclusively, the others shared.
  Gates(std::span<PushPlan* const> plans,
        bool (*exclusive)(const SparseTable&)) HOTROW_NO_THREAD_SAFETY_ANALYSIS {
    for (const PushPlan* plan : plans) held_.push_back({plan->table, exclusive(*plan->table)});
    std::ranges::sort(held_, std::less<>(), &Held::table);
    for (const Held& held : held_) {
      held.exclusive ? held.table->gate_.lock() : held.table->gate_.lock_shared();
    }
  }
  ~Gates() HOTROW_NO_THREAD_SAFETY_ANALYSIS {
    for (const Held& held : held_) {
      held.exclusive ? held.table->gate_.unlock() : held.table->gate_.unlock_shared();
    }
  }
  Gates(const Gates&) = delete;
  Gates& operator=(const Gates&) = delete;

 private:
  struct Held {
    SparseTable* table;
    bool exclusive;
  };
  std::vector<Held> held_;
};

void SparseTable::raise_steps(uint64_t steps) {
  uint64_t seen = steps_.load(std::memory_order_relaxed);
  while (seen < steps && !steps_.compare_exchange_weak(seen, steps, std::memory_order_relaxed)) {
  }
}

Status SparseTable::apply(PushPlan& plan) {
  raise_steps(plan.update.steps);
  // A push of nothing is no step.
  const bool steps = plan.kind == PushKind::kGradient && plan.applies();
  plan.number = steps ? steps_.fetch_add(1, std::memory_order_relaxed) + 1
                      : steps_.load(std::memory_order_relaxed);
  const StepTable constants(rules_.optimizer(), std::max<uint64_t>(plan.number, 1),
                            plan.options.learning_rate);
  plan.steps = &constants;
  const uint32_t parts = plan.batch->parts();
  context_.pool.run(parts, [&](uint32_t number) { rows_->apply(plan, number); });
  bool failed = false;
  uint64_t skipped = 0;
  uint64_t created = 0;
  uint64_t not_admitted = 0;
  for (uint32_t i = 0; i < parts; ++i) {
    failed |= plan.parts[i].failed;
    skipped += plan.parts[i].skipped;
    created += plan.parts[i].created;
    not_admitted += plan.parts[i].not_admitted;
  }
  rows_->release(plan);
  auto& applied = plan.kind == PushKind::kAssign ? counters_.updates : counters_.pushes;
  const uint64_t counted =
      plan.comes_back ? 0 : all_times(plan.times, plan.batch->keys()) - skipped;
  applied.fetch_add(counted, std::memory_order_relaxed);
  counters_.skipped.fetch_add(skipped, std::memory_order_relaxed);
  counters_.created.fetch_add(created, std::memory_order_relaxed);
  counters_.not_admitted.fetch_add(not_admitted, std::memory_order_relaxed);
  if (!failed) return {};
  return {StatusCode::kInternal, "table '" + name_ +
                                     "': the system refused memory in the middle of a push; "
                                     "part of it was applied"};
}

Status SparseTable::capacity_status(const PushPlan& plan) const {
  const std::string start = "table '" + name_ + "': its new rows would not fit: ";
  if (rules_.limit_rows() != UINT64_MAX && plan.batch->distinct() > rules_.limit_rows()) {
    return Status::capacity(start + "the call has " + std::to_string(plan.batch->distinct()) +
                            " keys, eviction allows " + std::to_string(rules_.limit_rows()) +
                            " rows");
  }
  return Status::capacity(start + why_full());
}

Status SparseTable::run_all(TableContext& context, std::span<PushPlan* const> plans) {
  for (;;) {
    for (PushPlan* plan : plans) HOTROW_RETURN_IF_ERROR(plan->table->bring(*plan));
    std::optional<Status> done = run_brought(context, plans);
    if (done) return std::move(*done);
  }
}

// With what lies in front of the tables: claimed before anything changes, given last.
Status SparseTable::run_in_turn(TableContext& context, std::span<PushPlan* const> plans) {
  for (PushPlan* plan : plans) {
    if (plan->front != nullptr) HOTROW_RETURN_IF_ERROR(plan->front->claim(*plan));
  }
  Status status = run_all(context, plans);
  if (!status.ok()) return status;
  for (const PushPlan* plan : plans) {
    if (plan->front == nullptr) continue;
    if (Status given = plan->front->push_claimed(*plan); !given.ok()) status = std::move(given);
  }
  return status;
}

// Nothing, where rows that were brought in have been demoted again.
std::optional<Status> SparseTable::run_brought(TableContext& context,
                                               std::span<PushPlan* const> plans) {
  const auto reserve_all = [&](Certainty (*certainty)(const SparseTable&)) {
    const auto release_before = [&](size_t end) {
      for (size_t i = 0; i < end; ++i) plans[i]->table->rows_->release(*plans[i]);
    };
    for (size_t i = 0; i < plans.size(); ++i) {
      const SparseTable& table = *plans[i]->table;
      try {
        if (table.rows_->reserve(*plans[i], certainty(table))) continue;
      } catch (...) {
        release_before(i);
        throw;
      }
      release_before(i);
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
  const auto generous = [](const SparseTable&) { return Certainty::kGenerous; };
  const auto exact = [](const SparseTable&) { return Certainty::kExact; };
  const auto limited = [](const SparseTable& table) {
    return table.rules_.limit_rows() != UINT64_MAX;
  };
  const auto any_moved = [&] {
    return std::ranges::any_of(plans,
                               [](const PushPlan* plan) { return plan->table->moved(*plan); });
  };
  {
    const SharedLock capacity(context.capacity_gate);
    {
      const Gates gates(plans, [](const SparseTable&) { return false; });
      if (any_moved()) return std::nullopt;
      if (reserve_all(generous) == nullptr) return apply_all();
    }
    if (std::ranges::any_of(plans, [&](const PushPlan* plan) { return limited(*plan->table); })) {
      const Gates gates(plans, limited);
      if (any_moved()) return std::nullopt;
      const auto as_limited = [](const SparseTable& table) {
        return table.rules_.limit_rows() != UINT64_MAX ? Certainty::kExact : Certainty::kGenerous;
      };
      if (reserve_all(as_limited) == nullptr) return apply_all();
    }
  }
  EpochDomain::instance().reclaim();
  const ExclusiveLock capacity(context.capacity_gate);
  if (any_moved()) return std::nullopt;
  const PushPlan* const refused = reserve_all(exact);
  return refused == nullptr ? apply_all() : refused->table->capacity_status(*refused);
}

Status SparseTable::run(std::unique_ptr<PushPlan> plan, Status collected) {
  PushPlan* const only = plan.get();
  Status status = collected.ok() ? run_in_turn(context_, {&only, 1}) : std::move(collected);
  return_plan(std::move(plan));
  return status;
}

Status SparseTable::push(KeyBatch keys, ConstRowBatch gradients, const PushOptions& options) {
  const PushRequest request{
      .table = this, .keys = keys, .gradients = gradients, .options = options};
  return push_all({&request, 1});
}

Status SparseTable::push_all(std::span<const PushRequest> requests) {
  if (requests.empty()) return {};
  return guarded([&] { return push_together(requests); });
}

Status SparseTable::push_together(std::span<const PushRequest> requests) {
  const Call under_way(*requests.front().table->call_gate_);
  uint64_t keys = 0;
  for (const PushRequest& request : requests) {
    if (request.table->closed()) return request.table->closed_status();
    if (request.table->context_.read_only) return request.table->read_only_status();
    HOTROW_RETURN_IF_ERROR(request.table->check_learns());
    HOTROW_RETURN_IF_ERROR(
        request.table->check_rows("gradients", request.keys, request.gradients.size()));
    HOTROW_RETURN_IF_ERROR(check_times(request.times, request.keys));
    HOTROW_RETURN_IF_ERROR(request.table->rules_.optimizer().check(request.options));
    keys += request.keys.size();
  }
  TableContext& context = requests.front().table->context_;
  const CallTimer timer(context.latencies.push, keys);
  std::vector<std::unique_ptr<PushPlan>> plans;
  std::vector<PushPlan*> pointers;
  Status status;
  for (const PushRequest& request : requests) {
    plans.push_back(request.table->take_plan());
    pointers.push_back(plans.back().get());
    plans.back()->options = request.options;
    plans.back()->front = request.front;
    plans.back()->times = request.times;
    status = request.table->collect(*plans.back(), request.keys, PushKind::kGradient,
                                    rows_of(request.gradients, request.table->options_.dim));
    if (!status.ok()) break;
  }
  if (status.ok()) status = run_in_turn(context, pointers);
  for (auto& plan : plans) plan->table->return_plan(std::move(plan));
  return status;
}

Status SparseTable::check_state(std::span<const float> state, size_t keys) const {
  if (state.empty()) return {};
  const uint64_t expected = keys * rules_.state_values();
  if (state.size() != expected) {
    return Status::invalid_argument("state: expected " + std::to_string(expected) + " values (" +
                                    std::to_string(keys) + " keys x " +
                                    std::to_string(rules_.state_values()) +
                                    " values of state), received " + std::to_string(state.size()));
  }
  if (row_kernels().all_finite(state.data(), state.size())) return {};
  return Status::invalid_argument("state: expected finite values, received NaN or infinity");
}

Status SparseTable::write_back(KeyBatch keys, ConstRowBatch rows, std::span<const float> state) {
  return change([&]() -> Status {
    std::unique_ptr<PushPlan> plan = take_plan();
    plan->rows = rows.data();
    plan->update = {.state = state};
    plan->comes_back = true;
    const Status status = collect(*plan, keys, PushKind::kAssign, rows_of(rows, options_.dim));
    return run(std::move(plan), status);
  });
}

Status SparseTable::update(KeyBatch keys, ConstRowBatch rows, const UpdateOptions& options) {
  return change([&]() -> Status {
    const CallTimer timer(context_.latencies.update, keys.size());
    HOTROW_RETURN_IF_ERROR(check_rows("rows", keys, rows.size()));
    HOTROW_RETURN_IF_ERROR(check_state(options.state, keys.size()));
    std::unique_ptr<PushPlan> plan = take_plan();
    plan->rows = rows.data();
    plan->update = options;
    const Status status = collect(*plan, keys, PushKind::kAssign, rows_of(rows, options_.dim));
    return run(std::move(plan), status);
  });
}

}  // namespace hotrow
