// DenseParameter: values of a fixed shape under one lock.
//
// Dense parameters are small beside the tables and are read and written whole, so one
// reader-writer lock gives "as of one instant" at the price of a copy.
#ifndef HOTROW_STORE_DENSE_H_
#define HOTROW_STORE_DENSE_H_

#include <atomic>
#include <cstdint>
#include <memory>
#include <span>
#include <string>
#include <vector>

#include "base/sync.h"
#include "hotrow/store.h"
#include "memory/budget.h"
#include "table/context.h"
#include "table/optimizer.h"

namespace hotrow {

class DenseParameter final : public Dense {
 public:
  /// `context` must outlive the open parameter. Options are valid and carry the final seed.
  static Result<std::shared_ptr<DenseParameter>> create(std::string name, DenseOptions options,
                                                        TableContext& context);
  ~DenseParameter() override = default;

  const std::string& name() const override { return name_; }
  const DenseOptions& options() const override { return options_; }
  uint64_t size() const override { return size_; }

  Status pull(std::span<float> values) override HOTROW_EXCLUDES(mutex_);
  Status push(std::span<const float> gradient, const PushOptions& options = {}) override
      HOTROW_EXCLUDES(mutex_);
  Status update(std::span<const float> values, const UpdateOptions& options = {}) override
      HOTROW_EXCLUDES(mutex_);
  uint64_t state_values() const override {
    return size_ / columns_ * optimizer_.state_values(columns_);
  }
  Result<uint64_t> pull_state(std::span<float> values, std::span<float> state) override
      HOTROW_EXCLUDES(mutex_);
  Result<DenseStamp> stamp() override HOTROW_EXCLUDES(mutex_);
  Result<Stamped> pull_stamped(std::span<float> values, std::span<float> state) override
      HOTROW_EXCLUDES(mutex_);

  uint64_t memory_bytes() HOTROW_EXCLUDES(mutex_) {
    const SharedLock lock(mutex_);
    return memory_.bytes();
  }
  /// Values, then state, as they are, and the pushes they have seen; values are left out when
  /// nothing has changed since the last image. While the store's capacity gate is held exclusively.
  struct Image {
    std::vector<float> values;
    uint64_t steps = 0;
  };
  Image image() HOTROW_EXCLUDES(mutex_);
  /// The last image came to nothing.
  void image_lost() HOTROW_EXCLUDES(mutex_);
  uint64_t image_values() HOTROW_EXCLUDES(mutex_) {
    const SharedLock lock(mutex_);
    return values_.size() + state_.size();
  }
  /// Gives it the values and state [image_values()] of a version, and the pushes they had seen;
  /// they count as saved in one unless `changed`.
  void restore(std::span<const float> image, uint64_t steps, bool changed = false)
      HOTROW_EXCLUDES(mutex_);
  bool changed() HOTROW_EXCLUDES(mutex_) {
    const SharedLock lock(mutex_);
    return changed_;
  }

  /// Frees the values after the calls under way; later calls answer ERR_CLOSED.
  void close() HOTROW_EXCLUDES(mutex_);

 private:
  DenseParameter(std::string name, DenseOptions options, TableContext& context);

  Status check_writable() const;
  Status check(const char* argument, size_t values) const;
  Status check_state(size_t values) const;
  /// Ok and false: the values are not finite and the options say to skip them.
  Result<bool> check_finite(const char* argument, std::span<const float> values) const;
  /// Of a parameter, or of a chunk of one.
  void initialize() HOTROW_REQUIRES(mutex_);
  void note_change() HOTROW_REQUIRES(mutex_) {
    changed_ = true;
    ++stamp_.change;
  }
  bool closed() const { return closed_.load(std::memory_order_acquire); }
  Status closed_status() const { return Status::closed(said() + " is closed"); }
  /// As messages name it; a chunk as one of its whole.
  std::string said() const;

  const std::string name_;
  const DenseOptions options_;
  const uint64_t size_;
  const uint64_t columns_;  // the last dimension: the row of row-wise rules
  const Optimizer optimizer_;
  TableContext& context_;  // gone with the store, which closes its parameters before
  const std::shared_ptr<CallGate> call_gate_;

  SharedMutex mutex_;
  std::atomic<bool> closed_{false};  // release by close(), acquire by every call
  uint64_t steps_ HOTROW_GUARDED_BY(mutex_) = 0;
  bool changed_ HOTROW_GUARDED_BY(mutex_) = true;  // since the last image
  DenseStamp stamp_ HOTROW_GUARDED_BY(mutex_);
  Reservation memory_ HOTROW_GUARDED_BY(mutex_);
  std::vector<float> values_ HOTROW_GUARDED_BY(mutex_);
  std::vector<float> state_ HOTROW_GUARDED_BY(mutex_);    // of each row, one after the other
  std::vector<float> scratch_ HOTROW_GUARDED_BY(mutex_);  // the optimizer's, for one row
};

}  // namespace hotrow

#endif  // HOTROW_STORE_DENSE_H_
