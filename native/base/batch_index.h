// The distinct keys of a batch, and which of them each position of the batch holds.
//
// Batches of sparse features repeat themselves: the same id several times in a batch, and the same
// batch twice, once looked up and once pushed. So duplicates are found once, in a small table that
// fits the second cache, and the result is kept for the next call with equal keys.
//
// The batch is split by hash into parts, one a thread, that share no key. A part visits its
// positions in batch order, so whatever is summed over them comes out the same for any number of
// parts.
#ifndef HOTROW_BASE_BATCH_INDEX_H_
#define HOTROW_BASE_BATCH_INDEX_H_

#include <cstdint>
#include <vector>

#include "base/thread_pool.h"
#include "hotrow/batch.h"

namespace hotrow {

class BatchIndex {
 public:
  static constexpr uint32_t kMaxParts = 16;
  /// A place holds an id, and above it the number of the part.
  static constexpr uint32_t kIdBits = 28;
  static constexpr uint64_t kMaxKeys = uint64_t{1} << kIdBits;

  struct Part {
    std::vector<uint64_t> keys;    // by id, in order of first appearance
    std::vector<uint64_t> hashes;  // by id
    // A lookup's results, by id.
    std::vector<float> rows;
    std::vector<uint8_t> found;

    size_t size() const { return keys.size(); }

   private:
    friend class BatchIndex;
    std::vector<uint32_t> slots_;  // open addressing: id + 1, or 0
    // Positions of the part within each slice of the batch, rising; unused when there is one part.
    std::vector<std::vector<uint32_t>> slices_;
  };

  /// Makes this the index of `keys`, in `parts` parts; does nothing when it is already.
  void assign(KeyBatch keys, uint32_t parts, ThreadPool& pool);

  uint32_t parts() const { return used_; }
  Part& part(uint32_t number) { return parts_[number]; }
  const Part& part(uint32_t number) const { return parts_[number]; }
  /// Keys of the batch, and how many of them are distinct.
  uint64_t size() const { return keys_.size(); }
  KeyBatch keys() const { return keys_; }
  uint64_t distinct() const;

  /// Part and id of the key at each position.
  const std::vector<uint32_t>& places() const { return places_; }
  static constexpr uint32_t part_of_place(uint32_t place) { return place >> kIdBits; }
  static constexpr uint32_t id_of_place(uint32_t place) { return place & (kMaxKeys - 1); }

  /// Is `key`, whose hash is given, one of the batch's?
  bool contains(uint64_t key, uint64_t hash) const;

  /// Calls visit(position, id) for the part's positions, rising.
  template <class Visit>
  void each(uint32_t number, const Visit& visit) const {
    each_position(number, [&](uint32_t position) {
      visit(size_t{position}, id_of_place(places_[position]));
    });
  }

 private:
  template <class Visit>
  void each_position(uint32_t number, const Visit& visit) const {
    if (used_ == 1) {
      for (uint32_t i = 0; i < keys_.size(); ++i) visit(i);
      return;
    }
    const Part& part = parts_[number];
    for (uint32_t slice = 0; slice < used_; ++slice) {
      for (const uint32_t position : part.slices_[slice]) visit(position);
    }
  }
  void split_slice(uint32_t slice);
  void number_keys(uint32_t number);
  static void reset(Part& part);
  static void enlarge(Part& part);

  std::vector<uint64_t> keys_;
  std::vector<uint32_t> places_;
  std::vector<Part> parts_;
  uint32_t used_ = 0;
};

}  // namespace hotrow

#endif  // HOTROW_BASE_BATCH_INDEX_H_
