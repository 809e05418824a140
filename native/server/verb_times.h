// How long requests took, by verb and stage.
#ifndef HOTROW_SERVER_VERB_TIMES_H_
#define HOTROW_SERVER_VERB_TIMES_H_

#include <array>
#include <chrono>
#include <vector>

#include "base/histogram.h"
#include "hotrow/server.h"
#include "wire/frame.h"

namespace hotrow::server {

/// Threads: any number at once.
class VerbTimes {
 public:
  using Clock = std::chrono::steady_clock;

  /// From when a request was whole until its work began, and from there until its reply was made.
  void record(wire::Verb verb, Clock::time_point whole, Clock::time_point begun,
              Clock::time_point made) {
    Stages& its = all_[static_cast<size_t>(verb)];
    its.queue.record(nanoseconds(begun - whole));
    its.work.record(nanoseconds(made - begun));
  }

  /// Of verbs that have come.
  std::vector<VerbLatency> summaries() const {
    std::vector<VerbLatency> summaries;
    for (size_t verb = 0; verb < all_.size(); ++verb) {
      const LatencySummary work = all_[verb].work.snapshot().summary();
      if (work.count == 0) continue;
      summaries.push_back({.verb = std::string(wire::name_of(static_cast<wire::Verb>(verb))),
                           .queue = all_[verb].queue.snapshot().summary(),
                           .work = work});
    }
    return summaries;
  }

 private:
  struct Stages {
    LatencyHistogram queue;
    LatencyHistogram work;
  };

  static uint64_t nanoseconds(Clock::duration time) {
    return static_cast<uint64_t>(
        std::chrono::duration_cast<std::chrono::nanoseconds>(time).count());
  }

  std::array<Stages, wire::kLastVerb + 1> all_;
};

}  // namespace hotrow::server

#endif  // HOTROW_SERVER_VERB_TIMES_H_
