// SortedRows: a table's rows in rising order of hashes, out of the files that they lie in.
//
// Files are merged by their hashes as numbers; of a key that lies in several, the newest counts,
// and a tombstone hides what is older. Files of one level follow one another, so that few are open
// at once.
//
// Threads: one.
#ifndef HOTROW_STORAGE_SORTED_ROWS_H_
#define HOTROW_STORAGE_SORTED_ROWS_H_

#include <cstdint>
#include <memory>
#include <span>
#include <string>
#include <vector>

#include "storage/database.h"
#include "storage/sorted_file.h"

namespace hotrow {

class SortedRows {
 public:
  /// The rows of `part` as they are now; of no family, none. next() goes to the first. Of
  /// kLatelyChanged those that lie above the deepest level, if these are few.
  static Result<SortedRows> open(rocksdb::DB& db, rocksdb::ColumnFamilyHandle* family,
                                 HashRange part = {}, Engine::Which which = Engine::Which::kAll);

  Status next();
  /// Is there one? The others are of this one, and valid until next().
  bool valid() const { return current_ != nullptr; }
  uint64_t hash() const { return current_->hash(); }
  std::span<const std::byte> row() const { return current_->row(); }

 private:
  /// Files none of which overlaps another, in order.
  struct Run {
    struct File {
      std::string path;
      uint64_t last = 0;  // hash in it
    };
    std::vector<File> files;
    size_t next = 0;
    std::unique_ptr<SortedFile> open;  // null: at the end

    Status advance(uint64_t from);
  };

  explicit SortedRows(HashRange part) : part_(part) {}
  Status list(rocksdb::DB& db, rocksdb::ColumnFamilyHandle* family, Engine::Which which);

  const HashRange part_;
  std::unique_ptr<rocksdb::Iterator> pin_;  // of the files, which stay as long as it lives
  std::vector<Run> runs_;                   // the newest first
  const SortedFile* current_ = nullptr;
  bool begun_ = false;
};

}  // namespace hotrow

#endif  // HOTROW_STORAGE_SORTED_ROWS_H_
