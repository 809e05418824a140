// The rows of a version: collecting those of a cut, and bringing back those of one on disk.
#include <algorithm>

#include "table/indexed_rows.h"

namespace hotrow {

namespace {

// Rows copied under a shard's lock before it is given away for a moment: pushes wait so long.
constexpr size_t kSlice = 256;

}  // namespace

template <class IndexT>
Status IndexedRows<IndexT>::track_changes() {
  auto changes = std::make_unique<Changes>(budget_, rules_.row_bytes());
  HOTROW_RETURN_IF_ERROR(changes->open(rows_.most_rows()));
  changes_ = std::move(changes);
  return {};
}

template <class IndexT>
void IndexedRows<IndexT>::collect(uint32_t shard, RowImages& images) {
  uint64_t location = 0;
  uint32_t bucket = 0;
  for (bool done = false; !done;) {
    Writer writer(index_);
    writer.enter(shard);
    // Rebuilt since the last slice: from the start. What is saved already is not frozen any more.
    if (writer.location() != location) bucket = 0;
    location = writer.location();
    const size_t end = images.hashes.size() + kSlice;
    for (; bucket < writer.buckets() && images.hashes.size() < end; ++bucket) {
      writer.each_in(bucket, [&](const Hold& hold, uint64_t key) {
        if (!hold.has_row() || !changes_->frozen(hold.handle())) return;
        images.add(mix64(key), rows_.row(hold.handle()), rules_.row_bytes());
        changes_->take(hold.handle());
      });
    }
    done = bucket == writer.buckets();
  }
}

template <class IndexT>
void IndexedRows<IndexT>::finish_cut(bool written) {
  changes_->finish(written);
  if (written) return;
  Writer writer(index_);
  for (uint32_t shard = 0; shard < IndexT::kShards; ++shard) {
    writer.enter(shard);
    writer.each([&](const Hold& hold, uint64_t) {
      if (!hold.has_row()) return;
      changes_->take(hold.handle());
      changes_->create(hold.handle());
    });
  }
}

template <class IndexT>
bool IndexedRows<IndexT>::restore(const RowImages& images) {
  const size_t n = images.hashes.size();
  const size_t row_bytes = rules_.row_bytes();
  IndexShards::Counts counts = {};
  for (const uint64_t hash : images.hashes) ++counts[IndexShards::of(hash)];
  Reservation index_bytes;
  if (!index_bytes.take(budget_, index_.growth_bytes(counts)) || !promise_rows(n)) return false;
  RowAllocator allocator(rows_);
  Writer writer(index_);
  size_t added = 0;
  for (; added < n; ++added) {
    const uint64_t hash = images.hashes[added];
    const uint64_t key = unmix64(hash);
    writer.enter(IndexShards::of(hash));
    if (writer.wants_growth() &&
        !writer.grow(counts[IndexShards::of(hash)], false, Growth::kAlways)) {
      break;
    }
    const uint32_t handle = allocator.take(n - added);
    std::byte* const row = rows_.row(handle);
    std::memcpy(row, images.bytes.data() + added * row_bytes, row_bytes);
    changes_->restored(handle);
    Hold hold = writer.find(key, hash);
    writer.begin(hold);
    bool placed = writer.insert(hold, key, handle);
    writer.end(hold);
    while (!placed && writer.grow(1, true, Growth::kAlways)) {
      hold = writer.find(key, hash);
      writer.begin(hold);
      placed = writer.insert(hold, key, handle);
      writer.end(hold);
    }
    if (!placed) {
      allocator.put_back(handle);
      break;
    }
    if constexpr (kHeat) hold.holder->heats.store(hold.place, rules_.heat().fresh(0, 0));
  }
  size_.fetch_add(added, std::memory_order_relaxed);
  rows_.unreserve(n - added);
  return added == n;
}

#define HOTROW_INSTANTIATE(IndexT)                                  \
  template Status IndexedRows<IndexT>::track_changes();             \
  template void IndexedRows<IndexT>::collect(uint32_t, RowImages&); \
  template void IndexedRows<IndexT>::finish_cut(bool);              \
  template bool IndexedRows<IndexT>::restore(const RowImages&);
HOTROW_FOR_BOTH_INDEXES(HOTROW_INSTANTIATE)
#undef HOTROW_INSTANTIATE

}  // namespace hotrow
