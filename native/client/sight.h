// Sight: what a client knows of its requests' times, and its trace.
//
// A call of the store's user is a Traced while it lasts, which knows its phases; requests that are
// begun meanwhile, by the same thread, get numbers that say so to servers. Without a trace there is
// nothing but the histograms.
#ifndef HOTROW_CLIENT_SIGHT_H_
#define HOTROW_CLIENT_SIGHT_H_

#include <array>
#include <atomic>
#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "base/stage_times.h"
#include "client/exchange.h"
#include "net/trace_file.h"
#include "wire/frame.h"

namespace hotrow::client {

inline constexpr size_t kTimedVerbs = wire::kLastVerb + 1;
/// Most stores have one thread that makes calls.
using ClientTimes = StageTimes<kTimedVerbs, Reply::kStages, 1>;
/// Of one table or dense parameter, by verb.
using TablePairs = PairsOf<ClientTimes, kTimedVerbs>;

/// Threads: any number at once.
class Sight {
 public:
  /// Null: no trace.
  explicit Sight(std::shared_ptr<net::TraceFile> trace);

  ClientTimes& times() { return times_; }
  net::TraceFile* trace() const { return trace_.get(); }
  /// A request to `server` and its reply, which has come; `pair` as StageTimes::record().
  void done(wire::Verb verb, ClientTimes::Pair* pair, const Reply& reply,
            const std::string& server) noexcept;
  std::vector<RequestTimes> summaries() const;
  /// Of a call: what no other call of this client has, and by chance alone one of another.
  uint64_t next_trace() { return next_trace_.fetch_add(1, std::memory_order_relaxed) & kTraceMask; }

 private:
  static constexpr uint64_t kTraceMask = ~wire::kTracedRequest >> wire::kTraceShift;

  ClientTimes times_;
  const std::shared_ptr<net::TraceFile> trace_;
  std::atomic<uint64_t> next_trace_;  // hands out numbers; publishes nothing
};

/// One call, for the trace; within another one it is part of that. Of one thread.
class Traced {
 public:
  /// `name` and `table` must outlive it.
  Traced(Sight& sight, std::string_view name, std::string_view table = {}) {
    if (sight.trace() != nullptr && current_ == nullptr) begin(sight, name, table);
  }
  ~Traced() {
    if (sight_ != nullptr) end();
  }
  Traced(const Traced&) = delete;
  Traced& operator=(const Traced&) = delete;

  /// What the thread's call does from now on, if it is traced.
  static void phase(std::string_view name) {
    if (current_ != nullptr) current_->begin_phase(name);
  }
  /// The number of the next request of the thread's call; 0: it is not traced.
  static uint64_t next_request();

 private:
  /// More are not drawn: calls that are cut again and again.
  static constexpr size_t kMostPhases = 64;

  void begin(Sight& sight, std::string_view name, std::string_view table);
  void begin_phase(std::string_view name);
  void end_phase(Interval::Point when);
  void end() noexcept;

  static thread_local Traced* current_;

  Sight* sight_ = nullptr;  // null: nothing is traced
  std::string_view name_;
  std::string_view table_;
  Interval::Point begun_;
  uint64_t trace_ = 0;
  uint64_t requests_ = 0;
  std::vector<net::TracePart> phases_;
};

}  // namespace hotrow::client

#endif  // HOTROW_CLIENT_SIGHT_H_
