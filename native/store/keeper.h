// Keeper: the thread that evicts ahead of need and by age, with a bounded share of a core.
//
// It wakes some times a second, gives each table that asked for it the part of a sweep that its
// time to live demands, so that every row is looked at eight times within it, and frees rows where
// a table keeps some free. However much there is to do, it sleeps long enough between slices to
// stay within its share.
#ifndef HOTROW_STORE_KEEPER_H_
#define HOTROW_STORE_KEEPER_H_

#include <chrono>
#include <memory>
#include <thread>
#include <vector>

#include "base/sync.h"
#include "table/table.h"

namespace hotrow {

class Keeper {
 public:
  /// `share` of a core, above 0 and at most 1. No thread yet.
  explicit Keeper(double share) : share_(share) {}
  ~Keeper() { stop(); }
  Keeper(const Keeper&) = delete;
  Keeper& operator=(const Keeper&) = delete;

  /// Keeps the table from now on, if it wants that. Throws std::bad_alloc, or std::system_error
  /// when there is no thread to be had; nothing has changed then.
  void keep(std::shared_ptr<SparseTable> table) HOTROW_EXCLUDES(mutex_);
  void forget(const SparseTable* table) HOTROW_EXCLUDES(mutex_);
  /// Ends the thread, after the slice under way; then keeps nothing.
  void stop() HOTROW_EXCLUDES(mutex_);

 private:
  struct Kept {
    std::shared_ptr<SparseTable> table;
    double owed_shards = 0;
  };

  void loop();
  /// One slice of work on every table; returns how long it took.
  std::chrono::nanoseconds tend(std::chrono::nanoseconds since_last) HOTROW_REQUIRES(mutex_);

  const double share_;
  // Held while tables are tended, so that forget() and stop() wait for a slice, some milliseconds.
  Mutex mutex_;
  CondVar wake_;
  bool stopping_ HOTROW_GUARDED_BY(mutex_) = false;
  std::vector<Kept> kept_ HOTROW_GUARDED_BY(mutex_);
  size_t turn_ HOTROW_GUARDED_BY(mutex_) = 0;
  std::thread thread_ HOTROW_GUARDED_BY(mutex_);
};

}  // namespace hotrow

#endif  // HOTROW_STORE_KEEPER_H_
