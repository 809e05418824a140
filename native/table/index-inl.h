// The index's algorithms; see index.h and bucket.h for what they keep.
#ifndef HOTROW_TABLE_INDEX_INL_H_
#define HOTROW_TABLE_INDEX_INL_H_

#include <functional>

#include "table/index.h"

namespace hotrow {

template <class BucketT>
Status BasicIndex<BucketT>::open() {
  HOTROW_RETURN_IF_ERROR(arena_.open());
  for (uint32_t shard = 0; shard < kShards; ++shard) {
    ShardLocation at{.first_line = 0, .homes = 1};
    const std::optional<uint32_t> first = arena_.allocate(at.buckets(), true);
    if (!first) return Status::capacity("no memory for the smallest index");
    at.first_line = *first;
    buckets_.fetch_add(at.buckets(), std::memory_order_relaxed);
    locations_[shard].store(at.pack(), std::memory_order_release);
    shards_[shard].grow_at.store(capacity(shard, at.homes), std::memory_order_relaxed);
  }
  return {};
}

template <class BucketT>
typename BasicIndex<BucketT>::Sight BasicIndex<BucketT>::probe(uint64_t key, uint64_t hash) const {
  Backoff backoff;
  for (;;) {
    Sight sight{.home = locate(hash), .word = {}};
    sight.word = sight.home->load();
    if (!sight.word.readable()) {
      wait(backoff);
      continue;
    }
    const BucketType* at = sight.home;
    BucketWord word = sight.word;
    for (;;) {
      const uint32_t found = at->find(key, word);
      if (found != kPlaces) {
        const uint32_t handle = at->handles[found].load(std::memory_order_relaxed);
        if (!is_row(handle)) break;
        sight.handle = handle;
        return sight;
      }
      if (!word.overflow()) break;
      word = (++at)->load();
    }
    if (still(sight)) return sight;
    wait(backoff);
  }
}

template <class BucketT>
template <class Visit>
bool BasicIndex<BucketT>::glance(uint32_t shard, uint32_t number, const Visit& visit) const {
  const auto at = ShardLocation::unpack(locations_[shard].load(std::memory_order_acquire));
  if (number >= at.buckets()) return false;
  const BucketType& here = *(bucket(at.first_line) + number);
  const BucketWord word = here.load();
  if (word.moved()) return true;
  for (uint32_t places = word.occupied(); places != 0; places &= places - 1) {
    const auto place = static_cast<uint32_t>(std::countr_zero(places));
    Entry entry{.key = here.keys[place].load(std::memory_order_relaxed),
                .handle = here.handles[place].load(std::memory_order_relaxed),
                .heat = {}};
    if constexpr (BucketT::kHeat) entry.heat = here.heats.load(place);
    visit(entry);
  }
  return true;
}

template <class BucketT>
std::optional<uint64_t> BasicIndex<BucketT>::walk(uint64_t from,
                                                  std::vector<uint64_t>& keys) const {
  const uint32_t shard = IndexShards::of(from);
  const size_t before = keys.size();
  Backoff backoff;
  for (;; wait(backoff)) {
    keys.resize(before);
    const auto at = ShardLocation::unpack(locations_[shard].load(std::memory_order_acquire));
    const uint32_t number = home_number(from, at.homes);
    const BucketType* const first = bucket(at.first_line);
    const Sight home{.home = first + number, .word = (first + number)->load()};
    if (!home.word.readable()) continue;
    const BucketType* bucket_at = home.home;
    for (BucketWord word = home.word;; word = (++bucket_at)->load()) {
      for (uint32_t places = word.occupied(); places != 0; places &= places - 1) {
        const auto place = static_cast<uint32_t>(std::countr_zero(places));
        const uint64_t key = bucket_at->keys[place].load(std::memory_order_relaxed);
        const uint64_t hash = mix64(key);
        const uint32_t handle = bucket_at->handles[place].load(std::memory_order_relaxed);
        // Chains cross: others' keys lie in them too.
        if (IndexShards::of(hash) == shard && home_number(hash, at.homes) == number &&
            hash >= from && is_row(handle)) {
          keys.push_back(key);
        }
      }
      if (!word.overflow()) break;
    }
    if (!still(home)) continue;
    const uint64_t next_shard = (uint64_t{shard} + 1) << (64 - IndexShards::kBits);
    if (number + 1 == at.homes) {
      return shard + 1 == kShards ? std::nullopt : std::optional(next_shard);
    }
    // The least hash whose home is the next: the inverse of home_number(), rounded up.
    const unsigned __int128 scaled = static_cast<unsigned __int128>(number + 1) << 64;
    const auto fraction = static_cast<uint64_t>((scaled + at.homes - 1) / at.homes);
    constexpr uint64_t kRoundUp = (uint64_t{1} << IndexShards::kBits) - 1;
    return (uint64_t{shard} << (64 - IndexShards::kBits)) +
           ((fraction + kRoundUp) >> IndexShards::kBits);
  }
}

template <class BucketT>
typename BasicIndex<BucketT>::Chains BasicIndex<BucketT>::chains(uint32_t shard) const {
  Chains chains;
  const auto at = ShardLocation::unpack(locations_[shard].load(std::memory_order_acquire));
  for (uint32_t i = 0; i < at.buckets(); ++i) {
    glance(shard, i, [&](const Entry& entry) {
      const uint32_t home = home_number(mix64(entry.key), at.homes);
      // A shard rebuilt meanwhile gives numbers of another array.
      const uint32_t way = i >= home ? i - home + 1 : 1;
      ++chains.keys;
      chains.buckets += way;
      chains.longest = std::max(chains.longest, way);
    });
  }
  return chains;
}

// Keys a shard takes before it grows: between 78 and 86 % of its home places, spread over the
// shards so that they do not all grow in the same batch.
template <class BucketT>
uint64_t BasicIndex<BucketT>::capacity(uint32_t shard, uint32_t homes) {
  const uint64_t percent = 78 + shard % 9;
  return std::max<uint64_t>(uint64_t{homes} * kPlaces * percent / 100, 1);
}

template <class BucketT>
uint32_t BasicIndex<BucketT>::homes_for(uint32_t shard, uint64_t keys) {
  uint32_t homes = static_cast<uint32_t>(keys * 100 / (uint64_t{kPlaces} * 78)) + 1;
  while (homes > 1 && capacity(shard, homes - 1) >= keys) --homes;
  return homes;
}

// Small shards double, because a rebuild costs them next to nothing; larger ones grow by a quarter,
// so that a large table keeps its places 65 to 85 % full.
template <class BucketT>
uint32_t BasicIndex<BucketT>::next_homes(uint32_t homes) {
  constexpr uint32_t kSmall = 64;
  return homes < kSmall ? homes * 2 : homes + homes / 4;
}

// For keys that collide on purpose, whose chain is longer than the tail: fewer arrays on the way.
template <class BucketT>
uint32_t BasicIndex<BucketT>::roomier_homes(uint32_t homes) {
  return homes + homes * 3 / 8 + 1;
}

template <class BucketT>
uint32_t BasicIndex<BucketT>::homes_after(uint32_t shard, uint32_t homes, uint64_t more) const {
  const uint64_t wanted = shards_[shard].size.load(std::memory_order_relaxed) + more;
  if (wanted <= capacity(shard, homes)) return homes;
  return std::max(next_homes(homes), homes_for(shard, wanted));
}

template <class BucketT>
uint64_t BasicIndex<BucketT>::growth_bytes(const IndexShards::Counts& more) const {
  uint64_t lines = 0;
  for (uint32_t shard = 0; shard < kShards; ++shard) {
    if (more[shard] == 0) continue;
    ShardLocation at = ShardLocation::unpack(locations_[shard].load(std::memory_order_relaxed));
    const uint32_t homes = homes_after(shard, at.homes, more[shard]);
    if (homes == at.homes) continue;
    at.homes = homes;
    lines += at.buckets();
  }
  return lines == 0 ? 0 : lines * kLineBytes + kHugePageBytes;
}

template <class BucketT>
uint64_t BasicIndex<BucketT>::size() const {
  uint64_t sum = 0;
  for (uint32_t i = 0; i < kShards; ++i) sum += shards_[i].size.load(std::memory_order_relaxed);
  return sum;
}

// --- The writer.

template <class BucketT>
void BasicIndex<BucketT>::Writer::enter(uint32_t shard) {
  if (shard == number_) return;
  leave();
  Backoff backoff;
  Atom<uint32_t>& taken = index_.shards_[shard].taken;
  for (;; wait(backoff)) {
    uint32_t free = 0;
    if (taken.load(std::memory_order_relaxed) == 0 &&
        taken.compare_exchange_weak(free, 1, std::memory_order_acquire,
                                    std::memory_order_relaxed)) {
      break;
    }
  }
  number_ = shard;
  look();
}

template <class BucketT>
void BasicIndex<BucketT>::Writer::leave() {
  if (number_ == kNone) return;
  shard().taken.store(0, std::memory_order_release);
  number_ = kNone;
}

template <class BucketT>
void BasicIndex<BucketT>::Writer::look() {
  at_ = ShardLocation::unpack(index_.locations_[number_].load(std::memory_order_relaxed));
  first_ = index_.bucket(at_.first_line);
  end_ = first_ + at_.buckets();
}

template <class BucketT>
typename BasicIndex<BucketT>::Writer::Hold BasicIndex<BucketT>::Writer::find(uint64_t key,
                                                                             uint64_t hash) const {
  Hold hold;
  hold.home = first_ + home_number(hash, at_.homes);
  BucketType* at = hold.home;
  for (BucketWord word = at->load();; word = (++at)->load()) {
    hold.place = at->find(key, word);
    if (hold.place != kPlaces) {
      hold.holder = at;
      return hold;
    }
    if (!word.overflow()) return hold;
  }
}

template <class BucketT>
void BasicIndex<BucketT>::Writer::begin(const Hold& hold) const {
  const BucketWord word(hold.home->word.load(std::memory_order_relaxed));
  hold.home->word.store(word.busy().bits(), std::memory_order_relaxed);
  sequence_write_fence();
}

template <class BucketT>
void BasicIndex<BucketT>::Writer::end(const Hold& hold) const {
  const BucketWord word(hold.home->word.load(std::memory_order_relaxed));
  hold.home->store(word.changed());
}

template <class BucketT>
bool BasicIndex<BucketT>::Writer::insert(Hold& hold, uint64_t key, uint32_t handle) {
  for (BucketType* at = hold.home; at != end_; ++at) {
    const BucketWord word(at->word.load(std::memory_order_relaxed));
    const uint32_t place = word.first_empty();
    if (place < kPlaces) {
      at->put(place, key, handle);
      at->store(word.with_place(place));
      hold.holder = at;
      hold.place = place;
      shard().size.store(shard().size.load(std::memory_order_relaxed) + 1,
                         std::memory_order_relaxed);
      return true;
    }
    // The last one's chain ends there, so that nobody walks on.
    if (at + 1 != end_) at->store(word.with_overflow());
  }
  return false;
}

template <class BucketT>
template <class Placed>
bool BasicIndex<BucketT>::Writer::put(Hold& hold, uint64_t key, uint32_t handle, uint64_t more,
                                      const Placed& placed) {
  if (!hold.found() && wants_growth()) {
    // Refused memory is no failure yet: the shard still has a few empty places.
    (void)grow(more, false, Growth::kAlways);
    hold = find(key, mix64(key));
  }
  for (;;) {
    begin(hold);
    const bool there = hold.found();
    const bool has_place = there || insert(hold, key, handle);
    if (there) set_handle(hold, handle);
    if (has_place) placed(hold);
    end(hold);
    if (has_place) return true;
    if (!grow(1, true, Growth::kAlways)) return false;
    hold = find(key, mix64(key));
  }
}

template <class BucketT>
void BasicIndex<BucketT>::Writer::erase(Hold& hold) {
  Shard& counts = shard();
  counts.size.store(counts.size.load(std::memory_order_relaxed) - 1, std::memory_order_relaxed);
  counts.erased.store(counts.erased.load(std::memory_order_relaxed) + 1, std::memory_order_relaxed);
  const BucketWord word(hold.holder->word.load(std::memory_order_relaxed));
  hold.holder->store(word.without_place(hold.place));
  hold.holder = nullptr;
}

template <class BucketT>
template <class Visit>
void BasicIndex<BucketT>::Writer::each(const Visit& visit) const {
  for (uint32_t bucket = 0; bucket < buckets(); ++bucket) each_in(bucket, visit);
}

template <class BucketT>
template <class Visit>
void BasicIndex<BucketT>::Writer::each_in(uint32_t bucket, const Visit& visit) const {
  BucketType* const b = first_ + bucket;
  for (uint32_t places = b->load().occupied(); places != 0; places &= places - 1) {
    const auto place = static_cast<uint32_t>(std::countr_zero(places));
    const uint64_t key = b->keys[place].load(std::memory_order_relaxed);
    visit(Hold{first_ + home_number(mix64(key), at_.homes), b, place}, key);
  }
}

template <class BucketT>
bool BasicIndex<BucketT>::Writer::wants_growth() const {
  const uint64_t grow_at = shard().grow_at.load(std::memory_order_relaxed);
  return shard().size.load(std::memory_order_relaxed) >= grow_at ||
         shard().erased.load(std::memory_order_relaxed) >= grow_at;
}

template <class BucketT>
uint64_t BasicIndex<BucketT>::Writer::over_capacity(uint64_t more) const {
  const uint64_t wanted = shard().size.load(std::memory_order_relaxed) + more;
  const uint64_t most = capacity(number_, at_.homes);
  return wanted > most ? wanted - most : 0;
}

template <class BucketT>
bool BasicIndex<BucketT>::Writer::grow(uint64_t more, bool force, Growth growth) {
  uint32_t homes = index_.homes_after(number_, at_.homes, more);
  if (force && homes == at_.homes) homes = roomier_homes(homes);
  if (homes != at_.homes) return rebuild(homes, growth);
  const bool worn = shard().erased.load(std::memory_order_relaxed) >=
                    shard().grow_at.load(std::memory_order_relaxed);
  // Tidying up can wait for better times.
  if (worn) (void)rebuild(homes, Growth::kWithinBudget);
  return true;
}

// Copies every key; false when a chain of the new array runs past its end.
template <class BucketT>
bool BasicIndex<BucketT>::Writer::copy_all(ShardLocation to) const {
  constexpr auto kRelaxed = std::memory_order_relaxed;
  BucketType* const new_first = index_.bucket(to.first_line);
  BucketType* const new_end = new_first + to.buckets();
  for (BucketType* b = first_; b != end_; ++b) {
    for (uint32_t places = b->load().occupied(); places != 0; places &= places - 1) {
      const auto place = static_cast<uint32_t>(std::countr_zero(places));
      const uint64_t key = b->keys[place].load(kRelaxed);
      BucketType* target = new_first + home_number(mix64(key), to.homes);
      BucketWord word(target->word.load(kRelaxed));
      while (word.first_empty() >= kPlaces) {
        target->word.store(word.with_overflow().bits(), kRelaxed);
        if (++target == new_end) return false;
        word = BucketWord(target->word.load(kRelaxed));
      }
      const uint32_t empty = word.first_empty();
      target->put(empty, key, b->handles[place].load(kRelaxed));
      if constexpr (BucketT::kHeat) target->heats.store(empty, b->heats.load(place));
      target->word.store(word.with_place(empty).bits(), kRelaxed);
    }
  }
  return true;
}

// Readers go on in the old array, which nobody changes meanwhile.
template <class BucketT>
bool BasicIndex<BucketT>::Writer::rebuild(uint32_t homes, Growth growth) {
  ShardLocation to{.first_line = 0, .homes = homes};
  std::optional<uint32_t> first =
      index_.arena_.allocate(to.buckets(), growth == Growth::kWithinBudget);
  if (!first) return false;
  to.first_line = *first;
  while (!copy_all(to)) {
    index_.arena_.free(to.first_line, to.buckets());
    to.homes = roomier_homes(to.homes);
    first = index_.arena_.allocate(to.buckets(), false);
    if (!first) return false;
    to.first_line = *first;
  }
  publish(to);
  return true;
}

template <class BucketT>
void BasicIndex<BucketT>::Writer::publish(ShardLocation to) {
  shard().grow_at.store(capacity(number_, to.homes), std::memory_order_relaxed);
  shard().erased.store(0, std::memory_order_relaxed);
  index_.buckets_.fetch_add(to.buckets() - at_.buckets(), std::memory_order_relaxed);
  // Moved first: a reader still on the old array must not find its word unchanged once the new one
  // can change.
  for (BucketType* b = first_; b != end_; ++b) b->store(b->load().with_moved());
  index_.locations_[number_].store(to.pack(), std::memory_order_release);
  index_.grown_.fetch_add(1, std::memory_order_relaxed);
  EpochDomain::instance().retire(
      [index = &index_, from = at_] { index->arena_.free(from.first_line, from.buckets()); });
  look();
}

}  // namespace hotrow

#endif  // HOTROW_TABLE_INDEX_INL_H_
