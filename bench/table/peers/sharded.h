// A map that knows nothing of threads, 256 times, each behind a mutex.
#ifndef HOTROW_BENCH_TABLE_PEERS_SHARDED_H_
#define HOTROW_BENCH_TABLE_PEERS_SHARDED_H_

#include <array>
#include <cstdint>
#include <mutex>

namespace hotrow::bench {

template <class Map>
class ShardedMap {
 public:
  template <class Use>
  void with(uint64_t key, const Use& use) {
    Shard& shard = shard_of(key);
    const std::lock_guard<std::mutex> lock(shard.mutex);
    const auto found = shard.map.find(key);
    if (found != shard.map.end()) use(found->second);
  }
  template <class Use>
  void change(uint64_t key, const Use& use) {
    with(key, use);
  }
  template <class Use>
  void add(uint64_t key, uint32_t row, const Use& use) {
    Shard& shard = shard_of(key);
    const std::lock_guard<std::mutex> lock(shard.mutex);
    shard.map.emplace(key, row);
    use(row);
  }

 private:
  static constexpr uint32_t kShardBits = 8;
  struct alignas(64) Shard {
    std::mutex mutex;
    Map map;
  };

  /// By a hash of its own, so that a shard's keys are not alike in the bits its map uses.
  Shard& shard_of(uint64_t key) {
    return shards_[(key * 0xd6e8feb86659fd93U) >> (64 - kShardBits)];
  }

  std::array<Shard, 1U << kShardBits> shards_;
};

}  // namespace hotrow::bench

#endif  // HOTROW_BENCH_TABLE_PEERS_SHARDED_H_
