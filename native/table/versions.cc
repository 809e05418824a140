// The rows of a version: collecting those of a cut, and bringing back those of one on disk.
#include <algorithm>

#include "table/indexed_rows.h"

namespace hotrow {

namespace {

// Rows copied under a shard's lock before it is given away for a moment: pushes wait so long.
constexpr size_t kSlice = 256;
// Rows that are fetched before their turn comes.
constexpr size_t kFetchAhead = 8;

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
  std::vector<std::pair<uint64_t, uint32_t>> found;  // hashes and handles of a slice
  found.reserve(kSlice + IndexT::kPlaces);
  uint64_t location = 0;
  uint32_t bucket = 0;
  for (bool done = false; !done;) {
    Writer writer(index_);
    writer.enter(shard);
    // Rebuilt since the last slice: from the start. What is saved already is not frozen any more.
    if (writer.location() != location) bucket = 0;
    location = writer.location();
    found.clear();
    for (; bucket < writer.buckets() && found.size() < kSlice; ++bucket) {
      writer.each_in(bucket, [&](const Hold& hold, uint64_t key) {
        if (!hold.has_row() || !changes_->frozen(hold.handle())) return;
        found.emplace_back(mix64(key), hold.handle());
      });
    }
    done = bucket == writer.buckets();
    // Buckets are nearly in the order of hashes.
    std::ranges::sort(found);
    for (size_t i = 0; i < found.size(); ++i) {
      if (i + kFetchAhead < found.size()) rows_.prefetch(found[i + kFetchAhead].second);
      const auto [hash, handle] = found[i];
      images.add(hash, rows_.row(handle), rules_.row_bytes());
      changes_->take(handle);
    }
  }
}

template <class IndexT>
void IndexedRows<IndexT>::thaw() {
  for (uint32_t shard = 0; shard < IndexT::kShards; ++shard) {
    Writer writer(index_);
    writer.enter(shard);
    writer.each([&](const Hold& hold, uint64_t) {
      if (!hold.has_row()) return;
      // Those that were taken already count too: what they were taken for is not there.
      changes_->take(hold.handle());
      changes_->create(hold.handle());
    });
  }
}

template <class IndexT>
void IndexedRows<IndexT>::changed(std::vector<uint64_t>& hashes) {
  Writer writer(index_);
  for (uint32_t shard = 0; shard < IndexT::kShards; ++shard) {
    writer.enter(shard);
    writer.each([&](const Hold& hold, uint64_t key) {
      if (hold.has_row() && changes_->changed(hold.handle())) hashes.push_back(mix64(key));
    });
  }
  changes_->add_removed(hashes);
}

template <class IndexT>
void IndexedRows<IndexT>::absent(KeyBatch keys, std::vector<uint64_t>& hashes) const {
  for (const uint64_t key : keys) index_.prefetch_home(mix64(key));
  for (const uint64_t key : keys) {
    const uint64_t hash = mix64(key);
    if (index_.probe(key, hash).handle == IndexT::kNoHandle && !changes_->gone(hash)) {
      hashes.push_back(hash);
    }
  }
}

template <class IndexT>
bool IndexedRows<IndexT>::promise_restore(const RowImages& images, std::span<const uint64_t> gone,
                                          RestorePlan& plan) {
  const auto there = [&](uint64_t hash) { return has_row(hash); };
  for (const uint64_t hash : images.hashes) {
    if (there(hash)) continue;
    ++plan.keys_in[IndexShards::of(hash)];
    ++plan.new_rows;
  }
  const auto leaving = static_cast<uint64_t>(std::ranges::count_if(gone, there));
  const uint64_t rows = plan.new_rows - std::min(plan.new_rows, leaving);
  if (!plan.index_bytes.take(budget_, index_.growth_bytes(plan.keys_in))) return false;
  if (!promise_rows(rows)) return false;
  plan.rows = rows;
  plan.map = this;
  return true;
}

/// Gives keys the rows of a version, one by one.
template <class IndexT>
class IndexedRows<IndexT>::Restorer {
 public:
  Restorer(IndexedRows& rows, RestorePlan& plan)
      : rows_(rows), plan_(plan), writer_(rows.index_), allocator_(rows.rows_) {}
  ~Restorer() {
    plan_.created += created_;
    plan_.rows -= created_;
    plan_.release();
  }

  /// False when the system refuses memory.
  bool put(size_t i, uint64_t hash, const std::byte* image) {
    const uint64_t key = unmix64(hash);
    writer_.enter(IndexShards::of(hash));
    Hold hold = writer_.find(key, hash);
    // What is in memory, or was removed, is newer.
    if (plan_.fill && (hold.has_row() || rows_.changes_->gone(hash))) return true;
    if (plan_.stamps != nullptr && rows_.tier_->moved(hash, *plan_.stamps)) {
      ++plan_.stale;
      return true;
    }
    if (!hold.has_row()) return create(hold, key, hash, image, i);
    std::byte* const row = rows_.rows_.row(hold.handle());
    if (plan_.changes) rows_.changes_->change(hold.handle(), hash, row);
    writer_.begin(hold);
    std::memcpy(row, image, rows_.rules_.row_bytes());
    writer_.end(hold);
    return true;
  }

 private:
  bool create(Hold& hold, uint64_t key, uint64_t hash, const std::byte* image, size_t i) {
    // Never so: what was promised covers it.
    if (plan_.rows == created_) return false;
    const uint32_t handle = allocator_.take(plan_.rows - created_);
    std::memcpy(rows_.rows_.row(handle), image, rows_.rules_.row_bytes());
    if (plan_.changes) {
      rows_.changes_->create(handle);
    } else {
      rows_.changes_->restored(handle);
    }
    // Before anybody can find it, and erase it.
    rows_.size_.fetch_add(1, std::memory_order_relaxed);
    const uint64_t more = plan_.keys_in[IndexShards::of(hash)];
    const bool placed = writer_.put(hold, key, handle, more, [&](const Hold& at) {
      if constexpr (kHeat) {
        const uint32_t uses = plan_.uses.empty() ? 1 : plan_.uses[i];
        at.holder->heats.store(at.place, rows_.rules_.heat().seen(plan_.moment.clock, uses));
      }
    });
    if (!placed) {
      rows_.size_.fetch_sub(1, std::memory_order_relaxed);
      allocator_.put_back(handle);
      return false;
    }
    // Once it has its place: what was spilled of it counts until then.
    if (!plan_.changes && rows_.tier_ != nullptr && rows_.tier_->rows().take_back(hash)) {
      rows_.changes_->create(handle);
    }
    ++created_;
    return true;
  }

  IndexedRows& rows_;
  RestorePlan& plan_;
  Writer writer_;
  RowAllocator allocator_;
  uint64_t created_ = 0;
};

template <class IndexT>
bool IndexedRows<IndexT>::restore(const RowImages& images, RestorePlan& plan) {
  // Those that were to leave have left.
  const uint64_t more = plan.new_rows - plan.rows;
  if (!promise_rows(more)) return false;
  plan.rows += more;
  Restorer restorer(*this, plan);
  const size_t row_bytes = rules_.row_bytes();
  for (size_t i = 0; i < images.hashes.size(); ++i) {
    if (!restorer.put(i, images.hashes[i], images.bytes.data() + i * row_bytes)) return false;
  }
  return true;
}

#define HOTROW_INSTANTIATE(IndexT)                                                                \
  template Status IndexedRows<IndexT>::track_changes();                                           \
  template void IndexedRows<IndexT>::collect(uint32_t, RowImages&);                               \
  template void IndexedRows<IndexT>::thaw();                                                      \
  template void IndexedRows<IndexT>::absent(KeyBatch, std::vector<uint64_t>&) const;              \
  template void IndexedRows<IndexT>::changed(std::vector<uint64_t>&);                             \
  template bool IndexedRows<IndexT>::promise_restore(const RowImages&, std::span<const uint64_t>, \
                                                     RestorePlan&);                               \
  template bool IndexedRows<IndexT>::restore(const RowImages&, RestorePlan&);
HOTROW_FOR_BOTH_INDEXES(HOTROW_INSTANTIATE)
#undef HOTROW_INSTANTIATE

}  // namespace hotrow
