// ColdTier: what of a cold table's rows is not in memory, how many, and when rows went there.
//
// A row is in one of two places, in memory or out there (cold_rows.h). Whoever reads it out there
// to bring it in must not bring what has meanwhile been brought, changed and demoted again by
// others: so demotions are numbered by shard. A row that was read after its shard's number was
// taken is the row still, if the key is not in memory and the number is the same.
//
// Threads: rows come in with the table's gate held shared, and leave with it held exclusively, or
// with the store's capacity gate held so.
#ifndef HOTROW_TABLE_COLD_TIER_H_
#define HOTROW_TABLE_COLD_TIER_H_

#include <algorithm>
#include <array>
#include <atomic>
#include <cstdint>
#include <memory>
#include <span>
#include <utility>
#include <vector>

#include "base/shards.h"
#include "base/sync.h"
#include "table/cold_rows.h"
#include "table/counting_bloom.h"

namespace hotrow {

/// Numbers of a table's demotions by shard, as of one moment; empty: of none.
using DemotionStamps = std::vector<uint32_t>;

class ColdTier {
 public:
  ColdTier(std::shared_ptr<ColdRows> rows, uint64_t count)
      : rows_(std::move(rows)), left_(count), any_out_(count > 0) {}

  ColdRows& rows() const { return *rows_; }

  /// Rows that are not in memory. Changed, together with the number of those in memory, while
  /// counts() is held.
  uint64_t left() const { return left_.load(std::memory_order_acquire); }
  void set_left(uint64_t rows) {
    if (rows > 0) note_out();
    left_.store(rows, std::memory_order_release);
  }
  /// Was any row ever out there? Noted before the first one leaves.
  bool any_out() const { return any_out_.load(std::memory_order_acquire); }
  void note_out() { any_out_.store(true, std::memory_order_release); }
  void add(uint64_t rows) { left_.fetch_add(rows, std::memory_order_acq_rel); }
  void take(uint64_t rows) { left_.fetch_sub(std::min(rows, left()), std::memory_order_acq_rel); }
  Mutex& counts() const { return counts_; }

  // --- Of a table that demotes.
  /// Remembers misses of about so many rows. ERR_CAPACITY when there is no memory for it.
  Status remember_misses(uint64_t rows, MemoryBudget& budget);
  /// A key was missed so often. Returns how often it was of late, at most 255.
  uint32_t note_miss(uint64_t hash, uint32_t times);
  /// A row that is demoted was used so often.
  void note_uses(uint64_t hash, double uses);

  void stamp(DemotionStamps& stamps) const {
    stamps.resize(demotions_.size());
    for (size_t i = 0; i < stamps.size(); ++i) {
      stamps[i] = demotions_[i].load(std::memory_order_acquire);
    }
  }
  /// Was a row of the hash's shard demoted since?
  bool moved(uint64_t hash, const DemotionStamps& stamps) const {
    const uint32_t shard = IndexShards::of(hash);
    return demotions_[shard].load(std::memory_order_acquire) != stamps[shard];
  }
  /// Whatever was read before is not to be brought in.
  void note_all() {
    for (auto& number : demotions_) number.fetch_add(1, std::memory_order_release);
  }
  void note_demotion(uint64_t hash) {
    demotions_[IndexShards::of(hash)].fetch_add(1, std::memory_order_release);
  }

 private:
  const std::shared_ptr<ColdRows> rows_;
  std::atomic<uint64_t> left_;
  std::atomic<bool> any_out_;
  mutable Mutex counts_;
  std::array<std::atomic<uint32_t>, IndexShards::kCount> demotions_ = {};
  std::unique_ptr<CountingBloom> misses_;  // constant once the table is there
  uint64_t window_ = 0;                    // misses after which all counts have been halved
  std::atomic<uint64_t> noted_{0};         // publishes nothing
};

}  // namespace hotrow

#endif  // HOTROW_TABLE_COLD_TIER_H_
