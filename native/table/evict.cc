// How rows go: the coldest of a sample when there are too many, or all that a sweep finds.
//
// Keys lie in the order of their hashes, so any run of buckets is a random sample of the table. A
// hand goes round the buckets; each eviction reads sixteen keys for every victim and takes the
// coldest: some 6 % of the table's coldest rows, found at the speed of sequential reads, and the
// same ones for any number of threads. Candidates without a row are left to decay().
#include <algorithm>
#include <bit>
#include <cmath>

#include "table/indexed_rows.h"

namespace hotrow {

namespace {

// Keys read for each victim.
constexpr size_t kSampled = 16;
// Fewer where each costs a random row.
constexpr size_t kSampledNorms = 8;
// More leave nothing of a byte.
constexpr double kMostHalvings = 8;
// Victims chosen at once: their list stays small.
constexpr uint64_t kMostVictims = 4096;

}  // namespace

template <class IndexT>
float IndexedRows<IndexT>::norm_of(uint32_t handle, std::vector<float>& values) const {
  values.resize(rules_.dim());
  const std::byte* const row = rows_.row(handle);
  rules_.codec().gather()(&row, 1, values.size(), values.data(), values.size());
  float sum = 0;
  for (const float value : values) sum += value * value;
  return std::sqrt(sum);
}

template <class IndexT>
uint64_t IndexedRows<IndexT>::rank_of(const typename IndexT::Entry& entry, Moment moment) const {
  switch (rules_.eviction().policy) {
    case EvictionPolicy::kRandom:
      return mix64(entry.key ^ mix64(hand_steps_));
    case EvictionPolicy::kSmallestNorm: {
      std::vector<float>& values = norm_values_;
      // Floats that are not negative lie in the order of their bits.
      return std::bit_cast<uint32_t>(norm_of(entry.handle, values));
    }
    default:
      return rules_.heat().rank(entry.heat, moment.clock, moment.step);
  }
}

template <class IndexT>
bool IndexedRows<IndexT>::add_victims(uint32_t shard, uint32_t bucket, Moment moment,
                                      const BatchIndex* spared, std::vector<Victim>& victims) {
  // The mutex is held; the analysis does not see that through glance().
  return index_.glance(shard, bucket, [&](const auto& entry) HOTROW_NO_THREAD_SAFETY_ANALYSIS {
    if (!IndexT::is_row(entry.handle)) return;
    const uint64_t hash = mix64(entry.key);
    if (spared != nullptr && spared->contains(entry.key, hash)) return;
    victims.push_back({rank_of(entry, moment), hash, entry.key});
  });
}

// Moves the hand over buckets until so many keys were read; false when it has seen the whole table
// without finding one.
template <class IndexT>
bool IndexedRows<IndexT>::collect_victims(size_t sampled, Moment moment, const BatchIndex* spared,
                                          std::vector<Victim>& victims) {
  victims.clear();
  const uint64_t all = index_.buckets() + IndexT::kShards;
  for (uint64_t step = 0; step < all && victims.size() < sampled; ++step) {
    const bool there = add_victims(hand_shard_, hand_bucket_, moment, spared, victims);
    ++hand_bucket_;
    if (there) continue;
    hand_bucket_ = 0;
    hand_shard_ = (hand_shard_ + 1) % IndexT::kShards;
  }
  return !victims.empty();
}

template <class IndexT>
uint64_t IndexedRows<IndexT>::evict_but(uint64_t rows, EvictionReason reason, Moment moment,
                                        const BatchIndex* spared) {
  const MutexLock lock(hand_mutex_);
  const size_t sampled =
      rules_.eviction().policy == EvictionPolicy::kSmallestNorm ? kSampledNorms : kSampled;
  std::vector<Victim> victims;
  uint64_t evicted = 0;
  // Keys may go while they are chosen; what is left is tried once more, not for ever.
  for (uint64_t rounds = 2 + 2 * (rows / kMostVictims); evicted < rows && rounds > 0; --rounds) {
    const uint64_t wanted = std::min(rows - evicted, kMostVictims);
    ++hand_steps_;
    if (!collect_victims(wanted * sampled, moment, spared, victims)) break;
    keep_coldest(victims, wanted);
    evicted += remove_all(victims, reason, moment);
  }
  return evicted;
}

// Leaves them in the order of their shards.
template <class IndexT>
void IndexedRows<IndexT>::keep_coldest(std::vector<Victim>& victims, size_t wanted) {
  const auto colder = [](const Victim& a, const Victim& b) {
    return a.rank != b.rank ? a.rank < b.rank : a.hash < b.hash;
  };
  if (wanted < victims.size()) {
    std::ranges::nth_element(victims, victims.begin() + static_cast<ptrdiff_t>(wanted), colder);
    victims.resize(wanted);
  }
  std::ranges::sort(victims, {}, &Victim::hash);
}

template <class IndexT>
void IndexedRows<IndexT>::evict_in_shard(uint32_t shard, uint64_t keys, const PushPlan& plan) {
  const MutexLock lock(hand_mutex_);
  std::vector<Victim> victims;
  uint32_t bucket = 0;
  while (add_victims(shard, bucket++, plan.moment, plan.batch.get(), victims)) {
  }
  keep_coldest(victims, keys);
  (void)remove_all(victims, EvictionReason::kCapacity, plan.moment);
}

template <class IndexT>
uint64_t IndexedRows<IndexT>::remove_all(std::span<const Victim> victims, EvictionReason reason,
                                         Moment moment) {
  if (tier_ != nullptr) return demote_all(victims, moment);
  // Before anything is removed: what was removed must be given back.
  std::vector<uint32_t> freed;
  std::vector<uint64_t> keys;
  freed.reserve(victims.size());
  keys.reserve(victims.size());
  prepare(victims.size());
  {
    Writer writer(index_);
    for (const Victim& victim : victims) {
      writer.enter(IndexShards::of(victim.hash));
      Hold hold = writer.find(victim.key, victim.hash);
      if (!hold.has_row()) continue;
      keys.push_back(victim.key);
      remove(writer, hold, freed);
    }
  }
  settle(victims.size());
  give_back(freed);
  note_evicted(keys, reason);
  return keys.size();
}

template <class IndexT>
uint64_t IndexedRows<IndexT>::enter_prepared(Writer& writer, uint32_t shard) {
  for (uint64_t prepared = 0;;) {
    writer.enter(shard);
    if (!changes_ || writer.size() <= prepared) return prepared;
    const uint64_t wanted = writer.size();
    writer.leave();
    settle(prepared);
    prepared = 0;
    prepare(wanted);
    prepared = wanted;
  }
}

template <class IndexT>
uint64_t IndexedRows<IndexT>::sweep(const Sweep& sweep, uint32_t first, uint32_t last,
                                    EvictionReason reason, Moment moment) {
  const HeatRule& heat = rules_.heat();
  std::vector<uint32_t> freed;
  std::vector<uint64_t> keys;
  std::vector<float> values;
  for (uint32_t shard = first; shard < last; ++shard) {
    Writer writer(index_);
    const uint64_t prepared = enter_prepared(writer, shard);
    freed.reserve(freed.size() + writer.size());
    keys.reserve(keys.size() + writer.size());
    writer.each([&](Hold hold, uint64_t key) {
      if (!hold.has_row()) return;
      bool goes = sweep.below_norm > 0 && norm_of(hold.handle(), values) < sweep.below_norm;
      if constexpr (kHeat) {
        const Heat its = hold.holder->heats.load(hold.place);
        goes |= sweep.expired && heat.expired(its, moment.clock);
        goes |= sweep.unseen_ms > 0 && heat.unseen_ms(its, moment.clock) >= sweep.unseen_ms;
        goes |= sweep.below_uses > 0 && heat.uses(its, moment.clock) < sweep.below_uses;
      }
      if (!goes) return;
      keys.push_back(key);
      remove(writer, hold, freed);
    });
    settle(prepared);
  }
  give_back(freed);
  note_evicted(keys, reason);
  return keys.size();
}

template <class IndexT>
void IndexedRows<IndexT>::age_candidates(Writer& writer, double factor, const BatchIndex* spared) {
  writer.each([&](Hold hold, uint64_t key) {
    if (IndexT::is_row(hold.handle())) return;
    if (spared != nullptr && spared->contains(key, mix64(key))) return;
    const auto seen = static_cast<uint32_t>(IndexT::times_seen(hold.handle()) * factor);
    writer.begin(hold);
    if (seen == 0) {
      writer.erase(hold);
    } else {
      writer.set_handle(hold, IndexT::seen_handle(seen));
    }
    writer.end(hold);
  });
}

template <class IndexT>
void IndexedRows<IndexT>::decay(double factor, Moment moment) {
  for (uint32_t shard = 0; shard < IndexT::kShards; ++shard) {
    Writer writer(index_);
    writer.enter(shard);
    if constexpr (kHeat) {
      writer.each([&](Hold hold, uint64_t) {
        auto& heats = hold.holder->heats;
        heats.store(hold.place,
                    rules_.heat().decayed(heats.load(hold.place), moment.clock, factor));
      });
    }
    age_candidates(writer, factor, nullptr);
  }
  if (!bloom_) return;
  // A filter can only halve: as often as comes nearest.
  const double halves = factor > 0 ? std::round(-std::log2(factor)) : kMostHalvings;
  for (int i = 0; i < static_cast<int>(std::min(halves, kMostHalvings)); ++i) bloom_->halve();
}

template <class IndexT>
void IndexedRows<IndexT>::heats(KeyBatch keys, std::span<uint32_t> heats) {
  std::ranges::fill(heats, kNoHeat);
  if constexpr (kHeat) {
    Writer writer(index_);
    for (size_t i = 0; i < keys.size(); ++i) {
      const uint64_t hash = mix64(keys[i]);
      writer.enter(IndexShards::of(hash));
      const Hold hold = writer.find(keys[i], hash);
      if (hold.has_row()) heats[i] = hold.holder->heats.load(hold.place).bits();
    }
  }
}

template <class IndexT>
void IndexedRows<IndexT>::set_heats(KeyBatch keys, std::span<const uint32_t> heats, uint32_t theirs,
                                    Moment moment) {
  if constexpr (kHeat) {
    Writer writer(index_);
    for (size_t i = 0; i < keys.size(); ++i) {
      if (heats[i] == kNoHeat) continue;
      const uint64_t hash = mix64(keys[i]);
      writer.enter(IndexShards::of(hash));
      const Hold hold = writer.find(keys[i], hash);
      if (!hold.has_row()) continue;
      hold.holder->heats.store(hold.place,
                               rules_.heat().moved(Heat(heats[i]), theirs, moment.clock));
    }
  }
}

template <class IndexT>
void IndexedRows<IndexT>::note_evicted(std::span<const uint64_t> keys, EvictionReason reason) {
  const MutexLock lock(log_mutex_);
  evicted_[static_cast<size_t>(reason)] += keys.size();
  const size_t most = rules_.eviction().log;
  if (most == 0) return;
  try {
    for (const uint64_t key : keys) {
      if (log_.size() == most) log_.pop_front();
      log_.push_back({key, reason});
    }
  } catch (const std::bad_alloc&) {
    // The log is shorter, then; the rows are gone all the same.
  }
}

template <class IndexT>
std::vector<EvictedKey> IndexedRows<IndexT>::take_evicted(size_t most) {
  const MutexLock lock(log_mutex_);
  const auto end = log_.begin() + static_cast<ptrdiff_t>(std::min(most, log_.size()));
  std::vector<EvictedKey> taken(log_.begin(), end);
  log_.erase(log_.begin(), end);
  return taken;
}

#define HOTROW_INSTANTIATE(IndexT)                                                               \
  template uint64_t IndexedRows<IndexT>::evict_but(uint64_t, EvictionReason, Moment,             \
                                                   const BatchIndex*);                           \
  template void IndexedRows<IndexT>::evict_in_shard(uint32_t, uint64_t, const PushPlan&);        \
  template uint64_t IndexedRows<IndexT>::sweep(const Sweep&, uint32_t, uint32_t, EvictionReason, \
                                               Moment);                                          \
  template void IndexedRows<IndexT>::age_candidates(Writer&, double, const BatchIndex*);         \
  template void IndexedRows<IndexT>::decay(double, Moment);                                      \
  template void IndexedRows<IndexT>::heats(KeyBatch, std::span<uint32_t>);                       \
  template void IndexedRows<IndexT>::set_heats(KeyBatch, std::span<const uint32_t>, uint32_t,    \
                                               Moment);                                          \
  template std::vector<EvictedKey> IndexedRows<IndexT>::take_evicted(size_t);
HOTROW_FOR_BOTH_INDEXES(HOTROW_INSTANTIATE)
#undef HOTROW_INSTANTIATE

}  // namespace hotrow
