// What a cache must hold after every call, by a plain list of ways: no tiles, no lanes, no bits
// packed that need not be. Predicts the way of each key, every victim and every refusal, scores,
// dirty marks, pins, counts and all bytes. Written from what store/tier.h and the heads of cuda/*.h
// promise; of the code under test it takes only where buckets are (bucket_of) and which key stands
// for an empty way, both of which have tests of their own.
#ifndef HOTROW_TEST_CUDA_MODEL_H_
#define HOTROW_TEST_CUDA_MODEL_H_

#include <algorithm>
#include <array>
#include <numeric>
#include <optional>
#include <vector>

#include "cuda/subject.h"
#include "cuda/view.h"
#include "simd/value_layout.h"
#include "table/row_rules.h"

namespace hotrow::test {

/// Scores as cuda/scores.h tells of them.
class PlainScores {
 public:
  PlainScores(TierPolicy policy, TierMoment now) : policy_(policy), now_(now) {}

  uint32_t fresh(uint64_t uses) const {
    switch (policy_) {
      case TierPolicy::kLru:
        return now_.clock;
      case TierPolicy::kEpochLru:
        return now_.epoch % 256 * kEpoch + now_.clock % kEpoch;
      case TierPolicy::kAgeingLfu:
      case TierPolicy::kEpochLfu:
        return now_.epoch % 256 * kEpoch + at_most(uses, kEpoch - 1);
      default:
        return at_most(uses, UINT32_MAX);
    }
  }

  uint32_t touched(uint32_t score, uint64_t uses) const {
    switch (policy_) {
      case TierPolicy::kLfu:
      case TierPolicy::kEpochLfu:
        return fresh((policy_ == TierPolicy::kLfu ? score : score % kEpoch) + uses);
      case TierPolicy::kAgeingLfu:
        return fresh(halved(score) + uses);
      case TierPolicy::kCustom:
        return score;
      default:
        return fresh(0);
    }
  }

  /// Larger = keep.
  uint64_t rank(uint32_t score) const {
    switch (policy_) {
      case TierPolicy::kAgeingLfu:
        return halved(score);
      case TierPolicy::kEpochLru:
      case TierPolicy::kEpochLfu:
        return uint64_t{255 - epochs_ago(score)} * kEpoch + score % kEpoch;
      default:
        return score;
    }
  }

  /// May a hesitant row take the place of one with this score?
  bool is_stale(uint32_t score) const {
    const bool by_use = policy_ == TierPolicy::kLfu || policy_ == TierPolicy::kAgeingLfu;
    return by_use && rank(score) <= 2;
  }

 private:
  static constexpr uint32_t kEpoch = 1 << 24;
  static uint32_t at_most(uint64_t x, uint32_t most) {
    return static_cast<uint32_t>(std::min<uint64_t>(x, most));
  }
  uint32_t epochs_ago(uint32_t score) const {
    return (now_.epoch % 256 + 256 - score / kEpoch) % 256;
  }
  uint64_t halved(uint32_t score) const {
    uint64_t uses = score % kEpoch;
    for (uint32_t i = 0; i < epochs_ago(score); ++i) uses /= 2;
    return uses;
  }

  TierPolicy policy_;
  TierMoment now_;
};

/// Does a lookup count the key at this position as used, for itself and seven others?
inline bool is_sampled(uint64_t position, TierMoment now) {
  return ((position + now.clock) * 0x9e3779b97f4a7c15U) >> 61 == 0;
}

class Model {
 public:
  static constexpr size_t kWays = 8;

  Model(const TierSpec& spec, const CacheLayout& layout, const RowRules* rules)
      : spec_(spec), layout_(layout), rules_(rules), ways_(layout.buckets * kWays) {}

  uint32_t handle_of(uint64_t key) const {
    const size_t first = bucket(key) * kWays;
    for (size_t at = first; at < first + kWays; ++at) {
      if (ways_[at].key == key) return static_cast<uint32_t>(at);
    }
    return kNone;
  }
  const CacheCounts& counts() const { return counts_; }
  Keys keys() const {
    Keys all;
    for (const Way& way : ways_) {
      if (way.key) all.push_back(*way.key);
    }
    return all;
  }
  uint64_t dirty() const {
    return static_cast<uint64_t>(
        std::count_if(ways_.begin(), ways_.end(), [](const Way& way) { return way.dirty; }));
  }
  const Bytes& values(uint32_t handle) const { return ways_.at(handle).values; }
  const Bytes& state(uint32_t handle) const { return ways_.at(handle).state; }
  unsigned pins(uint32_t handle) const { return ways_.at(handle).pins; }

  /// Positions without a row, rising.
  Numbers misses(const Keys& keys) const {
    Numbers missed;
    for (size_t i = 0; i < keys.size(); ++i) {
      if (handle_of(keys[i]) == kNone) missed.push_back(static_cast<uint32_t>(i));
    }
    return missed;
  }
  Numbers handles(const Keys& keys) const {
    Numbers all;
    for (const uint64_t key : keys) all.push_back(handle_of(key));
    return all;
  }
  /// Writes the rows of handles to out as `form` says.
  void gather(const Numbers& handles, RowForm form, Bytes& out) const {
    for (size_t i = 0; i < handles.size(); ++i) {
      if (handles[i] == kNone) continue;
      const Bytes row = form.raw ? values(handles[i]) : as_f32(values(handles[i]));
      std::copy(row.begin(), row.end(), out.begin() + static_cast<std::ptrdiff_t>(i * form.stride));
    }
  }
  void touch(const Keys& keys, Use use) {
    if (!use.touch) return;
    const PlainScores scores(spec_.policy, use.moment);
    for (size_t i = 0; i < keys.size(); ++i) {
      const uint32_t handle = handle_of(keys[i]);
      if (handle == kNone || !is_sampled(i, use.moment)) continue;
      ways_[handle].score = scores.touched(ways_[handle].score, 8);
    }
  }
  void pin(const Numbers& handles, int by) {
    for (const uint32_t handle : handles) {
      if (handle != kNone) held(ways_[handle], by);
    }
  }
  /// Returns how many ways there were to change.
  uint64_t hold(const Keys& keys, TierHolding how) {
    uint64_t changed = 0;
    for (const uint64_t key : keys) {
      const uint32_t handle = handle_of(key);
      if (handle == kNone) continue;
      Way& way = ways_[handle];
      const uint8_t before = way.pins;
      if (how == TierHolding::kNoMore) {
        way.pins = 0;
      } else {
        held(way, how == TierHolding::kOnceMore ? 1 : -1);
      }
      if (way.pins != before) ++changed;
    }
    return changed;
  }
  void let_go() {
    for (Way& way : ways_) way.pins = 0;
  }

  /// The dirty rows that had to go.
  CacheRows insert(const InsertBatch& batch) {
    CacheRows evicted;
    const PlainScores scores(spec_.policy, batch.moment);
    for (size_t i = 0; i < batch.rows.keys.size(); ++i) {
      const uint64_t key = batch.rows.keys[i];
      if (handle_of(key) != kNone) continue;
      const uint32_t score = scores.fresh(batch.uses.empty() ? 1 : batch.uses[i]);
      const TierWish wish = batch.wishes.empty() ? TierWish::kUsual : batch.wishes[i];
      const auto place = place_for(key, scores, score, wish);
      if (!place) {
        ++counts_.refused;
        continue;
      }
      Way& way = ways_[*place];
      if (way.key) {
        ++counts_.evicted;
        if (way.dirty) {
          ++counts_.evicted_dirty;
          append(evicted, way);
        }
      } else {
        ++counts_.rows;
      }
      ++counts_.inserted;
      way.key = key;
      way.score = score;
      way.dirty = false;
      if (wish == TierWish::kAwaited) held(way, 1);
      way.values = part(batch.rows.values, i, layout_.value_stride);
      way.state = part(batch.rows.state, i, layout_.state_stride);
    }
    return evicted;
  }

  void push(const PushBatch& batch) {
    RowRules::Scratch scratch(*rules_);
    for (size_t i = 0; i < batch.handles.size(); ++i) {
      const UpdateStep& step = batch.steps[batch.step_of.empty() ? 0 : batch.step_of[i]];
      if (batch.handles[i] == kNone || step.way == RowWay::kFrozen) continue;
      Way& way = ways_[batch.handles[i]];
      // The table has the state right behind the values.
      const size_t values = value_bytes(spec_.value_type, spec_.dim);
      const size_t state = spec_.state_values * sizeof(float);
      std::vector<float> row((values + state) / sizeof(float) + 1);
      auto* const bytes = reinterpret_cast<std::byte*>(row.data());
      std::copy_n(way.values.begin(), values, bytes);
      std::copy_n(way.state.begin(), state, bytes + values);
      rules_->apply(bytes, batch.gradients.data() + i * spec_.dim, step,
                    batch.random.empty() ? 0 : batch.random[i], scratch);
      std::copy_n(bytes, values, way.values.begin());
      std::copy_n(bytes + values, state, way.state.begin());
      way.dirty = true;
    }
  }

  void assign(const CacheRows& rows, bool dirty) {
    for (size_t i = 0; i < rows.keys.size(); ++i) {
      const uint32_t handle = handle_of(rows.keys[i]);
      if (handle == kNone) continue;
      ways_[handle].values = part(rows.values, i, layout_.value_stride);
      if (!rows.state.empty()) ways_[handle].state = part(rows.state, i, layout_.state_stride);
      ways_[handle].dirty = dirty;
    }
  }
  void read(CacheRows& rows) const {
    for (size_t i = 0; i < rows.keys.size(); ++i) {
      const uint32_t handle = handle_of(rows.keys[i]);
      if (handle == kNone) continue;
      put(rows.values, i, values(handle));
      if (!rows.state.empty()) put(rows.state, i, state(handle));
    }
  }
  void erase(const Keys& keys) {
    for (const uint64_t key : keys) {
      const uint32_t handle = handle_of(key);
      if (handle == kNone) continue;
      ways_[handle] = {.pins = ways_[handle].pins};
      --counts_.rows;
    }
  }
  CacheRows flush(std::pair<uint64_t, uint64_t> buckets) {
    CacheRows rows;
    for (size_t at = buckets.first * kWays; at < buckets.second * kWays; ++at) {
      if (!ways_[at].dirty) continue;
      append(rows, ways_[at]);
      ways_[at].dirty = false;
    }
    return rows;
  }
  void clear() {
    std::fill(ways_.begin(), ways_.end(), Way());
    counts_ = {};
  }

  CacheState state() const {
    CacheState all;
    for (size_t at = 0; at < ways_.size(); ++at) {
      const Way& way = ways_[at];
      const bool other = at / kWays == bucket(layout_.empty_keys[0]);
      all.keys.push_back(way.key.value_or(layout_.empty_keys[other ? 1 : 0]));
      all.scores.push_back(way.score);
      all.dirty.push_back(way.dirty ? 1 : 0);
      all.pins.push_back(way.pins);
      append(all.values, way.values, layout_.value_stride);
      append(all.state, way.state, layout_.state_stride);
    }
    return all;
  }

  /// A row's values as f32, by the table's own conversion.
  Bytes as_f32(const Bytes& values) const {
    const RowCodec codec(spec_.value_type, spec_.rounding, spec_.dim);
    std::vector<float> row(values.size() / sizeof(float));
    std::copy(values.begin(), values.end(), reinterpret_cast<std::byte*>(row.data()));
    std::vector<float> out(spec_.dim);
    codec.decode(reinterpret_cast<const std::byte*>(row.data()), out.data());
    const auto* const bytes = reinterpret_cast<const std::byte*>(out.data());
    return {bytes, bytes + out.size() * sizeof(float)};
  }

 private:
  struct Way {
    std::optional<uint64_t> key = {};
    uint32_t score = 0;
    bool dirty = false;
    uint8_t pins = 0;
    Bytes values = {};
    Bytes state = {};
  };

  static void held(Way& way, int by) {
    way.pins = static_cast<uint8_t>(std::clamp(way.pins + by, 0, UINT8_MAX));
  }
  size_t bucket(uint64_t key) const { return gpu::bucket_of(key, layout_.buckets); }

  /// The way that the candidate takes, or none.
  std::optional<size_t> place_for(uint64_t key, const PlainScores& scores, uint32_t score,
                                  TierWish wish) const {
    const size_t first = bucket(key) * kWays;
    std::optional<size_t> victim;
    for (size_t at = first; at < first + kWays; ++at) {
      if (!ways_[at].key) return at;
      if (ways_[at].pins != 0) continue;
      if (!victim || scores.rank(ways_[at].score) < scores.rank(ways_[*victim].score)) victim = at;
    }
    if (!victim) return {};
    if (wish == TierWish::kAwaited) return victim;
    const uint32_t old = ways_[*victim].score;
    if (scores.rank(score) < scores.rank(old)) return {};
    if (wish == TierWish::kHesitant && !scores.is_stale(old)) return {};
    return victim;
  }

  static Bytes part(const Bytes& all, size_t i, size_t stride) {
    const auto begin = all.begin() + static_cast<std::ptrdiff_t>(i * stride);
    return {begin, begin + static_cast<std::ptrdiff_t>(stride)};
  }
  static void put(Bytes& all, size_t i, const Bytes& row) {
    std::copy(row.begin(), row.end(), all.begin() + static_cast<std::ptrdiff_t>(i * row.size()));
  }
  static void append(Bytes& all, const Bytes& row, size_t stride) {
    all.insert(all.end(), row.begin(), row.end());
    all.resize(all.size() + stride - row.size());
  }
  static void append(CacheRows& rows, const Way& way) {
    rows.keys.push_back(*way.key);
    append(rows.values, way.values, way.values.size());
    append(rows.state, way.state, way.state.size());
  }

  const TierSpec spec_;
  const CacheLayout layout_;
  const RowRules* rules_;
  std::vector<Way> ways_;
  CacheCounts counts_;
};

/// The same rows by rising keys: lists come in any order.
inline CacheRows by_key(const CacheRows& rows) {
  std::vector<size_t> order(rows.keys.size());
  std::iota(order.begin(), order.end(), size_t{0});
  std::stable_sort(order.begin(), order.end(),
                   [&](size_t a, size_t b) { return rows.keys[a] < rows.keys[b]; });
  const auto append = [&](const Bytes& from, Bytes& to, size_t i) {
    const size_t stride = from.size() / order.size();
    const auto begin = from.begin() + static_cast<std::ptrdiff_t>(i * stride);
    to.insert(to.end(), begin, begin + static_cast<std::ptrdiff_t>(stride));
  };
  CacheRows sorted;
  for (const size_t i : order) {
    sorted.keys.push_back(rows.keys[i]);
    append(rows.values, sorted.values, i);
    append(rows.state, sorted.state, i);
  }
  return sorted;
}

}  // namespace hotrow::test

#endif  // HOTROW_TEST_CUDA_MODEL_H_
