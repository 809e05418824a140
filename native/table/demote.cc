// How rows leave memory for the colder tier, and how room is made for those that come back.
//
// Victims are chosen as for eviction (evict.cc). What the newest version has as it is leaves at
// once. The others are copied, spilled, and leave if they are still what was copied.
#include <algorithm>
#include <cstring>

#include "base/guarded.h"
#include "table/indexed_rows.h"

namespace hotrow {

// Copies those of the victims that the newest version does not have as they are.
template <class IndexT>
RowImages IndexedRows<IndexT>::copy_unstored(std::span<const Victim> victims) {
  RowImages images;
  images.hashes.reserve(victims.size());
  Writer writer(index_);
  for (const Victim& victim : victims) {
    writer.enter(IndexShards::of(victim.hash));
    const Hold hold = writer.find(victim.key, victim.hash);
    if (!hold.has_row() || changes_->stored(hold.handle())) continue;
    images.add(victim.hash, rows_.row(hold.handle()), rules_.row_bytes());
    // Once it is spilled its removal is to be remembered.
    changes_->restored(hold.handle());
  }
  return images;
}

template <class IndexT>
uint64_t IndexedRows<IndexT>::demote_all(std::span<const Victim> victims, Moment moment) {
  std::vector<uint32_t> freed;
  freed.reserve(victims.size());
  const RowImages images = copy_unstored(victims);
  prepare(victims.size());
  const bool spilled =
      images.hashes.empty() || guarded([&] { return tier_->rows().spill(images); }).ok();
  const size_t row_bytes = rules_.row_bytes();
  size_t next = 0;  // image; they are in the victims' order
  tier_->note_out();
  {
    Writer writer(index_);
    for (const Victim& victim : victims) {
      const bool copied = next < images.hashes.size() && images.hashes[next] == victim.hash;
      const std::byte* const image = images.bytes.data() + next * row_bytes;
      next += copied ? 1 : 0;
      if (copied && !spilled) continue;
      writer.enter(IndexShards::of(victim.hash));
      Hold hold = writer.find(victim.key, victim.hash);
      const std::byte* const row = hold.has_row() ? rows_.row(hold.handle()) : nullptr;
      const bool goes = row != nullptr && (copied ? std::memcmp(row, image, row_bytes) == 0
                                                  : changes_->stored(hold.handle()));
      if (!goes) {
        if (copied) (void)tier_->rows().take_back(victim.hash);
        continue;
      }
      const uint32_t handle = hold.handle();
      if constexpr (kHeat) {
        tier_->note_uses(victim.hash,
                         rules_.heat().uses(hold.holder->heats.load(hold.place), moment.clock));
      }
      changes_->demote(handle, victim.hash, row);
      tier_->note_demotion(victim.hash);
      writer.begin(hold);
      writer.erase(hold);
      writer.end(hold);
      freed.push_back(handle);
    }
  }
  settle(victims.size());
  const MutexLock counts(tier_->counts());
  tier_->add(freed.size());
  give_back(freed);
  demoted_.fetch_add(freed.size(), std::memory_order_relaxed);
  return freed.size();
}

template <class IndexT>
bool IndexedRows<IndexT>::make_room_for(const RowImages& images, PushPlan& plan,
                                        RestorePlan& promise) {
  const auto here = [&](uint64_t hash) { return has_row(hash); };
  plan.keys_in.fill(0);
  plan.spared = 0;
  for (uint32_t i = 0; plan.batch && i < plan.batch->parts(); ++i) {
    plan.spared += static_cast<uint64_t>(std::ranges::count_if(plan.batch->part(i).hashes, here));
  }
  uint64_t rows = 0;
  for (const uint64_t hash : images.hashes) {
    if (here(hash)) continue;
    ++plan.keys_in[IndexShards::of(hash)];
    ++rows;
  }
  if (!make_room(plan, rows)) return false;
  promise.keys_in = plan.keys_in;
  promise.new_rows = promise.rows = rows;
  promise.map = this;
  return grow_shards(plan);
}

template <class IndexT>
bool IndexedRows<IndexT>::mark_changed(uint64_t hash) {
  Writer writer(index_);
  writer.enter(IndexShards::of(hash));
  const Hold hold = writer.find(unmix64(hash), hash);
  if (!hold.has_row()) return false;
  changes_->create(hold.handle());
  return true;
}

template <class IndexT>
uint64_t IndexedRows<IndexT>::erase_demoted(std::span<const uint64_t> hashes) {
  prepare(hashes.size());
  uint64_t erased = 0;
  for (const uint64_t hash : hashes) {
    if (has_row(hash) || changes_->gone(hash)) continue;
    changes_->remove_demoted(hash);
    (void)tier_->rows().take_back(hash);
    ++erased;
  }
  settle(hashes.size());
  return erased;
}

#define HOTROW_INSTANTIATE(IndexT)                                                             \
  template uint64_t IndexedRows<IndexT>::demote_all(std::span<const Victim>, Moment);          \
  template bool IndexedRows<IndexT>::make_room_for(const RowImages&, PushPlan&, RestorePlan&); \
  template bool IndexedRows<IndexT>::mark_changed(uint64_t);                                   \
  template uint64_t IndexedRows<IndexT>::erase_demoted(std::span<const uint64_t>);
HOTROW_FOR_BOTH_INDEXES(HOTROW_INSTANTIATE)
#undef HOTROW_INSTANTIATE

}  // namespace hotrow
