// SparseTable: the embedded table. Checks arguments, merges duplicates, splits batches over
// threads, and keeps pushes whole; the rows themselves are a RowMap's.
//
// Lookups: lookup.cc, pooled.cc, batches.cc; of rows not in memory: cold.cc. Pushes and updates:
// push.cc, collect-inl.h. Eviction, scans and figures: upkeep.cc. Threads: everything may be called
// from any thread. Every call is a Call (context.h) from its closed-check to its end, and close()
// waits for those before it frees.
#ifndef HOTROW_TABLE_TABLE_H_
#define HOTROW_TABLE_TABLE_H_

#include <atomic>
#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "base/batch_index.h"
#include "base/guarded.h"
#include "hotrow/store.h"
#include "memory/epoch.h"
#include "table/cold_tier.h"
#include "table/context.h"
#include "table/front_rows.h"
#include "table/gates.h"
#include "table/hot_keys.h"
#include "table/push_plan.h"
#include "table/row_map.h"
#include "table/row_rules.h"

namespace hotrow {

/// Gives each row of a lookup, which lie one after the other at its stride, its `repeat` copies, in
/// place, from the last to the first: none is overwritten before it was read.
void spread_rows(const TableLookup& lookup, size_t dim);

class SparseTable final : public Table {
 public:
  /// `context` must outlive the open table. Options are valid and carry the final seed.
  static Result<std::shared_ptr<SparseTable>> create(std::string name, TableOptions options,
                                                     TableContext& context);
  ~SparseTable() override { close(); }

  const std::string& name() const override { return name_; }
  const TableOptions& options() const override { return options_; }
  uint64_t state_values() const override { return rules_.state_values(); }

  using Table::lookup;
  Status lookup(KeyBatch keys, RowBatch rows, const LookupOptions& options) override;
  Status lookup_state(KeyBatch keys, std::span<float> state, const LookupOptions& options) override;
  Status lookup_pooled(const BagBatch& bags, RowBatch out) override;
  Status push(KeyBatch keys, ConstRowBatch gradients, const PushOptions& options = {}) override;
  Status push_pooled(const BagBatch& bags, ConstRowBatch bag_gradients,
                     const PushOptions& options = {}) override;
  Status update(KeyBatch keys, ConstRowBatch rows, const UpdateOptions& options = {}) override;
  Result<uint64_t> erase(KeyBatch keys) override;
  Status reserve(uint64_t rows) override;
  Result<uint64_t> evict(uint64_t rows) override;
  Result<uint64_t> shrink(const ShrinkOptions& options) override;
  Status decay(double factor) override;
  Result<uint64_t> set_scores(KeyBatch keys, std::span<const float> scores) override;
  Status set_heats(KeyBatch keys, std::span<const uint32_t> heats) override;
  Result<std::vector<EvictedKey>> take_evicted(size_t most) override;
  Result<ScanPage> scan(uint64_t from, size_t rows, const ScanOptions& options = {}) override;
  Result<std::vector<HotKey>> hot_keys(size_t most) override;
  Result<uint64_t> prefetch(KeyBatch keys) override;
  Status release_prefetched() override;
  Result<TableStats> stats() override;

  /// Frees everything after the calls under way have ended; later calls answer ERR_CLOSED.
  void close();

  /// One table's part of a push over several tables.
  struct PushRequest {
    SparseTable* table;
    KeyBatch keys;
    ConstRowBatch gradients;
    PushOptions options;
    FrontRows* front = nullptr;         // in front of this table, or none
    std::span<const uint32_t> times{};  // see TablePush
  };
  /// Applies all requests or none. The tables are distinct and share one context.
  static Status push_all(std::span<const PushRequest> requests);
  /// The checks of push() alone.
  Status check_rows(const char* name, KeyBatch keys, size_t values) const;
  /// One table's part of lookup_all(): its checks, whether it is open too, then its work.
  Status check_lookup(const TableLookup& lookup) const;
  /// What it checks that has nothing to do with where rows go.
  Status check_wishes(KeyBatch keys, const LookupOptions& options) const;
  Status lookup_into(const TableLookup& lookup);
  uint64_t size() const;
  /// As stats(), of rows and memory alone, which costs nothing.
  Result<TableStats> memory_stats();
  const TableContext& context() const { return context_; }

  // --- For whoever keeps rows in front of the table; see FrontRows. Inside a call.
  TableContext& context() { return context_; }
  const std::shared_ptr<CallGate>& call_gate() const { return call_gate_; }
  Status check_open() const { return closed() ? closed_status() : Status(); }
  Status push_pooled_with(const BagBatch& bags, ConstRowBatch bag_gradients,
                          const PushOptions& options, FrontRows* front);
  Status check_pooled(const BagBatch& bags, RowBatch out) const {
    return check_bags(bags, "out", out.size());
  }
  /// As lookup_into() of a lookup that was checked, without repeating rows; nobody counts it.
  /// Returns how many keys had a row.
  Result<uint64_t> look_up_quietly(const TableLookup& lookup);
  /// `times`: see TableLookup; `hits` counts by them.
  void count_lookups(KeyBatch keys, std::span<const uint32_t> times, uint64_t hits);
  /// Values, and with `state` the optimizer's, of those of page.keys that have a row; the others
  /// drop out.
  Status read_whole(ScanPage& page, bool state) { return read_page(page, state); }
  /// Rows [n, dim] of the table, with their state or without, come back from the front: nothing
  /// is judged and nothing counted. Every key has a row.
  Status write_back(KeyBatch keys, ConstRowBatch rows, std::span<const float> state);

  // --- While its rows come from elsewhere (cold.cc); see ColdRows.
  /// Before anybody has the table: `count` rows are not in memory.
  Status begin_cold(std::shared_ptr<ColdRows> rows, uint64_t count);
  /// Takes rows that are not in memory and were not removed; false when they do not fit. `to_come`:
  /// about so many more follow in the last one's shard, which then grows once for all of them. In
  /// the order of hashes they would crowd its first buckets else, time and again.
  Result<bool> fill(const RowImages& images, uint64_t to_come = 0) {
    return call([&] { return put_in(images, nullptr, to_come); });
  }
  /// All rows are in memory, or never will be. The caller is in no call.
  void end_cold(Status status);
  /// For those who need every row: why there are some missing. The caller is in no call: calls may
  /// have to end before the rows are there.
  Status wait_until_warm() HOTROW_EXCLUDES(warm_mutex_);
  bool cold() const { return cold_.load(std::memory_order_acquire); }
  /// Is it cold for good?
  bool demotes() const { return rules_.eviction().demote; }
  struct Counted {
    uint64_t rows = 0;
    uint64_t cold = 0;  // of these, not in memory
  };
  /// Inside a call.
  Counted count_rows() const;

  /// Of a table whose store has versions; see RowMap. The store waits for its commits before it
  /// closes a table, so that no call of these meets a closed one.
  Status track_changes() { return rows_->track_changes(); }
  RowMap& rows_for_versions() { return *rows_; }
  /// See RowMap and ColdRows.
  void freeze();
  Status each_spilled(const ColdRows::Visit& visit) const {
    return tier_->rows().each_frozen(visit);
  }
  void finish_cut(bool written);
  bool any_changed() const;
  void changed(std::vector<uint64_t>& hashes);
  /// Of a table that demotes, while calls are kept out: goes to another version, of `total` rows,
  /// that differs by these.
  Status replace_demoted(const RowImages& rows, std::span<const uint64_t> gone, bool changes,
                         uint64_t total);
  const RowRules& rules() const { return rules_; }
  /// Pushes applied: Adam's t.
  uint64_t steps() const { return steps_.load(std::memory_order_relaxed); }
  void restore_steps(uint64_t steps) { steps_.store(steps, std::memory_order_relaxed); }

  /// Does the table want to be kept by a Keeper?
  bool wants_upkeep() const {
    if (context_.read_only) return false;
    return rules_.eviction().background || rules_.eviction().ttl_ms != 0;
  }
  /// Evicts what has expired in the next `shards` shards. For one thread.
  void sweep_expired(uint32_t shards);
  /// Evicts a slice of what the limit will ask for; false when enough rows are free.
  bool evict_ahead();

 private:
  struct Counters {
    // Statistics; publish nothing.
    std::atomic<uint64_t> lookups{0}, hits{0}, pushes{0}, updates{0}, created{0}, erased{0},
        skipped{0}, not_admitted{0}, cold_hits{0}, promoted{0};
  };

  SparseTable(std::string name, TableOptions options, TableContext& context);

  /// Runs work() as every call is run: memory that runs out becomes a Status, nothing is freed
  /// meanwhile, and the table is open.
  template <class Work>
  auto call(const Work& work) -> decltype(work()) {
    return guarded([&]() -> decltype(work()) {
      const Call under_way(*call_gate_);
      if (closed()) return closed_status();
      return work();
    });
  }
  /// As call(), of what changes rows.
  template <class Work>
  auto change(const Work& work) -> decltype(work()) {
    return call([&]() -> decltype(work()) {
      if (context_.read_only) return read_only_status();
      return work();
    });
  }
  bool closed() const { return closed_.load(std::memory_order_acquire); }
  Status closed_status() const { return Status::closed("table '" + name_ + "' is closed"); }
  Status read_only_status() const {
    return {StatusCode::kReadOnly, "table '" + name_ + "' is of a store opened for reading"};
  }
  static Status check_keys(KeyBatch keys);
  /// Rows of 8 and 4 bits serve: a gradient's change would be lost in their rounding.
  Status check_learns() const;
  Status check_age(const LookupOptions& options) const;
  static Status check_found(const LookupOptions& options, size_t keys);
  Status check_state(std::span<const float> state, size_t keys) const;
  Status check_bags(const BagBatch& bags, const char* name, size_t values) const;
  Moment moment() const;

  /// Runs work(), which evicts, with the store's gate held shared and the table's own as it needs.
  template <class Work>
  auto with_evicting_gates(const Work& work) {
    if (!demotes()) return with_gates(context_, gate_, work);
    const SharedLock capacity(context_.capacity_gate);
    const ExclusiveLock own(gate_);
    return work();
  }

  // upkeep.cc
  /// Reads the rows of a page's keys, in parallel; those that have gone drop out.
  Status read_page(ScanPage& page, bool state);
  Status walk_all(uint64_t from, size_t rows, ScanPage& page);

  // lookup.cc
  /// Looks every position up, large batches shard by shard; returns how many keys had a row.
  uint64_t gather_parallel(const GatherRequest& request);
  uint64_t gather_part(GatherRequest request, size_t first, size_t last);
  Status look_up(const TableLookup& lookup);
  // pooled.cc
  /// Pools bags [first, last) whose rows `rows_of(position)` gives.
  template <class RowOf>
  void pool_bags(const BagBatch& bags, size_t first, size_t last, const RowOf& row_of,
                 float* out) const;
  uint64_t pool_directly(const BagBatch& bags, size_t first, size_t last, float* out);
  Status gather_cold_parts(BatchIndex& batch, Moment now, uint64_t& hits);
  Result<uint64_t> pool_repeated(const BagBatch& bags, uint32_t parts, float* out);

  // batches.cc
  /// Keeps scratch for the next call; drops it when the table is closed or memory is short.
  template <class Scratch>
  void keep_idle(std::vector<std::unique_ptr<Scratch>>& idle, std::unique_ptr<Scratch> scratch)
      HOTROW_REQUIRES(idle_mutex_);
  /// A kept batch index, the latest first, or a new one.
  std::unique_ptr<BatchIndex> take_batch() HOTROW_EXCLUDES(idle_mutex_);
  void return_batch(std::unique_ptr<BatchIndex> batch) HOTROW_EXCLUDES(idle_mutex_);
  /// Remembers how much this batch repeats itself, for the next lookup's choice.
  void note_repetition(const BatchIndex& batch);
  /// Is it worth finding the duplicates of a lookup of n keys?
  bool expects_repetition(size_t n) const;
  /// Looks each distinct key up once, into the parts' `rows`; returns how many keys had a row.
  uint64_t gather_distinct(BatchIndex& batch, const GatherRequest& request);
  uint64_t gather_repeated(const GatherRequest& request);

  // cold.cc
  struct Arrival;
  Result<bool> put_in(const RowImages& images, Arrival* arrival, uint64_t to_come = 0);
  bool put_promised(const RowImages& images, RestorePlan& plan, Arrival* arrival);
  Result<bool> put_in_or_demote(const RowImages& images, Arrival& arrival);
  bool demote_and_put(const RowImages& images, Arrival& arrival);
  Status bring(PushPlan& plan);
  Status bring(KeyBatch keys);
  /// Were rows of the batch demoted since they were brought in?
  bool moved(const PushPlan& plan) const;
  Status no_room_for(uint64_t rows) const;
  std::string why_full() const;
  /// Calls take(position, row) for positions that were not found in memory and have a row.
  template <class Take>
  Result<uint64_t> read_missed(const GatherRequest& request, const Take& take);
  Result<uint64_t> gather_cold(const GatherRequest& request);
  Result<uint64_t> gather_cold_state(const GatherRequest& request);
  void promote(const RowImages& images, std::span<const uint64_t> missed, DemotionStamps& stamps);
  Result<uint64_t> erase_cold(KeyBatch keys);

  // push.cc
  std::unique_ptr<PushPlan> take_plan() HOTROW_EXCLUDES(idle_mutex_);
  void return_plan(std::unique_ptr<PushPlan> plan) HOTROW_EXCLUDES(idle_mutex_);
  template <class Source>
  Status collect(PushPlan& plan, KeyBatch keys, PushKind kind, const Source& source);
  template <class Source>
  void collect_part(PushPlan& plan, uint32_t number, const Source& source,
                    std::atomic<bool>& clean) const;
  bool check_finite(PushPart& part, size_t keys) const;
  Status non_finite_status(const PushPlan& plan) const;
  Status run(std::unique_ptr<PushPlan> plan, Status collected);
  class Gates;
  static Status run_all(TableContext& context, std::span<PushPlan* const> plans);
  static Status run_in_turn(TableContext& context, std::span<PushPlan* const> plans);
  static std::optional<Status> run_brought(TableContext& context, std::span<PushPlan* const> plans);
  static Status push_together(std::span<const PushRequest> requests);
  Status apply(PushPlan& plan);
  void raise_steps(uint64_t steps);
  Status capacity_status(const PushPlan& plan) const;

  const std::string name_;
  const TableOptions options_;
  TableContext& context_;  // gone with the store, which closes its tables before
  const std::shared_ptr<CallGate> call_gate_;
  const RowRules rules_;
  std::atomic<bool> closed_{false};  // release by close(), acquire by every call
  std::unique_ptr<RowMap> rows_;     // constant until close() has waited for all calls
  std::atomic<uint64_t> steps_{0};   // pushes applied: Adam's t
  // Held shared by every call that makes or removes rows; exclusively by a push that counts what it
  // needs and evicts. Inside the context's capacity gate; of several tables by rising address.
  SharedMutex gate_;
  Counters counters_;
  Reservation sketch_memory_;
  std::unique_ptr<HotKeys> hot_keys_;     // of tables that count them
  std::atomic<uint64_t> plans_begun_{0};  // publishes nothing
  uint32_t sweep_shard_ = 0;              // where sweep_expired() goes on; of its one thread
  std::unique_ptr<ColdTier> tier_;        // constant once the table is there
  std::atomic<bool> cold_{false};
  std::atomic<bool> promoting_{false};  // one lookup at a time
  Mutex warm_mutex_;
  CondVar warm_;
  bool warm_ended_ HOTROW_GUARDED_BY(warm_mutex_) = false;
  Status warmed_ HOTROW_GUARDED_BY(warm_mutex_);
  Mutex idle_mutex_;
  std::vector<std::unique_ptr<PushPlan>> idle_plans_ HOTROW_GUARDED_BY(idle_mutex_);
  std::vector<std::unique_ptr<BatchIndex>> idle_batches_ HOTROW_GUARDED_BY(idle_mutex_);
  // Share of distinct keys in the last batch whose duplicates were looked for. Publishes nothing.
  std::atomic<float> distinct_share_{1.0F};
};

}  // namespace hotrow

#endif  // HOTROW_TABLE_TABLE_H_
