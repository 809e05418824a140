// A set of hashes that inserts without asking for memory: what it needs is reserved before.
//
// Open addressing with linear steps; the hashes are mixed already, so that their lowest bits are
// their places.
#ifndef HOTROW_TABLE_HASH_SET_H_
#define HOTROW_TABLE_HASH_SET_H_

#include <bit>
#include <cstddef>
#include <cstdint>
#include <utility>
#include <vector>

namespace hotrow {

class HashSet {
 public:
  uint64_t size() const { return size_; }
  uint64_t memory_bytes() const { return places_.capacity() * sizeof(uint64_t); }

  /// Room for so many in all. May throw std::bad_alloc, and has changed nothing then.
  void reserve(uint64_t hashes) {
    if (2 * hashes <= places_.size()) return;
    HashSet larger;
    larger.places_.resize(std::bit_ceil(2 * hashes + 16));
    larger.has_zero_ = has_zero_;
    for (const uint64_t hash : places_) {
      if (hash != 0) larger.insert(hash);
    }
    larger.size_ = size_;
    *this = std::move(larger);
  }
  /// There must be room.
  void insert(uint64_t hash) {
    if (hash == 0) {
      size_ += has_zero_ ? 0 : 1;
      has_zero_ = true;
      return;
    }
    uint64_t& place = places_[place_of(hash)];
    size_ += place == hash ? 0 : 1;
    place = hash;
  }
  void erase(uint64_t hash) {
    if (!contains(hash)) return;
    --size_;
    if (hash == 0) {
      has_zero_ = false;
      return;
    }
    // Those behind it that would not be found any more move up.
    const size_t mask = places_.size() - 1;
    size_t hole = place_of(hash);
    for (size_t at = (hole + 1) & mask; places_[at] != 0; at = (at + 1) & mask) {
      const size_t home = places_[at] & mask;
      if (((at - home) & mask) < ((at - hole) & mask)) continue;
      places_[hole] = places_[at];
      hole = at;
    }
    places_[hole] = 0;
  }
  bool contains(uint64_t hash) const {
    if (size_ == 0) return false;
    return hash == 0 ? has_zero_ : places_[place_of(hash)] == hash;
  }

 private:
  /// Where the hash is, or the empty place where it would be.
  size_t place_of(uint64_t hash) const {
    const size_t mask = places_.size() - 1;
    size_t at = hash & mask;
    while (places_[at] != 0 && places_[at] != hash) at = (at + 1) & mask;
    return at;
  }

  std::vector<uint64_t> places_;  // a power of two, at most half full; 0 is empty
  bool has_zero_ = false;
  uint64_t size_ = 0;
};

}  // namespace hotrow

#endif  // HOTROW_TABLE_HASH_SET_H_
