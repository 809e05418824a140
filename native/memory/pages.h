// Memory from the operating system: address space first, pages on demand, huge where possible.
#ifndef HOTROW_MEMORY_PAGES_H_
#define HOTROW_MEMORY_PAGES_H_

#include <cstddef>
#include <cstdint>
#include <span>

namespace hotrow {

inline constexpr size_t kHugePageBytes = size_t{2} << 20;
inline constexpr size_t kLineBytes = 64;

constexpr uint64_t round_up(uint64_t n, uint64_t multiple) {
  return (n + multiple - 1) / multiple * multiple;
}

/// A range of address space, aligned to 2 MiB, whose front part is backed by memory.
/// Backed bytes read as zero at first. Not safe to grow from two threads at once.
class PageRange {
 public:
  PageRange() = default;
  ~PageRange();
  PageRange(const PageRange&) = delete;
  PageRange& operator=(const PageRange&) = delete;

  /// Reserves address space only. False when the system refuses.
  [[nodiscard]] bool reserve(size_t bytes);
  /// Backs the first `bytes` (rounded up to 2 MiB), asking for huge pages. False when the system
  /// refuses or the reservation is too small; what was backed before stays.
  [[nodiscard]] bool grow(size_t bytes);

  /// What of the first `bytes` (rounded up to 2 MiB, as far as backed) nobody was given before: for
  /// the caller alone to fetch(). Otherwise two threads that write to a new page at once would both
  /// have one cleared for them, and one of the two thrown away.
  std::span<std::byte> claim(size_t bytes);
  /// Fetches claimed pages from the system. From any thread.
  static void fetch(std::span<std::byte> claimed);

  std::byte* data() const { return data_; }
  size_t reserved() const { return reserved_; }
  size_t backed() const { return backed_; }
  size_t claimed() const { return claimed_; }

 private:
  void* mapping_ = nullptr;
  size_t mapping_bytes_ = 0;
  std::byte* data_ = nullptr;
  size_t reserved_ = 0;
  size_t backed_ = 0;
  size_t claimed_ = 0;
};

/// Bytes of memory this process may use: the machine's, or its control group's limit if lower.
uint64_t usable_memory_bytes();

}  // namespace hotrow

#endif  // HOTROW_MEMORY_PAGES_H_
