#include "store/disk_rows.h"

#include <algorithm>
#include <limits>
#include <utility>

#include "store/warmer.h"

namespace hotrow {

namespace {

// A node of the map and its share of the buckets.
constexpr uint64_t kEntryBytes = 48;
// Entries come on top of the ceiling, which rows have filled by then: by so much of it at most.
constexpr uint64_t kShareOfEntries = 4;

}  // namespace

DiskRows::DiskRows(const std::unique_ptr<Engine>& engine, StoredTable stored, size_t row_bytes,
                   const std::string& folder, MemoryBudget& budget)
    : engine_(engine),
      stored_(std::move(stored)),
      row_bytes_(row_bytes),
      budget_(budget),
      file_(folder, row_bytes) {}

DiskRows::~DiskRows() { budget_.release(charged_); }

Status DiskRows::check_room(uint64_t more) const {
  const uint64_t entries = rows_.size() + frozen_.size();
  const uint64_t most =
      std::min<uint64_t>(budget_.limit() / kShareOfEntries / kEntryBytes, SpillFile::kMostSlots);
  if (more <= most && entries <= most - more) return {};
  return Status::capacity(std::to_string(entries) + " changed rows wait on disk for a commit");
}

// Whatever the ceiling says; check_room() bounds it.
void DiskRows::charge() {
  const uint64_t bytes = (rows_.size() + frozen_.size()) * kEntryBytes;
  budget_.charge(bytes);
  budget_.release(charged_);
  charged_ = bytes;
}

std::optional<uint32_t> DiskRows::slot_of(uint64_t hash) const {
  for (const Rows* rows : {&rows_, &frozen_}) {
    const auto at = rows->find(hash);
    if (at != rows->end()) return at->second.slot;
  }
  return std::nullopt;
}

Status DiskRows::read(std::span<const uint64_t> hashes, RowImages& images) {
  std::vector<uint64_t> rest;
  {
    const SharedLock lock(mutex_);
    if (!rows_.empty() || !frozen_.empty()) {
      for (const uint64_t hash : hashes) {
        const std::optional<uint32_t> slot = slot_of(hash);
        if (!slot) {
          rest.push_back(hash);
          continue;
        }
        const size_t end = images.hashes.size() * row_bytes_;
        images.bytes.resize(end + row_bytes_);
        HOTROW_RETURN_IF_ERROR(file_.read(*slot, hash, images.bytes.data() + end));
        images.hashes.push_back(hash);
      }
      hashes = rest;
    }
  }
  return engine_->read_rows(stored_.id, hashes, [&](size_t i, const Engine::Row* row) -> Status {
    if (row == nullptr) return {};
    HOTROW_RETURN_IF_ERROR(check_row(stored_, row->size(), row_bytes_));
    images.add(hashes[i], row->data(), row_bytes_);
    return {};
  });
}

Status DiskRows::walk(uint64_t from, size_t most, std::vector<uint64_t>& hashes,
                      std::optional<uint64_t>& next) const {
  // What is spilled first: a commit may move it into the version meanwhile.
  {
    const SharedLock lock(mutex_);
    for (const Rows* rows : {&rows_, &frozen_}) {
      for (const auto& [hash, row] : *rows) {
        if (hash >= from) hashes.push_back(hash);
      }
    }
  }
  HOTROW_RETURN_IF_ERROR(engine_->walk(stored_.id, from, most, hashes, next));
  if (next) std::erase_if(hashes, [&](uint64_t hash) { return hash >= *next; });
  return {};
}

Status DiskRows::spill(const RowImages& rows) {
  std::vector<uint32_t> slots;
  std::vector<uint32_t> freed;
  freed.reserve(rows.hashes.size());
  Rows fresh;
  {
    const ExclusiveLock lock(mutex_);
    HOTROW_RETURN_IF_ERROR(check_room(rows.hashes.size()));
    HOTROW_RETURN_IF_ERROR(file_.write(rows.hashes, rows.bytes.data(), slots));
    try {
      for (size_t i = 0; i < slots.size(); ++i) {
        fresh.insert_or_assign(rows.hashes[i], Spilled{.slot = slots[i]});
      }
      rows_.reserve(rows_.size() + fresh.size());
    } catch (...) {
      file_.free(slots);
      throw;
    }
    // Nothing below asks for memory.
    while (!fresh.empty()) {
      auto node = fresh.extract(fresh.begin());
      const auto at = rows_.find(node.key());
      if (at == rows_.end()) {
        rows_.insert(std::move(node));
        ++counting_;
        continue;
      }
      freed.push_back(at->second.slot);
      counting_ += at->second.back ? 1 : 0;
      at->second = node.mapped();
    }
    file_.free(freed);
    charge();
  }
  return {};
}

bool DiskRows::take_back(uint64_t hash) {
  {
    const SharedLock lock(mutex_);
    const auto at = rows_.find(hash);
    if (at == rows_.end() || at->second.back) return false;
  }
  const ExclusiveLock lock(mutex_);
  const auto at = rows_.find(hash);
  if (at == rows_.end() || at->second.back) return false;
  at->second.back = true;
  --counting_;
  return true;
}

void DiskRows::spilled(std::vector<uint64_t>& hashes) const {
  const SharedLock lock(mutex_);
  for (const auto& [hash, row] : rows_) {
    if (!row.back) hashes.push_back(hash);
  }
}

uint64_t DiskRows::spilled_rows() const {
  const SharedLock lock(mutex_);
  return counting_;
}

void DiskRows::freeze() {
  const ExclusiveLock lock(mutex_);
  frozen_.swap(rows_);
  counting_ = 0;
}

std::vector<std::pair<uint64_t, uint32_t>> DiskRows::frozen() const {
  const SharedLock lock(mutex_);
  std::vector<std::pair<uint64_t, uint32_t>> all;
  all.reserve(frozen_.size());
  for (const auto& [hash, row] : frozen_) {
    if (!row.back) all.emplace_back(hash, row.slot);
  }
  return all;
}

Status DiskRows::each_frozen(const Visit& visit) const {
  auto all = frozen();
  std::ranges::sort(all);
  std::vector<std::byte> row(row_bytes_);
  for (const auto& [hash, slot] : all) {
    // The slots stay until finish_cut().
    {
      const SharedLock lock(mutex_);
      HOTROW_RETURN_IF_ERROR(file_.read(slot, hash, row.data()));
    }
    HOTROW_RETURN_IF_ERROR(visit(hash, row));
  }
  return {};
}

// Asks for no memory that it could not do without: a failed cut is not to fail once more.
void DiskRows::finish_cut(bool written, const Left& left) {
  const ExclusiveLock lock(mutex_);
  try {
    if (!written) rows_.reserve(rows_.size() + frozen_.size());
  } catch (const std::bad_alloc&) {
    // Slowly, then.
  }
  // Buckets may be as full as they like meanwhile.
  rows_.max_load_factor(std::numeric_limits<float>::max());
  for (auto at = frozen_.begin(); !written && at != frozen_.end();) {
    const auto next = std::next(at);
    if (!at->second.back && !rows_.contains(at->first) && !left(at->first)) {
      rows_.insert(frozen_.extract(at));
      ++counting_;
    }
    at = next;
  }
  rows_.max_load_factor(1.0F);
  try {
    std::vector<uint32_t> freed;
    freed.reserve(frozen_.size());
    for (const auto& [hash, row] : frozen_) freed.push_back(row.slot);
    file_.free(freed);
  } catch (const std::bad_alloc&) {
    // The file stays larger than it need be.
  }
  frozen_.clear();
  charge();
}

}  // namespace hotrow
