#include "wire/clock_call.h"

#include <type_traits>

#include "wire/text-inl.h"

namespace hotrow {

constexpr ClockMode last_value(ClockMode) { return ClockMode::kBulk; }

template <class Archive, class T>
void fields(Archive& a, T& v)
  requires std::is_same_v<std::remove_const_t<T>, WorkerFigures>
{
  a("index", v.index);
  a("clock", v.clock);
  a("alive", v.alive);
  a("behindMs", v.behind_ms);
}

template <class Archive, class T>
void fields(Archive& a, T& v)
  requires std::is_same_v<std::remove_const_t<T>, GroupFigures>
{
  a("group", v.group);
  a("mode", v.mode);
  a("staleness", v.staleness);
  a("leads", v.leads);
  a("slowest", v.slowest);
  a("dropped", v.dropped);
  a("heldBytes", v.held_bytes);
  a("workers", v.workers);
}

}  // namespace hotrow

namespace hotrow::wire {

template <class Archive, class T>
void fields(Archive& a, T& v)
  requires std::is_same_v<std::remove_const_t<T>, ClockCall>
{
  a("call", v.call);
  a("group", v.group);
  a("id", v.id);
  a("index", v.index);
  a("of", v.of);
  a("mode", v.mode);
  a("staleness", v.staleness);
  a("leaseMs", v.lease_ms);
  a("step", v.step);
  a("waitMs", v.wait_ms);
  a("members", v.members);
}

template <class Archive, class T>
void fields(Archive& a, T& v)
  requires std::is_same_v<std::remove_const_t<T>, ClockReply>
{
  a("id", v.id);
  a("clock", v.clock);
  a("done", v.done);
  a("waits", v.waits);
  a("step", v.step);
  a("members", v.members);
  a("code", v.code);
  a("message", v.message);
}

std::string to_text(const ClockCall& value) { return written(value); }
std::string to_text(const ClockReply& value) { return written(value); }
std::string to_text(const GroupFigures& value) { return written(value); }

Result<ClockCall> read_clock_call(std::string_view text) { return parsed<ClockCall>(text); }
Result<ClockReply> read_clock_reply(std::string_view text) { return parsed<ClockReply>(text); }
Result<GroupFigures> read_group_figures(std::string_view text) {
  return parsed<GroupFigures>(text);
}

}  // namespace hotrow::wire
