// The index's algorithms; see index.h and bucket.h for what they keep.
#ifndef HOTROW_TABLE_INDEX_INL_H_
#define HOTROW_TABLE_INDEX_INL_H_

#include <algorithm>
#include <functional>

#include "table/index.h"

namespace hotrow {

template <template <class> class Atom>
Status BasicIndex<Atom>::open() {
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

template <template <class> class Atom>
typename BasicIndex<Atom>::Sight BasicIndex<Atom>::probe(uint64_t key, uint64_t hash) const {
  Backoff backoff;
  for (;;) {
    const Place place = locate(hash);
    Sight sight{.home = place.home, .word = place.home->load()};
    if (!sight.word.readable()) {
      backoff.pause();
      continue;
    }
    const BucketType* at = place.home;
    BucketWord word = sight.word;
    for (;;) {
      const uint32_t found = at->find(key, word);
      if (found != kBucketKeys) {
        sight.handle = at->handles[found].load(std::memory_order_relaxed);
        return sight;
      }
      if (!word.overflow()) break;
      word = (++at)->load();
    }
    if (still(sight)) return sight;
    backoff.pause();
  }
}

template <template <class> class Atom>
typename BasicIndex<Atom>::Sight BasicIndex<Atom>::peek(uint64_t key, uint64_t hash) const {
  Sight sight{.home = home_of(hash), .word = {}};
  sight.word = sight.home->load();
  const uint32_t found = sight.home->find(key, sight.word);
  if (found != kBucketKeys) {
    sight.handle = sight.home->handles[found].load(std::memory_order_relaxed);
  }
  return sight;
}

template <template <class> class Atom>
typename BasicIndex<Atom>::Hold BasicIndex<Atom>::lock(uint64_t key, uint64_t hash) {
  Backoff backoff;
  Hold hold;
  hold.shard = shard_of(hash);
  for (;;) {
    const Place place = locate(hash);
    const BucketWord word = place.home->load();
    if (!word.locked() && place.home->try_replace(word, word.with_lock())) {
      hold.home = place.home;
      hold.end = place.end;
      hold.word = word.with_lock();
      break;
    }
    backoff.pause();
  }
  sequence_write_fence();
  BucketType* at = hold.home;
  BucketWord word = hold.word;
  for (;;) {
    hold.place = at->find(key, word);
    if (hold.place != kBucketKeys) {
      hold.holder = at;
      return hold;
    }
    if (!word.overflow()) return hold;
    word = (++at)->load();
  }
}

template <template <class> class Atom>
bool BasicIndex<Atom>::insert(Hold& hold, uint64_t key, uint32_t handle) {
  const auto take = [&](BucketType* holder, BucketWord word) {
    hold.holder = holder;
    hold.place = word.first_empty();
    holder->put(hold.place, key, handle);
    shards_[hold.shard].size.fetch_add(1, std::memory_order_relaxed);
    return word.with_place(hold.place);
  };
  if (!hold.word.full()) {
    hold.word = take(hold.home, hold.word);
    return true;
  }
  hold.word = hold.word.with_overflow();
  for (BucketType* at = hold.home + 1; at != hold.end; ++at) {
    Backoff backoff;
    BucketWord word = at->load();
    // Never moved here: a rebuild would first have to lock this key's home.
    while (word.locked() || !at->try_replace(word, word.with_lock())) {
      backoff.pause();
      word = at->load();
    }
    sequence_write_fence();
    if (!word.full()) {
      at->store(take(at, word).unlocked());
      return true;
    }
    // The last one's chain ends here, so that nobody walks on.
    at->store((at + 1 == hold.end ? word : word.with_overflow()).unlocked());
  }
  return false;
}

template <template <class> class Atom>
void BasicIndex<Atom>::erase(Hold& hold) {
  shards_[hold.shard].size.fetch_sub(1, std::memory_order_relaxed);
  shards_[hold.shard].erased.fetch_add(1, std::memory_order_relaxed);
  if (hold.holder == hold.home) {
    hold.word = hold.word.without_place(hold.place);
  } else {
    Backoff backoff;
    BucketWord word = hold.holder->load();
    while (word.locked() || !hold.holder->try_replace(word, word.with_lock())) {
      backoff.pause();
      word = hold.holder->load();
    }
    hold.holder->store(word.without_place(hold.place).unlocked());
  }
  hold.holder = nullptr;
}

// Keys a shard takes before it grows: between 76 and 84 % of its home places, spread over the
// shards so that they do not all grow in the same batch.
template <template <class> class Atom>
uint64_t BasicIndex<Atom>::capacity(uint32_t shard, uint32_t homes) {
  const uint64_t percent = 76 + shard % 9;
  return std::max<uint64_t>(uint64_t{homes} * kBucketKeys * percent / 100, 1);
}

template <template <class> class Atom>
uint32_t BasicIndex<Atom>::homes_for(uint32_t shard, uint64_t keys) {
  uint32_t homes = static_cast<uint32_t>(keys * 100 / (uint64_t{kBucketKeys} * 76)) + 1;
  while (homes > 1 && capacity(shard, homes - 1) >= keys) --homes;
  return homes;
}

// Small shards double, because a rebuild costs them next to nothing; larger ones grow by 3/8, so
// that a large table keeps its places 60 to 80 % full.
template <template <class> class Atom>
uint32_t BasicIndex<Atom>::next_homes(uint32_t homes) {
  constexpr uint32_t kSmall = 64;
  return homes < kSmall ? homes * 2 : homes + homes * 3 / 8;
}

template <template <class> class Atom>
uint32_t BasicIndex<Atom>::homes_after(uint32_t shard, uint32_t homes, uint64_t more) const {
  const uint64_t wanted = shards_[shard].size.load(std::memory_order_relaxed) + more;
  if (wanted <= capacity(shard, homes)) return homes;
  return std::max(next_homes(homes), homes_for(shard, wanted));
}

template <template <class> class Atom>
bool BasicIndex<Atom>::grow(uint32_t shard, uint64_t more, bool force, Growth growth) {
  MutexLock lock(shards_[shard].growing);
  const auto at = ShardLocation::unpack(locations_[shard].load(std::memory_order_acquire));
  uint32_t homes = homes_after(shard, at.homes, more);
  if (force && homes == at.homes) homes = next_homes(homes);
  const bool worn = shards_[shard].erased.load(std::memory_order_relaxed) >=
                    shards_[shard].grow_at.load(std::memory_order_relaxed);
  if (homes != at.homes) return rebuild(shard, at, homes, growth);
  // Tidying up can wait for better times.
  if (worn) (void)rebuild(shard, at, homes, growth);
  return true;
}

template <template <class> class Atom>
void BasicIndex<Atom>::freeze_all(ShardLocation at) {
  BucketType* const first = bucket(at.first_line);
  for (BucketType* b = first; b != first + at.buckets(); ++b) {
    Backoff backoff;
    BucketWord word = b->load();
    while (word.locked() || !b->try_replace(word, word.with_freeze())) {
      backoff.pause();
      word = b->load();
    }
  }
}

// Copies every key; false when a chain of the new array runs past its end. Both arrays are the
// caller's alone to write.
template <template <class> class Atom>
bool BasicIndex<Atom>::copy_all(ShardLocation from, ShardLocation to) {
  BucketType* const old_first = bucket(from.first_line);
  BucketType* const new_first = bucket(to.first_line);
  BucketType* const new_end = new_first + to.buckets();
  for (BucketType* b = old_first; b != old_first + from.buckets(); ++b) {
    for (uint32_t places = b->load().occupied(); places != 0; places &= places - 1) {
      const auto place = static_cast<uint32_t>(std::countr_zero(places));
      const uint64_t key = b->keys[place].load(std::memory_order_relaxed);
      BucketType* target = new_first + multiply_high(mix64(key) << kShardBits, to.homes);
      BucketWord word = target->load();
      while (word.full()) {
        target->store(word.with_overflow());
        if (++target == new_end) return false;
        word = target->load();
      }
      target->put(word.first_empty(), key, b->handles[place].load(std::memory_order_relaxed));
      target->store(word.with_place(word.first_empty()));
    }
  }
  return true;
}

template <template <class> class Atom>
bool BasicIndex<Atom>::rebuild(uint32_t shard, ShardLocation from, uint32_t homes, Growth growth) {
  ShardLocation to{.first_line = 0, .homes = homes};
  std::optional<uint32_t> first = arena_.allocate(to.buckets(), growth == Growth::kWithinBudget);
  if (!first) return false;
  to.first_line = *first;
  freeze_all(from);
  while (!copy_all(from, to)) {
    // Unlucky hashes: one more step, in the same pause. The old array is whole whatever happens.
    arena_.free(to.first_line, to.buckets());
    to.homes = next_homes(to.homes);
    first = arena_.allocate(to.buckets(), false);
    if (!first) {
      BucketType* const begin = bucket(from.first_line);
      for (BucketType* b = begin; b != begin + from.buckets(); ++b) b->store(b->load().thawed());
      return false;
    }
    to.first_line = *first;
  }
  publish(shard, from, to);
  return true;
}

template <template <class> class Atom>
void BasicIndex<Atom>::publish(uint32_t shard, ShardLocation from, ShardLocation to) {
  shards_[shard].grow_at.store(capacity(shard, to.homes), std::memory_order_relaxed);
  shards_[shard].erased.store(0, std::memory_order_relaxed);
  buckets_.fetch_add(to.buckets() - from.buckets(), std::memory_order_relaxed);
  // Moved first: a reader still on the old array must not find its word unchanged once a writer
  // can reach the new one.
  BucketType* const begin = bucket(from.first_line);
  for (BucketType* b = begin; b != begin + from.buckets(); ++b) b->store(b->load().with_moved());
  locations_[shard].store(to.pack(), std::memory_order_release);
  grown_.fetch_add(1, std::memory_order_relaxed);
  EpochDomain::instance().retire([this, from] { arena_.free(from.first_line, from.buckets()); });
}

template <template <class> class Atom>
uint64_t BasicIndex<Atom>::growth_bytes(const Counts& more) const {
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

template <template <class> class Atom>
uint64_t BasicIndex<Atom>::size() const {
  uint64_t sum = 0;
  for (uint32_t i = 0; i < kShards; ++i) sum += shards_[i].size.load(std::memory_order_relaxed);
  return sum;
}

}  // namespace hotrow

#endif  // HOTROW_TABLE_INDEX_INL_H_
