// RowMap: the keyed rows of one table, index and slab together; IndexedRows implements it over
// each kind of bucket.
//
// Every function takes a whole batch or part of one, so that a virtual call costs nothing. All may
// be called from any thread, each inside an EpochGuard; SparseTable checks arguments, merges
// duplicates, splits batches and holds the gates that its functions ask for.
#ifndef HOTROW_TABLE_ROW_MAP_H_
#define HOTROW_TABLE_ROW_MAP_H_

#include <cstdint>
#include <memory>
#include <optional>
#include <span>
#include <utility>
#include <vector>

#include "base/shards.h"
#include "hotrow/store.h"
#include "memory/budget.h"
#include "table/changes.h"
#include "table/cold_tier.h"
#include "table/moment.h"
#include "table/push_plan.h"
#include "table/row_rules.h"

namespace hotrow {

/// Keys to look up and where their rows go.
struct GatherRequest {
  KeyBatch keys;
  const uint64_t* hashes = nullptr;  // [n] of the keys, or null
  float* rows = nullptr;             // row i goes to rows + i * stride
  float* values = nullptr;           // [n, dim] of gather_state: the rows' values too, or null
  size_t stride = 0;                 // values, at least dim
  uint8_t* found = nullptr;          // [n] 1 when there was a row, or null
  const float* missing = nullptr;    // [dim] for keys without a row, or null: the table's rule
  bool relaxed = false;              // rows may be torn by a writer
  bool counts = true;                // as a use, for the eviction policy
  Moment moment = {};
};

/// Which rows a sweep evicts: those of which anything holds.
struct Sweep {
  bool expired = false;    // unused for the table's ttl_ms
  uint64_t unseen_ms = 0;  // unused for so long; 0: not asked
  double below_uses = 0;   // used less often; 0: not asked
  double below_norm = 0;   // values with a smaller L2 norm; 0: not asked
};

class RowMap;

/// What is promised for rows that come from a version, for as long as this lives.
struct RestorePlan {
  RestorePlan() = default;
  RestorePlan(RestorePlan&& other) noexcept { *this = std::move(other); }
  RestorePlan& operator=(RestorePlan&& other) noexcept;
  ~RestorePlan() { release(); }
  /// Gives back what was not used.
  void release();

  bool changes = false;  // the rows count as changed since the last cut
  bool fill = false;     // only of keys that have no row and were not removed
  // Of a table that demotes: when the rows were read, how often each was used, and since when.
  const DemotionStamps* stamps = nullptr;
  std::span<const uint8_t> uses;  // [rows], or empty: once
  Moment moment;
  uint64_t stale = 0;     // rows that were demoted again since, and left out
  uint64_t new_rows = 0;  // rows that are not there
  uint64_t created = 0;   // of these, made
  uint64_t rows = 0;      // promised
  IndexShards::Counts keys_in = {};
  Reservation index_bytes;
  RowMap* map = nullptr;  // that promised
};

enum class Certainty : uint8_t { kGenerous, kExact };

class RowMap {
 public:
  virtual ~RowMap() = default;

  /// Reserves address space; must succeed before anything else is called.
  virtual Status open() = 0;

  // --- Reading.
  /// Returns how many keys had a row.
  virtual uint64_t gather(const GatherRequest& request) = 0;
  /// Optimizer state instead of values, or of the same instant with them; dim is state_values()
  /// then. Keys without a row give the state of a row that was never pushed, and no values.
  virtual uint64_t gather_state(const GatherRequest& request) = 0;
  /// Appends the keys of rows from hash `from` on, at least `count` unless the end comes first;
  /// returns where to go on, or nothing.
  virtual std::optional<uint64_t> walk(uint64_t from, size_t count,
                                       std::vector<uint64_t>& keys) const = 0;
  /// Rows and memory: a few numbers. The rest reads buckets too.
  virtual void measure_memory(TableStats& stats) const = 0;
  virtual void measure(TableStats& stats) const = 0;
  virtual uint64_t size() const = 0;

  // --- Writing. The store's capacity gate is held; shared unless stated.
  /// Promises rows and index memory for a push. kGenerous as if every key were new; kExact by
  /// looking, and evicting what is in the way, with the table's gate held exclusively.
  [[nodiscard]] virtual bool reserve(PushPlan& plan, Certainty certainty) = 0;
  /// Gives back what of it was not used.
  virtual void release(PushPlan& plan) = 0;
  /// Does one part of a reserved push. Parts share no shard.
  virtual void apply(const PushPlan& plan, uint32_t number) = 0;
  /// Makes room in memory for `rows` more rows at once.
  [[nodiscard]] virtual bool reserve_rows(uint64_t rows) = 0;
  /// Returns how many keys had a row.
  virtual uint64_t erase(KeyBatch keys) = 0;
  virtual uint64_t set_scores(KeyBatch keys, std::span<const float> scores) = 0;
  /// What the policy remembers of keys, [n]: kNoHeat of those without a row here, and of all where
  /// it remembers nothing.
  virtual void heats(KeyBatch keys, std::span<uint32_t> heats) = 0;
  /// As Table::set_heats(), of [n] heats by the clock `theirs`.
  virtual void set_heats(KeyBatch keys, std::span<const uint32_t> heats, uint32_t theirs,
                         Moment moment) = 0;
  /// Evicts the coldest of what it samples, `rows` of them; fewer when there are no more.
  virtual uint64_t evict(uint64_t rows, EvictionReason reason, Moment moment) = 0;
  /// Evicts what `sweep` asks for, in shards [first, last).
  virtual uint64_t sweep(const Sweep& sweep, uint32_t first, uint32_t last, EvictionReason reason,
                         Moment moment) = 0;
  /// Multiplies counted uses, and the counts of keys that have no row yet, in every shard.
  virtual void decay(double factor, Moment moment) = 0;
  virtual std::vector<EvictedKey> take_evicted(size_t most) = 0;

  // --- Versions; see Changes. Only of a map whose changes are tracked.
  /// Tracks changes from now on; before there are rows.
  virtual Status track_changes() = 0;
  /// The cut: what has changed is frozen. While the store's capacity gate is held exclusively.
  virtual void freeze() = 0;
  /// Appends the frozen rows of one shard that nobody saved before, in any order.
  virtual void collect(uint32_t shard, RowImages& images) = 0;
  /// See Changes.
  virtual std::vector<uint64_t> removed() const = 0;
  virtual std::vector<RowImages> collected() = 0;
  /// The cut comes to nothing: every row counts as changed. Before collected().
  virtual void thaw() = 0;
  /// The cut is over.
  virtual void finish_cut(bool written) = 0;
  /// Appends the hashes of keys that have changed or gone since the last cut, in any order.
  virtual void changed(std::vector<uint64_t>& hashes) = 0;
  // --- Of a table that is cold.
  /// Remembers from now on which keys are removed, until forget_gone().
  /// With `until_written`, each until a version knows of it.
  virtual void remember_gone(bool until_written) = 0;
  virtual void forget_gone() = 0;
  virtual bool gone(uint64_t hash) const = 0;
  /// Keys remembered as removed.
  virtual uint64_t gone_rows() const = 0;
  /// Appends the hashes of those keys that have no row and were not removed.
  virtual void absent(KeyBatch keys, std::vector<uint64_t>& hashes) const = 0;

  /// Has anything?
  virtual bool any_changed() const = 0;
  /// Removals since the last cut are in a version already.
  virtual void forget_removed() = 0;
  /// Promises memory for restore() once the keys with the hashes `gone` have been erased; false
  /// when the rows would not fit. Unless to fill, while nothing else changes rows until then.
  [[nodiscard]] virtual bool promise_restore(const RowImages& images,
                                             std::span<const uint64_t> gone, RestorePlan& plan) = 0;
  /// Gives promised rows back.
  virtual void unpromise(uint64_t rows) = 0;
  /// Gives keys the rows of a version, and gives back what was promised and is not needed. Unless
  /// to fill, while nothing else changes rows.
  [[nodiscard]] virtual bool restore(const RowImages& images, RestorePlan& plan) = 0;

  // --- Of a table that demotes its rows. The table's gate is held exclusively, or the store's.
  /// Rows that are evicted go there from now on, which must outlive it; before there are rows.
  virtual void demote_to(ColdTier& tier) = 0;
  /// As promise_restore(), evicting what is in the way; of a batch in `plan` no row goes.
  [[nodiscard]] virtual bool make_room_for(const RowImages& images, PushPlan& plan,
                                           RestorePlan& promise) = 0;
  virtual bool has_row(uint64_t hash) const = 0;
  /// Rows out there count again for keys that were removed.
  virtual void come_back(std::span<const uint64_t> hashes) = 0;
  /// The row counts as changed since the last cut; false when it is not in memory.
  virtual bool mark_changed(uint64_t hash) = 0;
  /// Removes keys whose rows are out there; returns how many were not gone already.
  virtual uint64_t erase_demoted(std::span<const uint64_t> hashes) = 0;
};

inline void RestorePlan::release() {
  if (map != nullptr) map->unpromise(std::exchange(rows, 0));
  map = nullptr;
  index_bytes.reset();
}

inline RestorePlan& RestorePlan::operator=(RestorePlan&& other) noexcept {
  if (this == &other) return *this;
  release();
  changes = other.changes;
  fill = other.fill;
  stamps = other.stamps;
  uses = other.uses;
  moment = other.moment;
  stale = other.stale;
  new_rows = other.new_rows;
  created = other.created;
  rows = std::exchange(other.rows, 0);
  keys_in = other.keys_in;
  index_bytes = std::move(other.index_bytes);
  map = std::exchange(other.map, nullptr);
  return *this;
}

/// `rules` and `budget` must outlive it.
Result<std::unique_ptr<RowMap>> make_row_map(const RowRules& rules, MemoryBudget& budget);

}  // namespace hotrow

#endif  // HOTROW_TABLE_ROW_MAP_H_
