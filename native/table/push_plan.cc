#include "table/push_plan.h"

namespace hotrow {

void PushPart::sort_by_shard(const std::vector<uint64_t>& hashes, uint32_t first_shard) {
  // Fewer keys hardly share a shard.
  constexpr size_t kFewKeys = 256;
  order_.clear();
  if (hashes.size() < kFewKeys) return;
  order_.resize(hashes.size());
  IndexShards::Counts next = {};
  for (const uint64_t hash : hashes) ++next[IndexShards::of(hash)];
  uint32_t sum = 0;
  for (uint32_t i = 0; i < IndexShards::kCount; ++i) {
    uint32_t& first = next[(first_shard + i) % IndexShards::kCount];
    const uint32_t count = first;
    first = sum;
    sum += count;
  }
  for (uint32_t id = 0; id < hashes.size(); ++id) order_[next[IndexShards::of(hashes[id])]++] = id;
}

}  // namespace hotrow
