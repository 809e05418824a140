#include "support/failing_new.h"

#include <dlfcn.h>
#include <execinfo.h>

#include <atomic>
#include <cstdlib>
#include <cstring>
#include <new>

namespace hotrow::test {

namespace {

constexpr int64_t kNever = -1;
thread_local int64_t allowed = kNever;
thread_local bool failed = false;
thread_local bool only_ours = false;
std::atomic<uint64_t> largest{0};  // publishes nothing

bool called_by_rocksdb() {
  void* callers[64];
  const int n = ::backtrace(callers, 64);
  for (int i = 0; i < n; ++i) {
    Dl_info info;
    if (::dladdr(callers[i], &info) == 0 || info.dli_fname == nullptr) continue;
    if (std::strstr(info.dli_fname, "librocksdb") != nullptr) return true;
  }
  return false;
}

void* allocate(size_t bytes, size_t alignment) {
  uint64_t before = largest.load(std::memory_order_relaxed);
  while (bytes > before &&
         !largest.compare_exchange_weak(before, bytes, std::memory_order_relaxed)) {
  }
  if (allowed != kNever && allowed-- == 0) {
    allowed = kNever;
    failed = !only_ours || !called_by_rocksdb();
    if (failed) return nullptr;
  }
  const size_t size = bytes == 0 ? 1 : bytes;
  if (alignment <= __STDCPP_DEFAULT_NEW_ALIGNMENT__) return std::malloc(size);
  return std::aligned_alloc(alignment, (size + alignment - 1) / alignment * alignment);
}

void* allocate_or_throw(size_t bytes, size_t alignment) {
  void* const memory = allocate(bytes, alignment);
  if (memory == nullptr) throw std::bad_alloc();
  return memory;
}

}  // namespace

FailingAllocation::FailingAllocation(uint64_t nth) : FailingAllocation(nth, false) {}
FailingAllocation::FailingAllocation(uint64_t nth, bool ours) {
  failed = false;
  only_ours = ours;
  allowed = static_cast<int64_t>(nth);
}
FailingAllocation::~FailingAllocation() { allowed = kNever; }
bool FailingAllocation::fired() { return failed; }

uint64_t largest_allocation() { return largest.load(std::memory_order_relaxed); }
void reset_largest_allocation() { largest.store(0, std::memory_order_relaxed); }

}  // namespace hotrow::test

using hotrow::test::allocate;
using hotrow::test::allocate_or_throw;

// The other forms of new call these.
void* operator new(size_t bytes) { return allocate_or_throw(bytes, 1); }
void* operator new(size_t bytes, std::align_val_t alignment) {
  return allocate_or_throw(bytes, static_cast<size_t>(alignment));
}
void* operator new(size_t bytes, const std::nothrow_t& /*tag*/) noexcept {
  return allocate(bytes, 1);
}
// A sanitizer's own form of this one would not.
void* operator new(size_t bytes, std::align_val_t alignment,
                   const std::nothrow_t& /*tag*/) noexcept {
  return allocate(bytes, static_cast<size_t>(alignment));
}
void operator delete(void* memory) noexcept { std::free(memory); }
void operator delete(void* memory, size_t /*bytes*/) noexcept { std::free(memory); }
void operator delete(void* memory, std::align_val_t /*alignment*/) noexcept { std::free(memory); }
void operator delete(void* memory, size_t /*bytes*/, std::align_val_t /*alignment*/) noexcept {
  std::free(memory);
}
void operator delete(void* memory, const std::nothrow_t& /*tag*/) noexcept { std::free(memory); }
