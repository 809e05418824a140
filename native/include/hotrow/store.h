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
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "hotrow/batch.h"
#include "hotrow/options.h"
#include "hotrow/stats.h"
#include "hotrow/status.h"
#include "hotrow/sync_worker.h"

namespace hotrow {

/// Why a row was evicted.
enum class EvictionReason : uint8_t {
  kCapacity,  ///< a push needed room
  kExpired,   ///< unused for ttl_ms
  kDemand,    ///< evict()
  kShrink,    ///< shrink()
};

struct EvictedKey {
  uint64_t key = 0;
  EvictionReason reason = EvictionReason::kCapacity;
};

/// Which rows shrink() evicts: those of which anything holds. 0: not asked.
struct ShrinkOptions {
  uint64_t unseen_ms = 0;  ///< unused for so long; policies with a TTL know it
  double below_uses = 0;   ///< used less often; kLfu and kAgeingLfu count uses
  double below_norm = 0;   ///< the L2 norm of the values is smaller
};

/// A page of a table's rows; see Table::scan.
struct ScanPage {
  std::vector<uint64_t> keys;    ///< [m]
  std::vector<float> rows;       ///< [m, dim]
  std::vector<float> state;      ///< [m, state_values()], or empty: not asked
  std::optional<uint64_t> next;  ///< where the next page begins, or none: this was the last
  /// [m + 1], see Table::set_heats; or empty: not asked, or the policy remembers nothing.
  std::vector<uint32_t> heats{};
};

/// In the place of a row's heat: it is not known.
inline constexpr uint32_t kNoHeat = UINT32_MAX;

/// One sparse table: rows of `dim` f32 values under 64-bit keys.
class Table {
 public:
  virtual ~Table() = default;

  virtual const std::string& name() const = 0;
  virtual const TableOptions& options() const = 0;

  /// Copies the row of each key into rows [n, dim]. A key without a row gives its initial row (or
  /// zeros, options().missing) and writes nothing. Each row is read atomically: never half of an
  /// update. Cost: two cache misses a key, overlapped over the batch.
  virtual Status lookup(KeyBatch keys, RowBatch rows, const LookupOptions& options) = 0;
  Status lookup(KeyBatch keys, RowBatch rows) { return lookup(keys, rows, {}); }

  /// As lookup(), of the optimizer's state [n, state_values()] in f32. A key without a row gives
  /// the state of a row that was never pushed; options.missing does not apply.
  virtual Status lookup_state(KeyBatch keys, std::span<float> state,
                              const LookupOptions& options) = 0;
  /// f32 values of optimizer state a row.
  virtual uint64_t state_values() const = 0;

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
  /// stays and a new row's starts fresh, unless options.state has it. A row that a lookup has given
  /// is kept exactly, whatever the value type. Errors as push; ERR_INVALID_ARGUMENT also for state
  /// that is not finite, whatever NonFinite says.
  virtual Status update(KeyBatch keys, ConstRowBatch rows, const UpdateOptions& options = {}) = 0;

  /// Brings the rows of keys that will be in use next to the GPU, and holds them there, so that the
  /// step that needs them waits for no miss: until a push of their keys, or release_prefetched().
  /// Duplicates are one. Keys without a row have none to bring. Up to half of the rows that the GPU
  /// has room for are held; where more would be, those held before are let go first, and of more
  /// keys than that the rest are as ever. Results never depend on it. Returns how many of the
  /// distinct keys are held; 0: the table has no rows on a GPU. Cost: as a lookup of what is not
  /// there yet; other calls go on in between.
  virtual Result<uint64_t> prefetch(KeyBatch keys) = 0;
  /// Lets go of all rows that prefetch() holds; they stay as long as others do.
  virtual Status release_prefetched() = 0;

  /// Removes the rows of these keys with their optimizer state; returns how many there were.
  virtual Result<uint64_t> erase(KeyBatch keys) = 0;

  /// Makes room for `rows` rows in all, so that no shard grows and no memory is asked for until
  /// there are more. ERR_CAPACITY when they would not fit; nothing has changed then but shards that
  /// grew already.
  virtual Status reserve(uint64_t rows) = 0;

  /// Evicts `rows` rows, by the table's policy the coldest of those it samples; returns how many
  /// went. ERR_INVALID_ARGUMENT when the table has no policy that can choose.
  virtual Result<uint64_t> evict(uint64_t rows) = 0;
  /// Evicts every row of which anything in `options` holds; returns how many went. Reads the whole
  /// index. ERR_INVALID_ARGUMENT when the policy does not know what is asked.
  virtual Result<uint64_t> shrink(const ShrinkOptions& options) = 0;
  /// Multiplies all counts of uses (kLfu, kAgeingLfu) and of keys that have no row yet (kCount,
  /// kBloom, which halves: as often as comes nearest) by `factor`, 0 to 1. Reads the whole index.
  virtual Status decay(double factor) = 0;
  /// Scores [n] of rows for kLowestScore; keys without a row are passed over. A new row's score is
  /// 0. Returns how many had a row.
  virtual Result<uint64_t> set_scores(KeyBatch keys, std::span<const float> scores) = 0;
  /// For servers between which rows move: how often and when rows were used, or their scores, as a
  /// table of the same options had them (ScanPage). heats [n + 1]: of each key, then the clock
  /// there by which they were written; here a row is as old as it was there. Keys without a row,
  /// and heats that are kNoHeat, are passed over. ERR_UNSUPPORTED where the policy remembers
  /// nothing, and of stores elsewhere.
  virtual Status set_heats(KeyBatch keys, std::span<const uint32_t> heats) {
    (void)keys;
    (void)heats;
    return {StatusCode::kUnsupported, "heats: of a table on this machine only"};
  }
  /// Takes up to `most` of the evicted keys remembered (EvictionOptions::log), oldest first.
  virtual Result<std::vector<EvictedKey>> take_evicted(size_t most) = 0;

  /// Reads the rows page by page, in the order of their hashes: page(0), then page(*next), and so
  /// on. A row that stays from first page to last is given exactly once, however the table grows;
  /// one that comes or goes meanwhile, once or not at all. Each row is read atomically. A page has
  /// `rows` rows or a few more; the last may have fewer.
  virtual Result<ScanPage> scan(uint64_t from, size_t rows, const ScanOptions& options = {}) = 0;

  /// The `most` keys that were used most, lookups and pushes together, highest count first; from a
  /// sample, see HotKey. Fewer when fewer were seen. ERR_INVALID_ARGUMENT when the table does not
  /// count them (TableOptions::hot_keys).
  virtual Result<std::vector<HotKey>> hot_keys(size_t most) = 0;

  virtual Result<TableStats> stats() = 0;
};

/// Tells states of a dense parameter apart: of equal stamps values, state and steps are equal,
/// whichever process, store or version they are of.
struct DenseStamp {
  uint64_t run = 0;     ///< of the parameter since it was opened, drawn at random; 0: no stamp
  uint64_t change = 0;  ///< counts pushes, updates and versions that were gone to

  bool operator==(const DenseStamp&) const = default;
};

/// One dense parameter: f32 values of a fixed shape under a name.
class Dense {
 public:
  virtual ~Dense() = default;

  virtual const std::string& name() const = 0;
  virtual const DenseOptions& options() const = 0;
  /// Number of values, the product of the shape.
  virtual uint64_t size() const = 0;

  // Of a store of several servers a call about a parameter of more than 1 MiB is done chunk by
  // chunk (docs/ARCHITECTURE.md): each chunk as of one instant, each push and update once at every
  // chunk, but not of all chunks at one instant. What fails at one server may have been done at
  // others, as for tables.

  /// Copies all values [size] out, as of one instant.
  virtual Status pull(std::span<float> values) = 0;
  /// Runs the optimizer with gradient [size], row by row.
  virtual Status push(std::span<const float> gradient, const PushOptions& options = {}) = 0;
  /// Assigns all values [size]; the optimizer's state stays unless options.state has it, finite.
  virtual Status update(std::span<const float> values, const UpdateOptions& options = {}) = 0;

  /// f32 values of optimizer state, of all rows.
  virtual uint64_t state_values() const = 0;
  /// Copies values [size] and state [state_values()] as of one instant; returns the pushes that
  /// they have seen.
  virtual Result<uint64_t> pull_state(std::span<float> values, std::span<float> state) = 0;

  /// What servers answer "not modified" by: the stamp of what a pull would copy now. Without one
  /// where values are with several servers.
  virtual Result<DenseStamp> stamp() { return DenseStamp(); }
  struct Stamped {
    DenseStamp stamp;
    uint64_t steps = 0;
  };
  /// pull_state(), where `state` may be empty, with the stamp of what it has copied.
  virtual Result<Stamped> pull_stamped(std::span<float> /*values*/, std::span<float> /*state*/) {
    return Status(StatusCode::kUnsupported, "dense '" + name() + "' has no stamps");
  }
};

/// One table's part of lookup_all.
struct TableLookup {
  Table* table = nullptr;
  KeyBatch keys;
  /// Row i goes to rows[i * stride ..+ dim], or with `repeat` to rows i * repeat up to (i + 1) *
  /// repeat - 1. Where several tables share one output, each gets it from its own column on, and
  /// together they fill a trainer's input without a copy.
  RowBatch rows;
  size_t stride = 0;    ///< values from one row to the next; 0: the table's dim
  uint32_t repeat = 1;  ///< copies of each row, one after the other: a user's row for M items
  LookupOptions options;
  /// For servers: how many lookups each key stands for, as stats() and hot_keys() count them, from
  /// 1 on; empty: one. Only of a store on this machine.
  std::span<const uint32_t> times{};
};

/// One table's part of push_all.
struct TablePush {
  Table* table = nullptr;
  KeyBatch keys;
  ConstRowBatch gradients;
  PushOptions options;
  /// For servers: of how many gradients each row is the sum, as admission and figures count them,
  /// from 1 on; empty: of one. Only of a store on this machine.
  std::span<const uint32_t> times{};
};

/// Of which version of several servers a version is one server's part (hotrow/connect.h). Servers
/// set it; it says nothing to anybody else.
struct ClusterPart {
  std::string id;      ///< empty: of none
  uint64_t base = 0;   ///< this server's version to go back to if there is to be no such version
  uint32_t epoch = 0;  ///< of the placement by which the servers had their rows; 0: none
};

/// A commit's options.
struct CommitOptions {
  /// Where the trainer stands, in its own words: given back by whoever opens the version. At most
  /// kMaxCursorBytes of UTF-8.
  std::string_view cursor;
  /// As Store::name_version(); empty: no name. A version that could not be named is there all the
  /// same: VersionInfo::names tells.
  std::string_view name;
  /// The cursor is that of the version before.
  bool keep_cursor = false;
  ClusterPart cluster;
};

/// One instant of the whole store, on disk.
struct VersionInfo {
  uint64_t version = 0;  ///< counts from 1; 0: nothing was committed yet
  uint64_t parent = 0;   ///< the version it was made from
  uint64_t time_ms = 0;  ///< of the commit, since 1970
  std::string cursor;
  uint64_t bytes = 0;  ///< written for it; 0 where it is not known any more
  uint64_t rows = 0;   ///< of all tables
  /// The version whose rows it has, when rollback() made it; else 0.
  uint64_t rolled_back_to = 0;
  /// It can be opened, rolled back to and followed. Not so when its folder could not be made; the
  /// newest version is there all the same.
  bool kept = false;
  bool pinned = false;
  std::vector<std::string> names;
  ClusterPart cluster;
};

/// What open() gave up for a version that is whole; see RecoverMode.
struct Recovery {
  uint64_t from = 0;   ///< the newest version there was; 0: nothing was given up
  uint64_t to = 0;     ///< the version that was opened
  std::string reason;  ///< what was damaged
};

/// How many rows of a table differ between two versions.
struct TableDiff {
  std::string name;
  uint64_t added = 0;
  uint64_t removed = 0;
  uint64_t changed = 0;
};

enum class ParameterKind : uint8_t { kTable, kDense };

/// What a store holds under one name.
struct ParameterInfo {
  std::string name;
  ParameterKind kind = ParameterKind::kTable;
  std::vector<uint64_t> shape;  ///< {dim} of a table, the shape of a dense parameter
  uint64_t rows = 0;            ///< rows of a table; 0 for dense
  DenseChunk chunk;             ///< of a dense parameter of a server: which part of a cut one
};

class Store {
 public:
  virtual ~Store() = default;

  /// Opens the store at `path`.
  ///
  /// ":memory:" is a new private store, ":memory:NAME" one that every opener of that name in the
  /// process shares. Any other path names one store for the process: opening it again, from any
  /// thread, gives the same store, until the last opener closes it. Its last version is there at
  /// once; a table's rows are read when table() first asks for it. What was not committed is gone
  /// with the store. Options must equal those of the first opener or be defaults (ERR_CONFLICT).
  /// ERR_LOCKED when another process has the path open, naming its pid.
  static Result<std::shared_ptr<Store>> open(std::string_view path, const StoreOptions& options);

  virtual const std::string& path() const = 0;

  /// Opens the table `name`, creating it when there is none. ERR_CONFLICT when it has other
  /// options, naming the first that differs.
  virtual Result<std::shared_ptr<Table>> table(std::string_view name,
                                               const TableOptions& options) = 0;

  /// As table(), for a dense parameter. Tables and dense parameters share one space of names.
  virtual Result<std::shared_ptr<Dense>> dense(std::string_view name,
                                               const DenseOptions& options) = 0;

  /// Opens what is there already, as it is. ERR_NOT_FOUND when nothing has the name, ERR_CONFLICT
  /// when it is of the other kind.
  virtual Result<std::shared_ptr<Table>> table(std::string_view name) = 0;
  virtual Result<std::shared_ptr<Dense>> dense(std::string_view name) = 0;

  /// Several lookups in one call, each as Table::lookup.
  virtual Status lookup_all(std::span<const TableLookup> lookups) = 0;

  /// Several pushes in one call: all of them are applied or none. A table may appear once.
  virtual Status push_all(std::span<const TablePush> pushes) = 0;

  /// Everything in the store, by name.
  virtual Result<std::vector<ParameterInfo>> list() = 0;

  /// Removes a table or dense parameter and frees its memory; waits for calls under way on it.
  /// Its handles answer ERR_CLOSED from then on. ERR_NOT_FOUND when there is none.
  virtual Status drop(std::string_view name) = 0;

  /// Makes a version of everything as it is at one instant during the call, and writes what has
  /// changed since the one before. Pushes and lookups go on meanwhile. When it returns, the version
  /// survives the death of the process and of the machine. One commit runs at a time; others wait.
  /// ERR_UNSUPPORTED for a store in memory; ERR_DISK_FULL, ERR_IO_ERROR: there is no new version,
  /// and the next commit has all that this one had.
  virtual Result<VersionInfo> commit(const CommitOptions& options = {}) = 0;
  /// The newest version; of a store opened for reading, the one it is at.
  virtual Result<VersionInfo> version() = 0;
  /// What opening it gave up, if anything.
  virtual Result<Recovery> recovered() = 0;
  /// All that are kept, rising.
  virtual Result<std::vector<VersionInfo>> versions() = 0;
  /// Gives every row the values and state it had at a version, by number or name, removes those
  /// that had none, and commits that as a new version with the old one's cursor; what was not
  /// committed is lost. At one instant for all calls, which wait meanwhile. Cost: reads the rows
  /// that have changed since. ERR_NOT_FOUND when the version is not kept.
  virtual Result<VersionInfo> rollback(std::string_view version, const ClusterPart& part) = 0;
  Result<VersionInfo> rollback(std::string_view version) { return rollback(version, {}); }
  /// Names a version, which is kept for as long as it has a name; takes the name from the version
  /// that has it. 0: the name is free again. Names are not digits alone.
  virtual Status name_version(std::string_view name, uint64_t version) = 0;
  /// A pinned version is kept.
  virtual Status pin_version(uint64_t version, bool pinned) = 0;
  /// Applies a delta that lies in a folder, so that the store is at the delta's version: on disk
  /// and in memory, at one instant for all calls. Done already: nothing happens. ERR_CONFLICT when
  /// the store is not at the delta's parent, is another store's, or has changes of its own;
  /// ERR_CORRUPTION when a checksum does not fit. Nothing is changed then. A delta from nothing
  /// (snapshot()) goes over any earlier version of its store.
  virtual Result<VersionInfo> apply(std::string_view delta_folder) = 0;
  /// Writes all of a kept version, by number or name, into a folder as one delta, from nothing to
  /// it. The folder must not be there. Cost: reads the version. ERR_NOT_FOUND when it is not kept.
  virtual Status snapshot(std::string_view version, std::string_view folder) = 0;
  /// Of a store opened for reading: goes to the newest version there is, at one instant for all
  /// calls. Cost: reads what changed.
  virtual Result<VersionInfo> refresh() = 0;
  /// Compares every row, state included, of two versions by number or name; a table that only one
  /// of them has counts as added or removed whole. Cost: reads both.
  virtual Result<std::vector<TableDiff>> diff(std::string_view from, std::string_view to) = 0;
  /// Reads everything on disk and checks every checksum: ERR_CORRUPTION names what is damaged.
  virtual Status verify() = 0;
  /// Merges files on disk until each row lies once.
  virtual Status compact() = 0;

  virtual Result<StoreStats> stats() = 0;

  /// Makes this opener one of the workers of a training job (hotrow/sync_worker.h), over servers
  /// only (hotrow/connect.h): ERR_UNSUPPORTED for a store of this process. In ClockMode::kBulk its
  /// pushes belong to the worker from now on, and take effect when their step ends; update(),
  /// erase() and set_scores() are applied at once in every mode. A worker that comes back joins at
  /// the slowest's clock, and while a group has not been complete once, those that have not come
  /// are waited for. ERR_CONFLICT when the group has another mode, size, staleness or lease, when
  /// somebody else is that worker, or when this store is a worker already; ERR_CAPACITY when the
  /// server has too many groups.
  virtual Result<std::shared_ptr<SyncWorker>> worker(const WorkerOptions& options);

  /// Ends this opener's use; the last one frees the store's memory after waiting for calls under
  /// way. Closing twice is fine.
  virtual void close() = 0;

  /// Of a store that is with servers (connect()): takes a slot map that is newer than the one it
  /// knows, so that it need not learn of it by refusals; an older one is passed over.
  /// ERR_INVALID_ARGUMENT when it is none, ERR_CONFLICT when it is another one of a known epoch,
  /// ERR_UNSUPPORTED when the store is in this process.
  virtual Status set_placement(std::string_view text);
};

}  // namespace hotrow

#endif  // HOTROW_STORE_H_
