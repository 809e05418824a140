// SparseTable: the embedded table. Index, row slab, optimizer and initializer as one.
//
// Lookups: lookup.cc. Pushes, updates and erasures: push.cc. Bags: pooled.cc.
// Threads: everything may be called from any thread. Every call runs inside an EpochGuard from
// its closed-check to its end, and close() waits for those guards before it frees.
#ifndef HOTROW_TABLE_TABLE_H_
#define HOTROW_TABLE_TABLE_H_

#include <atomic>
#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "hotrow/store.h"
#include "memory/slab_pool.h"
#include "simd/kernels.h"
#include "table/batch_index.h"
#include "table/context.h"
#include "table/index.h"
#include "table/initializer.h"
#include "table/optimizer.h"
#include "table/push_plan.h"
#include "table/row_layout.h"

namespace hotrow {

class SparseTable final : public Table {
 public:
  /// `context` must outlive the table. Options are valid and carry the final seed.
  static Result<std::shared_ptr<SparseTable>> create(std::string name, TableOptions options,
                                                     TableContext& context);
  ~SparseTable() override { close(); }

  const std::string& name() const override { return name_; }
  const TableOptions& options() const override { return options_; }

  Status lookup(KeyBatch keys, RowBatch rows) override;
  Status lookup_pooled(const BagBatch& bags, RowBatch out) override;
  Status push(KeyBatch keys, ConstRowBatch gradients, const PushOptions& options = {}) override;
  Status push_pooled(const BagBatch& bags, ConstRowBatch bag_gradients,
                     const PushOptions& options = {}) override;
  Status update(KeyBatch keys, ConstRowBatch rows) override;
  Result<uint64_t> erase(KeyBatch keys) override;
  Result<TableStats> stats() override;

  /// Frees everything after the calls under way have ended; later calls answer ERR_CLOSED.
  void close();

  /// One table's part of a push over several tables.
  struct PushRequest {
    SparseTable* table;
    KeyBatch keys;
    ConstRowBatch gradients;
    PushOptions options;
  };
  /// Applies all requests or none. The tables are distinct and share one context.
  static Status push_all(std::span<const PushRequest> requests);
  /// The checks of lookup() and push() alone.
  Status check_rows(const char* name, KeyBatch keys, size_t values) const;
  uint64_t size() const;
  const TableContext& context() const { return context_; }

 private:
  // All that close() frees.
  struct Body {
    Body(const RowLayout& layout, MemoryBudget& budget)
        : index(budget), rows(layout.bytes(), budget) {}
    Index index;
    SlabPool rows;
  };
  struct Counters {
    // Statistics; publish nothing.
    std::atomic<uint64_t> lookups{0}, hits{0}, pushes{0}, updates{0}, created{0}, erased{0},
        skipped{0};
  };
  enum class Certainty : uint8_t { kGenerous, kExact };

  SparseTable(std::string name, TableOptions options, TableContext& context);

  TableStats count_all() const;
  bool closed() const { return closed_.load(std::memory_order_acquire); }
  Status closed_status() const { return Status::closed("table '" + name_ + "' is closed"); }
  static Status check_keys(KeyBatch keys);
  Status check_bags(const BagBatch& bags, const char* name, size_t values) const;

  /// Keys to look up and where their rows go.
  struct Gather {
    KeyBatch keys;
    const uint64_t* hashes;    // [n], or null
    float* rows;               // [n, dim]
    uint8_t* found = nullptr;  // [n] 1 when there was a row, or null
    decltype(RowKernels::gather) copy = nullptr;
  };
  // gather.cc
  class Gatherer;
  /// Returns how many keys had a row.
  uint64_t gather(Gather request);
  /// Looks one key up, waiting for whoever writes it.
  bool gather_one(uint64_t key, uint64_t hash, float* out);
  uint64_t gather_again(const Gather& request, size_t position);
  /// Copies the row of the key at `position` and believes it, or looks the key up again.
  uint64_t gather_sighted(const Gather& request, size_t position, const Index::Sight& sight);
  void fill_missing(uint64_t key, float* out) const;
  // lookup.cc
  uint64_t gather_parallel(KeyBatch keys, float* out);
  void count_lookups(uint64_t keys, uint64_t hits);
  // pooled.cc
  /// Pools bags [first, last) whose rows `rows_of(position)` gives.
  template <class RowOf>
  void pool_bags(const BagBatch& bags, size_t first, size_t last, const RowOf& row_of,
                 float* out) const;
  uint64_t pool_directly(const BagBatch& bags, size_t first, size_t last, float* out);
  uint64_t pool_repeated(const BagBatch& bags, uint32_t parts, float* out);

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
  uint64_t gather_distinct(BatchIndex& batch, KeyBatch keys);
  uint64_t gather_repeated(KeyBatch keys, float* out);

  // push.cc
  std::unique_ptr<PushPlan> take_plan() HOTROW_EXCLUDES(idle_mutex_);
  void return_plan(std::unique_ptr<PushPlan> plan) HOTROW_EXCLUDES(idle_mutex_);
  template <class Source>
  Status collect(PushPlan& plan, KeyBatch keys, PushKind kind, const Source& source);
  bool check_finite(PushPart& part, size_t keys) const;
  Status non_finite_status(const PushPlan& plan) const;
  Status run(std::unique_ptr<PushPlan> plan, Status collected);
  static Status run_all(TableContext& context, std::span<PushPlan* const> plans);
  static Status push_together(std::span<const PushRequest> requests);
  uint64_t erase_chunk(KeyBatch keys);
  bool reserve(PushPlan& plan, Certainty certainty);
  bool reserve_exactly(PushPlan& plan);
  void release(PushPlan& plan);
  Status apply(PushPlan& plan);
  void apply_part(const PushPlan& plan, uint32_t number, PushPart& part, const StepTable& steps);
  /// What a push does to one key.
  struct KeyChange {
    uint64_t key;
    uint64_t hash;
    const float* row;
    PushKind kind;
    const UpdateStep& step;
    uint32_t keys_in_shard;  // keys of the whole batch in the key's shard
    float* scratch;          // [optimizer_.scratch_values(dim)]
  };
  bool apply_one(PushPart& part, RowAllocator& allocator, const KeyChange& change);
  void prefetch_row(uint64_t key, uint64_t hash) const;
  void write_row(const KeyChange& change, std::byte* row) const;

  const std::string name_;
  const TableOptions options_;
  TableContext& context_;
  const Optimizer optimizer_;
  const Initializer initializer_;
  const RowLayout layout_;
  std::atomic<bool> closed_{false};  // release by close(), acquire by every call
  std::unique_ptr<Body> body_;       // constant until close() has waited for all calls
  std::atomic<uint64_t> steps_{0};   // pushes applied: Adam's t
  Counters counters_;
  Mutex idle_mutex_;
  std::vector<std::unique_ptr<PushPlan>> idle_plans_ HOTROW_GUARDED_BY(idle_mutex_);
  std::vector<std::unique_ptr<BatchIndex>> idle_batches_ HOTROW_GUARDED_BY(idle_mutex_);
  // Share of distinct keys in the last batch whose duplicates were looked for. Publishes nothing.
  std::atomic<float> distinct_share_{1.0F};
};

}  // namespace hotrow

#endif  // HOTROW_TABLE_TABLE_H_
