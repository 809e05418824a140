#include "store/warmer.h"

#include <algorithm>
#include <utility>

namespace hotrow {

namespace {

// Rows brought in at once.
constexpr size_t kSlice = 4096;

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

Status Warmer::bring_all(const Job& job) const {
  const size_t row_bytes = job.table->rules().row_bytes();
  RowImages images;
  const auto fill = [&]() -> Status {
    const Result<bool> filled = job.table->fill(images);
    images.clear();
    if (!filled.ok()) return filled.status();
    if (give_up_.load(std::memory_order_relaxed)) return Status::closed("given up");
    if (filled.value()) return {};
    return Status::capacity("table '" + job.stored.name + "': its " +
                            std::to_string(job.stored.rows) + " rows do not fit into memory");
  };
  uint64_t count = 0;
  const auto take = [&](uint64_t hash, Engine::Row row) -> Status {
    ++count;
    HOTROW_RETURN_IF_ERROR(check_row(job.stored, row.size(), row_bytes));
    images.add(hash, row.data(), row_bytes);
    return images.hashes.size() < kSlice ? Status() : fill();
  };
  HOTROW_RETURN_IF_ERROR(job.engine->read(job.stored.id, take));
  HOTROW_RETURN_IF_ERROR(fill());
  // RocksDB's iterator forgets a read that fails where one file ends and the next one begins
  // (FaultyDiskTest found it), and then ends early. Keys removed since may be gone from disk, too.
  if (count + job.table->rows_for_versions().gone_rows() >= job.stored.rows) return {};
  return {StatusCode::kIoError, "table '" + job.stored.name + "': only " + std::to_string(count) +
                                    " of its " + std::to_string(job.stored.rows) +
                                    " rows could be read"};
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
