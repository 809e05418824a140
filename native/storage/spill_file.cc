#include "storage/spill_file.h"

#include <fcntl.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstdlib>
#include <cstring>
#include <functional>
#include <utility>

#include "base/hash.h"
#include "storage/files.h"

namespace hotrow {

namespace {

uint64_t check_of(uint64_t hash, const std::byte* row, size_t bytes) {
  return mix64(hash ^ xxh3({reinterpret_cast<const char*>(row), bytes}));
}

}  // namespace

SpillFile::SpillFile(std::string folder, size_t row_bytes)
    : folder_(std::move(folder)),
      row_bytes_(row_bytes),
      slot_bytes_(row_bytes + sizeof(uint64_t)) {}

SpillFile::~SpillFile() {
  if (descriptor_ >= 0) ::close(descriptor_);
}

Status SpillFile::open() {
  if (descriptor_ >= 0) return {};
  descriptor_ = ::open(folder_.c_str(), O_TMPFILE | O_RDWR | O_CLOEXEC, 0600);
  if (descriptor_ >= 0) return {};
  // A file system without files that have no name.
  std::string name = folder_ + "/spill-XXXXXX";
  descriptor_ = ::mkostemp(name.data(), O_CLOEXEC);
  if (descriptor_ < 0) return last_file_status("a file for spilled rows in '" + folder_ + "'");
  (void)::unlink(name.c_str());
  return {};
}

Status SpillFile::write_run(const std::byte* bytes, uint32_t slot, size_t slots) const {
  size_t left = slots * slot_bytes_;
  auto at = static_cast<off_t>(slot * slot_bytes_);
  while (left > 0) {
    const ssize_t wrote = ::pwrite(descriptor_, bytes, left, at);
    if (wrote < 0 && errno == EINTR) continue;
    if (wrote <= 0) return last_file_status("spilled rows in '" + folder_ + "'");
    bytes += wrote;
    at += wrote;
    left -= static_cast<size_t>(wrote);
  }
  return {};
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
  size_t got = 0;
  while (got < slot_bytes_) {
    const auto at = static_cast<off_t>(slot * slot_bytes_ + got);
    const ssize_t more = ::pread(descriptor_, bytes.data() + got, slot_bytes_ - got, at);
    if (more < 0 && errno == EINTR) continue;
    if (more < 0) return last_file_status("spilled rows in '" + folder_ + "'");
    if (more == 0) break;
    got += static_cast<size_t>(more);
  }
  uint64_t check = 0;
  std::memcpy(&check, bytes.data() + row_bytes_, sizeof check);
  if (got < slot_bytes_ || check != check_of(hash, bytes.data(), row_bytes_)) {
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
    if (descriptor_ >= 0) (void)::ftruncate(descriptor_, 0);
  } else if (slots.size() > 1) {
    std::ranges::sort(free_, std::greater());
  }
}

}  // namespace hotrow
