// How a table is cut into shards: its units of locking, growth and work.
#ifndef HOTROW_BASE_SHARDS_H_
#define HOTROW_BASE_SHARDS_H_

#include <array>
#include <cstdint>

namespace hotrow {

struct IndexShards {
  static constexpr uint32_t kBits = 10;
  static constexpr uint32_t kCount = 1U << kBits;
  /// Keys by shard.
  using Counts = std::array<uint32_t, kCount>;

  /// The shard of a key, by the top bits of its hash.
  static constexpr uint32_t of(uint64_t hash) {
    return static_cast<uint32_t>(hash >> (64 - kBits));
  }
};

}  // namespace hotrow

#endif  // HOTROW_BASE_SHARDS_H_
