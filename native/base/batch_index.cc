#include "base/batch_index.h"

#include <algorithm>
#include <array>
#include <bit>

#include "base/hash.h"
#include "base/shards.h"

namespace hotrow {

namespace {

constexpr size_t kFewestSlots = 1024;

// By the top bits, which name the table's shard: parts share none.
uint32_t part_of(uint64_t hash, uint32_t parts) {
  return IndexShards::of(hash) * parts >> IndexShards::kBits;
}

}  // namespace

void BatchIndex::assign(KeyBatch keys, uint32_t parts, ThreadPool& pool) {
  if (parts == used_ && std::ranges::equal(keys, keys_)) return;
  used_ = 0;
  keys_.assign(keys.begin(), keys.end());
  places_.resize(keys.size());
  if (parts_.size() < parts) parts_.resize(parts);
  if (parts > 1) {
    for (uint32_t i = 0; i < parts; ++i) {
      Part& part = parts_[i];
      if (part.slices_.size() < parts) part.slices_.resize(parts);
    }
  }
  used_ = parts;
  try {
    if (parts > 1) pool.run(parts, [&](uint32_t slice) { split_slice(slice); });
    pool.run(parts, [&](uint32_t number) { number_keys(number); });
  } catch (...) {
    used_ = 0;  // of no batch: the next call starts anew
    throw;
  }
}

uint64_t BatchIndex::distinct() const {
  uint64_t sum = 0;
  for (uint32_t i = 0; i < used_; ++i) sum += parts_[i].size();
  return sum;
}

bool BatchIndex::contains(uint64_t key, uint64_t hash) const {
  if (used_ == 0) return false;
  const Part& part = parts_[used_ == 1 ? 0 : part_of(hash, used_)];
  const size_t mask = part.slots_.size() - 1;
  for (size_t slot = hash & mask; part.slots_[slot] != 0; slot = (slot + 1) & mask) {
    if (part.keys[part.slots_[slot] - 1] == key) return true;
  }
  return false;
}

// Deals a slice's positions out to the parts without a branch: whose key it is is as good as
// random.
void BatchIndex::split_slice(uint32_t slice) {
  const size_t first = keys_.size() * slice / used_;
  const size_t last = keys_.size() * (slice + 1) / used_;
  std::array<uint32_t*, kMaxParts> ends = {};
  for (uint32_t i = 0; i < used_; ++i) {
    parts_[i].slices_[slice].resize(last - first);
    ends[i] = parts_[i].slices_[slice].data();
  }
  for (size_t i = first; i < last; ++i) {
    *ends[part_of(mix64(keys_[i]), used_)]++ = static_cast<uint32_t>(i);
  }
  for (uint32_t i = 0; i < used_; ++i) {
    std::vector<uint32_t>& list = parts_[i].slices_[slice];
    list.resize(static_cast<size_t>(ends[i] - list.data()));
  }
}

void BatchIndex::reset(Part& part) {
  // Four slots for each key of the last batch: mostly the next one has as many. With two, keys meet
  // more often, and an unforeseen second step costs more than a slot that is not in the first
  // cache.
  part.slots_.assign(std::max(kFewestSlots, std::bit_ceil(part.keys.size() * 4)), 0);
  part.keys.clear();
  part.hashes.clear();
}

void BatchIndex::number_keys(uint32_t number) {
  Part& part = parts_[number];
  reset(part);
  const uint32_t tag = number << kIdBits;
  const uint64_t* const batch = keys_.data();
  uint32_t* const places = places_.data();
  const uint64_t* keys = part.keys.data();
  uint32_t* slots = part.slots_.data();
  size_t mask = part.slots_.size() - 1;
  each_position(number, [&](uint32_t position) {
    const uint64_t key = batch[position];
    const uint64_t hash = mix64(key);
    size_t slot = hash & mask;
    while (slots[slot] != 0) {
      const uint32_t id = slots[slot] - 1;
      if (keys[id] == key) {
        places[position] = tag | id;
        return;
      }
      slot = (slot + 1) & mask;
    }
    const auto id = static_cast<uint32_t>(part.keys.size());
    places[position] = tag | id;
    slots[slot] = id + 1;
    part.keys.push_back(key);
    part.hashes.push_back(hash);
    if (part.keys.size() * 4 > part.slots_.size() * 3) enlarge(part);
    keys = part.keys.data();
    slots = part.slots_.data();
    mask = part.slots_.size() - 1;
  });
}

void BatchIndex::enlarge(Part& part) {
  part.slots_.assign(part.slots_.size() * 4, 0);
  const size_t mask = part.slots_.size() - 1;
  for (size_t id = 0; id < part.keys.size(); ++id) {
    size_t slot = part.hashes[id] & mask;
    while (part.slots_[slot] != 0) slot = (slot + 1) & mask;
    part.slots_[slot] = static_cast<uint32_t>(id + 1);
  }
}

}  // namespace hotrow
