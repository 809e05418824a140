// Pushes: what the device has of a push's keys is claimed before the table changes anything, and
// given to the device after the table's own part, as the same push.
#include <algorithm>
#include <array>
#include <utility>

#include "base/hash.h"
#include "store/device_table.h"
#include "table/push_plan.h"

namespace hotrow {

Status DeviceTable::push(KeyBatch keys, ConstRowBatch gradients, const PushOptions& options) {
  return alone([&]() HOTROW_NO_THREAD_SAFETY_ANALYSIS -> Status {
    const SparseTable::PushRequest request{.table = table_.get(),
                                           .keys = keys,
                                           .gradients = gradients,
                                           .options = options,
                                           .front = cache_ == nullptr ? nullptr : this};
    return SparseTable::push_all({&request, 1});
  });
}

Status DeviceTable::push_pooled(const BagBatch& bags, ConstRowBatch bag_gradients,
                                const PushOptions& options) {
  return alone([&]() HOTROW_NO_THREAD_SAFETY_ANALYSIS -> Status {
    return table_->push_pooled_with(bags, bag_gradients, options,
                                    cache_ == nullptr ? nullptr : this);
  });
}

Status DeviceTable::push_all(std::vector<SparseTable::PushRequest>& requests,
                             const std::vector<DeviceTable*>& fronts)
    HOTROW_NO_THREAD_SAFETY_ANALYSIS {
  return guarded([&]() HOTROW_NO_THREAD_SAFETY_ANALYSIS -> Status {
    const Call under_way(*fronts.front()->call_gate_);
    const Alone alone(fronts);
    for (DeviceTable* front : fronts) {
      HOTROW_RETURN_IF_ERROR(front->table_->check_open());
      HOTROW_RETURN_IF_ERROR(front->ready());
      for (SparseTable::PushRequest& request : requests) {
        if (request.table != front->table_.get() || front->cache_ == nullptr) continue;
        request.front = front;
      }
    }
    Status status = SparseTable::push_all(requests);
    for (DeviceTable* front : fronts) {
      front->give_up_failed();
      if (Status lost = front->loss(); !lost.ok()) status = std::move(lost);
    }
    return status;
  });
}

// Whoever pushes has the lock, and the table between the two knows nothing of it.
Status DeviceTable::claim(PushPlan& plan) HOTROW_NO_THREAD_SAFETY_ANALYSIS {
  return claim_here(plan);
}
Status DeviceTable::push_claimed(const PushPlan& plan) HOTROW_NO_THREAD_SAFETY_ANALYSIS {
  return give_claimed(plan);
}

// All memory is taken here: once the table has changed nothing may fail for want of it.
Status DeviceTable::claim_here(PushPlan& plan) {
  Claimed& all = claimed_;
  all.keys.clear();
  all.ids.clear();
  const RowRules& rules = table_->rules();
  const StepTable constants(rules.optimizer(), 1, plan.options.learning_rate);
  for (uint32_t number = 0; number < plan.batch->parts(); ++number) {
    const BatchIndex::Part& batch = plan.batch->part(number);
    for (uint32_t id = 0; id < batch.size(); ++id) {
      if (!plan.parts[number].applies(id)) continue;
      // What is frozen stays as it is here too, and clean.
      if (constants.for_key(batch.keys[id]).way == RowWay::kFrozen) continue;
      all.keys.push_back(batch.keys[id]);
      all.ids.push_back({number, id});
    }
  }
  if (all.keys.empty()) return {};
  if (!cache_->find(all.keys, all.misses)) {
    all.keys.clear();
    give_up_failed();
    return loss();
  }
  size_t kept = 0;
  size_t next = 0;
  for (size_t i = 0; i < all.keys.size(); ++i) {
    if (next < all.misses.size() && all.misses[next] == i) {
      ++next;
      continue;
    }
    all.keys[kept] = all.keys[i];
    all.ids[kept] = all.ids[i];
    ++kept;
  }
  all.keys.resize(kept);
  all.ids.resize(kept);
  const size_t dim = rules.dim();
  all.gradients.resize(kept * dim);
  all.misses.resize(kept);
  all.random.resize(options().rounding == Rounding::kStochastic ? kept : 0);
  all.step_of.resize(options().groups.empty() ? 0 : kept);
  all.steps.reserve(kMaxGroups + 1);
  for (PushPart& part : plan.parts) part.claimed.reserve(kept);
  for (size_t i = 0; i < kept; ++i) {
    const auto [number, id] = all.ids[i];
    std::copy_n(plan.parts[number].row(id), dim, all.gradients.data() + i * dim);
    plan.parts[number].claim(id, plan.batch->part(number).size());
  }
  return {};
}

Status DeviceTable::give_claimed(const PushPlan& plan) {
  Claimed& all = claimed_;
  const size_t n = all.keys.size();
  if (n == 0 || cache_ == nullptr) return {};
  const RowRules& rules = table_->rules();
  const StepTable constants(rules.optimizer(), plan.number, plan.options.learning_rate);
  std::array<const UpdateStep*, kMaxGroups + 1> known = {};
  all.steps.clear();
  for (size_t i = 0; i < n; ++i) {
    const auto [number, id] = all.ids[i];
    // As table/apply.cc makes it.
    if (!all.random.empty()) {
      all.random[i] = plan.batch->part(number).hashes[id] ^ mix64(plan.number ^ rules.seed());
    }
    if (all.step_of.empty() && i > 0) continue;
    const UpdateStep* const step = &constants.for_key(all.keys[i]);
    const auto end = known.begin() + static_cast<ptrdiff_t>(all.steps.size());
    const auto place = std::find(known.begin(), end, step);
    if (place == end) {
      *place = step;
      all.steps.push_back(*step);
    }
    if (!all.step_of.empty()) all.step_of[i] = static_cast<uint8_t>(place - known.begin());
  }
  const TierPush push{.gradients = all.gradients.data(),
                      .steps = all.steps.data(),
                      .step_count = static_cast<uint32_t>(all.steps.size()),
                      .step_of = all.step_of.empty() ? nullptr : all.step_of.data(),
                      .random = all.random.empty() ? nullptr : all.random.data()};
  const uint64_t dirty = dirty_rows_.load(std::memory_order_relaxed) + n;
  dirty_rows_.store(std::min(dirty, cache_->capacity()), std::memory_order_relaxed);
  // Here are the rows of this push too, if they are lost.
  if (cache_->push(all.keys, push, all.misses)) let_go(all.keys, TierHolding::kOnceLess);
  give_up_failed();
  return loss();
}

}  // namespace hotrow
