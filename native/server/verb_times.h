// How long requests took in a server, by verb, table and stage, and what its trace shows of them.
#ifndef HOTROW_SERVER_VERB_TIMES_H_
#define HOTROW_SERVER_VERB_TIMES_H_

#include <array>
#include <memory>
#include <string_view>
#include <vector>

#include "base/stage_times.h"
#include "net/trace_file.h"
#include "wire/frame.h"

namespace hotrow::server {

/// As hotrow/stats.h describes them.
enum Stage : uint8_t { kQueue, kDecode, kWork, kEncode, kSend, kStages };

/// As many threads as record at once: most servers have one or a few.
inline constexpr uint32_t kServerStripes = 4;
using ServerTimes = StageTimes<wire::kLastVerb + 1, kStages, kServerStripes>;

/// One request from when it came in until its reply is out.
struct Timed {
  using Table = ServerTimes::Pair;

  wire::Verb verb = wire::Verb::kHello;
  uint64_t request = 0;
  Table* table = nullptr;  ///< the only one that it names
  std::array<Interval, kStages> stages;
  bool counts = false;  ///< else it is of no interest
};

/// Where the stages of a request about rows meet; whoever answers it says when.
struct Marks {
  Interval::Point decoded;
  Interval::Point worked;
};

/// Threads: any number at once.
class VerbTimes {
 public:
  using Clock = std::chrono::steady_clock;

  /// Before anything is recorded.
  void trace_to(std::shared_ptr<net::TraceFile> trace) { trace_ = std::move(trace); }

  /// The trace is whole then.
  void end_trace() {
    if (trace_ != nullptr) trace_->close();
  }

  Timed::Table* table(const std::string& name, wire::Verb verb) {
    return times_.pair(name, static_cast<size_t>(verb));
  }

  /// Its reply is made: what came before that is known. So whoever has the reply finds itself in
  /// the figures, but for the last stage.
  void made(const Timed& its) {
    if (!its.counts) return;
    for (size_t stage = 0; stage < kSend; ++stage) record(its, stage);
  }
  /// Its reply is out.
  void sent(const Timed& its) {
    if (!its.counts) return;
    record(its, kSend);
    if (trace_ != nullptr) draw(its);
  }

  template <class Shows>
  std::vector<RequestTimes> summaries(const Shows& shows) const {
    return times_.summaries([](size_t verb) { return name_of(static_cast<wire::Verb>(verb)); },
                            kStageNames, shows);
  }

 private:
  static constexpr std::array<std::string_view, kStages> kStageNames{"queue", "decode", "work",
                                                                     "encode", "send"};

  void record(const Timed& its, size_t stage) {
    if (its.stages[stage].none()) return;
    times_.record(static_cast<size_t>(its.verb), its.table, stage, its.stages[stage].nanoseconds());
  }

  void draw(const Timed& its) {
    std::array<net::TracePart, kStages> parts;
    Interval all = its.stages[kSend];
    for (size_t stage = 0; stage < kStages; ++stage) {
      parts[stage] = {kStageNames[stage], its.stages[stage]};
      if (!its.stages[stage].none()) all.begin = std::min(all.begin, its.stages[stage].begin);
    }
    const bool traced = (its.request & wire::kTracedRequest) != 0;
    trace_->add({.row = "requests",
                 .name = name_of(its.verb),
                 .when = all,
                 .parts = parts,
                 .table = its.table == nullptr ? std::string_view() : its.table->table(),
                 .trace = wire::trace_of(its.request),
                 .request = traced ? its.request : 0});
  }

  ServerTimes times_;
  std::shared_ptr<net::TraceFile> trace_;
};

}  // namespace hotrow::server

#endif  // HOTROW_SERVER_VERB_TIMES_H_
