// Collector: the frozen rows of a table, collected and sorted by a thread of their own while those
// before them are written.
#ifndef HOTROW_STORE_COLLECTOR_H_
#define HOTROW_STORE_COLLECTOR_H_

#include <array>
#include <cstddef>
#include <cstdint>
#include <thread>
#include <vector>

#include "base/sync.h"
#include "table/row_map.h"

namespace hotrow {

/// A table of fewer rows is not worth a thread.
inline constexpr uint64_t kRowsForThread = uint64_t{1} << 15;

class Collector {
 public:
  /// Rows in no order, and `order`, their positions by rising hashes.
  struct Piece {
    RowImages images;
    std::vector<uint32_t> order;
  };

  /// Of a table that has been frozen, and stays so as long as this lives.
  explicit Collector(RowMap& rows);
  ~Collector();
  Collector(const Collector&) = delete;
  Collector& operator=(const Collector&) = delete;

  /// Replaces `piece` by the next rows, whose hashes are above those before; empty at the end. For
  /// one thread.
  Status next(Piece& piece) HOTROW_EXCLUDES(mutex_);

 private:
  static constexpr size_t kMostReady = 4;

  Status collect(Piece& piece);
  void run() HOTROW_EXCLUDES(mutex_);

  RowMap& rows_;
  uint32_t shard_ = 0;  // to be collected next, by whoever collects
  std::thread thread_;  // none: next() collects
  Mutex mutex_;
  CondVar changed_;
  std::array<Piece, kMostReady> ready_ HOTROW_GUARDED_BY(mutex_);  // a ring
  size_t first_ready_ HOTROW_GUARDED_BY(mutex_) = 0;
  size_t ready_count_ HOTROW_GUARDED_BY(mutex_) = 0;
  Piece used_ HOTROW_GUARDED_BY(mutex_);  // whose memory serves again
  bool ended_ HOTROW_GUARDED_BY(mutex_) = false;
  bool stopping_ HOTROW_GUARDED_BY(mutex_) = false;
  Status status_ HOTROW_GUARDED_BY(mutex_);
};

}  // namespace hotrow

#endif  // HOTROW_STORE_COLLECTOR_H_
