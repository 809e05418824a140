// LocalStore: the tables and dense parameters of one store in this process.
//
// Openers share one LocalStore through the registry (registry.h), each behind a handle of its
// own. Names are guarded by one mutex; the calls on tables do not pass through here.
#ifndef HOTROW_STORE_LOCAL_STORE_H_
#define HOTROW_STORE_LOCAL_STORE_H_

#include <atomic>
#include <map>
#include <memory>
#include <string>
#include <variant>
#include <vector>

#include "base/sync.h"
#include "hotrow/store.h"
#include "storage/engine.h"
#include "store/dense.h"
#include "store/keeper.h"
#include "store/manifest.h"
#include "table/context.h"
#include "table/table.h"

namespace hotrow {

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
  Result<VersionInfo> version() override HOTROW_EXCLUDES(commit_mutex_, mutex_);
  Result<StoreStats> stats() override HOTROW_EXCLUDES(mutex_);
  void close() override HOTROW_EXCLUDES(commit_mutex_, mutex_);

 private:
  using Parameter = std::variant<std::shared_ptr<SparseTable>, std::shared_ptr<DenseParameter>>;
  struct Cut;

  LocalStore(std::string path, const StoreOptions& options);
  // commit.cc
  /// The instant: what has changed is frozen.
  Result<std::unique_ptr<Cut>> cut(const CommitOptions& options) HOTROW_REQUIRES(commit_mutex_)
      HOTROW_EXCLUDES(mutex_);
  Status write(Cut& cut) HOTROW_REQUIRES(commit_mutex_) HOTROW_EXCLUDES(mutex_);
  Status write_table(Engine::Version& version, SparseTable& table, TableId id) const;
  /// Of a store on disk: notes the table's changes from now on, after its rows of the newest
  /// version were read.
  Status restore(SparseTable& table, const StoredTable& stored) const;
  Status restore(DenseParameter& dense, const StoredDense& stored) const;

  Status check_open() const HOTROW_REQUIRES(mutex_);
  /// The parameter of that name, or null.
  Parameter* find(std::string_view name) HOTROW_REQUIRES(mutex_);
  Result<SparseTable*> own_table(const char* argument, size_t index, Table* table) const;

  const std::string path_;
  const StoreOptions options_;
  TableContext context_;
  Keeper keeper_;  // of tables that want it; stopped before they are closed
  // Held by a commit from its cut to its end, and by whoever ends a table. Before mutex_.
  Mutex commit_mutex_;
  std::unique_ptr<Engine> engine_;  // constant once open; null in memory
  Mutex mutex_;
  bool closed_ HOTROW_GUARDED_BY(mutex_) = false;
  std::map<std::string, Parameter, std::less<>> parameters_ HOTROW_GUARDED_BY(mutex_);
  // The newest version's, with the tables and dense parameters made since, without those dropped.
  Manifest manifest_ HOTROW_GUARDED_BY(mutex_);
  uint64_t newest_bytes_ HOTROW_GUARDED_BY(mutex_) = 0;
  std::vector<TableId> dropped_ HOTROW_GUARDED_BY(mutex_);  // still on disk
};

}  // namespace hotrow

#endif  // HOTROW_STORE_LOCAL_STORE_H_
