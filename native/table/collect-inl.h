// The first step of a push: from a batch with duplicates to a plan without.
#ifndef HOTROW_TABLE_COLLECT_INL_H_
#define HOTROW_TABLE_COLLECT_INL_H_

#include "table/table.h"

namespace hotrow {

/// `for_each(visit)` calls visit(key, row, scale) for the rows of the batch in order; every part
/// goes through the whole batch and keeps the keys whose hash is its own.
template <class ForEach>
Status SparseTable::collect(PushPlan& plan, uint64_t n, PushKind kind, const ForEach& for_each) {
  plan.kind = kind;
  plan.batch = n;
  plan.used = context_.parts_for(n);
  if (plan.parts.size() < plan.used) plan.parts.resize(plan.used);
  const bool skip = options_.non_finite == NonFinite::kSkip;
  context_.pool.run(plan.used, [&](uint32_t number) {
    PushPart& part = plan.parts[number];
    part.reset(n / plan.used, layout_.dim, kind);
    const auto& all_finite = row_kernels().all_finite;
    for_each([&](uint64_t key, const float* row, float scale) {
      const uint64_t hash = mix64(key);
      // The middle bits: the top ones name the shard, the low ones the slot in the part.
      if (plan.used > 1 && (hash >> 32 & 0xffff) * plan.used >> 16 != number) return;
      if (skip && !all_finite(row, layout_.dim)) {
        ++part.skipped;
      } else {
        part.add(key, hash, row, scale);
      }
    });
  });
  return check_finite(plan);
}

}  // namespace hotrow

#endif  // HOTROW_TABLE_COLLECT_INL_H_
