// Reading a table's rows in other ways than by gather: state, walks, figures.
#include <algorithm>

#include "table/indexed_rows.h"

namespace hotrow {

template <class IndexT>
uint64_t IndexedRows<IndexT>::gather_state(const GatherRequest& request) {
  // State is read rarely: one key after the other will do.
  const size_t state = rules_.state_values();
  const size_t dim = rules_.dim();
  const GatherValues copy = value_kernels(ValueType::kF32).gather;
  uint64_t hits = 0;
  for (size_t i = 0; i < request.keys.size(); ++i) {
    const uint64_t key = request.keys[i];
    float* const out = request.rows + i * request.stride;
    Backoff backoff;
    for (;; backoff.pause()) {
      const Sight sight = index_.probe(key, mix64(key));
      const bool found = sight.handle != IndexT::kNoHandle;
      if (found) {
        const std::byte* const row = rows_.row(sight.handle);
        const std::byte* const its_state = row + rules_.codec().bytes();
        copy(&its_state, 1, state, out, request.stride);
        if (request.values != nullptr) {
          rules_.codec().gather()(&row, 1, dim, request.values + i * dim, dim);
        }
      } else {
        rules_.optimizer().fill_state({out, state});
      }
      if (!IndexT::still(sight)) continue;
      if (request.found != nullptr) request.found[i] = found ? 1 : 0;
      hits += found ? 1 : 0;
      break;
    }
  }
  return hits;
}

template <class IndexT>
std::optional<uint64_t> IndexedRows<IndexT>::walk(uint64_t from, size_t count,
                                                  std::vector<uint64_t>& keys) const {
  std::optional<uint64_t> at = from;
  const size_t before = keys.size();
  while (at && keys.size() - before < count) at = index_.walk(*at, keys);
  return at;
}

template <class IndexT>
void IndexedRows<IndexT>::measure_memory(TableStats& stats) const {
  stats.rows = size();
  stats.row_bytes = rows_.stride();
  stats.row_memory_bytes = rows_.memory_bytes();
  stats.index_memory_bytes = index_.memory_bytes();
  stats.filter_memory_bytes = bloom_ ? bloom_->memory_bytes() : 0;
}

template <class IndexT>
void IndexedRows<IndexT>::measure(TableStats& stats) const {
  // Shards read for the figures of chains; hashes make all of them alike.
  constexpr uint32_t kSampledShards = 8;
  measure_memory(stats);
  stats.buckets = index_.buckets();
  stats.bucket_keys = IndexT::kPlaces;
  stats.shards = IndexT::kShards;
  stats.grown_shards = index_.grown();
  const uint64_t keys = index_.size();
  stats.candidates = keys > stats.rows ? keys - stats.rows : 0;
  stats.load = static_cast<double>(keys) / static_cast<double>(stats.buckets * IndexT::kPlaces);
  typename IndexT::Chains chains;
  for (uint32_t i = 0; i < kSampledShards; ++i) {
    const auto its = index_.chains(i * (IndexT::kShards / kSampledShards));
    chains.keys += its.keys;
    chains.buckets += its.buckets;
    chains.longest = std::max(chains.longest, its.longest);
  }
  stats.mean_probe =
      chains.keys == 0 ? 0 : static_cast<double>(chains.buckets) / static_cast<double>(chains.keys);
  stats.longest_probe = chains.longest;
  stats.demoted = demoted_.load(std::memory_order_relaxed);
  const MutexLock lock(log_mutex_);
  stats.evicted_capacity = evicted_[static_cast<size_t>(EvictionReason::kCapacity)];
  stats.evicted_expired = evicted_[static_cast<size_t>(EvictionReason::kExpired)];
  stats.evicted_demand = evicted_[static_cast<size_t>(EvictionReason::kDemand)];
  stats.evicted_shrink = evicted_[static_cast<size_t>(EvictionReason::kShrink)];
}

#define HOTROW_INSTANTIATE(IndexT)                                                          \
  template uint64_t IndexedRows<IndexT>::gather_state(const GatherRequest&);                \
  template std::optional<uint64_t> IndexedRows<IndexT>::walk(uint64_t, size_t,              \
                                                             std::vector<uint64_t>&) const; \
  template void IndexedRows<IndexT>::measure_memory(TableStats&) const;                     \
  template void IndexedRows<IndexT>::measure(TableStats&) const;
HOTROW_FOR_BOTH_INDEXES(HOTROW_INSTANTIATE)
#undef HOTROW_INSTANTIATE

}  // namespace hotrow
