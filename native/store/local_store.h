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
#include "store/dense.h"
#include "store/keeper.h"
#include "table/context.h"
#include "table/table.h"

namespace hotrow {

class LocalStore final : public Store {
 public:
  /// `options` are valid and complete: no field is 0.
  LocalStore(std::string path, const StoreOptions& options);
  ~LocalStore() override { close(); }

  const std::string& path() const override { return path_; }
  const StoreOptions& options() const { return options_; }
  /// Openers that have not closed; guarded by the registry's mutex.
  uint64_t openers = 0;

  Result<std::shared_ptr<Table>> table(std::string_view name, const TableOptions& options) override
      HOTROW_EXCLUDES(mutex_);
  Result<std::shared_ptr<Dense>> dense(std::string_view name, const DenseOptions& options) override
      HOTROW_EXCLUDES(mutex_);
  Status lookup_all(std::span<const TableLookup> lookups) override;
  Status push_all(std::span<const TablePush> pushes) override;
  Result<std::vector<ParameterInfo>> list() override HOTROW_EXCLUDES(mutex_);
  Status drop(std::string_view name) override HOTROW_EXCLUDES(mutex_);
  Result<StoreStats> stats() override HOTROW_EXCLUDES(mutex_);
  void close() override HOTROW_EXCLUDES(mutex_);

 private:
  using Parameter = std::variant<std::shared_ptr<SparseTable>, std::shared_ptr<DenseParameter>>;

  Status check_open() const HOTROW_REQUIRES(mutex_);
  /// The parameter of that name, or null.
  Parameter* find(std::string_view name) HOTROW_REQUIRES(mutex_);
  Result<SparseTable*> own_table(const char* argument, size_t index, Table* table) const;

  const std::string path_;
  const StoreOptions options_;
  TableContext context_;
  Keeper keeper_;  // of tables that want it; stopped before they are closed
  Mutex mutex_;
  bool closed_ HOTROW_GUARDED_BY(mutex_) = false;
  std::map<std::string, Parameter, std::less<>> parameters_ HOTROW_GUARDED_BY(mutex_);
};

}  // namespace hotrow

#endif  // HOTROW_STORE_LOCAL_STORE_H_
