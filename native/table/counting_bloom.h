// How often keys were seen, in bounded memory: what decides whether a key is given a row.
//
// A counting Bloom filter (Fan, Cao, Almeida, Broder 2000) of saturating counters of a byte.
//
//   hash   63      54 53                              16 15  12 11   8 7    4 3    0
//         | section  | line within the section    …     | no. 3 | no. 2 | no. 1 | no. 0 |
//   line   64 counters: 16 for no. 0, 16 for no. 1, 16 for no. 2, 16 for no. 3
//
// - A key has four counters, all in one 64-byte line (blocked: Putze, Sanders, Singler 2007), so it
//   costs one access to memory. Each of the four is chosen among 16 by bits of the hash that choose
//   nothing else. Double hashing, which a filter without lines would use, knows only 1,024
//   different sets of four in a line; this knows 65,536.
// - add() raises only the counters that are below what the smallest becomes (conservative update:
//   Estan, Varghese 2002), so frequent keys do not raise the rare ones beside them further.
// - The sections are those of the index's shards: whoever has a shard to himself has its counters
//   to himself. What a line holds depends on the order in which its keys came, so counters are
//   bit-equal for any number of threads if each section's keys are added by one of them, in batch
//   order.
//
// How often is a key overrated? An estimate is too high only if every one of the four counters is
// shared with other keys of the line. With n distinct keys spread over the lines, x = n / lines,
// the part of unseen keys whose estimate is not 0 is
//
//   rate(x) = sum over i = 0 … 4 of (-1)^i C(4, i) exp(-x (1 - (15/16)^i))
//
//   keys / capacity()     1/4      1/2       1       1.5       2        4
//   x                      1        2        4        6        8       16
//   rate                 0.017 %  0.091 %  0.56 %   1.64 %   3.49 %   18.0 %
//
// This bounds the part of keys that are overrated at all, and so of those that reach a threshold
// too early. For the threshold 2, a first sighting taken for a second one, it is exact; higher ones
// need neighbours that are as frequent. Averaged over the filling of a filter, the rate is some
// three tenths of the last one. Halving keeps the number of keys down.
//
// Threads: all calls at once. Counters are packed by eight into atomic words; a rise is a
// compare-and-exchange, so counters fall by halving alone, and estimates are never too low for
// a key whose adds follow one another. Adds of one key that overlap in time may count as the
// largest of them: with p threads, an estimate is at least 1/p of the sum, and at least what any
// one of the threads has added.
#ifndef HOTROW_TABLE_COUNTING_BLOOM_H_
#define HOTROW_TABLE_COUNTING_BLOOM_H_

#include <atomic>
#include <cstdint>
#include <memory>
#include <span>

#include "base/hash.h"
#include "base/shards.h"
#include "hotrow/status.h"
#include "memory/budget.h"
#include "memory/pages.h"

namespace hotrow {

class CountingBloom {
 public:
  static constexpr uint32_t kSections = IndexShards::kCount;
  /// Where counters stop: an estimate of 255 means 255 or more.
  static constexpr uint32_t kMost = 255;
  static constexpr uint64_t kBytesPerKey = 16;

  /// For `capacity` distinct keys at a time, at 16 bytes a key rounded up to 2 MiB, all charged to
  /// `budget`, which must outlive the filter. ERR_CAPACITY when they do not fit or the system
  /// refuses; nothing is charged then. All counts are 0.
  static Result<std::unique_ptr<CountingBloom>> create(uint64_t capacity, MemoryBudget& budget);

  CountingBloom(const CountingBloom&) = delete;
  CountingBloom& operator=(const CountingBloom&) = delete;

  /// The section of a key by its hash, mix64(key): its shard in the index.
  static constexpr uint32_t section_of(uint64_t hash) { return IndexShards::of(hash); }

  /// Counts `times` further sightings of a key. Returns the estimate after them, at most kMost. One
  /// that equals `times` tells that the filter did not know the key. Touches one line; some 50 ns
  /// when it was prefetched.
  uint32_t add(uint64_t hash, uint32_t times);
  /// How often the key was added, halved whenever the counters were: never too low (see above for
  /// overlapping adds), at most kMost.
  uint32_t estimate(uint64_t hash) const;

  /// Halves all counters of a section, rounding down, so that old sightings count less and keys
  /// seen once are forgotten (the reset of TinyLFU: Einziger, Friedman, Manes 2017). Adds that
  /// overlap it may be lost, or may keep their key from being halved; what was there before is
  /// halved at most once. Where that matters, whoever adds to a section should halve it.
  void halve_section(uint32_t section);
  /// Halves every section. Goes over all memory once, some tenths of a second a GiB: large filters
  /// should rather halve a few sections with each batch.
  void halve();

  /// Distinct keys for which the filter is as good as its header says.
  uint64_t capacity() const { return memory_bytes() / kBytesPerKey; }
  uint64_t memory_bytes() const { return pages_.backed(); }

  /// The counters of a section as they lie in memory, eight to a word, the first one lowest.
  uint64_t section_words() const { return lines_per_section_ * kWords; }
  /// Copies them. words [section_words()]
  void copy_section(uint32_t section, std::span<uint64_t> words) const;

 private:
  static constexpr uint32_t kHashes = 4;
  static constexpr uint32_t kPlaceBits = 4;  // 16 counters for each of the hashes
  static constexpr uint32_t kWords = kLineBytes / sizeof(uint64_t);

  struct alignas(kLineBytes) Line {
    // Eight counters each. They say nothing of other memory: relaxed throughout.
    std::atomic<uint64_t> words[kWords];
  };
  static_assert(sizeof(Line) == kLineBytes);
  static_assert(kHashes << kPlaceBits == kLineBytes);

  /// The word of a key's counter and by how much to shift it.
  struct Place {
    uint32_t word;
    uint32_t shift;
  };
  static constexpr Place place_of(uint64_t hash, uint32_t number) {
    const uint64_t within = (hash >> (number * kPlaceBits)) & ((1U << kPlaceBits) - 1);
    const auto counter = static_cast<uint32_t>(number << kPlaceBits | within);
    return {counter / 8, counter % 8 * 8};
  }

  CountingBloom() = default;
  Status open(uint64_t capacity, MemoryBudget& budget);

  Line* section(uint32_t number) const {
    return reinterpret_cast<Line*>(pages_.data()) + number * lines_per_section_;
  }
  Line& line_of(uint64_t hash) const {
    return section(section_of(hash))[multiply_high(hash << IndexShards::kBits, lines_per_section_)];
  }

  // Given back after the pages.
  Reservation reservation_;
  PageRange pages_;
  uint64_t lines_per_section_ = 0;
};

}  // namespace hotrow

#endif  // HOTROW_TABLE_COUNTING_BLOOM_H_
