#include "table/batch_index.h"

#include <algorithm>
#include <bit>

#include "base/hash.h"

namespace hotrow {

namespace {

constexpr size_t kFewestSlots = 1024;

// The middle bits of the hash: the top ones name the shard, the low ones the slot.
uint32_t part_of(uint64_t hash, uint32_t parts) {
  return static_cast<uint32_t>(((hash >> 32) & 0xffff) * parts >> 16);
}

}  // namespace

void BatchIndex::assign(KeyBatch keys, uint32_t parts, ThreadPool& pool) {
  if (parts == used_ && std::ranges::equal(keys, keys_)) return;
  used_ = 0;
  keys_.assign(keys.begin(), keys.end());
  places_.resize(keys.size());
  if (parts_.size() < parts) parts_.resize(parts);
  used_ = parts;
  pool.run(parts, [&](uint32_t number) {
    select(number);
    number_keys(number);
  });
}

uint64_t BatchIndex::distinct() const {
  uint64_t sum = 0;
  for (uint32_t i = 0; i < used_; ++i) sum += parts_[i].size();
  return sum;
}

// Finds the part's positions without a branch: whose key it is is as good as random.
void BatchIndex::select(uint32_t number) {
  Part& part = parts_[number];
  const size_t n = keys_.size();
  part.positions.resize(n);
  part.own.resize(n);
  size_t count = 0;
  for (size_t i = 0; i < n; ++i) {
    const uint64_t hash = mix64(keys_[i]);
    part.positions[count] = static_cast<uint32_t>(i);
    part.own[count] = hash;
    count += part_of(hash, used_) == number ? 1 : 0;
  }
  part.positions.resize(count);
}

void BatchIndex::number_keys(uint32_t number) {
  Part& part = parts_[number];
  // As many slots as the last batch needed: mostly the next one needs as many.
  const size_t slots = std::max(kFewestSlots, std::bit_ceil(part.keys.size() * 2));
  part.slots.assign(slots, 0);
  part.keys.clear();
  part.hashes.clear();
  part.counts.clear();
  part.ids.resize(part.positions.size());
  const uint32_t tag = number << kIdBits;
  size_t mask = slots - 1;
  for (size_t i = 0; i < part.positions.size(); ++i) {
    const uint64_t key = keys_[part.positions[i]];
    const uint64_t hash = part.own[i];
    size_t slot = hash & mask;
    uint32_t id = part.slots[slot];
    while (id != 0 && part.keys[id - 1] != key) {
      slot = (slot + 1) & mask;
      id = part.slots[slot];
    }
    if (id == 0) {
      part.keys.push_back(key);
      part.hashes.push_back(hash);
      part.counts.push_back(0);
      id = static_cast<uint32_t>(part.keys.size());
      part.slots[slot] = id;
      if (part.keys.size() * 4 > part.slots.size() * 3) {
        enlarge(part);
        mask = part.slots.size() - 1;
      }
    }
    part.ids[i] = id - 1;
    ++part.counts[id - 1];
    places_[part.positions[i]] = tag | (id - 1);
  }
}

void BatchIndex::enlarge(Part& part) {
  part.slots.assign(part.slots.size() * 4, 0);
  const size_t mask = part.slots.size() - 1;
  for (size_t id = 0; id < part.keys.size(); ++id) {
    size_t slot = part.hashes[id] & mask;
    while (part.slots[slot] != 0) slot = (slot + 1) & mask;
    part.slots[slot] = static_cast<uint32_t>(id + 1);
  }
}

}  // namespace hotrow
