// Fold: a batch as it goes out, each distinct key once with how often the batch has it; and the way
// back, from the distinct keys' rows to the batch's.
//
// Batches of sparse features repeat themselves, and a row on the wire costs several times what it
// costs to find out that it is there already. Whether they do is found by the batches themselves:
// while they repeat themselves every one is folded, and after one that did not only one of some is
// looked at.
//
// Threads: Folds any number at once; a Fold is one call's.
#ifndef HOTROW_CLIENT_FOLD_H_
#define HOTROW_CLIENT_FOLD_H_

#include <atomic>
#include <cstdint>
#include <memory>
#include <span>
#include <vector>

#include "base/batch_index.h"
#include "base/sync.h"
#include "base/thread_pool.h"
#include "hotrow/batch.h"

namespace hotrow::client {

class Folds;

class Fold {
 public:
  /// The batch as it is. keys [n], which must stay.
  explicit Fold(KeyBatch keys) : keys_(keys) {}
  Fold(Fold&& other) noexcept = default;
  Fold& operator=(Fold&&) = delete;
  ~Fold();

  bool folded() const { return index_ != nullptr; }
  /// Keys that go out: of a folded batch the distinct ones, in the order in which they first come.
  KeyBatch keys() const { return folded() ? KeyBatch(index_->part(0).keys) : keys_; }
  /// How often the batch has each of them; empty: once.
  std::span<const uint32_t> times() const { return times_; }

  /// Rows of keys() at the start of `rows` [n, width] become the batch's, in place.
  void spread(std::span<float> rows, size_t width) const;
  /// As spread(), of bits [ceil(n / 8)].
  void spread_bits(std::span<uint8_t> bits) const;
  /// Of the batch's rows [n, width] the sums of each key's, in batch order: what a push of the
  /// batch would add up, bit by bit.
  std::vector<float> sums(std::span<const float> rows, size_t width) const;

 private:
  friend class Folds;
  Fold(KeyBatch keys, std::unique_ptr<BatchIndex> index, Folds& folds);

  KeyBatch keys_;
  std::unique_ptr<BatchIndex> index_;
  std::vector<uint32_t> times_;
  Folds* folds_ = nullptr;
};

/// Folds a table's batches. Must outlive them.
class Folds {
 public:
  /// The batch, folded where that pays. Throws std::bad_alloc.
  Fold of(KeyBatch keys) HOTROW_EXCLUDES(mutex_);

  /// Off: batches go out as they are, in the whole process. For benchmarks, which compare the two.
  static void turn(bool on) { on_.store(on, std::memory_order_relaxed); }

 private:
  friend class Fold;
  bool worth_looking(size_t n);
  std::unique_ptr<BatchIndex> take() HOTROW_EXCLUDES(mutex_);
  void give(std::unique_ptr<BatchIndex> index) noexcept HOTROW_EXCLUDES(mutex_);

  static inline std::atomic<bool> on_{true};  // publishes nothing

  ThreadPool pool_{1};  // of the caller alone
  // Batches to pass over before one is looked at again. A guess, which publishes nothing.
  std::atomic<uint32_t> pass_{0};
  Mutex mutex_;
  // The latest last: a batch that is pushed was mostly looked up just before.
  std::vector<std::unique_ptr<BatchIndex>> idle_ HOTROW_GUARDED_BY(mutex_);
};

}  // namespace hotrow::client

#endif  // HOTROW_CLIENT_FOLD_H_
