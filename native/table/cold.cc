// Calls on a table that is cold: what is not in memory is read from where it is (cold_rows.h).
#include <algorithm>
#include <utility>

#include "base/sort_unique.h"
#include "table/gates.h"
#include "table/table.h"

namespace hotrow {

namespace {

/// Places of the images by their hashes.
class ImageIndex {
 public:
  explicit ImageIndex(const RowImages& images) : images_(images), order_(images.sorted()) {}

  /// Which image the hash has, or none.
  std::optional<size_t> find(uint64_t hash) const {
    const auto of = [&](uint32_t i) { return images_.hashes[i]; };
    const auto found = std::ranges::lower_bound(order_, hash, {}, of);
    if (found == order_.end() || images_.hashes[*found] != hash) return std::nullopt;
    return *found;
  }

 private:
  const RowImages& images_;
  const std::vector<uint32_t> order_;
};

}  // namespace

void SparseTable::begin_cold(std::shared_ptr<ColdRows> rows, uint64_t count) {
  cold_rows_ = std::move(rows);
  {
    const MutexLock lock(fill_mutex_);
    cold_left_ = count;
  }
  cold_.store(true, std::memory_order_release);
}

Result<bool> SparseTable::fill(const RowImages& images) {
  return call([&]() -> Result<bool> {
    return with_gates(*context_, gate_, [&] {
      const MutexLock lock(fill_mutex_);
      RestorePlan plan;
      plan.fill = true;
      if (!rows_->promise_restore(images, {}, plan)) return false;
      const bool whole = rows_->restore(images, plan);
      cold_left_ -= std::min(plan.created, cold_left_);
      return whole;
    });
  });
}

SparseTable::Counted SparseTable::count_rows() const {
  if (!cold()) return {rows_->size(), 0};
  const MutexLock lock(fill_mutex_);
  return {rows_->size() + cold_left_, cold_left_};
}

void SparseTable::end_cold(Status status) {
  const bool warm = status.ok();
  if (warm) {
    const MutexLock lock(fill_mutex_);
    cold_left_ = 0;
  }
  {
    const MutexLock lock(warm_mutex_);
    warmed_ = std::move(status);
    warm_ended_ = true;
    if (warm) cold_.store(false, std::memory_order_release);
  }
  // Before the wait below: those who wait here are calls under way.
  warm_.notify_all();
  if (!warm) return;
  // A call that still takes it for cold asks which keys are gone.
  EpochDomain::instance().synchronize();
  const Call under_way(*context_);
  if (!closed()) rows_->forget_gone();
}

Status SparseTable::wait_until_warm() {
  if (!cold()) return {};
  const MutexLock lock(warm_mutex_);
  while (cold() && !warm_ended_) warm_.wait(warm_mutex_);
  return cold() ? warmed_ : Status();
}

// Brings the rows of these keys into memory.
Status SparseTable::bring(KeyBatch keys) {
  if (!cold()) return {};
  std::vector<uint64_t> hashes;
  rows_->absent(keys, hashes);
  sort_unique(hashes);
  if (hashes.empty()) return {};
  RowImages images;
  HOTROW_RETURN_IF_ERROR(cold_rows_->read(hashes, images));
  if (images.hashes.empty()) return {};
  const Result<bool> filled = fill(images);
  if (!filled.ok()) return filled.status();
  if (filled.value()) return {};
  return Status::capacity(
      "table '" + name_ + "': " + std::to_string(images.hashes.size()) +
      " rows from disk would not fit: " + std::to_string(context_->budget.used()) +
      " of memoryBytes " + std::to_string(context_->budget.limit()) + " are in use");
}

// After a gather: reads the rows of keys that it did not find; returns how many there were.
Result<uint64_t> SparseTable::gather_cold(const GatherRequest& request) {
  // Not only those that are absent still: whoever brings rows in may just have brought one, and
  // then this call has missed it. Its row out there is what it was when this call began.
  std::vector<uint64_t> hashes;
  for (size_t i = 0; i < request.keys.size(); ++i) {
    const uint64_t hash = mix64(request.keys[i]);
    if (request.found[i] == 0 && !rows_->gone(hash)) hashes.push_back(hash);
  }
  sort_unique(hashes);
  RowImages images;
  HOTROW_RETURN_IF_ERROR(cold_rows_->read(hashes, images));
  const ImageIndex index(images);
  const size_t row_bytes = rules_.row_bytes();
  uint64_t hits = 0;
  for (size_t i = 0; i < request.keys.size(); ++i) {
    if (request.found[i] != 0) continue;
    const auto image = index.find(mix64(request.keys[i]));
    if (!image) continue;
    const std::byte* const row = images.bytes.data() + *image * row_bytes;
    rules_.codec().gather()(&row, 1, rules_.dim(), request.rows + i * request.stride,
                            request.stride);
    request.found[i] = 1;
    ++hits;
  }
  return hits;
}

}  // namespace hotrow
