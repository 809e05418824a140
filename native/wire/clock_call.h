// The calls about the clock that workers share: their texts. They are CALLs like those of call.h,
// with fields of their own. docs/FORMATS.md, "Workers' clocks".
#ifndef HOTROW_WIRE_CLOCK_CALL_H_
#define HOTROW_WIRE_CLOCK_CALL_H_

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "hotrow/status.h"
#include "hotrow/sync_worker.h"

namespace hotrow::wire {

/// One call; each reads some of the fields.
struct ClockCall {
  std::string call;   ///< join, tick, applyStep, renew, leave, clock
  std::string group;  ///< its name
  std::string id;     ///< of the group's life, as its leader has said; empty: this is the leader
  uint32_t index = 0;
  uint32_t of = 0;
  ClockMode mode = ClockMode::kAsync;
  uint64_t staleness = 0;
  uint64_t lease_ms = 0;
  uint64_t step = 0;              ///< that ends; join at a follower: the clock to begin at
  uint64_t wait_ms = 0;           ///< of tick
  std::vector<uint32_t> members;  ///< whose gradients are the step's
};

/// The answer to join, tick, applyStep and leave.
struct ClockReply {
  std::string id;
  uint64_t clock = 0;  ///< join: where the worker begins
  bool done = false;   ///< tick: the next step may begin
  std::string waits;   ///< tick that is not done: for whom, as a sentence says it
  /// The step that was decided last and whose gradients are in it, of kBulk.
  uint64_t step = 0;
  std::vector<uint32_t> members;
  /// What became of the step here: a status' code and message.
  uint32_t code = 0;
  std::string message;
};

std::string to_text(const ClockCall& value);
std::string to_text(const ClockReply& value);
std::string to_text(const GroupFigures& value);

/// ERR_PROTOCOL when the text is no JSON of that. Unknown fields are passed over.
Result<ClockCall> read_clock_call(std::string_view text);
Result<ClockReply> read_clock_reply(std::string_view text);
Result<GroupFigures> read_group_figures(std::string_view text);

}  // namespace hotrow::wire

#endif  // HOTROW_WIRE_CLOCK_CALL_H_
