// Which rows have changed since the last version, and which of a cut have yet to be saved.
//
// A version is one instant of all tables, written while pushes go on. At the cut the rows that had
// changed are frozen. Each of them is saved as it was, once: by the committer when it comes to the
// row's shard (take), or before by a call that is about to change or remove it (save).
//
// Three bits a row, by its handle: changed since the last cut, frozen, and kept, which says that a
// version on disk may have the key, so that removing the row leaves a tombstone.
//
// Threads: what concerns one row is called under the lock of its key's shard; freeze() and thaw()
// while no call is under way that changes rows; the rest from any thread.
#ifndef HOTROW_TABLE_CHANGES_H_
#define HOTROW_TABLE_CHANGES_H_

#include <array>
#include <atomic>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <span>
#include <vector>

#include "base/sync.h"
#include "hotrow/status.h"
#include "memory/budget.h"
#include "memory/pages.h"
#include "table/hash_set.h"

namespace hotrow {

/// Rows as they were at a cut: image i of row hashes[i] is at i * row_bytes.
struct RowImages {
  std::vector<uint64_t> hashes;
  std::vector<std::byte> bytes;

  void add(uint64_t hash, const std::byte* row, size_t row_bytes);
  void append(const RowImages& more, size_t row_bytes);
  void clear() {
    hashes.clear();
    bytes.clear();
  }
  /// Positions in the order of their hashes.
  std::vector<uint32_t> sorted() const;
};

class Changes {
 public:
  /// Charges its memory to `budget`, which must outlive it.
  Changes(MemoryBudget& budget, size_t row_bytes) : budget_(budget), row_bytes_(row_bytes) {}
  ~Changes();
  Changes(const Changes&) = delete;
  Changes& operator=(const Changes&) = delete;

  /// Reserves address space for the bits of `most_rows` rows; must succeed before anything else.
  Status open(uint64_t most_rows);
  /// Backs the bits of handles below `handles`; false when the budget or the system refuses.
  [[nodiscard]] bool cover(uint64_t handles) HOTROW_EXCLUDES(mutex_);

  /// Makes sure that so many removals and changes of frozen rows find memory for what they leave.
  /// False when the budget or the system refuses. To be settled with the same number.
  [[nodiscard]] bool prepare(uint64_t rows) HOTROW_EXCLUDES(mutex_);
  /// As prepare(); where memory for images is refused, waits until the cut under way has been
  /// collected and needs none.
  [[nodiscard]] bool prepare_or_wait(uint64_t rows) HOTROW_EXCLUDES(mutex_);
  void settle(uint64_t rows) HOTROW_EXCLUDES(mutex_);

  // --- Of one row.
  /// Before the row is changed: saves it if it is frozen, and notes the change.
  void change(uint32_t handle, uint64_t hash, const std::byte* row) {
    Bits& bits = bits_of(handle);
    const uint64_t bit = uint64_t{1} << (handle % 64);
    if ((bits.changed[1 - active()].load(kRelaxed) & bit) != 0) save(handle, hash, row);
    std::atomic<uint64_t>& changed = bits.changed[active()];
    if ((changed.load(kRelaxed) & bit) == 0) changed.fetch_or(bit, kRelaxed);
  }
  /// A new row.
  void create(uint32_t handle) {
    bits_of(handle).changed[active()].fetch_or(uint64_t{1} << (handle % 64), kRelaxed);
  }
  /// A row that found no place after all.
  void undo_create(uint32_t handle) {
    bits_of(handle).changed[active()].fetch_and(~(uint64_t{1} << (handle % 64)), kRelaxed);
  }
  /// Before the row is removed.
  void remove(uint32_t handle, uint64_t hash, const std::byte* row);
  /// A row that was read from a version.
  void restored(uint32_t handle) {
    bits_of(handle).kept.fetch_or(uint64_t{1} << (handle % 64), kRelaxed);
  }
  bool frozen(uint32_t handle) const {
    const uint64_t bit = uint64_t{1} << (handle % 64);
    return (bits_of(handle).changed[1 - active()].load(kRelaxed) & bit) != 0;
  }
  /// Has it changed since the last cut?
  bool changed(uint32_t handle) const {
    const uint64_t bit = uint64_t{1} << (handle % 64);
    return (bits_of(handle).changed[active()].load(kRelaxed) & bit) != 0;
  }
  /// The committer has saved the frozen row.
  void take(uint32_t handle);
  // --- Of a table that demotes its rows.
  /// Has the newest version the row as it is? While a cut is under way nobody knows.
  bool stored(uint32_t handle) const {
    const Bits& bits = bits_of(handle);
    const uint64_t bit = uint64_t{1} << (handle % 64);
    const uint64_t changes = bits.changed[0].load(kRelaxed) | bits.changed[1].load(kRelaxed);
    return !cutting_.load(kRelaxed) && (bits.kept.load(kRelaxed) & ~changes & bit) != 0;
  }
  /// Before the row leaves memory for where it can be read: no removal.
  void demote(uint32_t handle, uint64_t hash, const std::byte* row) HOTROW_EXCLUDES(mutex_);
  /// A key without a row in memory is removed; as remove().
  void remove_demoted(uint64_t hash) HOTROW_EXCLUDES(mutex_);
  /// These keys have rows out there again.
  void come_back(std::span<const uint64_t> hashes) HOTROW_EXCLUDES(mutex_);

  void prefetch(uint32_t handle) const { __builtin_prefetch(&bits_of(handle), 1, 3); }

  // --- Of a cut.
  /// What has changed is frozen from now on.
  void freeze() HOTROW_EXCLUDES(mutex_);
  /// Hashes of the keys that were removed between the last cut and this one, in any order; some may
  /// have come back.
  std::vector<uint64_t> removed() const HOTROW_EXCLUDES(mutex_);
  // --- Of a table that is cold.
  /// Remembers removed keys from now on; with `until_written`, each until a version knows of it.
  void remember_gone(bool until_written) HOTROW_EXCLUDES(mutex_);
  void forget_gone() HOTROW_EXCLUDES(mutex_);
  uint64_t gone_count() const { return gone_count_.load(std::memory_order_acquire); }
  /// Was the key removed while that is remembered?
  bool gone(uint64_t hash) const HOTROW_EXCLUDES(mutex_) {
    if (gone_count_.load(std::memory_order_acquire) == 0) return false;
    const MutexLock lock(mutex_);
    return gone_.contains(hash);
  }

  /// Has any row changed or gone since the last cut?
  bool any() const HOTROW_EXCLUDES(mutex_);
  void forget_removed() HOTROW_EXCLUDES(mutex_);
  /// Appends the hashes of the keys that were removed since the last cut.
  void add_removed(std::vector<uint64_t>& hashes) const HOTROW_EXCLUDES(mutex_);
  /// Once the committer has been to every shard: what others saved meanwhile.
  std::vector<RowImages> collected() HOTROW_EXCLUDES(mutex_);
  /// The cut is over. If it came to nothing, its removals count for the next one; its rows were
  /// thawed before.
  void finish(bool written) HOTROW_EXCLUDES(mutex_);

  uint64_t memory_bytes() const HOTROW_EXCLUDES(mutex_);

 private:
  static constexpr auto kRelaxed = std::memory_order_relaxed;
  // Of 64 rows. Rows of several shards share a word, so it is changed atomically; it publishes
  // nothing.
  struct Bits {
    std::array<std::atomic<uint64_t>, 2> changed;
    std::atomic<uint64_t> kept;
  };

  Bits& bits_of(uint32_t handle) const { return base_[handle / 64]; }
  uint32_t active() const { return active_.load(kRelaxed); }
  void save(uint32_t handle, uint64_t hash, const std::byte* row) HOTROW_EXCLUDES(mutex_);
  /// The row leaves memory: saves it if it is frozen, and forgets it. May a version have the key?
  bool leave(uint32_t handle, uint64_t hash, const std::byte* row) HOTROW_EXCLUDES(mutex_);
  void forget_written() HOTROW_REQUIRES(mutex_);
  bool make_room(uint64_t rows) HOTROW_REQUIRES(mutex_);
  uint64_t chunk_rows() const;
  /// Charges the budget up to `bytes` in all.
  bool charge(uint64_t bytes) HOTROW_REQUIRES(mutex_);

  MemoryBudget& budget_;
  const size_t row_bytes_;
  Bits* base_ = nullptr;
  std::atomic<uint32_t> active_{0};  // which `changed` counts; the other one is what is frozen
  // From freeze() to finish(); changed while no call is under way that moves rows.
  std::atomic<bool> cutting_{false};
  mutable Mutex mutex_;
  CondVar no_longer_collecting_;
  PageRange pages_ HOTROW_GUARDED_BY(mutex_);
  bool collecting_ HOTROW_GUARDED_BY(mutex_) = false;
  uint64_t prepared_ HOTROW_GUARDED_BY(mutex_) = 0;
  uint64_t charged_ HOTROW_GUARDED_BY(mutex_) = 0;
  // Images saved by others than the committer, in chunks whose memory is there before they are.
  std::vector<RowImages> saved_ HOTROW_GUARDED_BY(mutex_);
  size_t filling_ HOTROW_GUARDED_BY(mutex_) = 0;             // the chunk that takes the next one
  std::vector<uint64_t> removed_ HOTROW_GUARDED_BY(mutex_);  // hashes, since the last cut
  bool remembers_ HOTROW_GUARDED_BY(mutex_) = false;
  bool until_written_ HOTROW_GUARDED_BY(mutex_) = false;
  HashSet gone_ HOTROW_GUARDED_BY(mutex_);
  std::atomic<uint64_t> gone_count_{0};  // of gone_, so that most need not ask it
  std::vector<uint64_t> removed_before_ HOTROW_GUARDED_BY(mutex_);  // that the cut under way has
};

}  // namespace hotrow

#endif  // HOTROW_TABLE_CHANGES_H_
