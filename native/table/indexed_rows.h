// IndexedRows: a table's rows in a slab, found through an index of one kind of bucket.
//
// Reading: gather.cc, read.cc. Writing: apply.cc, reserve.cc. Going: evict.cc. Each file ends with
// the instantiations for both kinds of bucket.
#ifndef HOTROW_TABLE_INDEXED_ROWS_H_
#define HOTROW_TABLE_INDEXED_ROWS_H_

#include <atomic>
#include <deque>
#include <new>
#include <vector>

#include "base/sync.h"
#include "memory/slab_pool.h"
#include "table/cold_tier.h"
#include "table/counting_bloom.h"
#include "table/index.h"
#include "table/row_map.h"

namespace hotrow {

/// One of two addresses, without a branch.
inline const std::byte* one_of(bool first, const std::byte* a, const std::byte* b) {
  const uintptr_t mask = -uintptr_t{first};
  return reinterpret_cast<const std::byte*>((reinterpret_cast<uintptr_t>(a) & mask) |
                                            (reinterpret_cast<uintptr_t>(b) & ~mask));
}

template <class IndexT>
class IndexedRows final : public RowMap {
 public:
  IndexedRows(const RowRules& rules, MemoryBudget& budget)
      : rules_(rules), budget_(budget), index_(budget), rows_(rules.row_bytes(), budget) {}

  Status open() override;

  // gather.cc
  uint64_t gather(const GatherRequest& request) override;
  // read.cc
  uint64_t gather_state(const GatherRequest& request) override;
  std::optional<uint64_t> walk(uint64_t from, size_t count,
                               std::vector<uint64_t>& keys) const override;
  void measure_memory(TableStats& stats) const override;
  void measure(TableStats& stats) const override;
  uint64_t size() const override { return size_.load(std::memory_order_relaxed); }
  // reserve.cc
  bool reserve(PushPlan& plan, Certainty certainty) override;
  void release(PushPlan& plan) override;
  bool reserve_rows(uint64_t rows) override;
  // apply.cc
  void apply(const PushPlan& plan, uint32_t number) override;
  uint64_t erase(KeyBatch keys) override;
  uint64_t set_scores(KeyBatch keys, std::span<const float> scores) override;
  void heats(KeyBatch keys, std::span<uint32_t> heats) override;
  void set_heats(KeyBatch keys, std::span<const uint32_t> heats, uint32_t theirs,
                 Moment moment) override;
  // evict.cc
  uint64_t evict(uint64_t rows, EvictionReason reason, Moment moment) override {
    return evict_but(rows, reason, moment, nullptr);
  }
  uint64_t sweep(const Sweep& sweep, uint32_t first, uint32_t last, EvictionReason reason,
                 Moment moment) override;
  void decay(double factor, Moment moment) override;
  std::vector<EvictedKey> take_evicted(size_t most) override HOTROW_EXCLUDES(log_mutex_);
  // versions.cc
  Status track_changes() override;
  void freeze() override { changes_->freeze(); }
  void collect(uint32_t shard, RowImages& images) override;
  std::vector<uint64_t> removed() const override { return changes_->removed(); }
  std::vector<RowImages> collected() override { return changes_->collected(); }
  void thaw() override;
  void finish_cut(bool written) override { changes_->finish(written); }
  void changed(std::vector<uint64_t>& hashes) override;
  void remember_gone(bool until_written) override { changes_->remember_gone(until_written); }
  void forget_gone() override { changes_->forget_gone(); }
  bool gone(uint64_t hash) const override { return changes_->gone(hash); }
  uint64_t gone_rows() const override { return changes_->gone_count(); }
  void absent(KeyBatch keys, std::vector<uint64_t>& hashes) const override;
  bool any_changed() const override { return changes_->any(); }
  void forget_removed() override { changes_->forget_removed(); }
  bool promise_restore(const RowImages& images, std::span<const uint64_t> gone,
                       RestorePlan& plan) override;
  void unpromise(uint64_t rows) override { rows_.unreserve(rows); }
  bool restore(const RowImages& images, RestorePlan& plan) override;
  // demote.cc
  void demote_to(ColdTier& tier) override { tier_ = &tier; }
  bool make_room_for(const RowImages& images, PushPlan& plan, RestorePlan& promise) override;
  bool has_row(uint64_t hash) const override {
    return index_.probe(unmix64(hash), hash).handle != IndexT::kNoHandle;
  }
  void come_back(std::span<const uint64_t> hashes) override { changes_->come_back(hashes); }
  bool mark_changed(uint64_t hash) override;
  uint64_t erase_demoted(std::span<const uint64_t> hashes) override;

 private:
  static constexpr bool kHeat = IndexT::BucketType::kHeat;
  using Sight = typename IndexT::Sight;
  using Writer = typename IndexT::Writer;
  using Hold = typename Writer::Hold;
  class Gatherer;
  class Applier;

  // gather.cc
  /// Looks one key up, waiting for whoever writes it.
  bool gather_one(const GatherRequest& request, size_t position);
  /// Copies the row of the key at `position` and believes it, or looks the key up again.
  bool gather_sighted(const GatherRequest& request, size_t position, const Sight& sight);
  void fill_missing(const GatherRequest& request, size_t position) const;
  // reserve.cc
  bool reserve_generously(PushPlan& plan);
  bool reserve_exactly(PushPlan& plan);
  uint64_t count_new(PushPlan& plan);
  bool make_room(PushPlan& plan, uint64_t rows);
  bool grow_shards(PushPlan& plan);
  /// Memory that rows leave to the index, whose shards grow when they must.
  uint64_t headroom() const;
  /// Would this push of a key that has no row make one?
  bool admits(const PushPlan& plan, uint64_t hash, uint32_t seen, uint32_t times) const;
  // versions.cc
  class Restorer;
  // evict.cc
  struct Victim {
    uint64_t rank;
    uint64_t hash;
    uint64_t key;
  };
  /// As evict(), sparing the keys of a push.
  uint64_t evict_but(uint64_t rows, EvictionReason reason, Moment moment, const BatchIndex* spared)
      HOTROW_EXCLUDES(hand_mutex_);
  // What candidates keep of their counts when there are too many of them.
  static constexpr double kAgeing = 0.5;
  /// Multiplies the counts of the shard's keys that have no row yet, but for those of a batch;
  /// those that come to 0 go.
  static void age_candidates(Writer& writer, double factor, const BatchIndex* spared);
  /// Evicts the coldest `keys` of one shard, so that it need not grow.
  void evict_in_shard(uint32_t shard, uint64_t keys, const PushPlan& plan)
      HOTROW_EXCLUDES(hand_mutex_);
  static void keep_coldest(std::vector<Victim>& victims, size_t wanted);
  /// Adds the rows of one bucket to those that may go, but for a batch's; false when there is no
  /// such bucket.
  bool add_victims(uint32_t shard, uint32_t bucket, Moment moment, const BatchIndex* spared,
                   std::vector<Victim>& victims) HOTROW_REQUIRES(hand_mutex_);
  bool collect_victims(size_t sampled, Moment moment, const BatchIndex* spared,
                       std::vector<Victim>& victims) HOTROW_REQUIRES(hand_mutex_);
  uint64_t rank_of(const typename IndexT::Entry& entry, Moment moment) const
      HOTROW_REQUIRES(hand_mutex_);
  uint64_t remove_all(std::span<const Victim> victims, EvictionReason reason, Moment moment);
  // demote.cc
  RowImages copy_unstored(std::span<const Victim> victims);
  /// As remove_all(), of a table that demotes; victims are in the order of their hashes.
  uint64_t demote_all(std::span<const Victim> victims, Moment moment);
  /// Removes the key from the index; its row goes to `freed`.
  void remove(Writer& writer, Hold& hold, std::vector<uint32_t>& freed);
  void give_back(std::span<const uint32_t> freed);
  /// What removals and changes of `rows` rows may leave for a version finds memory, until settled.
  void prepare(uint64_t rows) {
    if (changes_ && !changes_->prepare_or_wait(rows)) throw std::bad_alloc();
  }
  void settle(uint64_t rows) {
    if (changes_) changes_->settle(rows);
  }
  /// Enters the shard with all its keys prepared for; returns how many are to be settled.
  uint64_t enter_prepared(Writer& writer, uint32_t shard);
  /// As SlabPool::reserve, with marks of changes for the rows.
  bool promise_rows(uint64_t rows);
  void note_evicted(std::span<const uint64_t> keys, EvictionReason reason)
      HOTROW_EXCLUDES(log_mutex_);
  float norm_of(uint32_t handle, std::vector<float>& values) const;

  const RowRules& rules_;
  MemoryBudget& budget_;
  IndexT index_;
  SlabPool rows_;
  std::unique_ptr<CountingBloom> bloom_;  // AdmissionKind::kBloom only
  std::unique_ptr<Changes> changes_;      // of stores with versions
  ColdTier* tier_ = nullptr;              // where rows are demoted to, of a table that demotes
  std::atomic<uint64_t> demoted_{0};      // publishes nothing
  // Rows that are there. Publishes nothing.
  std::atomic<uint64_t> size_{0};

  // Where the next eviction samples: the hand goes round all buckets.
  Mutex hand_mutex_;
  uint32_t hand_shard_ HOTROW_GUARDED_BY(hand_mutex_) = 0;
  uint32_t hand_bucket_ HOTROW_GUARDED_BY(hand_mutex_) = 0;
  uint64_t hand_steps_ HOTROW_GUARDED_BY(hand_mutex_) = 0;
  mutable std::vector<float> norm_values_ HOTROW_GUARDED_BY(hand_mutex_);

  mutable Mutex log_mutex_;
  std::deque<EvictedKey> log_ HOTROW_GUARDED_BY(log_mutex_);
  std::array<uint64_t, 4> evicted_ HOTROW_GUARDED_BY(log_mutex_) = {};  // by reason
};

/// At the end of each file that defines members: for both kinds of bucket.
#define HOTROW_FOR_BOTH_INDEXES(macro) macro(PlainIndex) macro(HeatIndex)

}  // namespace hotrow

#endif  // HOTROW_TABLE_INDEXED_ROWS_H_
