// StageTimes: how long requests took, stage by stage, of each verb and of each table and verb.
//
// A request of one table is recorded there only; a verb's times are those of its tables and of all
// its other requests, added up when somebody asks.
//
// Memory: a verb that has come has a histogram a stage, and so has a table with a verb. Each has
// 4.3 KiB a stripe, of which there should be as many as threads record at once. Pairs of table and
// verb are at most kMostPairs, the first that come: with five stages and four stripes 22 MiB.
// Requests of those that come later count for their verb only.
//
// Threads: any number at once. Nothing that pair() has given goes before the StageTimes does.
#ifndef HOTROW_BASE_STAGE_TIMES_H_
#define HOTROW_BASE_STAGE_TIMES_H_

#include <algorithm>
#include <array>
#include <atomic>
#include <chrono>
#include <cstdint>
#include <iterator>
#include <map>
#include <memory>
#include <new>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "base/histogram.h"
#include "base/sync.h"
#include "hotrow/stats.h"

namespace hotrow {

/// From and to when; without a beginning there was none.
struct Interval {
  using Point = std::chrono::steady_clock::time_point;
  Point begin;
  Point end;

  bool none() const { return begin == Point{}; }
  uint64_t nanoseconds() const {
    // Two threads may have looked at the clock: never less than nothing.
    const auto its = std::chrono::duration_cast<std::chrono::nanoseconds>(end - begin).count();
    return its > 0 ? static_cast<uint64_t>(its) : 0;
  }
};

/// Verbs are numbers below kVerbs, stages below kStages.
template <size_t kVerbs, size_t kStages, uint32_t kStripes>
class StageTimes {
  using Stages = std::array<StripedHistogram<kStripes>, kStages>;

 public:
  static constexpr size_t kMostPairs = 256;

  /// Of one table and verb.
  class Pair {
   public:
    Pair(std::string table, size_t verb) : table_(std::move(table)), verb_(verb) {}
    const std::string& table() const { return table_; }

   private:
    friend class StageTimes;
    const std::string table_;
    const size_t verb_;
    Stages stages_;
  };

  StageTimes() = default;
  StageTimes(const StageTimes&) = delete;
  StageTimes& operator=(const StageTimes&) = delete;
  ~StageTimes() {
    for (auto& each : verbs_) delete each.load(std::memory_order_relaxed);
  }

  /// The pair of a table and a verb; null: there are too many, for ever. Takes a lock and throws
  /// std::bad_alloc: callers keep what they get.
  Pair* pair(const std::string& table, size_t verb) HOTROW_EXCLUDES(mutex_) {
    const MutexLock lock(mutex_);
    const auto key = std::make_pair(table, verb);
    const auto found = pairs_.find(key);
    if (found != pairs_.end()) return found->second.get();
    if (pairs_.size() >= kMostPairs) return nullptr;
    return pairs_.emplace(key, std::make_unique<Pair>(table, verb)).first->second.get();
  }

  /// A stage of a request; `pair` of a request that names one table.
  void record(size_t verb, Pair* pair, size_t stage, uint64_t ns) {
    Stages* const its = pair == nullptr ? of_verb(verb) : &pair->stages_;
    if (its != nullptr) (*its)[stage].record(ns);
  }

  /// Of verbs that have come, then of their tables, by verb and name. `verb_name(verb)` and
  /// `stage_names[stage]` are how they are called; `shows(table)`: is its name for whoever asks?
  template <class VerbName, class Shows>
  std::vector<RequestTimes> summaries(const VerbName& verb_name,
                                      const std::array<std::string_view, kStages>& stage_names,
                                      const Shows& shows) const HOTROW_EXCLUDES(mutex_) {
    using Snapshots = std::array<LatencySnapshot, kStages>;
    const auto summary = [&](size_t verb, const std::string& table, const Snapshots& stages) {
      RequestTimes its{.verb = std::string(verb_name(verb)), .table = table, .stages = {}};
      for (size_t stage = 0; stage < kStages; ++stage) {
        its.stages.push_back(
            {.stage = std::string(stage_names[stage]), .time = stages[stage].summary()});
      }
      return its;
    };
    const std::vector<const Pair*> pairs = all_pairs();
    std::vector<RequestTimes> verbs;
    std::vector<RequestTimes> tables;
    const auto its = std::make_unique<Snapshots>();  // of a pair
    const auto sum = std::make_unique<Snapshots>();  // of a verb
    for (size_t verb = 0; verb < kVerbs; ++verb) {
      *sum = {};
      if (const Stages* const own = verbs_[verb].load(std::memory_order_acquire)) add(*sum, *own);
      for (const Pair* pair : pairs) {
        if (pair->verb_ != verb) continue;
        *its = {};
        if (!add(*its, pair->stages_)) continue;
        for (size_t stage = 0; stage < kStages; ++stage) (*sum)[stage].merge((*its)[stage]);
        if (shows(pair->table_)) tables.push_back(summary(verb, pair->table_, *its));
      }
      const bool came = std::ranges::any_of(*sum, [](const auto& all) { return all.count() > 0; });
      if (came) verbs.push_back(summary(verb, {}, *sum));
    }
    std::move(tables.begin(), tables.end(), std::back_inserter(verbs));
    return verbs;
  }

 private:
  /// Is there anything to be added?
  static bool add(std::array<LatencySnapshot, kStages>& sum, const Stages& stages) {
    bool came = false;
    for (size_t stage = 0; stage < kStages; ++stage) {
      const LatencySnapshot its = stages[stage].snapshot();
      came |= its.count() > 0;
      sum[stage].merge(its);
    }
    return came;
  }

  std::vector<const Pair*> all_pairs() const HOTROW_EXCLUDES(mutex_) {
    const MutexLock lock(mutex_);
    std::vector<const Pair*> all;
    all.reserve(pairs_.size());
    for (const auto& [key, pair] : pairs_) all.push_back(pair.get());
    return all;
  }

  /// Null: there is no memory.
  Stages* of_verb(size_t verb) {
    std::atomic<Stages*>& its = verbs_[verb];
    Stages* known = its.load(std::memory_order_acquire);
    if (known != nullptr) return known;
    auto made = std::unique_ptr<Stages>(new (std::nothrow) Stages);
    // Published by release, for the acquire above and of summaries().
    if (made != nullptr && its.compare_exchange_strong(known, made.get())) known = made.release();
    return known;
  }

  std::array<std::atomic<Stages*>, kVerbs> verbs_ = {};
  mutable Mutex mutex_;
  std::map<std::pair<std::string, size_t>, std::unique_ptr<Pair>> pairs_ HOTROW_GUARDED_BY(mutex_);
};

/// The pairs of one table, looked for once a verb.
template <class Times, size_t kVerbs>
class PairsOf {
 public:
  PairsOf(Times& times, std::string table) : times_(times), table_(std::move(table)) {}

  /// Null as StageTimes::pair() says.
  typename Times::Pair* operator[](size_t verb) {
    Known& its = known_[verb];
    // Published by the release below: whoever reads that it was asked for reads the pair.
    if (its.asked.load(std::memory_order_acquire)) {
      return its.pair.load(std::memory_order_relaxed);
    }
    typename Times::Pair* const pair = times_.pair(table_, verb);
    its.pair.store(pair, std::memory_order_relaxed);
    its.asked.store(true, std::memory_order_release);
    return pair;
  }

 private:
  struct Known {
    std::atomic<typename Times::Pair*> pair{nullptr};
    std::atomic<bool> asked{false};
  };

  Times& times_;
  const std::string table_;
  std::array<Known, kVerbs> known_;
};

}  // namespace hotrow

#endif  // HOTROW_BASE_STAGE_TIMES_H_
