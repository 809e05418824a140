// DeviceTable: a table with some of its rows on a device in front of it.
//
// A row on the device is a copy of the table's or newer ("dirty"), never older. Every row on the
// device is one of the table's too, so what the table must know of it, that it is there, it knows.
// Lookups ask the device and then the table for what was missed; rows missed again come to the
// device. A push changes each row where it is newest, as one push of the table: what of its keys is
// on the device is claimed (FrontRows), the table does its part, then the device. Calls that need
// all rows as they are bring dirty ones down first.
//
// A device that fails is given up: the table goes on without it. What was dirty then is lost, which
// the next call that changes rows or needs them as they are says, once, before it does anything; or
// the call itself that met the failure after it had begun.
//
// Threads: any. One lock a table: lookups and pools hold it shared, everything else alone. Order: a
// Call (context.h), this lock (of several tables by rising address), the store's capacity gate, the
// table's own. Lookups: device_lookup.cc; those that do not wait: device_fill.cc; pushes:
// device_push.cc; rows held for the next batch: device_prefetch.cc; outputs that stay there:
// device_rows.cc.
#ifndef HOTROW_STORE_DEVICE_TABLE_H_
#define HOTROW_STORE_DEVICE_TABLE_H_

#include <atomic>
#include <memory>
#include <string>
#include <vector>

#include "base/turn_mutex.h"
#include "hotrow/device_rows.h"
#include "store/device_cache.h"
#include "store/fill_queue.h"
#include "store/touch_filter.h"
#include "table/front_rows.h"
#include "table/table.h"

namespace hotrow {

class DeviceTable final : public Table, private FrontRows {
 public:
  /// What a table gets of a device.
  struct Place {
    const TierApi& api;
    uint32_t device;
    GpuPolicy policy;
    GpuPromotion promotion;
    double fill_above;
    uint64_t bytes;
  };
  /// Why such a table stays on the CPU; empty: it need not.
  static std::string refusal(const TableOptions& options);
  /// Of a table that nobody has used. When it fails, the message says why it stays on the CPU.
  static Result<std::shared_ptr<DeviceTable>> create(std::shared_ptr<SparseTable> table,
                                                     const Place& place);

  const std::string& name() const override { return table_->name(); }
  const TableOptions& options() const override { return table_->options(); }
  uint64_t state_values() const override { return table_->state_values(); }

  using Table::lookup;
  Status lookup(KeyBatch keys, RowBatch rows, const LookupOptions& options) override;
  Status lookup_state(KeyBatch keys, std::span<float> state, const LookupOptions& options) override;
  Status lookup_pooled(const BagBatch& bags, RowBatch out) override;
  Status push(KeyBatch keys, ConstRowBatch gradients, const PushOptions& options = {}) override;
  Status push_pooled(const BagBatch& bags, ConstRowBatch bag_gradients,
                     const PushOptions& options = {}) override;
  Status update(KeyBatch keys, ConstRowBatch rows, const UpdateOptions& options = {}) override;
  Result<uint64_t> prefetch(KeyBatch keys) override;
  Status release_prefetched() override;
  Result<uint64_t> erase(KeyBatch keys) override;
  Status reserve(uint64_t rows) override { return table_->reserve(rows); }
  Result<uint64_t> evict(uint64_t rows) override;
  Result<uint64_t> shrink(const ShrinkOptions& options) override;
  Status decay(double factor) override { return table_->decay(factor); }
  Status set_heats(KeyBatch keys, std::span<const uint32_t> heats) override {
    return table_->set_heats(keys, heats);
  }
  Result<uint64_t> set_scores(KeyBatch keys, std::span<const float> scores) override {
    return table_->set_scores(keys, scores);
  }
  Result<std::vector<EvictedKey>> take_evicted(size_t most) override {
    return table_->take_evicted(most);
  }
  Result<ScanPage> scan(uint64_t from, size_t rows, const ScanOptions& options = {}) override;
  Result<std::vector<HotKey>> hot_keys(size_t most) override { return table_->hot_keys(most); }
  Result<TableStats> stats() override { return table_->stats(); }

  SparseTable& table() { return *table_; }
  /// As SparseTable::lookup_into().
  Status lookup_into(const TableLookup& lookup);
  /// See hotrow/device_rows.h.
  Result<std::shared_ptr<DeviceRows>> lookup_on_device(KeyBatch keys, const LookupOptions& options);
  /// As SparseTable::push_all(), where a request may name the table behind any of `fronts`, which
  /// are distinct.
  static Status push_all(std::vector<SparseTable::PushRequest>& requests,
                         const std::vector<DeviceTable*>& fronts);

  /// Brings dirty rows down, page by page, while other calls go on in between.
  Status bring_down_ahead() HOTROW_EXCLUDES(mutex_);
  /// Keeps everybody out of several tables.
  class Alone;
  /// Brings down what is dirty; by whoever keeps the others out by an Alone.
  Status bring_down_now();
  /// Forgets all rows and what is dirty of them: the table goes to another version. While calls
  /// are kept out.
  void forget() HOTROW_EXCLUDES(mutex_);
  /// Are there rows that are newer than the table's?
  bool dirty() const {
    return dirty_rows_.load(std::memory_order_relaxed) > 0 ||
           homeless_rows_.load(std::memory_order_relaxed) > 0;
  }
  /// Nothing is brought in the background any more. The caller keeps no calls out and holds no lock
  /// that a call takes, or whoever keeps calls out needs.
  void stop_filling() {
    if (fills_ != nullptr) fills_->stop();
  }
  /// After the table has been closed, and stop_filling().
  void close() HOTROW_EXCLUDES(mutex_);
  GpuTableStats device_stats() HOTROW_EXCLUDES(mutex_);

 private:
  /// A key that was missed and has a row, and how often that was so of late.
  struct Missed {
    uint64_t key;
    uint32_t times;
  };
  /// Of a push under way: what the device is to be given. Made before anything is changed.
  struct Claimed {
    struct Id {
      uint32_t part;
      uint32_t id;
    };
    std::vector<uint64_t> keys;
    std::vector<Id> ids;
    std::vector<float> gradients;
    std::vector<uint64_t> random;  // of stochastic rounding, or none
    std::vector<uint8_t> step_of;  // where there are groups
    std::vector<UpdateStep> steps;
    std::vector<uint32_t> misses;
  };

  DeviceTable(std::shared_ptr<SparseTable> table, const Place& place,
              std::unique_ptr<DeviceCache> cache);

  template <class Work>
  auto call(const Work& work) -> decltype(work()) {
    return guarded([&]() -> decltype(work()) {
      const Call under_way(*call_gate_);
      HOTROW_RETURN_IF_ERROR(table_->check_open());
      return work();
    });
  }
  /// Runs work() with everybody else kept out.
  template <class Work>
  auto alone(const Work& work) -> decltype(work());

  // --- The device fails.
  /// Gives the device up if it has failed, and settles what has no home.
  Status ready() HOTROW_REQUIRES(mutex_);
  void give_up_failed() HOTROW_REQUIRES(mutex_);
  /// Says once that rows are lost.
  Status loss() HOTROW_REQUIRES(mutex_);
  /// After a lookup that the device has failed.
  void note_failure() HOTROW_EXCLUDES(mutex_);

  // --- Dirty rows on their way down.
  /// Writes what the device has given up and the table does not have yet. Before anything else.
  Status settle() HOTROW_REQUIRES(mutex_);
  Status bring_all_down() HOTROW_REQUIRES(mutex_);
  Status bring_page_down(uint64_t& from) HOTROW_REQUIRES(mutex_);
  /// Brings down those of `keys`, all of which are on the device.
  Status bring_down(KeyBatch keys) HOTROW_REQUIRES(mutex_);
  /// Takes the table's rows of `keys`, all of which are on the device.
  Status take_up(KeyBatch keys) HOTROW_REQUIRES(mutex_);
  /// The distinct ones of `keys` that are on the device; none when that fails.
  std::vector<uint64_t> on_device(KeyBatch keys) HOTROW_REQUIRES(mutex_);

  // --- device_lookup.cc
  /// False when the device has failed.
  Result<bool> look_up_here(const TableLookup& lookup, std::vector<Missed>& missed)
      HOTROW_REQUIRES_SHARED(mutex_);
  Result<bool> look_up_there(const TableLookup& lookup, TierOutput* output,
                             std::vector<Missed>& missed) HOTROW_REQUIRES_SHARED(mutex_);
  /// Why there is none, said by who has been asked.
  Status unsupported() HOTROW_REQUIRES_SHARED(mutex_);
  void set_found(const TableLookup& lookup, std::span<const uint32_t> positions,
                 std::span<const uint8_t> found) const;
  Result<bool> pool_here(const BagBatch& bags, RowBatch out, std::vector<Missed>& missed)
      HOTROW_REQUIRES_SHARED(mutex_);
  static uint64_t hits_of(const TableLookup& lookup, std::span<const uint32_t> positions,
                          std::span<const uint8_t> found);
  /// Rows [missed, dim] of what the device has not; notes in `missed` the keys that have one.
  Result<uint64_t> look_up_missed(const TableLookup& lookup, std::span<const uint32_t> positions,
                                  std::vector<float>& rows, std::vector<uint8_t>& found,
                                  std::vector<Missed>& missed);
  void note_missed(KeyBatch keys, std::span<const uint8_t> found, std::vector<Missed>& missed);
  /// Brings rows to the device, as far as that is due.
  void promote(std::vector<Missed>& missed) HOTROW_EXCLUDES(mutex_);
  bool choose(std::vector<Missed>& missed);
  Status insert(const std::vector<Missed>& missed) HOTROW_REQUIRES(mutex_);

  // --- device_fill.cc
  /// Are misses of such a lookup answered with the default row?
  bool answers_at_once(size_t keys, size_t missed) const;
  /// rows [n, dim] of keys whose own rows come later.
  void give_defaults(KeyBatch keys, const LookupOptions& options, std::span<float> rows);
  /// On the thread of fills_.
  void fill(KeyBatch keys) HOTROW_EXCLUDES(mutex_);
  Status read_absent(KeyBatch keys, ScanPage& page) HOTROW_REQUIRES_SHARED(mutex_);
  Status take_in(const ScanPage& page) HOTROW_REQUIRES(mutex_);

  // --- device_prefetch.cc
  /// Holds what of distinct `keys` has a row; returns how many.
  Result<uint64_t> hold_here(KeyBatch keys) HOTROW_REQUIRES(mutex_);
  Result<uint64_t> bring_and_hold(KeyBatch keys) HOTROW_REQUIRES(mutex_);
  /// Rows that the device has not come and are held, but for `refused` of them.
  Status insert_awaited(const ScanPage& page, uint64_t& refused) HOTROW_REQUIRES(mutex_);
  /// Of rows that are held, those of `keys` are once less, or no more.
  void let_go(KeyBatch keys, TierHolding how) HOTROW_REQUIRES(mutex_);
  void let_all_go() HOTROW_REQUIRES(mutex_);

  // --- device_push.cc
  Status claim(PushPlan& plan) override;
  Status push_claimed(const PushPlan& plan) override;
  Status claim_here(PushPlan& plan) HOTROW_REQUIRES(mutex_);
  Status give_claimed(const PushPlan& plan) HOTROW_REQUIRES(mutex_);

  const std::shared_ptr<SparseTable> table_;
  const std::shared_ptr<CallGate> call_gate_;
  const GpuPromotion promotion_;
  const double fill_above_;
  TurnMutex mutex_;
  std::unique_ptr<DeviceCache> cache_ HOTROW_GUARDED_BY(mutex_);  // null: given up, or closed
  std::string reason_ HOTROW_GUARDED_BY(mutex_);                  // why it was given up
  uint64_t lost_rows_ HOTROW_GUARDED_BY(mutex_) = 0;              // at most, and not said yet
  // Dirty rows that the device has given up and that could not be written yet.
  WholeRows homeless_ HOTROW_GUARDED_BY(mutex_);
  Claimed claimed_ HOTROW_GUARDED_BY(mutex_);
  // Times that rows are held, at most: one that is let go altogether counts as one.
  uint64_t held_ HOTROW_GUARDED_BY(mutex_) = 0;
  // Rises before the table's rows change, or may.
  uint64_t changes_ HOTROW_GUARDED_BY(mutex_) = 0;
  // Numbers that change under the lock; read without it as hints.
  std::atomic<uint64_t> homeless_rows_{0};
  std::atomic<uint64_t> dirty_rows_{0};  // at most
  TouchFilter touches_;
  // Promotions that waited for nobody and found somebody; rows refused. Hints: publish nothing.
  std::atomic<uint32_t> given_way_{0};
  std::atomic<uint32_t> full_calls_{0};
  std::atomic<uint64_t> defaulted_{0};  // a number
  // Null: every lookup waits for its rows. Last, so that its thread ends before the rest goes.
  std::unique_ptr<FillQueue> fills_;
};

/// By rising address, so that two of them cannot wait for each other.
class DeviceTable::Alone {
 public:
  explicit Alone(std::vector<DeviceTable*> tables);
  ~Alone();
  Alone(const Alone&) = delete;
  Alone& operator=(const Alone&) = delete;

 private:
  std::vector<DeviceTable*> tables_;
};

template <class Work>
auto DeviceTable::alone(const Work& work) -> decltype(work()) {
  return call([&]() -> decltype(work()) {
    const WriteTurn lock(mutex_);
    HOTROW_RETURN_IF_ERROR(ready());
    auto result = work();
    give_up_failed();
    HOTROW_RETURN_IF_ERROR(loss());
    return result;
  });
}

}  // namespace hotrow

#endif  // HOTROW_STORE_DEVICE_TABLE_H_
