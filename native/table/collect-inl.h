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
  plan.batch = take_batch();
  const uint32_t parts = context_.parts_for(keys.size());
  plan.batch->assign(keys, parts, context_.pool);
  if (plan.parts.size() < parts) plan.parts.resize(parts);
  const bool skip = options_.non_finite == NonFinite::kSkip;
  std::atomic<bool> clean{true};
  context_.pool.run(parts, [&](uint32_t number) {
    const BatchIndex::Part& batch = plan.batch->part(number);
    PushPart& part = plan.parts[number];
    part.reset(batch.size(), layout_.dim, kind);
    part.scratch.resize(optimizer_.scratch_values(layout_.dim));
    if (skip) part.added.assign(batch.size(), 0);
    const auto all_finite = row_kernels().all_finite;
    auto read = source();
    if (float* const sums = part.single_values(); sums != nullptr && !skip) {
      plan.batch->each(number, [&](size_t position, uint32_t id) {
        const auto [row, scale] = read(position);
        sums[id] += scale * row[0];
      });
      if (!check_finite(part, batch.size())) clean.store(false, std::memory_order_relaxed);
      return;
    }
    plan.batch->each(number, [&](size_t position, uint32_t id) {
      const auto [row, scale] = read(position);
      // Of assigned rows only the last is looked at afterwards; gradients are, once summed.
      if (skip || kind == PushKind::kAssign) {
        if (!all_finite(row, layout_.dim)) {
          if (skip) {
            ++part.skipped;
            return;
          }
          clean.store(false, std::memory_order_relaxed);
        }
        if (skip) ++part.added[id];
      }
      part.add(id, row, scale);
    });
    if (!check_finite(part, batch.size())) clean.store(false, std::memory_order_relaxed);
  });
  note_repetition(*plan.batch);
  return clean.load(std::memory_order_relaxed) ? Status() : non_finite_status(plan);
}

}  // namespace hotrow

#endif  // HOTROW_TABLE_COLLECT_INL_H_
