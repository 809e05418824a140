// The store's memory ceiling: one counter of bytes that every pool charges.
//
// `try_charge` keeps used() under the limit and may fail; `charge` never fails and is for memory
// that a reservation taken earlier in the same call already covers.
#ifndef HOTROW_MEMORY_BUDGET_H_
#define HOTROW_MEMORY_BUDGET_H_

#include <atomic>
#include <cstdint>
#include <string>
#include <utility>

namespace hotrow {

class MemoryBudget {
 public:
  explicit MemoryBudget(uint64_t limit) : limit_(limit) {}

  uint64_t limit() const { return limit_; }
  uint64_t used() const { return used_.load(std::memory_order_relaxed); }
  /// For errors: why more does not fit.
  std::string in_use() const {
    return std::to_string(used()) + " of memoryBytes " + std::to_string(limit_) + " are in use";
  }

  bool try_charge(uint64_t bytes) {
    uint64_t used = used_.load(std::memory_order_relaxed);
    do {
      if (bytes > limit_ || used > limit_ - bytes) return false;
    } while (!used_.compare_exchange_weak(used, used + bytes, std::memory_order_relaxed));
    return true;
  }
  void charge(uint64_t bytes) { used_.fetch_add(bytes, std::memory_order_relaxed); }
  void release(uint64_t bytes) { used_.fetch_sub(bytes, std::memory_order_relaxed); }

 private:
  const uint64_t limit_;
  // Publishes nothing; relaxed throughout.
  std::atomic<uint64_t> used_{0};
};

/// Bytes held against a budget for as long as the object lives.
class Reservation {
 public:
  Reservation() = default;
  Reservation(Reservation&& other) noexcept
      : budget_(std::exchange(other.budget_, nullptr)), bytes_(other.bytes_) {}
  Reservation& operator=(Reservation&& other) noexcept {
    reset();
    budget_ = std::exchange(other.budget_, nullptr);
    bytes_ = other.bytes_;
    return *this;
  }
  ~Reservation() { reset(); }

  /// Takes `bytes` from `budget`; false when they do not fit.
  bool take(MemoryBudget& budget, uint64_t bytes) {
    reset();
    if (!budget.try_charge(bytes)) return false;
    budget_ = &budget;
    bytes_ = bytes;
    return true;
  }
  uint64_t bytes() const { return budget_ == nullptr ? 0 : bytes_; }
  void reset() {
    if (budget_ != nullptr) budget_->release(bytes_);
    budget_ = nullptr;
  }

 private:
  MemoryBudget* budget_ = nullptr;
  uint64_t bytes_ = 0;
};

}  // namespace hotrow

#endif  // HOTROW_MEMORY_BUDGET_H_
