#include "storage/spill_file.h"

#include <algorithm>
#include <cstring>
#include <functional>
#include <utility>

#include "base/hash.h"
#include "base/random_id.h"
#include "storage/disk.h"
#include "storage/files.h"
#include "storage/rocks.h"

namespace hotrow {

namespace {

constexpr std::string_view kSpillPrefix = "spill-";

uint64_t check_of(uint64_t hash, const std::byte* row, size_t bytes) {
  return mix64(hash ^ xxh3({reinterpret_cast<const char*>(row), bytes}));
}

}  // namespace

SpillFile::SpillFile(std::string folder, size_t row_bytes)
    : folder_(std::move(folder)),
      row_bytes_(row_bytes),
      slot_bytes_(row_bytes + sizeof(uint64_t)) {}

Status SpillFile::status(const rocksdb::IOStatus& result) const {
  return result.ok() ? Status() : disk_status(result, "spilled rows in '" + folder_ + "'");
}

Status SpillFile::open() {
  if (file_) return {};
  rocksdb::FileSystem& files = plain_files();
  const std::string name = folder_ + "/" + std::string(kSpillPrefix) + random_id();
  std::unique_ptr<rocksdb::FSWritableFile> made;
  HOTROW_RETURN_IF_ERROR(status(files.NewWritableFile(name, {}, &made, nullptr)));
  const rocksdb::IOStatus opened = files.NewRandomRWFile(name, {}, &file_, nullptr);
  // What cannot be removed is so when the store is opened next.
  (void)files.DeleteFile(name, {}, nullptr);
  return status(opened);
}

void SpillFile::remove_left(const std::string& folder) {
  const auto names = names_in(folder);
  if (!names.ok()) return;
  for (const std::string& name : names.value()) {
    if (name.starts_with(kSpillPrefix))
      (void)remove_path(std::string(folder).append("/").append(name));
  }
}

Status SpillFile::write_run(const std::byte* bytes, uint32_t slot, size_t slots) {
  return status(file_->Write(slot * slot_bytes_,
                             {reinterpret_cast<const char*>(bytes), slots * slot_bytes_}, {},
                             nullptr));
}

Status SpillFile::write(std::span<const uint64_t> hashes, const std::byte* rows,
                        std::vector<uint32_t>& slots) {
  HOTROW_RETURN_IF_ERROR(open());
  const size_t count = hashes.size();
  const size_t before = slots.size();
  const size_t reused = std::min(count, free_.size());
  slots.reserve(before + count);
  free_.reserve(free_.size() + count);
  std::vector<std::byte> bytes(count * slot_bytes_);
  for (size_t i = 0; i < count; ++i) {
    std::byte* const slot = bytes.data() + i * slot_bytes_;
    const std::byte* const row = rows + i * row_bytes_;
    std::memcpy(slot, row, row_bytes_);
    const uint64_t check = check_of(hashes[i], row, row_bytes_);
    std::memcpy(slot + row_bytes_, &check, sizeof check);
    slots.push_back(i < reused ? free_[free_.size() - 1 - i]
                               : static_cast<uint32_t>(end_ + (i - reused)));
  }
  for (size_t first = 0; first < count;) {
    size_t last = first + 1;
    while (last < count && slots[before + last] == slots[before + last - 1] + 1) ++last;
    const Status written =
        write_run(bytes.data() + first * slot_bytes_, slots[before + first], last - first);
    if (!written.ok()) {
      slots.resize(before);
      return written;
    }
    first = last;
  }
  free_.resize(free_.size() - reused);
  end_ += count - reused;
  return {};
}

Status SpillFile::read(uint32_t slot, uint64_t hash, std::byte* row) const {
  std::vector<std::byte> bytes(slot_bytes_);
  rocksdb::Slice got;
  HOTROW_RETURN_IF_ERROR(status(file_->Read(slot * slot_bytes_, slot_bytes_, {}, &got,
                                            reinterpret_cast<char*>(bytes.data()), nullptr)));
  uint64_t check = 0;
  std::memcpy(&check, bytes.data() + row_bytes_, sizeof check);
  if (got.size() < slot_bytes_ || check != check_of(hash, bytes.data(), row_bytes_)) {
    return {StatusCode::kCorruption, "a spilled row in '" + folder_ + "' is damaged"};
  }
  std::memcpy(row, bytes.data(), row_bytes_);
  return {};
}

void SpillFile::free(std::span<const uint32_t> slots) {
  free_.insert(free_.end(), slots.begin(), slots.end());
  if (free_.size() == end_) {
    free_.clear();
    end_ = 0;
    file_.reset();
  } else if (slots.size() > 1) {
    std::ranges::sort(free_, std::greater());
  }
}

}  // namespace hotrow
