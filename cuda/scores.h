// Who stays when a bucket is full. Scores are 32 bits and made only of what the host counts, so
// that a run can be replayed; larger = keep.
//
//   kLru        | clock of the last use                      |
//   kLfu        | uses, saturating                           |
//   kAgeingLfu  | epoch of the last use : 8 | uses : 24      |  ranked by uses >> (now - epoch)
//   kEpochLru   | epoch of the last use : 8 | clock : 24     |  older epochs first
//   kEpochLfu   | epoch of the last use : 8 | uses : 24      |  older epochs first
//   kCustom     | as given                                   |
//                31..24                       23..0
//
// Epochs are compared by how long ago they were, up to 255 epochs.
#ifndef HOTROW_CUDA_SCORES_H_
#define HOTROW_CUDA_SCORES_H_

#include "cuda/tile.h"
#include "store/tier.h"

namespace hotrow::gpu {

/// Of a victim that hesitant rows may replace too: its rank, at most. Policies that rank by time
/// have no stale rows.
inline constexpr uint32_t kStaleRank = 2;

struct Scores {
  TierPolicy policy = TierPolicy::kAgeingLfu;
  TierMoment now = {};

  static constexpr uint32_t kLow = (uint32_t{1} << 24) - 1;

  HOTROW_BOTH uint32_t age(uint32_t score) const { return (now.epoch - (score >> 24)) & 0xff; }
  HOTROW_BOTH uint32_t in_epoch(uint32_t low) const {
    return (now.epoch << 24) | (low < kLow ? low : kLow);
  }

  /// Of a row that comes in and was used so often.
  HOTROW_BOTH uint32_t fresh(uint32_t uses) const {
    switch (policy) {
      case TierPolicy::kLru:
        return now.clock;
      case TierPolicy::kEpochLru:
        return (now.epoch << 24) | (now.clock & kLow);
      case TierPolicy::kAgeingLfu:
      case TierPolicy::kEpochLfu:
        return in_epoch(uses);
      case TierPolicy::kLfu:
      case TierPolicy::kCustom:
        return uses;
    }
    return uses;
  }

  /// After so many more uses now.
  HOTROW_BOTH uint32_t touched(uint32_t score, uint32_t uses) const {
    switch (policy) {
      case TierPolicy::kLru:
      case TierPolicy::kEpochLru:
        return fresh(0);
      case TierPolicy::kLfu:
        return score < UINT32_MAX - uses ? score + uses : UINT32_MAX;
      case TierPolicy::kAgeingLfu:
        return in_epoch(aged(score) + uses);
      case TierPolicy::kEpochLfu:
        return in_epoch((score & kLow) + uses);
      case TierPolicy::kCustom:
        return score;
    }
    return score;
  }

  /// What scores are compared by.
  HOTROW_BOTH uint32_t rank(uint32_t score) const {
    switch (policy) {
      case TierPolicy::kAgeingLfu:
        return aged(score);
      case TierPolicy::kEpochLru:
      case TierPolicy::kEpochLfu:
        return ((0xff - age(score)) << 24) | (score & kLow);
      case TierPolicy::kLru:
      case TierPolicy::kLfu:
      case TierPolicy::kCustom:
        return score;
    }
    return score;
  }

  HOTROW_BOTH uint32_t aged(uint32_t score) const {
    const uint32_t halvings = age(score);
    return halvings < 24 ? (score & kLow) >> halvings : 0;
  }
};

/// Whether and how a lookup counts as a use. Of raw lookups, one key in `kSampled` is looked at,
/// chosen by its position and the clock, and counts for all of them.
struct Touch {
  Scores scores;
  bool on = false;

  static constexpr uint32_t kSampled = 8;

  HOTROW_DEVICE void operator()(uint32_t* score, uint64_t position) const {
    if (!on) return;
    const uint64_t mixed = (position + scores.now.clock) * 0x9e3779b97f4a7c15U;
    if ((mixed >> 61) != 0) return;
    // The result does not depend on the order in which several lanes come.
    uint32_t seen = atomic_load(score);
    for (;;) {
      const uint32_t wanted = scores.touched(seen, kSampled);
      if (wanted == seen) return;
      const uint32_t before = atomic_exchange_if(score, seen, wanted);
      if (before == seen) return;
      seen = before;
    }
  }
};
static_assert(Touch::kSampled == 1U << (64 - 61));

}  // namespace hotrow::gpu

#endif  // HOTROW_CUDA_SCORES_H_
