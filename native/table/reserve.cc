// The step of a push before it changes anything: rows and index memory are promised, or it fails.
//
// Generously, as if every key were new, because that needs no look at the table. Where that does
// not fit, exactly: by counting the keys that will make rows, and evicting what is in the way.
#include <algorithm>
#include <cmath>

#include "table/indexed_rows.h"

namespace hotrow {

namespace {

/// A number from 0 to below 1 for one key of one push of one table.
double draw_of(uint64_t hash, uint64_t push) {
  return static_cast<double>(mix64(hash ^ mix64(push)) >> 11) * 0x1.0p-53;
}

}  // namespace

template <class IndexT>
bool IndexedRows<IndexT>::admits(const PushPlan& plan, uint64_t hash, uint32_t seen,
                                 uint32_t times) const {
  if (plan.kind == PushKind::kAssign) return true;
  const AdmissionOptions& admission = rules_.admission();
  switch (admission.kind) {
    case AdmissionKind::kAll:
      return true;
    case AdmissionKind::kCount:
      return uint64_t{seen} + times >= admission.min_count;
    case AdmissionKind::kBloom:
      return uint64_t{bloom_->estimate(hash)} + times >= admission.min_count;
    case AdmissionKind::kProbability:
      return draw_of(hash ^ rules_.seed(), plan.draw) < static_cast<double>(admission.probability);
  }
  return true;
}

template <class IndexT>
bool IndexedRows<IndexT>::reserve(PushPlan& plan, Certainty certainty) {
  return certainty == Certainty::kGenerous ? reserve_generously(plan) : reserve_exactly(plan);
}

template <class IndexT>
bool IndexedRows<IndexT>::promise_rows(uint64_t rows) {
  if (!rows_.reserve(rows, headroom())) return false;
  if (!changes_ || changes_->cover(rows_.handles())) return true;
  rows_.unreserve(rows);
  return false;
}

template <class IndexT>
bool IndexedRows<IndexT>::reserve_generously(PushPlan& plan) {
  plan.keys_in.fill(0);
  for (uint32_t i = 0; i < plan.batch->parts(); ++i) {
    const BatchIndex::Part& batch = plan.batch->part(i);
    for (const uint64_t hash : batch.hashes) ++plan.keys_in[IndexShards::of(hash)];
    plan.parts[i].rows_left = batch.size();
  }
  if (!plan.index_bytes.take(budget_, index_.growth_bytes(plan.keys_in))) return false;
  const uint64_t rows = plan.batch->distinct();
  if (changes_ && !changes_->prepare(rows)) {
    plan.index_bytes.reset();
    return false;
  }
  if (!promise_rows(rows)) {
    settle(rows);
    plan.index_bytes.reset();
    return false;
  }
  plan.prepared = rows;
  plan.reserved_rows = rows;
  return true;
}

// Keys that the push will add to the index, by shard, and rows it will make.
template <class IndexT>
uint64_t IndexedRows<IndexT>::count_new(PushPlan& plan) {
  plan.keys_in.fill(0);
  plan.spared = 0;
  uint64_t rows = 0;
  for (uint32_t i = 0; i < plan.batch->parts(); ++i) {
    const BatchIndex::Part& batch = plan.batch->part(i);
    PushPart& part = plan.parts[i];
    part.rows_left = 0;
    Writer writer(index_);
    for (size_t n = 0; n < batch.size(); ++n) {
      const size_t id = part.id(n);
      if (!part.applies(id)) continue;
      const uint64_t hash = batch.hashes[id];
      writer.enter(IndexShards::of(hash));
      const Hold hold = writer.find(batch.keys[id], hash);
      if (hold.has_row()) {
        ++plan.spared;
        continue;
      }
      const uint32_t seen = hold.found() ? IndexT::times_seen(hold.handle()) : 0;
      const bool admitted = admits(plan, hash, seen, part.times(id));
      if (admitted) ++part.rows_left;
      uint32_t& keys_in = plan.keys_in[IndexShards::of(hash)];
      const bool counted = writer.size() + keys_in < rules_.limit_shard_keys();
      if (!hold.found() && (admitted || counted)) ++keys_in;
    }
    rows += part.rows_left;
  }
  return rows;
}

// Evicts until `rows` more can be promised; some more, so that not every push comes here.
template <class IndexT>
bool IndexedRows<IndexT>::make_room(PushPlan& plan, uint64_t rows) {
  if (promise_rows(rows)) return true;
  if (!rules_.evicts() || rows + plan.spared > rules_.limit_rows()) return false;
  // What evictions cannot give is asked for first: a push that is refused has evicted nothing.
  const uint64_t evictable = size() - std::min(size(), plan.spared);
  const uint64_t beyond = rows - std::min(rows, evictable);
  if (beyond > 0 && !promise_rows(beyond)) return false;
  const uint64_t rest = rows - beyond;
  const uint64_t over = rows_.over_limit(rest);
  const uint64_t wanted = (over > 0 ? over : rest) + size() / 128;
  try {
    (void)evict_but(wanted, EvictionReason::kCapacity, plan.moment, plan.batch.get());
  } catch (...) {
    rows_.unreserve(beyond);
    throw;
  }
  if (promise_rows(rest)) return true;
  rows_.unreserve(beyond);
  return false;
}

template <class IndexT>
uint64_t IndexedRows<IndexT>::headroom() const {
  return rules_.evicts() ? index_.memory_bytes() / 4 + kHugePageBytes : 0;
}

template <class IndexT>
bool IndexedRows<IndexT>::grow_shards(PushPlan& plan) {
  for (uint32_t shard = 0; shard < IndexT::kShards; ++shard) {
    const uint32_t more = plan.keys_in[shard];
    if (more == 0) continue;
    uint64_t over = 0;
    {
      Writer writer(index_);
      writer.enter(shard);
      if (writer.grow(more, false, Growth::kWithinBudget)) continue;
      // Keys without a row go before those with one.
      if (rules_.evicts()) age_candidates(writer, kAgeing, plan.batch.get());
      over = writer.over_capacity(more);
    }
    if (!rules_.evicts()) return false;
    evict_in_shard(shard, over, plan);
    Writer writer(index_);
    writer.enter(shard);
    if (!writer.grow(more, false, Growth::kWithinBudget)) return false;
  }
  return true;
}

template <class IndexT>
bool IndexedRows<IndexT>::reserve_exactly(PushPlan& plan) {
  const uint64_t rows = count_new(plan);
  if (!make_room(plan, rows)) return false;
  plan.reserved_rows = rows;
  try {
    prepare(plan.batch->distinct());
    plan.prepared = plan.batch->distinct();
    if (grow_shards(plan)) return true;
  } catch (...) {
    release(plan);
    throw;
  }
  release(plan);
  return false;
}

template <class IndexT>
void IndexedRows<IndexT>::release(PushPlan& plan) {
  uint64_t created = 0;
  for (uint32_t i = 0; i < plan.batch->parts(); ++i) created += plan.parts[i].created;
  rows_.unreserve(plan.reserved_rows - created);
  plan.reserved_rows = 0;
  settle(plan.prepared);
  plan.prepared = 0;
  plan.index_bytes.reset();
}

template <class IndexT>
bool IndexedRows<IndexT>::reserve_rows(uint64_t rows) {
  // Before anything is counted for each of them.
  if (rows > budget_.limit() / rows_.stride()) return false;
  const auto per_shard = static_cast<uint32_t>(rows / IndexT::kShards);
  // Shards fill unevenly: four standard deviations more.
  const auto more = per_shard + 4 * static_cast<uint32_t>(std::sqrt(per_shard)) + 1;
  IndexShards::Counts counts;
  counts.fill(more);
  Reservation index_bytes;
  if (!index_bytes.take(budget_, index_.growth_bytes(counts))) return false;
  if (!rows_.back_ahead(rows)) return false;
  if (changes_ && !changes_->cover(rows_.handles() + rows)) return false;
  Writer writer(index_);
  for (uint32_t shard = 0; shard < IndexT::kShards; ++shard) {
    writer.enter(shard);
    if (!writer.grow(more, false, Growth::kAlways)) return false;
  }
  return true;
}

#define HOTROW_INSTANTIATE(IndexT)                                                                \
  template bool IndexedRows<IndexT>::admits(const PushPlan&, uint64_t, uint32_t, uint32_t) const; \
  template bool IndexedRows<IndexT>::reserve(PushPlan&, Certainty);                               \
  template void IndexedRows<IndexT>::release(PushPlan&);                                          \
  template bool IndexedRows<IndexT>::promise_rows(uint64_t);                                      \
  template bool IndexedRows<IndexT>::reserve_rows(uint64_t);
HOTROW_FOR_BOTH_INDEXES(HOTROW_INSTANTIATE)
#undef HOTROW_INSTANTIATE

}  // namespace hotrow
