#include "memory/pages.h"

#include <sys/mman.h>
#include <unistd.h>

#include <algorithm>
#include <fstream>
#include <string>

namespace hotrow {

PageRange::~PageRange() {
  if (mapping_ != nullptr) ::munmap(mapping_, mapping_bytes_);
}

bool PageRange::reserve(size_t bytes) {
  // One huge page more than asked for, so that the range can start on a huge page.
  reserved_ = round_up(std::max<size_t>(bytes, 1), kHugePageBytes);
  mapping_bytes_ = reserved_ + kHugePageBytes;
  void* mapping = ::mmap(nullptr, mapping_bytes_, PROT_NONE,
                         MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
  if (mapping == MAP_FAILED) {
    reserved_ = 0;
    return false;
  }
  mapping_ = mapping;
  const auto address = reinterpret_cast<uintptr_t>(mapping);
  data_ = static_cast<std::byte*>(mapping) + (round_up(address, kHugePageBytes) - address);
  return true;
}

bool PageRange::grow(size_t bytes) {
  const size_t target = round_up(bytes, kHugePageBytes);
  if (target <= backed_) return true;
  if (target > reserved_) return false;
  std::byte* const from = data_ + backed_;
  if (::mprotect(from, target - backed_, PROT_READ | PROT_WRITE) != 0) return false;
  // A system without huge pages refuses; ordinary pages are slower and just as right.
  (void)::madvise(from, target - backed_, MADV_HUGEPAGE);
  backed_ = target;
  return true;
}

std::span<std::byte> PageRange::claim(size_t bytes) {
  const size_t target = std::min(round_up(bytes, kHugePageBytes), backed_);
  if (target <= claimed_) return {};
  const std::span<std::byte> claimed(data_ + claimed_, target - claimed_);
  claimed_ = target;
  return claimed;
}

void PageRange::fetch(std::span<std::byte> claimed) {
#ifdef MADV_POPULATE_WRITE
  // Older systems refuse; whoever writes first fetches the page then.
  if (!claimed.empty()) (void)::madvise(claimed.data(), claimed.size(), MADV_POPULATE_WRITE);
#endif
}

namespace {

uint64_t limit_in(const std::string& path) {
  std::ifstream file(path);
  uint64_t bytes = 0;
  // "max" does not parse as a number, and then there is no limit.
  return file >> bytes && bytes > 0 ? bytes : UINT64_MAX;
}

/// The lowest limit of the process's control group and those above it.
uint64_t control_group_limit() {
  uint64_t lowest = limit_in("/sys/fs/cgroup/memory/memory.limit_in_bytes");
  std::ifstream file("/proc/self/cgroup");
  for (std::string line; std::getline(file, line);) {
    if (!line.starts_with("0::")) continue;
    for (std::string group = line.substr(3);; group.resize(group.rfind('/'))) {
      lowest = std::min(lowest, limit_in("/sys/fs/cgroup" + group + "/memory.max"));
      if (group.rfind('/') == std::string::npos) break;
    }
  }
  return lowest;
}

}  // namespace

uint64_t usable_memory_bytes() {
  const auto pages = static_cast<uint64_t>(::sysconf(_SC_PHYS_PAGES));
  const auto page_bytes = static_cast<uint64_t>(::sysconf(_SC_PAGESIZE));
  return std::min(pages * page_bytes, control_group_limit());
}

}  // namespace hotrow
