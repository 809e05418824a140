// A stream of frames as it comes from a socket: whatever comes, in whatever pieces, the reader
// gives whole frames or refuses, and what a message says lies within its body.
#include <algorithm>
#include <cstring>

#include "test/fuzz/mended.h"
#include "test/fuzz/reads.h"
#include "test/fuzz/target.h"
#include "wire/message.h"
#include "wire/reader.h"

namespace hotrow::fuzz {

namespace {

constexpr uint64_t kMostBodyBytes = uint64_t{1} << 20;

/// False: the stream is refused.
bool feed(wire::FrameReader& reader, std::span<const std::byte> bytes, size_t most, bool& known) {
  while (!bytes.empty()) {
    const auto space = reader.space();
    must_hold(!space.empty(), "a reader without a frame has space");
    const size_t n = std::min({space.size(), bytes.size(), most});
    std::memcpy(space.data(), bytes.data(), n);
    bytes = bytes.subspan(n);
    Status status = reader.advance(n);
    while (status.ok() && reader.ready()) {
      must_hold(reader.body().size() == reader.header().body_bytes, "a frame is whole");
      wire::Message message;
      if (message.read(reader.header(), reader.body()).ok()) read_all(message, reader.body());
      status = reader.next();
      // As a server does once it knows who is there.
      if (status.ok() && !known) reader.open(kMostBodyBytes);
      known = true;
    }
    if (!status.ok()) return false;
  }
  return true;
}

void run_frames(std::span<const uint8_t> input) {
  wire::FrameReader reader;
  Pieces pieces(input);
  bool known = false;
  while (const auto piece = pieces.next()) {
    const size_t most = (piece->how & kInBits) != 0 ? 61 : SIZE_MAX;
    if (!feed(reader, piece->bytes, most, known)) return;
  }
}

std::vector<Input> frame_seeds() {
  std::vector<Input> all;
  for (const uint8_t how : {0, kMended | kSummedToo, kMended | kInBits}) {
    Input input;
    const auto add = [&](const AlignedBuffer& frame) {
      add_piece(input, static_cast<uint8_t>(how), frame.bytes());
    };
    add(wire::text_frame({.verb = wire::Verb::kHello}, R"({"version":1})"));
    wire::FrameWriter push;
    push.layout().add(0, 7, wire::Kind::kKeys, wire::Type::kU64, 3);
    push.layout().add(0, 7, wire::Kind::kGradients, wire::Type::kF32, 3, 4);
    push.layout().add(1, 8, wire::Kind::kOptions, wire::Type::kU8, sizeof(wire::CallOptions));
    push.begin({.verb = wire::Verb::kPush, .sequence = 1});
    for (uint64_t& key : push.array<uint64_t>(0)) key = 5;
    std::ranges::fill(push.array<float>(1), 1.0F);
    std::ranges::fill(push.array<uint8_t>(2), uint8_t{0});
    add(push.finish(true));
    add(wire::text_frame({.verb = wire::Verb::kGoodbye, .flags = wire::kReply}, ""));
    all.push_back(std::move(input));
  }
  return all;
}

}  // namespace

const Target kFrames{
    .name = "frames", .run = run_frames, .seeds = frame_seeds, .mutations = 60'000};

}  // namespace hotrow::fuzz
