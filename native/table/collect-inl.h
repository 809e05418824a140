// The first step of a push: from a batch with duplicates to one row a key.
#ifndef HOTROW_TABLE_COLLECT_INL_H_
#define HOTROW_TABLE_COLLECT_INL_H_

#include "table/table.h"

namespace hotrow {

template <class Scratch>
void SparseTable::keep_idle(std::vector<std::unique_ptr<Scratch>>& idle,
                            std::unique_ptr<Scratch> scratch) {
  constexpr size_t kMostIdle = 4;
  if (closed() || idle.size() >= kMostIdle) return;
  try {
    idle.push_back(std::move(scratch));
  } catch (const std::bad_alloc&) {
    // The next call makes its own.
  }
}

/// `source()` makes one part's reader of the batch: read(position, row, scale) for rising
/// positions.
template <class Source>
Status SparseTable::collect(PushPlan& plan, KeyBatch keys, PushKind kind, const Source& source) {
  plan.kind = kind;
  if (hot_keys_ && kind == PushKind::kGradient) hot_keys_->offer(keys, plan.times);
  plan.moment = moment();
  plan.stamps.clear();
  // Golden-ratio steps: whoever comes next begins far from here.
  plan.draw = plans_begun_.fetch_add(plan.comes_back ? 0 : 1, std::memory_order_relaxed);
  plan.first_shard = static_cast<uint32_t>(plan.draw * 633 % IndexShards::kCount);
  plan.batch = take_batch();
  const uint32_t parts = context_.parts_for(keys.size());
  plan.batch->assign(keys, parts, context_.pool);
  if (plan.parts.size() < parts) plan.parts.resize(parts);
  std::atomic<bool> clean{true};
  context_.pool.run(parts, [&](uint32_t number) { collect_part(plan, number, source, clean); });
  note_repetition(*plan.batch);
  return clean.load(std::memory_order_relaxed) ? Status() : non_finite_status(plan);
}

template <class Source>
void SparseTable::collect_part(PushPlan& plan, uint32_t number, const Source& source,
                               std::atomic<bool>& clean) const {
  const BatchIndex::Part& batch = plan.batch->part(number);
  PushPart& part = plan.parts[number];
  const bool judged = !plan.comes_back;
  const bool skip = judged && options_.non_finite == NonFinite::kSkip;
  const AdmissionKind admission = options_.admission.kind;
  const bool count =
      skip || admission == AdmissionKind::kCount || admission == AdmissionKind::kBloom;
  part.reset(batch.size(), options_.dim, plan.kind);
  part.scratch = RowRules::Scratch(rules_);
  part.sort_by_shard(batch.hashes, plan.first_shard);
  if (count) part.added.assign(batch.size(), 0);
  const auto all_finite = row_kernels().all_finite;
  const auto times_of = [times = plan.times](size_t position) {
    return times.empty() ? 1U : times[position];
  };
  auto read = source();
  if (float* const sums = part.single_values(); sums != nullptr && !count) {
    plan.batch->each(number, [&](size_t position, uint32_t id) {
      const auto [row, scale] = read(position);
      sums[id] += scale * row[0];
    });
  } else {
    plan.batch->each(number, [&](size_t position, uint32_t id) {
      const auto [row, scale] = read(position);
      // Of assigned rows only the last is looked at afterwards; gradients are, once summed.
      const bool assigned = judged && plan.kind == PushKind::kAssign;
      if ((skip || assigned) && !all_finite(row, options_.dim)) {
        if (skip) {
          part.skipped += times_of(position);
          return;
        }
        clean.store(false, std::memory_order_relaxed);
      }
      if (count) part.added[id] += times_of(position);
      part.add(id, row, scale);
    });
  }
  if (judged && !check_finite(part, batch.size())) clean.store(false, std::memory_order_relaxed);
}

}  // namespace hotrow

#endif  // HOTROW_TABLE_COLLECT_INL_H_
