// The index of a table: key -> row handle, in shards that grow one by one.
//
// The top bits of a key's hash name its shard, the following ones its home bucket by multiply and
// shift, so a shard can grow by any factor and a rebuild reads the old array and writes the new
// one in order. Only `locations_` (8 KiB, one word a shard) is read to find a bucket.
//
// Threads: any number of readers (`probe`, `still`, `scan`), and one writer a shard (`Writer`),
// each inside an EpochGuard. Readers wait for nobody but the writer of the very bucket they read; a
// rebuild lets them read on. Bucket protocol: bucket.h.
#ifndef HOTROW_TABLE_INDEX_H_
#define HOTROW_TABLE_INDEX_H_

#include <algorithm>
#include <array>
#include <atomic>
#include <cstdint>
#include <memory>
#include <optional>
#include <vector>

#include "base/hash.h"
#include "base/shards.h"
#include "base/sync.h"
#include "memory/epoch.h"
#include "memory/line_arena.h"
#include "memory/slab_pool.h"
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

enum class Growth : uint8_t { kWithinBudget, kAlways };

template <class BucketT>
class BasicIndex {
 public:
  using BucketType = BucketT;
  template <class T>
  using Atom = typename BucketT::template Atom<T>;

  static constexpr uint32_t kPlaces = BucketT::kPlaces;
  static constexpr uint32_t kShards = IndexShards::kCount;
  static constexpr uint32_t kNoHandle = UINT32_MAX;
  /// A key that was seen but has no row yet holds, in place of a row's handle, how often.
  static constexpr uint32_t kMostSeen = kNoHandle - 1 - kMostRows;
  static constexpr bool is_row(uint32_t handle) { return handle < kMostRows; }
  static constexpr uint32_t seen_handle(uint32_t times) {
    return kMostRows + std::min(times, kMostSeen);
  }
  static constexpr uint32_t times_seen(uint32_t handle) { return handle - kMostRows; }

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

  const BucketType* home_of(uint64_t hash) const { return locate(hash); }
  void prefetch_home(uint64_t hash) const { __builtin_prefetch(home_of(hash), 0, 3); }

  /// Finds `key` as of one instant; waits only for a writer of the same home.
  Sight probe(uint64_t key, uint64_t hash) const;
  /// A key as its home bucket shows it: a hint that waits for nobody, until the home is found to
  /// have `word` still. Computed without a branch on what comes from memory.
  struct Peek {
    BucketWord word;
    uint32_t place;
    uint32_t named;  // the handle at that place
    bool here;       // which is the key's row

    uint32_t handle() const { return here ? named : kNoHandle; }
    /// Of keys that are not here, the slab's first row: some row to fetch or to copy.
    uint32_t row_or_first() const { return named & -uint32_t{here}; }
  };
  static Peek peek(const BucketType& home, uint64_t key) {
    // The word before the keys: an emptied place still matches, and may be another key's by then.
    const BucketWord word = home.load();
    const uint32_t found = home.matches(key) & word.occupied();
    const uint32_t place = BucketType::place_of(found);
    const uint32_t named = home.handles[place].load(std::memory_order_relaxed);
    const bool here = (found != 0) & word.readable() & is_row(named);
    return {word, place, named, here};
  }
  /// Has nothing changed under this home since probe()?
  static bool still(const Sight& sight) {
    sequence_read_fence();
    return sight.home->word.load(std::memory_order_relaxed) == sight.word.bits();
  }

  /// One place of one bucket as a scan saw it; heat only where buckets have it.
  struct Entry {
    uint64_t key;
    uint32_t handle;
    Heat heat;
  };
  /// Calls visit(entry) for the entries of bucket `number` of a shard as it now lies; false when
  /// there is no such bucket. An entry that comes or goes meanwhile may be seen or not, and one of
  /// a shard that is rebuilt meanwhile may be seen twice or not at all: for statistics and for
  /// finding victims, not for copies.
  template <class Visit>
  bool glance(uint32_t shard, uint32_t number, const Visit& visit) const;
  /// Appends the keys with rows whose hash is at least `from` and lies in the same home, as of one
  /// instant; returns the first hash after that home, or nothing when it was the last. Walked from
  /// 0 on, an index that grows meanwhile still gives every key that stays exactly once.
  std::optional<uint64_t> walk(uint64_t from, std::vector<uint64_t>& keys) const;

  /// The one writer of one shard at a time. For one thread, inside an EpochGuard.
  class Writer;

  /// Memory that taking `more[shard]` further keys needs beside what is there.
  uint64_t growth_bytes(const IndexShards::Counts& more) const;

  /// Keys, those without a row included.
  uint64_t size() const;
  /// Longest and mean number of buckets on the way to a key of this shard; reads all of it.
  struct Chains {
    uint64_t keys = 0;
    uint64_t buckets = 0;  // of all ways together
    uint32_t longest = 0;
  };
  Chains chains(uint32_t shard) const;
  uint32_t buckets_of(uint32_t shard) const {
    return ShardLocation::unpack(locations_[shard].load(std::memory_order_acquire)).buckets();
  }
  uint64_t buckets() const { return buckets_.load(std::memory_order_relaxed); }
  uint64_t memory_bytes() const { return arena_.memory_bytes(); }
  uint64_t grown() const { return grown_.load(std::memory_order_relaxed); }

 private:
  struct alignas(64) Shard {
    // 1 while a Writer is in the shard. Taken by acquire, given back by release.
    Atom<uint32_t> taken{0};
    // Counts, changed by the shard's writer alone; publish nothing.
    Atom<uint64_t> size{0};
    Atom<uint64_t> grow_at{0};
    Atom<uint64_t> erased{0};  // since the last rebuild
  };

  /// One step of a wait for another thread. A test's atoms are told, and let the other go on.
  static void wait(Backoff& backoff) {
    if constexpr (requires { Atom<uint32_t>::wait_point(); }) {
      Atom<uint32_t>::wait_point();
    } else {
      backoff.pause();
    }
  }
  BucketType* bucket(uint32_t line) const {
    return reinterpret_cast<BucketType*>(arena_.line(line));
  }
  static uint32_t home_number(uint64_t hash, uint32_t homes) {
    return static_cast<uint32_t>(multiply_high(hash << IndexShards::kBits, homes));
  }
  BucketType* locate(uint64_t hash) const {
    const auto at =
        ShardLocation::unpack(locations_[IndexShards::of(hash)].load(std::memory_order_acquire));
    return bucket(at.first_line) + home_number(hash, at.homes);
  }

  static uint64_t capacity(uint32_t shard, uint32_t homes);
  static uint32_t homes_for(uint32_t shard, uint64_t keys);
  static uint32_t next_homes(uint32_t homes);
  static uint32_t roomier_homes(uint32_t homes);
  /// Homes the shard needs for its keys and `more`; the same number when they fit.
  uint32_t homes_after(uint32_t shard, uint32_t homes, uint64_t more) const;

  LineArena arena_;
  // Published by release when a shard moves, read by acquire. See ShardLocation.
  Atom<uint64_t> locations_[kShards] = {};
  std::unique_ptr<Shard[]> shards_;
  // Statistics; publish nothing.
  std::atomic<uint64_t> buckets_{0};
  std::atomic<uint64_t> grown_{0};
};

template <class BucketT>
class BasicIndex<BucketT>::Writer {
 public:
  explicit Writer(BasicIndex& index) : index_(index) {}
  ~Writer() { leave(); }
  Writer(const Writer&) = delete;
  Writer& operator=(const Writer&) = delete;

  /// Takes the shard, waiting for its writer; leaves the one before.
  void enter(uint32_t shard);
  void leave();
  /// The shard's buckets as they lie now; other ones once it has been rebuilt.
  uint64_t location() const { return at_.pack(); }
  uint32_t buckets() const { return at_.buckets(); }

  /// Where a key of the shard is, or would begin.
  struct Hold {
    BucketType* home = nullptr;
    BucketType* holder = nullptr;  // the bucket that holds the key, or null
    uint32_t place = kPlaces;

    bool found() const { return holder != nullptr; }
    /// Of the key that was found.
    uint32_t handle() const { return holder->handles[place].load(std::memory_order_relaxed); }
    bool has_row() const { return found() && is_row(handle()); }
  };
  Hold find(uint64_t key, uint64_t hash) const;

  /// Around every change to the key or its row: readers of the home wait, or look again.
  void begin(const Hold& hold) const;
  void end(const Hold& hold) const;

  /// Adds the key, which was not found. False when there is no place:
  /// end(), grow, start again. Between begin() and end().
  [[nodiscard]] bool insert(Hold& hold, uint64_t key, uint32_t handle);
  /// Gives the key the handle, and a place where it has none: before that the shard grows, when it
  /// wants to, for `more` keys at once. Calls placed(hold) before anybody can find the key. False
  /// when there is no place for it and the system refuses memory; holds of before are void.
  template <class Placed>
  [[nodiscard]] bool put(Hold& hold, uint64_t key, uint32_t handle, uint64_t more,
                         const Placed& placed);
  /// Gives the key, which was found, another handle. Between begin() and end().
  void set_handle(const Hold& hold, uint32_t handle) const {
    hold.holder->handles[hold.place].store(handle, std::memory_order_relaxed);
  }
  /// Removes the key, which was found; its row is the caller's again after end(). Between begin()
  /// and end().
  void erase(Hold& hold);

  /// Calls visit(hold, key) for every key of the shard; it may erase the key.
  template <class Visit>
  void each(const Visit& visit) const;
  /// As each(), of the bucket of that number.
  template <class Visit>
  void each_in(uint32_t bucket, const Visit& visit) const;

  /// Should the shard be rebuilt before one more key comes: because it is full, or because so many
  /// keys have gone that overflow bits they left make every chain long?
  bool wants_growth() const;
  /// Keys of the shard.
  uint64_t size() const { return shard().size.load(std::memory_order_relaxed); }
  /// How many of the shard's keys are too many for it to take `more` without growing.
  uint64_t over_capacity(uint64_t more) const;
  /// Rebuilds the shard, if it must be, so that `more` further keys fit below its growth threshold;
  /// at least one step larger when `force`. False when memory is refused; nothing has changed then.
  /// Holds of before are void.
  bool grow(uint64_t more, bool force, Growth growth);

 private:
  static constexpr uint32_t kNone = UINT32_MAX;

  void look();
  bool copy_all(ShardLocation to) const;
  bool rebuild(uint32_t homes, Growth growth);
  void publish(ShardLocation to);
  Shard& shard() const { return index_.shards_[number_]; }

  BasicIndex& index_;
  uint32_t number_ = kNone;
  ShardLocation at_;
  BucketType* first_ = nullptr;
  BucketType* end_ = nullptr;
};

using PlainIndex = BasicIndex<PlainBucket>;
using HeatIndex = BasicIndex<HeatBucket>;

}  // namespace hotrow

#include "table/index-inl.h"

#endif  // HOTROW_TABLE_INDEX_H_
