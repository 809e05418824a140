// LocalStore: the tables and dense parameters of one store in this process.
//
// Openers share one LocalStore through the registry (registry.h), each behind a handle of its
// own. Names are guarded by one mutex; the calls on tables do not pass through here.
#ifndef HOTROW_STORE_LOCAL_STORE_H_
#define HOTROW_STORE_LOCAL_STORE_H_

#include <atomic>
#include <functional>
#include <map>
#include <memory>
#include <string>
#include <variant>
#include <vector>

#include "base/sync.h"
#include "hotrow/store.h"
#include "storage/engine.h"
#include "store/dense.h"
#include "store/gpu_tier.h"
#include "store/keeper.h"
#include "store/manifest.h"
#include "store/warmer.h"
#include "table/context.h"
#include "table/table.h"

namespace hotrow {

class VersionNames;

/// What a store with these options waits for.
inline SyncMode sync_of(const StoreOptions& options) {
  return options.durable == Durability::kNever ? SyncMode::kOs : options.sync;
}

class LocalStore final : public Store {
 public:
  /// `options` are valid and complete: no field is 0. A path that is not in memory has its last
  /// version opened.
  static Result<std::shared_ptr<LocalStore>> open(std::string path, const StoreOptions& options);
  ~LocalStore() override { close(); }

  const std::string& path() const override { return path_; }
  const StoreOptions& options() const { return options_; }
  /// Openers that have not closed; guarded by the registry's mutex.
  uint64_t openers = 0;

  Result<std::shared_ptr<Table>> table(std::string_view name, const TableOptions& options) override
      HOTROW_EXCLUDES(mutex_);
  Result<std::shared_ptr<Dense>> dense(std::string_view name, const DenseOptions& options) override
      HOTROW_EXCLUDES(mutex_);
  Result<std::shared_ptr<Table>> table(std::string_view name) override HOTROW_EXCLUDES(mutex_);
  Result<std::shared_ptr<Dense>> dense(std::string_view name) override HOTROW_EXCLUDES(mutex_);
  Status lookup_all(std::span<const TableLookup> lookups) override;
  Status push_all(std::span<const TablePush> pushes) override;
  Result<std::vector<ParameterInfo>> list() override HOTROW_EXCLUDES(mutex_);
  Status drop(std::string_view name) override HOTROW_EXCLUDES(commit_mutex_, mutex_);
  // commit.cc
  Result<VersionInfo> commit(const CommitOptions& options) override
      HOTROW_EXCLUDES(commit_mutex_, mutex_);
  // replace.cc
  using Store::rollback;
  Result<VersionInfo> rollback(std::string_view version, const ClusterPart& part) override
      HOTROW_EXCLUDES(commit_mutex_, mutex_);
  Result<VersionInfo> apply(std::string_view delta_folder) override
      HOTROW_EXCLUDES(commit_mutex_, mutex_);
  Result<VersionInfo> refresh() override HOTROW_EXCLUDES(commit_mutex_, mutex_);
  // snapshot.cc
  Status snapshot(std::string_view version, std::string_view folder) override;
  // versions.cc
  Result<VersionInfo> version() override HOTROW_EXCLUDES(mutex_);
  Result<Recovery> recovered() override { return recovery_; }
  Result<std::vector<VersionInfo>> versions() override HOTROW_EXCLUDES(mutex_);
  Status name_version(std::string_view name, uint64_t version) override
      HOTROW_EXCLUDES(commit_mutex_);
  Status pin_version(uint64_t version, bool pinned) override HOTROW_EXCLUDES(commit_mutex_);
  Result<std::vector<TableDiff>> diff(std::string_view from, std::string_view to) override;
  Status verify() override HOTROW_EXCLUDES(commit_mutex_);
  Status compact() override HOTROW_EXCLUDES(commit_mutex_);
  Result<StoreStats> stats() override HOTROW_EXCLUDES(mutex_);
  void close() override HOTROW_EXCLUDES(commit_mutex_, mutex_);

 private:
  using Parameter = std::variant<std::shared_ptr<SparseTable>, std::shared_ptr<DenseParameter>>;
  struct Cut;
  struct CutTable;
  struct Replacement;

  LocalStore(std::string path, const StoreOptions& options);
  bool in_memory() const { return path_.starts_with(":memory:"); }
  Status no_versions() const;
  Status check_on_disk() HOTROW_EXCLUDES(mutex_);
  Status check_writable() const;
  // open.cc
  Status open_folder() HOTROW_EXCLUDES(mutex_);
  Status open_engine(uint64_t version);
  Status none_lost() const HOTROW_REQUIRES(mutex_);
  // commit.cc
  /// The instant: what has changed is frozen.
  Result<std::unique_ptr<Cut>> cut(std::string_view cursor, uint64_t rolled_back_to)
      HOTROW_REQUIRES(commit_mutex_, mutex_);
  Result<VersionInfo> finish(Cut& cut, std::string_view name) HOTROW_REQUIRES(commit_mutex_)
      HOTROW_EXCLUDES(mutex_);
  Status write(Cut& cut) HOTROW_REQUIRES(commit_mutex_) HOTROW_EXCLUDES(mutex_);
  Status write_files(Engine::Version& files, const Cut& cut) const;
  Status write_table(Engine::Version& version, const CutTable& table) const;
  /// Of a store on disk: the table gets the rows of the newest version, and notes its changes.
  Status restore(const std::shared_ptr<SparseTable>& table, const StoredTable& stored)
      HOTROW_REQUIRES(mutex_);
  Status restore(DenseParameter& dense, const StoredDense& stored) const;
  Status restore_refused(const StoredTable& stored) const;
  /// `count` values and state; none when the version has none.
  static Result<std::vector<float>> read_dense(const Engine& engine, const StoredDense& stored,
                                               uint64_t count);
  // replace.cc
  Status promise(Replacement& all) const;
  Status replace(Replacement& all);
  Status replace_whole(Replacement& all) HOTROW_REQUIRES(mutex_);
  std::shared_ptr<SparseTable> open_as(const StoredTable& stored) HOTROW_REQUIRES(mutex_);
  std::shared_ptr<DenseParameter> open_as(const StoredDense& stored) HOTROW_REQUIRES(mutex_);
  Status changed_since(const Engine& then, uint64_t from, uint64_t to, TableId id,
                       std::vector<uint64_t>& hashes) const;
  Status drop_all_but(const Manifest& old) HOTROW_REQUIRES(commit_mutex_) HOTROW_EXCLUDES(mutex_);
  Status roll_back_to(const Engine& then, const Manifest& old, std::unique_ptr<Cut>& cut)
      HOTROW_REQUIRES(commit_mutex_) HOTROW_EXCLUDES(mutex_);
  Status check_applicable(const Delta& delta) const HOTROW_REQUIRES(mutex_);
  /// Calls the visitor for every change that leads to a version.
  using EachChange = std::function<Status(const Delta::Visit&)>;
  Status read_delta(const EachChange& each, const Manifest& manifest, Replacement& all)
      HOTROW_REQUIRES(mutex_);
  Status read_applied(Delta& delta, const Manifest& manifest, const std::string& folder,
                      Engine::Version& version, Replacement& all) HOTROW_REQUIRES(mutex_);
  Status read_all_dense(const Engine& engine, const Manifest& manifest, Replacement& all)
      HOTROW_REQUIRES(mutex_);
  Status read_difference(const Engine& there, const Manifest& manifest, Replacement& all)
      HOTROW_REQUIRES(mutex_);
  Status compare_all(const Engine& there, const Manifest& manifest, Replacement& all)
      HOTROW_REQUIRES(mutex_);
  void adopt_whole(const Manifest& manifest) HOTROW_REQUIRES(mutex_);
  Status go_to_newest() HOTROW_REQUIRES(commit_mutex_) HOTROW_EXCLUDES(mutex_);
  /// Until every open table has all of its rows, which stays so while mutex_ is held.
  Status wait_until_warm() HOTROW_REQUIRES(commit_mutex_) HOTROW_EXCLUDES(mutex_);
  Status check_warm() const HOTROW_REQUIRES(mutex_);
  void close_parting() HOTROW_REQUIRES(commit_mutex_) HOTROW_EXCLUDES(mutex_);
  // snapshot.cc
  /// Writes what differs between here and a snapshot, and calls visit for it.
  Status go_over(const Delta& snapshot, const Manifest& manifest, const std::string& folder,
                 Engine::Version& version, const Delta::Visit& visit) const;
  Status go_over_table(const Delta& snapshot, TableId id, const std::string& folder,
                       Engine::Version& version, const Delta::Visit& visit) const;
  // versions.cc
  /// The number of a version, by number or name.
  Result<uint64_t> resolve(std::string_view version) const;
  Result<VersionInfo> kept_version(uint64_t version) const;
  Status check_kept(uint64_t version) const;
  Status change_names(const std::function<Status(VersionNames&)>& change)
      HOTROW_REQUIRES(commit_mutex_);
  Status set_name(std::string_view name, uint64_t version) HOTROW_REQUIRES(commit_mutex_);
  void remove_old_versions() HOTROW_REQUIRES(commit_mutex_);
  void forget_cluster_names() HOTROW_REQUIRES(commit_mutex_);

  Status drop_now(std::string_view name) HOTROW_REQUIRES(commit_mutex_) HOTROW_EXCLUDES(mutex_);
  Status check_open() const HOTROW_REQUIRES(mutex_);
  Status check_there(std::string_view name, const char* word) const;
  /// The parameter of that name, or null.
  Parameter* find(std::string_view name) HOTROW_REQUIRES(mutex_);
  /// A table of this store, and what stands in front of it.
  struct OwnTable {
    SparseTable* table = nullptr;
    DeviceTable* front = nullptr;  // or null
  };
  Result<OwnTable> own_table(const char* argument, size_t index, Table* table) const;
  /// What callers get of a table.
  std::shared_ptr<Table> handle_of(const std::shared_ptr<SparseTable>& table) const;
  Status put_behind(const std::shared_ptr<SparseTable>& table, const StoredTable* stored,
                    const TableOptions& options) HOTROW_REQUIRES(mutex_);
  /// Ends a parameter that nobody can ask for any more.
  void end(const Parameter& parameter) HOTROW_EXCLUDES(mutex_);
  std::vector<std::shared_ptr<DeviceTable>> fronts() const {
    return gpu_ ? gpu_->all() : std::vector<std::shared_ptr<DeviceTable>>();
  }

  const std::string path_;
  const StoreOptions options_;
  Recovery recovery_;  // set before anybody has the store
  TableContext context_;
  Keeper keeper_;  // of tables that want it; stopped before they are closed
  Warmer warmer_;  // as keeper_
  // Held by a commit from its cut to its end, and by whoever ends a table or goes to another
  // version. Before mutex_.
  Mutex commit_mutex_;
  // Null in memory; of a store opened for reading, that of the version it is at. Changed with both
  // mutexes held.
  std::unique_ptr<Engine> engine_;
  std::unique_ptr<GpuTier> gpu_;  // constant once the store is open; null: not asked for
  Mutex mutex_;
  bool closed_ HOTROW_GUARDED_BY(mutex_) = false;
  Status broken_ HOTROW_GUARDED_BY(mutex_);  // why it must be opened again, if so
  std::map<std::string, Parameter, std::less<>> parameters_ HOTROW_GUARDED_BY(mutex_);
  // The newest version's, with the tables and dense parameters made since, without those dropped.
  Manifest manifest_ HOTROW_GUARDED_BY(mutex_);
  // No version up to this one is made again: those that were given up count.
  uint64_t last_number_ HOTROW_GUARDED_BY(mutex_) = 0;
  uint64_t newest_bytes_ HOTROW_GUARDED_BY(mutex_) = 0;
  std::vector<TableId> dropped_ HOTROW_GUARDED_BY(mutex_);  // still on disk
  // Gone with a version, to be closed once no mutex is held.
  std::vector<Parameter> parting_ HOTROW_GUARDED_BY(mutex_);
};

}  // namespace hotrow

#endif  // HOTROW_STORE_LOCAL_STORE_H_
