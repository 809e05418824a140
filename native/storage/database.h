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

/// A table has one family. A version that has all rows of a table may bring them in a new one, so
/// that nobody has to merge them with what they replace: the newest of a table's families that has
/// files counts, and the others go.
///
/// Threads: all of it from any thread.
struct Engine::Database {
  /// Who has it may read, whatever becomes of the table.
  using Family = std::shared_ptr<rocksdb::ColumnFamilyHandle>;

  std::unique_ptr<rocksdb::DB> db;

  ~Database();
  Status open(const std::string& path, bool for_writing, SyncMode sync);
  Family family_of_manifest() { return find(0); }
  /// The table's family, or null.
  Family find(TableId table) HOTROW_EXCLUDES(mutex_);
  /// The table's family, made when there is none.
  Result<Family> family(TableId table) HOTROW_EXCLUDES(mutex_);
  std::vector<Family> all() HOTROW_EXCLUDES(mutex_);
  void drop(TableId table) HOTROW_EXCLUDES(mutex_);

  /// A family to take the place of the table's, if that is less work than merging `bytes` more of
  /// all of its rows with what is there; null: it is not. To be given to replace() or abandon(),
  /// which cannot fail.
  Result<Family> successor(TableId table, uint64_t bytes) HOTROW_EXCLUDES(mutex_);
  /// It has the table's rows from now on.
  void replace(TableId table, Family family) noexcept HOTROW_EXCLUDES(mutex_);
  /// Nothing came into it.
  void abandon(Family family) noexcept HOTROW_EXCLUDES(mutex_);
  /// Families whose place another has taken must be gone before the next version: were that
  /// other one emptied, they would count again.
  Status drop_replaced() HOTROW_EXCLUDES(mutex_);
  /// After a failure RocksDB deletes none of the files that nobody needs any more, until now.
  void delete_files_again();

 private:
  class FailureListener;

  /// One of a table's families: how many it had before.
  struct Place {
    Family family;
    uint32_t generation = 0;
  };

  Result<Family> make(TableId table, uint32_t generation);
  static Status check_files(rocksdb::DB& db, rocksdb::ColumnFamilyHandle* family);
  uint64_t files_of(const Family& family) const;
  Status take_families(const std::vector<std::string>& names, const std::vector<Family>& families)
      HOTROW_EXCLUDES(mutex_);

  std::shared_ptr<FailureListener> failures_;
  Mutex mutex_;
  std::map<TableId, Place> families_ HOTROW_GUARDED_BY(mutex_);
  std::map<TableId, uint32_t> generations_ HOTROW_GUARDED_BY(mutex_);  // the last one made
  // Not dropped yet, with room for as many as successor() has promised.
  std::vector<Family> replaced_ HOTROW_GUARDED_BY(mutex_);
  size_t promised_ HOTROW_GUARDED_BY(mutex_) = 0;
};

}  // namespace hotrow

#endif  // HOTROW_STORAGE_DATABASE_H_
