// DenseCopies: how much memory a store may take for values of dense parameters that it has read, so
// that it need not be sent them again as long as they stay the same.
#ifndef HOTROW_CLIENT_DENSE_COPIES_H_
#define HOTROW_CLIENT_DENSE_COPIES_H_

#include <atomic>
#include <cstdint>
#include <memory>
#include <span>
#include <utility>
#include <vector>

#include "hotrow/store.h"

namespace hotrow::client {

/// Threads: any number at once.
class DenseCopies {
 public:
  /// Of all dense parameters of one store together; what does not fit is sent whole each time.
  static constexpr uint64_t kMostBytes = uint64_t{256} << 20;

  /// Values as a server had them, which count as long as somebody has them.
  class Copy {
   public:
    Copy(DenseCopies& all, std::vector<float> values) : all_(all), values_(std::move(values)) {}
    ~Copy() { all_.give(values_.size() * sizeof(float)); }
    Copy(const Copy&) = delete;
    Copy& operator=(const Copy&) = delete;
    std::span<const float> values() const { return values_; }

   private:
    DenseCopies& all_;
    const std::vector<float> values_;
  };

  /// Null: there is no room for it. The copy must not outlive this.
  std::shared_ptr<const Copy> copy(std::span<const float> values) {
    const uint64_t bytes = values.size_bytes();
    if (bytes_.fetch_add(bytes, std::memory_order_relaxed) + bytes > kMostBytes) {
      give(bytes);
      return nullptr;
    }
    try {
      std::vector<float> copied(values.begin(), values.end());
      return std::make_shared<const Copy>(*this, std::move(copied));
    } catch (const std::bad_alloc&) {
      give(bytes);
      return nullptr;
    }
  }
  uint64_t bytes() const { return bytes_.load(std::memory_order_relaxed); }

 private:
  void give(uint64_t bytes) { bytes_.fetch_sub(bytes, std::memory_order_relaxed); }

  std::atomic<uint64_t> bytes_{0};  // counts; publishes nothing
};

}  // namespace hotrow::client

#endif  // HOTROW_CLIENT_DENSE_COPIES_H_
