// Section tables: the first byte of an input says how many sections there are, the rest is the
// body.
#include <cstring>

#include "base/aligned_buffer.h"
#include "test/fuzz/reads.h"
#include "test/fuzz/target.h"
#include "wire/message.h"

namespace hotrow::fuzz {

namespace {

void run_message(std::span<const uint8_t> input) {
  if (input.empty()) return;
  const uint32_t sections = input[0];
  input = input.subspan(1);
  AlignedBuffer body(wire::aligned(input.size()));
  if (!input.empty()) {
    std::memset(body.data(), 0, body.size());
    std::memcpy(body.data(), input.data(), input.size());
  }
  wire::Message message;
  if (!message.read({.body_bytes = body.size(), .sections = sections}, body.bytes()).ok()) return;
  uint64_t end = sections * wire::kSectionBytes;
  uint32_t seen = 0;
  for (uint16_t part = 0; part < message.parts(); ++part) {
    for (const wire::Section& section : message.part(part)) {
      must_hold(section.part == part, "parts are as they say");
      must_hold(section.offset >= end, "sections do not overlap");
      must_hold(section.bytes == section.count * section.dim * wire::size_of(section.type),
                "a section is as long as its elements");
      end = section.offset + section.bytes;
      must_hold(end >= section.offset && end <= body.size(), "sections end within the body");
      ++seen;
    }
  }
  must_hold(seen == sections, "every section is in a part");
  read_all(message, body.bytes());
}

Input as_input(wire::Layout& layout) {
  Input input(1 + layout.body_bytes());
  const auto table = layout.place();
  input[0] = static_cast<uint8_t>(table.size());
  if (!table.empty()) std::memcpy(input.data() + 1, table.data(), table.size_bytes());
  return input;
}

std::vector<Input> message_seeds() {
  using wire::Kind;
  using wire::Type;
  wire::Layout none;
  wire::Layout few;
  few.add(0, 1, Kind::kKeys, Type::kU64, 2);
  few.add(0, 1, Kind::kRows, Type::kF32, 2, 3);
  few.add(1, 2, Kind::kText, Type::kU8, 5);
  wire::Layout bags;
  bags.add(0, 1, Kind::kKeys, Type::kU64, 3);
  bags.add(0, 1, Kind::kOffsets, Type::kU32, 2);
  bags.add(0, 1, Kind::kWeights, Type::kF32, 3);
  bags.add(0, 1, Kind::kOptions, Type::kU8, sizeof(wire::CallOptions));
  return {as_input(none), as_input(few), as_input(bags)};
}

}  // namespace

const Target kMessages{
    .name = "messages", .run = run_message, .seeds = message_seeds, .mutations = 60'000};

}  // namespace hotrow::fuzz
