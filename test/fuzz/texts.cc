// The texts of messages: what is read is written and read again as the same.
#include <string>

#include "test/fuzz/target.h"
#include "wire/call.h"
#include "wire/clock_call.h"

namespace hotrow::fuzz {

namespace {

template <class T, class Read>
void read_twice(std::string_view text, const Read& read) {
  const auto first = read(text);
  if (!first.ok()) return;
  const std::string written = wire::to_text(first.value());
  const auto second = read(written);
  must_hold(second.ok(), "what is written can be read");
  must_hold(wire::to_text(second.value()) == written, "and is the same");
}

template <class T>
void read_twice(std::string_view text) {
  read_twice<T>(text, wire::from_text<T>);
}

void run_text(std::span<const uint8_t> input) {
  const std::string_view text = text_of(input);
  read_twice<wire::Hello>(text);
  read_twice<wire::Welcome>(text);
  read_twice<wire::Call>(text);
  read_twice<wire::OpenedTable>(text);
  read_twice<wire::OpenedDense>(text);
  read_twice<VersionInfo>(text);
  read_twice<TableStats>(text);
  read_twice<StoreStats>(text);
  read_twice<wire::ClockCall>(text, wire::read_clock_call);
  read_twice<wire::ClockReply>(text, wire::read_clock_reply);
  read_twice<GroupFigures>(text, wire::read_group_figures);
}

std::vector<Input> text_seeds() {
  return {input_of(wire::to_text(wire::Hello{.identity = "a", .token = "b"})),
          input_of(wire::to_text(wire::Welcome{.session = "0a", .path = "p"})),
          input_of(wire::to_text(wire::Call{.call = "table", .name = "t\n\"", .real = 0.5})),
          input_of(wire::to_text(VersionInfo{.version = 3, .cursor = "{}", .names = {"x"}})),
          input_of(wire::to_text(TableStats{.rows = 1, .load = 0.25})),
          input_of(wire::to_text(wire::ClockCall{.call = "join", .members = {0, 2}})),
          input_of(wire::to_text(wire::ClockReply{.id = "i", .members = {1}})),
          input_of(wire::to_text(GroupFigures{.group = "g", .workers = {{.index = 1}}}))};
}

}  // namespace

const Target kTexts{.name = "texts", .run = run_text, .seeds = text_seeds, .mutations = 6'000};

}  // namespace hotrow::fuzz
