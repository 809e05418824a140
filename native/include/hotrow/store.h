// The public C++ API: Store, Table, Dense. The Node binding uses nothing else of the core.
//
// Threads: every method of every handle may be called from any thread at any time, close()
// included. Handles are shared_ptr because JavaScript and several openers share their lifetime;
// a handle whose table was dropped, or whose store was closed by its last opener, answers
// ERR_CLOSED.
// Errors: a call that fails with outcome "none" (status_codes.def) has changed nothing.
#ifndef HOTROW_STORE_H_
#define HOTROW_STORE_H_

#include <cstdint>
#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "hotrow/batch.h"
#include "hotrow/options.h"
#include "hotrow/status.h"

namespace hotrow {

struct TableStats {
  uint64_t rows = 0;
  uint64_t row_bytes = 0;           ///< bytes of one row with its optimizer state and padding
  uint64_t row_memory_bytes = 0;    ///< memory held for rows, free ones included
  uint64_t index_memory_bytes = 0;  ///< memory held for buckets
  uint64_t buckets = 0;             ///< bucket lines of all shards, five keys each
  uint64_t shards = 0;
  uint64_t lookups = 0;  ///< keys looked up
  uint64_t hits = 0;     ///< of them, keys that had a row
  uint64_t pushes = 0;   ///< gradients pushed, duplicates counted
  uint64_t updates = 0;  ///< rows assigned
  uint64_t created = 0;  ///< rows made by push or update
  uint64_t erased = 0;
  uint64_t skipped_gradients = 0;  ///< rows left out by NonFinite::kSkip
  uint64_t grown_shards = 0;       ///< times a shard was rebuilt larger
};

struct StoreStats {
  uint64_t memory_bytes = 0;       ///< the ceiling
  uint64_t memory_used_bytes = 0;  ///< rows, index and dense parameters
  uint64_t tables = 0;
  uint64_t dense = 0;
  uint64_t rows = 0;  ///< rows of all tables
  uint32_t threads = 0;
};

/// One sparse table: rows of `dim` f32 values under 64-bit keys.
class Table {
 public:
  virtual ~Table() = default;

  virtual const std::string& name() const = 0;
  virtual const TableOptions& options() const = 0;

  /// Copies the row of each key into rows [n, dim]. A key without a row gives its initial row (or
  /// zeros, options().missing) and writes nothing. Each row is read atomically: never half of an
  /// update. Cost: two cache misses a key, overlapped over the batch.
  virtual Status lookup(KeyBatch keys, RowBatch rows) = 0;

  /// Pools the rows of each bag into out [bags, dim]. Values are added in the order of the keys.
  virtual Status lookup_pooled(const BagBatch& bags, RowBatch out) = 0;

  /// Sums the gradients [n, dim] of equal keys in batch order, then runs the table's optimizer
  /// once per key, as the key's group says. A key without a row gets its initial row first. All
  /// of it or nothing: ERR_CAPACITY when the rows would not fit under memory_bytes,
  /// ERR_INVALID_ARGUMENT on non-finite gradients (NonFinite::kReject) and on options that are not
  /// valid.
  virtual Status push(KeyBatch keys, ConstRowBatch gradients, const PushOptions& options = {}) = 0;

  /// The gradient of lookup_pooled: bag_gradients [bags, dim] is pushed back to the bag's keys,
  /// each times its weight and the bag's divisor. Then as push.
  virtual Status push_pooled(const BagBatch& bags, ConstRowBatch bag_gradients,
                             const PushOptions& options = {}) = 0;

  /// Assigns rows [n, dim]; of equal keys the last wins. The optimizer's state of an existing row
  /// stays; a new row's starts fresh. Errors as push.
  virtual Status update(KeyBatch keys, ConstRowBatch rows) = 0;

  /// Removes the rows of these keys with their optimizer state; returns how many there were.
  virtual Result<uint64_t> erase(KeyBatch keys) = 0;

  virtual Result<TableStats> stats() = 0;
};

/// One dense parameter: f32 values of a fixed shape under a name.
class Dense {
 public:
  virtual ~Dense() = default;

  virtual const std::string& name() const = 0;
  virtual const DenseOptions& options() const = 0;
  /// Number of values, the product of the shape.
  virtual uint64_t size() const = 0;

  /// Copies all values [size] out, as of one instant.
  virtual Status pull(std::span<float> values) = 0;
  /// Runs the optimizer with gradient [size], row by row.
  virtual Status push(std::span<const float> gradient, const PushOptions& options = {}) = 0;
  /// Assigns all values [size]; the optimizer's state stays.
  virtual Status update(std::span<const float> values) = 0;
};

/// One table's part of lookup_all.
struct TableLookup {
  Table* table = nullptr;
  KeyBatch keys;
  RowBatch rows;
};

/// One table's part of push_all.
struct TablePush {
  Table* table = nullptr;
  KeyBatch keys;
  ConstRowBatch gradients;
  PushOptions options;
};

enum class ParameterKind : uint8_t { kTable, kDense };

/// What a store holds under one name.
struct ParameterInfo {
  std::string name;
  ParameterKind kind = ParameterKind::kTable;
  std::vector<uint64_t> shape;  ///< {dim} of a table, the shape of a dense parameter
  uint64_t rows = 0;            ///< rows of a table; 0 for dense
};

class Store {
 public:
  virtual ~Store() = default;

  /// Opens the store at `path`.
  ///
  /// ":memory:" is a new private store, ":memory:NAME" one that every opener of that name in the
  /// process shares. Any other path names one store for the process: opening it again, from any
  /// thread, gives the same store, until the last opener closes it. Nothing is written to the
  /// path yet: rows live in memory. Options must equal those of the first opener or be defaults
  /// (ERR_CONFLICT).
  static Result<std::shared_ptr<Store>> open(std::string_view path, const StoreOptions& options);

  virtual const std::string& path() const = 0;

  /// Opens the table `name`, creating it when there is none. ERR_CONFLICT when it has other
  /// options, naming the first that differs.
  virtual Result<std::shared_ptr<Table>> table(std::string_view name,
                                               const TableOptions& options) = 0;

  /// As table(), for a dense parameter. Tables and dense parameters share one space of names.
  virtual Result<std::shared_ptr<Dense>> dense(std::string_view name,
                                               const DenseOptions& options) = 0;

  /// Several lookups in one call, each as Table::lookup.
  virtual Status lookup_all(std::span<const TableLookup> lookups) = 0;

  /// Several pushes in one call: all of them are applied or none. A table may appear once.
  virtual Status push_all(std::span<const TablePush> pushes) = 0;

  /// Everything in the store, by name.
  virtual Result<std::vector<ParameterInfo>> list() = 0;

  /// Removes a table or dense parameter and frees its memory; waits for calls under way on it.
  /// Its handles answer ERR_CLOSED from then on. ERR_NOT_FOUND when there is none.
  virtual Status drop(std::string_view name) = 0;

  virtual Result<StoreStats> stats() = 0;

  /// Ends this opener's use; the last one frees the store's memory after waiting for calls under
  /// way. Closing twice is fine.
  virtual void close() = 0;
};

}  // namespace hotrow

#endif  // HOTROW_STORE_H_
