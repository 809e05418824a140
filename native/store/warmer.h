// Warmer: the thread that brings the rows of a store's cold tables into memory, one table after the
// other. For a table of many rows it takes more threads.
#ifndef HOTROW_STORE_WARMER_H_
#define HOTROW_STORE_WARMER_H_

#include <atomic>
#include <deque>
#include <memory>
#include <thread>

#include "base/sync.h"
#include "storage/engine.h"
#include "store/manifest.h"
#include "table/table.h"

namespace hotrow {

class Warmer {
 public:
  Warmer() = default;
  ~Warmer() { stop(); }
  Warmer(const Warmer&) = delete;
  Warmer& operator=(const Warmer&) = delete;

  /// Brings in the table's rows as `engine`, which must outlive the work, has them. Throws
  /// std::bad_alloc, or std::system_error when there is no thread to be had; nothing has changed
  /// then.
  void warm(std::shared_ptr<SparseTable> table, const Engine& engine, const StoredTable& stored)
      HOTROW_EXCLUDES(mutex_);
  /// Gives up on a table that is about to be closed.
  void forget(const SparseTable* table) HOTROW_EXCLUDES(mutex_);
  /// Gives up on all of them and ends the thread.
  void stop() HOTROW_EXCLUDES(mutex_);

 private:
  struct Job {
    std::shared_ptr<SparseTable> table;
    const Engine* engine;
    StoredTable stored;
  };

  class Bringing;

  void loop() HOTROW_EXCLUDES(mutex_);
  Status bring_all(const Job& job) const;

  Mutex mutex_;
  CondVar changed_;
  bool stopping_ HOTROW_GUARDED_BY(mutex_) = false;
  std::deque<Job> jobs_ HOTROW_GUARDED_BY(mutex_);
  const SparseTable* at_work_on_ HOTROW_GUARDED_BY(mutex_) = nullptr;
  std::atomic<bool> give_up_{false};  // what is at work
  std::thread thread_ HOTROW_GUARDED_BY(mutex_);
};

/// A row of a version that has another length than the table's rows is damage.
Status check_row(const StoredTable& stored, size_t bytes, size_t row_bytes);

}  // namespace hotrow

#endif  // HOTROW_STORE_WARMER_H_
