#include "store/warmer.h"

#include <algorithm>
#include <cmath>
#include <utility>
#include <vector>

#include "base/guarded.h"
#include "base/shards.h"

namespace hotrow {

namespace {

// Rows brought in at once; up to four times as many where that ends a shard, which then grows once.
constexpr size_t kBatch = 4096;
// Fewer rows are not worth a thread.
constexpr uint64_t kRowsPerThread = uint64_t{1} << 15;
constexpr uint64_t kMostThreads = 4;
// A thread that is ahead of the others takes from what they have before them.
constexpr uint64_t kPartsForThread = 2;

}  // namespace

Status check_row(const StoredTable& stored, size_t bytes, size_t row_bytes) {
  if (bytes == row_bytes) return {};
  return {StatusCode::kCorruption, "table '" + stored.name + "': a row of " +
                                       std::to_string(bytes) + " bytes instead of " +
                                       std::to_string(row_bytes)};
}

void Warmer::warm(std::shared_ptr<SparseTable> table, const Engine& engine,
                  const StoredTable& stored) {
  const MutexLock lock(mutex_);
  jobs_.push_back({std::move(table), &engine, stored});
  if (!thread_.joinable()) {
    try {
      thread_ = std::thread([this] { loop(); });
    } catch (...) {
      jobs_.pop_back();
      throw;
    }
  }
  changed_.notify_all();
}

/// A table's rows on their way into memory, read part by part of their hashes by several threads:
/// first those that changed lately, which are the ones that trainers use, then all.
/// One thread inserts while the others read: somebody who waits for all gates must find a moment in
/// which none is held.
class Warmer::Bringing {
 public:
  Bringing(const Job& job, const std::atomic<bool>& give_up)
      : job_(job),
        give_up_(give_up),
        row_bytes_(job.table->rules().row_bytes()),
        threads_(threads_for(job.stored.rows)),
        parts_(threads_ == 1 ? 1 : threads_ * kPartsForThread) {}

  Status run() {
    std::vector<std::thread> threads;
    try {
      threads.reserve(threads_ - 1);
      while (threads.size() + 1 < threads_) threads.emplace_back([this] { work(); });
    } catch (...) {
      // Fewer of them do it as well.
    }
    work();
    for (std::thread& thread : threads) thread.join();
    const MutexLock lock(mutex_);
    return status_;
  }
  uint64_t rows() const { return rows_.load(std::memory_order_relaxed); }

 private:
  static uint64_t threads_for(uint64_t rows) {
    const uint64_t cores = std::max(std::thread::hardware_concurrency(), 1U);
    return std::clamp<uint64_t>(rows / kRowsPerThread, 1, std::min(cores, kMostThreads));
  }

  void work() {
    Status status = guarded([&] { return bring_parts(); });
    if (status.ok()) return;
    const MutexLock lock(mutex_);
    if (status_.ok()) status_ = std::move(status);
    stopped_.store(true, std::memory_order_relaxed);
  }

  Status bring_parts() {
    RowImages images;
    uint64_t next = 0;
    while ((next = next_part_.fetch_add(1, std::memory_order_relaxed)) < 2 * parts_) {
      const bool all = next >= parts_;
      const uint64_t part = next % parts_;
      const uint64_t width = UINT64_MAX / parts_;
      const HashRange range{part * width, part + 1 == parts_ ? UINT64_MAX : (part + 1) * width - 1};
      uint64_t count = 0;
      const auto take = [&](uint64_t hash, Engine::Row row) -> Status {
        ++count;
        HOTROW_RETURN_IF_ERROR(check_row(job_.stored, row.size(), row_bytes_));
        if (ends_slice(images, hash)) HOTROW_RETURN_IF_ERROR(fill(images, hash));
        images.add(hash, row.data(), row_bytes_);
        return {};
      };
      const auto which = all ? Engine::Which::kAll : Engine::Which::kLatelyChanged;
      HOTROW_RETURN_IF_ERROR(job_.engine->read(job_.stored.id, take, range, which));
      HOTROW_RETURN_IF_ERROR(fill(images, range.last));
      if (all) rows_.fetch_add(count, std::memory_order_relaxed);
    }
    return {};
  }

  static bool ends_slice(const RowImages& images, uint64_t hash) {
    const size_t rows = images.hashes.size();
    if (rows < kBatch) return false;
    return rows >= 4 * kBatch || IndexShards::of(hash) != IndexShards::of(images.hashes.back());
  }

  /// About how many rows follow in the shard of the last of `images`, the next being at `next`:
  /// hashes are even, give or take a few deviations.
  uint64_t to_come(const RowImages& images, uint64_t next) const {
    constexpr double kDeviations = 4;
    if (images.hashes.empty() || IndexShards::of(next) != IndexShards::of(images.hashes.back())) {
      return 0;
    }
    constexpr uint64_t kWithin = UINT64_MAX >> IndexShards::kBits;
    const double left = static_cast<double>(kWithin - (next & kWithin)) / 0x1p64;
    const double rows = left * static_cast<double>(job_.stored.rows);
    return static_cast<uint64_t>(rows + kDeviations * std::sqrt(rows));
  }

  Status fill(RowImages& images, uint64_t next) HOTROW_EXCLUDES(fill_mutex_) {
    if (give_up_.load(std::memory_order_relaxed) || stopped_.load(std::memory_order_relaxed)) {
      return Status::closed("given up");
    }
    const MutexLock lock(fill_mutex_);
    const Result<bool> filled = job_.table->fill(images, to_come(images, next));
    images.clear();
    if (!filled.ok()) return filled.status();
    if (filled.value()) return {};
    return Status::capacity("table '" + job_.stored.name + "': its " +
                            std::to_string(job_.stored.rows) + " rows do not fit into memory");
  }

  const Job& job_;
  const std::atomic<bool>& give_up_;
  const size_t row_bytes_;
  const uint64_t threads_;
  const uint64_t parts_;
  std::atomic<uint64_t> next_part_{0};
  std::atomic<uint64_t> rows_{0};     // that were read; publishes nothing
  std::atomic<bool> stopped_{false};  // one of the threads has failed; publishes nothing
  Mutex fill_mutex_;
  Mutex mutex_;
  Status status_ HOTROW_GUARDED_BY(mutex_);
};

Status Warmer::bring_all(const Job& job) const {
  Bringing bringing(job, give_up_);
  HOTROW_RETURN_IF_ERROR(bringing.run());
  // Keys removed since may be gone from disk, too.
  if (bringing.rows() + job.table->rows_for_versions().gone_rows() >= job.stored.rows) return {};
  return {StatusCode::kIoError, "table '" + job.stored.name + "': only " +
                                    std::to_string(bringing.rows()) + " of its " +
                                    std::to_string(job.stored.rows) + " rows could be read"};
}

void Warmer::loop() {
  for (;;) {
    Job job;
    {
      const MutexLock lock(mutex_);
      while (jobs_.empty() && !stopping_) changed_.wait(mutex_);
      if (stopping_) return;
      job = std::move(jobs_.front());
      jobs_.pop_front();
      at_work_on_ = job.table.get();
      give_up_.store(false, std::memory_order_relaxed);
    }
    job.table->end_cold(guarded([&] { return bring_all(job); }));
    {
      const MutexLock lock(mutex_);
      at_work_on_ = nullptr;
    }
    changed_.notify_all();
  }
}

void Warmer::forget(const SparseTable* table) {
  const MutexLock lock(mutex_);
  std::erase_if(jobs_, [&](const Job& job) {
    if (job.table.get() != table) return false;
    job.table->end_cold(Status::closed("table '" + job.stored.name + "' is closed"));
    return true;
  });
  while (at_work_on_ == table) {
    give_up_.store(true, std::memory_order_relaxed);
    changed_.wait(mutex_);
  }
}

void Warmer::stop() {
  std::thread thread;
  {
    const MutexLock lock(mutex_);
    stopping_ = true;
    give_up_.store(true, std::memory_order_relaxed);
    for (const Job& job : jobs_) job.table->end_cold(Status::closed("the store is closed"));
    jobs_.clear();
    thread.swap(thread_);
  }
  changed_.notify_all();
  if (thread.joinable()) thread.join();
}

}  // namespace hotrow
