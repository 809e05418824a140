// The step of a push that changes rows, key by key, and erasing.
//
// The keys of one part of the batch are visited shard by shard, each found in its bucket and its
// row changed under the home's busy mark; buckets and rows are fetched some keys ahead. A new row
// is written before anybody can find it.
#include <array>

#include "table/indexed_rows.h"

namespace hotrow {

namespace {

// Keys that pass through the stages together: buckets fetched, rows fetched, rows changed. The
// loops that fetch are tight, so that many pages are looked for at once; a key's change between two
// fetches would fill the processor's window.
constexpr size_t kWindow = 16;
// Lines of a row with its state that are fetched ahead.
constexpr size_t kPrefetchLines = 12;

}  // namespace

/// One part of a push under way.
template <class IndexT>
class IndexedRows<IndexT>::Applier {
 public:
  Applier(IndexedRows& rows, const PushPlan& plan, uint32_t number)
      : rows_(rows),
        rules_(rows.rules_),
        changes_(rows.changes_.get()),
        plan_(plan),
        batch_(plan.batch->part(number)),
        part_(plan.parts[number]),
        lines_(
            std::min<size_t>((rules_.row_bytes() + kLineBytes - 1) / kLineBytes, kPrefetchLines)),
        writer_(rows.index_),
        allocator_(rows.rows_) {}

  void run() {
    const size_t windows = (batch_.size() + kWindow - 1) / kWindow;
    for (size_t step = 0; step < windows + 3; ++step) {
      if (step < windows) fetch_homes(step * kWindow, windows_[step % 4]);
      if (step >= 1 && step - 1 < windows) fetch_rows(windows_[(step - 1) % 4]);
      if (step >= 2 && step - 2 < windows) fetch_strays(windows_[(step - 2) % 4]);
      if (step >= 3 && !visit_all(windows_[(step - 3) % 4])) {
        part_.failed = true;
        break;
      }
    }
    if (rules_.admission().kind == AdmissionKind::kBloom) count_sightings();
  }

 private:
  using BucketType = typename IndexT::BucketType;

  struct Window {
    size_t count = 0;
    std::array<uint32_t, kWindow> ids;
    std::array<uint64_t, kWindow> keys;
    std::array<const float*, kWindow> gradients;
    std::array<const BucketType*, kWindow> homes;
    uint32_t away = 0;  // bit i: key i is not in its home bucket
  };

  void fetch_homes(size_t first, Window& window) const {
    window.count = std::min(kWindow, batch_.size() - first);
    for (size_t i = 0; i < window.count; ++i) {
      const size_t id = part_.id(first + i);
      window.ids[i] = static_cast<uint32_t>(id);
      window.keys[i] = batch_.keys[id];
      window.gradients[i] = part_.row(id);
      window.homes[i] = rows_.index_.home_of(batch_.hashes[id]);
      __builtin_prefetch(window.homes[i], 1, 3);
      __builtin_prefetch(window.gradients[i], 0, 3);
    }
  }

  /// Of a key that is not at home, the next bucket.
  void fetch_rows(Window& window) const {
    window.away = 0;
    for (size_t i = 0; i < window.count; ++i) {
      const auto seen = IndexT::peek(*window.homes[i], window.keys[i]);
      const std::byte* const row = rows_.rows_.row(seen.row_or_first());
      window.away |= uint32_t{!seen.here} << i;
      const auto* const next = reinterpret_cast<const std::byte*>(window.homes[i] + 1);
      __builtin_prefetch(one_of(seen.here, row, next), 1, 3);
      fetch_row(row, 1);
    }
  }

  /// The rows of keys that are in the bucket next to their home. Those further on, few, are waited
  /// for when their turn comes.
  void fetch_strays(const Window& window) const {
    for (uint32_t away = window.away; away != 0; away &= away - 1) {
      const auto i = static_cast<size_t>(std::countr_zero(away));
      if (!window.homes[i]->load().overflow()) continue;
      const auto seen = IndexT::peek(window.homes[i][1], window.keys[i]);
      fetch_row(rows_.rows_.row(seen.row_or_first()));
    }
  }

  /// From line `first` on.
  void fetch_row(const std::byte* row, size_t first = 0) const {
    for (size_t i = first; i < lines_; ++i) __builtin_prefetch(row + i * kLineBytes, 1, 3);
  }

  bool visit_all(const Window& window) {
    for (size_t i = 0; i < window.count; ++i) {
      if (part_.applies(window.ids[i]) && !visit(window.ids[i], window.gradients[i])) return false;
    }
    return true;
  }

  /// False when the index has no place for the key and the system refuses memory to grow it.
  bool visit(size_t id, const float* gradient) {
    const uint64_t hash = batch_.hashes[id];
    writer_.enter(IndexShards::of(hash));
    Hold hold = writer_.find(batch_.keys[id], hash);
    if (hold.has_row()) {
      std::byte* const row = rows_.rows_.row(hold.handle());
      if (changes_ != nullptr) changes_->change(hold.handle(), hash, row);
      writer_.begin(hold);
      change(row, id, gradient);
      warm(hold, hash);
      writer_.end(hold);
      return true;
    }
    const uint32_t seen = hold.found() ? IndexT::times_seen(hold.handle()) : 0;
    if (rows_.admits(plan_, hash, seen, part_.times(id))) return create(hold, id, gradient);
    ++part_.not_admitted;
    return note_seen(hold, id, seen);
  }

  void change(std::byte* row, size_t id, const float* gradient) {
    // The push's number and the key make the random bits of stochastic rounding this row's alone.
    const uint64_t random = batch_.hashes[id] ^ mix64(plan_.number ^ rules_.seed());
    if (plan_.kind == PushKind::kAssign) {
      rules_.assign(row, gradient, random, part_.scratch);
      const UpdateOptions& update = plan_.update;
      // Of assigned rows each is one of the caller's, where it lies.
      const auto position = static_cast<size_t>(gradient - plan_.rows) / rules_.dim();
      if (!update.state.empty()) {
        rules_.assign_state(row, update.state.data() + position * rules_.state_values());
      }
    } else {
      rules_.apply(row, gradient, plan_.steps->for_key(batch_.keys[id]), random, part_.scratch);
    }
  }

  void warm(const Hold& hold, uint64_t hash) const {
    if constexpr (kHeat) {
      auto& heats = hold.holder->heats;
      const Moment& now = plan_.moment;
      heats.store(hold.place,
                  rules_.heat().pushed(heats.load(hold.place), now.clock, hash, now.step));
    }
  }

  bool create(Hold& hold, size_t id, const float* gradient) {
    // Never so: what was promised covers it.
    if (part_.rows_left == 0) return false;
    const uint32_t handle = allocator_.take(part_.rows_left);
    std::byte* const row = rows_.rows_.row(handle);
    rules_.begin_row(batch_.keys[id], row, part_.scratch);
    change(row, id, gradient);
    if (changes_ != nullptr) changes_->create(handle);
    // Before anybody can find it, and erase it.
    rows_.size_.fetch_add(1, std::memory_order_relaxed);
    if (!put(hold, id, handle)) {
      rows_.size_.fetch_sub(1, std::memory_order_relaxed);
      if (changes_ != nullptr) changes_->undo_create(handle);
      allocator_.put_back(handle);
      return false;
    }
    --part_.rows_left;
    ++part_.created;
    return true;
  }

  /// Counts a key that gets no row yet.
  bool note_seen(Hold& hold, size_t id, uint32_t seen) {
    const AdmissionKind kind = rules_.admission().kind;
    if (kind == AdmissionKind::kBloom) part_.count_later(id);
    if (kind != AdmissionKind::kCount) return true;
    if (!hold.found() && writer_.size() >= rules_.limit_shard_keys()) {
      rows_.age_candidates(writer_, kAgeing, plan_.batch.get());
      if (writer_.size() >= rules_.limit_shard_keys()) return true;
      hold = writer_.find(batch_.keys[id], batch_.hashes[id]);
    }
    return put(hold, id, IndexT::seen_handle(seen + part_.times(id)));
  }

  void count_sightings() {
    for (size_t id = 0; id < batch_.size(); ++id) {
      if (part_.counts_later(id)) rows_.bloom_->add(batch_.hashes[id], part_.times(id));
    }
  }

  /// Gives the key the handle, and a place where it has none.
  bool put(Hold& hold, size_t id, uint32_t handle) {
    const uint64_t key = batch_.keys[id];
    const uint64_t hash = batch_.hashes[id];
    // At once for all the batch may bring, so that no shard is rebuilt twice in a push.
    const uint64_t more = plan_.keys_in[IndexShards::of(hash)];
    return writer_.put(hold, key, handle, more, [&](const Hold& at) {
      if constexpr (kHeat) {
        const Moment& now = plan_.moment;
        at.holder->heats.store(at.place, rules_.heat().fresh(now.clock, now.step));
      }
    });
  }

  IndexedRows& rows_;
  const RowRules& rules_;
  Changes* const changes_;
  const PushPlan& plan_;
  const BatchIndex::Part& batch_;
  PushPart& part_;
  const size_t lines_;
  Writer writer_;
  RowAllocator allocator_;
  std::array<Window, 4> windows_;
};

template <class IndexT>
void IndexedRows<IndexT>::apply(const PushPlan& plan, uint32_t number) {
  Applier(*this, plan, number).run();
}

template <class IndexT>
void IndexedRows<IndexT>::remove(Writer& writer, Hold& hold, std::vector<uint32_t>& freed) {
  const uint32_t handle = hold.handle();
  if (changes_ && IndexT::is_row(handle)) {
    const uint64_t key = hold.holder->keys[hold.place].load(std::memory_order_relaxed);
    changes_->remove(handle, mix64(key), rows_.row(handle));
  }
  writer.begin(hold);
  writer.erase(hold);
  writer.end(hold);
  if (IndexT::is_row(handle)) freed.push_back(handle);
}

template <class IndexT>
void IndexedRows<IndexT>::give_back(std::span<const uint32_t> freed) {
  rows_.free(freed);
  rows_.unreserve(freed.size());
  size_.fetch_sub(freed.size(), std::memory_order_relaxed);
}

template <class IndexT>
uint64_t IndexedRows<IndexT>::erase(KeyBatch keys) {
  // Keys between two visits to the pool of rows.
  constexpr size_t kChunk = 64;
  std::vector<uint32_t> freed;
  freed.reserve(kChunk);
  uint64_t erased = 0;
  for (size_t first = 0; first < keys.size(); first += kChunk) {
    const KeyBatch chunk = keys.subspan(first, std::min(kChunk, keys.size() - first));
    for (const uint64_t key : chunk) index_.prefetch_home(mix64(key));
    prepare(chunk.size());
    {
      Writer writer(index_);
      for (const uint64_t key : chunk) {
        writer.enter(IndexShards::of(mix64(key)));
        Hold hold = writer.find(key, mix64(key));
        if (hold.found()) remove(writer, hold, freed);
      }
    }
    settle(chunk.size());
    give_back(freed);
    erased += freed.size();
    freed.clear();
  }
  return erased;
}

template <class IndexT>
uint64_t IndexedRows<IndexT>::set_scores(KeyBatch keys, std::span<const float> scores) {
  uint64_t found = 0;
  if constexpr (kHeat) {
    Writer writer(index_);
    for (size_t i = 0; i < keys.size(); ++i) {
      writer.enter(IndexShards::of(mix64(keys[i])));
      const Hold hold = writer.find(keys[i], mix64(keys[i]));
      if (!hold.has_row()) continue;
      hold.holder->heats.store(hold.place, HeatRule::scored(scores[i]));
      ++found;
    }
  }
  return found;
}

#define HOTROW_INSTANTIATE(IndexT)                                                   \
  template void IndexedRows<IndexT>::apply(const PushPlan&, uint32_t);               \
  template void IndexedRows<IndexT>::remove(Writer&, Hold&, std::vector<uint32_t>&); \
  template void IndexedRows<IndexT>::give_back(std::span<const uint32_t>);           \
  template uint64_t IndexedRows<IndexT>::erase(KeyBatch);                            \
  template uint64_t IndexedRows<IndexT>::set_scores(KeyBatch, std::span<const float>);
HOTROW_FOR_BOTH_INDEXES(HOTROW_INSTANTIATE)
#undef HOTROW_INSTANTIATE

}  // namespace hotrow
