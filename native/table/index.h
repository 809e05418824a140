// The index of a table: key -> row handle, in shards that grow one by one.
//
// The top bits of a key's hash name its shard, the following ones its home bucket by multiply and
// shift, so a shard can grow by any factor and a rebuild reads the old array and writes the new
// one in order. Only `locations_` (8 KiB, one word a shard) is read to find a bucket.
//
// Threads: any number of readers (`probe`, `still`) and writers (`lock`, `insert`, …) at once,
// each inside an EpochGuard. Readers never wait for a rebuild; writers of that shard do.
// Bucket protocol: bucket.h.
#ifndef HOTROW_TABLE_INDEX_H_
#define HOTROW_TABLE_INDEX_H_

#include <array>
#include <atomic>
#include <cstdint>
#include <memory>
#include <optional>

#include "base/hash.h"
#include "base/sync.h"
#include "memory/epoch.h"
#include "memory/line_arena.h"
#include "table/bucket.h"

namespace hotrow {

/// Where a shard's buckets lie: the line number of the first and the number of home buckets.
struct ShardLocation {
  uint32_t first_line = 0;
  uint32_t homes = 0;

  /// Home buckets and the tail behind them, where chains of the last homes run out.
  uint32_t buckets() const { return homes + 2 + homes / 32; }
  uint64_t pack() const { return uint64_t{homes} << 32 | first_line; }
  static ShardLocation unpack(uint64_t packed) {
    return {static_cast<uint32_t>(packed), static_cast<uint32_t>(packed >> 32)};
  }
};

template <template <class> class Atom = std::atomic>
class BasicIndex {
 public:
  using BucketType = Bucket<Atom>;

  static constexpr uint32_t kShardBits = 10;
  static constexpr uint32_t kShards = 1U << kShardBits;
  static constexpr uint32_t kNoHandle = UINT32_MAX;

  explicit BasicIndex(MemoryBudget& budget)
      : arena_(budget), shards_(std::make_unique<Shard[]>(kShards)) {}

  /// Allocates the first, smallest shards; must succeed before anything else is called.
  Status open();

  /// What a reader saw: compare with still() after copying the row.
  struct Sight {
    const BucketType* home = nullptr;
    BucketWord word;
    uint32_t handle = kNoHandle;  // kNoHandle: there is no row, already validated
  };

  /// A writer's hold on a key's home bucket. End it by unlock().
  struct Hold {
    BucketType* home = nullptr;
    BucketType* holder = nullptr;  // the bucket that holds the key, or null
    uint32_t place = kBucketKeys;
    uint32_t shard = 0;
    BucketWord word;  // home's word as it will be unlocked, still marked locked
    BucketType* end = nullptr;

    bool found() const { return holder != nullptr; }
    uint32_t handle() const { return holder->handles[place].load(std::memory_order_relaxed); }
  };

  static constexpr uint32_t shard_of(uint64_t hash) {
    return static_cast<uint32_t>(hash >> (64 - kShardBits));
  }

  const BucketType* home_of(uint64_t hash) const { return locate(hash).home; }
  void prefetch_home(uint64_t hash) const { __builtin_prefetch(home_of(hash), 0, 3); }

  /// Finds `key` as of one instant; waits only for a writer of the same home.
  Sight probe(uint64_t key, uint64_t hash) const;
  /// As probe(), but a hint that waits for nobody and may be wrong: for prefetching.
  Sight peek(uint64_t key, uint64_t hash) const;
  /// Has nothing changed under this home since probe()?
  static bool still(const Sight& sight) {
    sequence_read_fence();
    return sight.home->word.load(std::memory_order_relaxed) == sight.word.bits();
  }

  /// Locks `key`'s home and finds the key.
  Hold lock(uint64_t key, uint64_t hash);
  /// Adds the key, which was not found. False when there is no place: unlock, grow, start again.
  [[nodiscard]] bool insert(Hold& hold, uint64_t key, uint32_t handle);
  /// Removes the key, which was found; its row is the caller's again after unlock().
  void erase(Hold& hold);
  void unlock(Hold& hold) { hold.home->store(hold.word.unlocked()); }

  /// Should the shard be rebuilt before one more key comes: because it is full, or because so many
  /// keys have gone that overflow bits they left make every chain long?
  bool wants_growth(uint32_t shard) const {
    const uint64_t grow_at = shards_[shard].grow_at.load(std::memory_order_relaxed);
    return shards_[shard].size.load(std::memory_order_relaxed) >= grow_at ||
           shards_[shard].erased.load(std::memory_order_relaxed) >= grow_at;
  }

  enum class Growth : uint8_t { kWithinBudget, kAlways };
  /// Rebuilds the shard, if it must be, so that `more` further keys fit below its growth threshold;
  /// at least one step larger when `force`. False when memory is refused; nothing has changed then.
  bool grow(uint32_t shard, uint64_t more, bool force, Growth growth);

  /// Keys by shard.
  using Counts = std::array<uint32_t, kShards>;
  /// Memory that taking `more[shard]` further keys needs beside what is there.
  uint64_t growth_bytes(const Counts& more) const;

  uint64_t size() const;
  uint64_t buckets() const { return buckets_.load(std::memory_order_relaxed); }
  uint64_t memory_bytes() const { return arena_.memory_bytes(); }
  uint64_t grown() const { return grown_.load(std::memory_order_relaxed); }

 private:
  struct alignas(64) Shard {
    // Counts; publish nothing.
    Atom<uint64_t> size{0};
    Atom<uint64_t> grow_at{0};
    Atom<uint64_t> erased{0};  // since the last rebuild
    Mutex growing;             // one rebuild at a time
  };
  struct Place {
    BucketType* home;
    BucketType* end;
  };

  BucketType* bucket(uint32_t line) const {
    return reinterpret_cast<BucketType*>(arena_.line(line));
  }
  Place locate(uint64_t hash) const {
    const uint32_t shard = shard_of(hash);
    const auto at = ShardLocation::unpack(locations_[shard].load(std::memory_order_acquire));
    BucketType* const first = bucket(at.first_line);
    return {first + multiply_high(hash << kShardBits, at.homes), first + at.buckets()};
  }

  static uint64_t capacity(uint32_t shard, uint32_t homes);
  static uint32_t homes_for(uint32_t shard, uint64_t keys);
  static uint32_t next_homes(uint32_t homes);
  /// Homes the shard needs for its keys and `more`; the same number when they fit.
  uint32_t homes_after(uint32_t shard, uint32_t homes, uint64_t more) const;
  void freeze_all(ShardLocation at);
  bool copy_all(ShardLocation from, ShardLocation to);
  bool rebuild(uint32_t shard, ShardLocation from, uint32_t homes, Growth growth);
  void publish(uint32_t shard, ShardLocation from, ShardLocation to);

  LineArena arena_;
  // Published by release when a shard moves, read by acquire. See ShardLocation.
  Atom<uint64_t> locations_[kShards] = {};
  std::unique_ptr<Shard[]> shards_;
  // Statistics; publish nothing.
  std::atomic<uint64_t> buckets_{0};
  std::atomic<uint64_t> grown_{0};
};

using Index = BasicIndex<>;

}  // namespace hotrow

#include "table/index-inl.h"

#endif  // HOTROW_TABLE_INDEX_H_
