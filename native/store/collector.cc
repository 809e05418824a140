#include "store/collector.h"

#include <system_error>
#include <utility>

#include "base/background.h"
#include "base/guarded.h"
#include "memory/epoch.h"

namespace hotrow {

namespace {

// Of rows that are handed over at once: few handovers, and still in the second cache when they are
// written.
constexpr size_t kRunBytes = size_t{256} << 10;

}  // namespace

Collector::Collector(RowMap& rows) : rows_(rows) {
  if (rows.size() < kRowsForThread) return;
  try {
    thread_ = std::thread([this] { run(); });
  } catch (const std::system_error&) {
    // There are none left: next() does it.
  }
}

Collector::~Collector() {
  {
    const MutexLock lock(mutex_);
    stopping_ = true;
  }
  changed_.notify_all();
  if (thread_.joinable()) thread_.join();
}

Status Collector::collect(Piece& piece) {
  return guarded([&]() -> Status {
    piece.images.clear();
    while (shard_ < IndexShards::kCount && piece.images.bytes.size() < kRunBytes) {
      const EpochGuard guard;
      rows_.collect(shard_, piece.images);
      ++shard_;
    }
    piece.order = piece.images.sorted();
    return {};
  });
}

void Collector::run() {
  stand_behind(Behind::kCalls);
  for (;;) {
    Piece piece;
    {
      const MutexLock lock(mutex_);
      while (ready_count_ == kMostReady && !stopping_) changed_.wait(mutex_);
      if (stopping_) return;
      piece = std::move(used_);
    }
    Status status = collect(piece);
    const MutexLock lock(mutex_);
    if (!status.ok()) {
      status_ = std::move(status);
    } else if (!piece.order.empty()) {
      ready_[(first_ready_ + ready_count_++) % kMostReady] = std::move(piece);
    }
    ended_ = shard_ == IndexShards::kCount || !status_.ok();
    changed_.notify_all();
    if (ended_) return;
  }
}

Status Collector::next(Piece& piece) {
  if (!thread_.joinable()) return collect(piece);
  const MutexLock lock(mutex_);
  used_ = std::exchange(piece, {});
  while (ready_count_ == 0 && !ended_) changed_.wait(mutex_);
  if (ready_count_ == 0) return status_;
  piece = std::move(ready_[first_ready_]);
  first_ready_ = (first_ready_ + 1) % kMostReady;
  --ready_count_;
  changed_.notify_all();
  return {};
}

}  // namespace hotrow
