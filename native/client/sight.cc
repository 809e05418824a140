#include "client/sight.h"

#include <algorithm>
#include <utility>

#include "base/hash.h"
#include "base/random_id.h"

namespace hotrow::client {

namespace {

constexpr std::array<std::string_view, Reply::kStages> kClientStages{"encode", "send", "wait",
                                                                     "decode"};
constexpr uint64_t kMostRequests = (uint64_t{1} << wire::kTraceShift) - 1;

}  // namespace

Sight::Sight(std::shared_ptr<net::TraceFile> trace)
    : trace_(std::move(trace)), next_trace_(trace_ == nullptr ? 0 : xxh3(random_id())) {}

void Sight::done(wire::Verb verb, ClientTimes::Pair* pair, const Reply& reply,
                 const std::string& server) noexcept {
  std::array<net::TracePart, Reply::kStages> parts;
  Interval its{reply.at.front(), reply.at.front()};
  for (size_t stage = 0; stage < Reply::kStages; ++stage) {
    // A reply may have come before its request's thread has looked at the clock.
    its = {its.end, std::max(its.end, reply.at[stage + 1])};
    times_.record(static_cast<size_t>(verb), pair, stage, its.nanoseconds());
    parts[stage] = {kClientStages[stage], its};
  }
  if (trace_ == nullptr) return;
  const bool traced = (reply.request & wire::kTracedRequest) != 0;
  trace_->add({.row = server,
               .name = wire::name_of(verb),
               .when = {reply.at.front(), its.end},
               .parts = parts,
               .table = pair == nullptr ? std::string_view() : pair->table(),
               .trace = wire::trace_of(reply.request),
               .request = traced ? reply.request : 0,
               .asks = true});
}

std::vector<RequestTimes> Sight::summaries() const {
  return times_.summaries([](size_t verb) { return wire::name_of(static_cast<wire::Verb>(verb)); },
                          kClientStages, [](std::string_view) { return true; });
}

thread_local Traced* Traced::current_ = nullptr;

void Traced::begin(Sight& sight, std::string_view name, std::string_view table) {
  sight_ = &sight;
  name_ = name;
  table_ = table;
  trace_ = sight.next_trace();
  begun_ = std::chrono::steady_clock::now();
  current_ = this;
}

void Traced::begin_phase(std::string_view name) {
  const bool ended = phases_.empty() || phases_.back().when.end != Interval::Point{};
  if (!ended && phases_.back().name == name) return;
  const auto now = std::chrono::steady_clock::now();
  end_phase(now);
  if (phases_.size() < kMostPhases) phases_.push_back({name, {now, {}}});
}

void Traced::end_phase(Interval::Point when) {
  if (phases_.empty() || phases_.back().when.end != Interval::Point{}) return;
  phases_.back().when.end = when;
}

void Traced::end() noexcept {
  current_ = nullptr;
  const auto now = std::chrono::steady_clock::now();
  end_phase(now);
  sight_->trace()->add({.row = "calls",
                        .name = name_,
                        .when = {begun_, now},
                        .parts = phases_,
                        .table = table_,
                        .trace = trace_});
}

uint64_t Traced::next_request() {
  if (current_ == nullptr) return 0;
  const uint64_t number = current_->requests_++ & kMostRequests;
  return wire::kTracedRequest | current_->trace_ << wire::kTraceShift | number;
}

}  // namespace hotrow::client
