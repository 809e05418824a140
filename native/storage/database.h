// Engine::Database: the RocksDB database of an engine and the column families of its tables. Of
// this folder only.
#ifndef HOTROW_STORAGE_DATABASE_H_
#define HOTROW_STORAGE_DATABASE_H_

#include <rocksdb/db.h>

#include <map>
#include <memory>
#include <string>
#include <vector>

#include "base/sync.h"
#include "storage/engine.h"

namespace hotrow {

inline constexpr const char* kManifestKey = "manifest";

/// Threads: all of it from any thread; whoever drops a family sees to it that nobody reads it.
struct Engine::Database {
  std::unique_ptr<rocksdb::DB> db;

  ~Database();
  Status open(const std::string& path, bool for_writing, SyncMode sync);
  rocksdb::ColumnFamilyHandle* family_of_manifest() { return find(0); }
  /// The table's family, or null.
  rocksdb::ColumnFamilyHandle* find(TableId table) HOTROW_EXCLUDES(mutex_);
  /// The table's family, made when there is none.
  Result<rocksdb::ColumnFamilyHandle*> family(TableId table) HOTROW_EXCLUDES(mutex_);
  std::vector<rocksdb::ColumnFamilyHandle*> all() HOTROW_EXCLUDES(mutex_);
  void drop(TableId table) HOTROW_EXCLUDES(mutex_);
  /// After a failure RocksDB deletes none of the files that nobody needs any more, until now.
  void delete_files_again();

 private:
  class FailureListener;

  static Status check_files(rocksdb::DB& db, rocksdb::ColumnFamilyHandle* family);
  Status take_families(const std::vector<std::string>& names,
                       const std::vector<rocksdb::ColumnFamilyHandle*>& handles)
      HOTROW_EXCLUDES(mutex_);

  std::shared_ptr<FailureListener> failures_;
  Mutex mutex_;
  std::map<TableId, rocksdb::ColumnFamilyHandle*> families_ HOTROW_GUARDED_BY(mutex_);
};

}  // namespace hotrow

#endif  // HOTROW_STORAGE_DATABASE_H_
