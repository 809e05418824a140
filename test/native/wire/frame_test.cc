// Frames: what is written is read, and nothing else is: every damaged header, and section tables
// that lie.
#include "wire/frame.h"

#include <gtest/gtest.h>

#include <cstring>
#include <vector>

#include "base/hash.h"
#include "support/random.h"
#include "support/scale.h"
#include "support/status.h"
#include "wire/message.h"
#include "wire/reader.h"

namespace hotrow::test {
namespace {

using wire::FrameHeader;
using wire::Kind;
using wire::Section;
using wire::Type;

using Bytes = std::vector<std::byte>;

FrameHeader some_header() {
  return {.verb = wire::Verb::kPush,
          .flags = wire::kReply,
          .request = 0x0102030405060708,
          .sequence = 77,
          .epoch = 5,
          .clock = 6,
          .body_bytes = 640,
          .sections = 3,
          .code = 9};
}

std::span<const std::byte, wire::kHeaderBytes> header_of(const Bytes& bytes) {
  return std::span<const std::byte, wire::kHeaderBytes>(bytes.data(), wire::kHeaderBytes);
}

Bytes encoded(const FrameHeader& header) {
  Bytes bytes(wire::kHeaderBytes);
  wire::encode(header, std::span<std::byte, wire::kHeaderBytes>(bytes.data(), bytes.size()));
  return bytes;
}

TEST(Frame, HeaderComesBack) {
  const FrameHeader its = some_header();
  const FrameHeader read = must(wire::decode(header_of(encoded(its)), 640));
  EXPECT_EQ(read.verb, its.verb);
  EXPECT_EQ(read.flags, its.flags);
  EXPECT_EQ(read.request, its.request);
  EXPECT_EQ(read.sequence, its.sequence);
  EXPECT_EQ(read.epoch, its.epoch);
  EXPECT_EQ(read.clock, its.clock);
  EXPECT_EQ(read.body_bytes, its.body_bytes);
  EXPECT_EQ(read.sections, its.sections);
  EXPECT_EQ(read.code, its.code);
}

TEST(Frame, LiesWhereTheFormatSays) {
  const Bytes bytes = encoded(some_header());
  EXPECT_EQ(std::memcmp(bytes.data(), "HROW\1\0\6\1\10\7\6\5\4\3\2\1", 16), 0);
  EXPECT_EQ(bytes[16], std::byte{77});
  EXPECT_EQ(bytes[32], std::byte{0x80});
  EXPECT_EQ(bytes[33], std::byte{2});
  EXPECT_EQ(bytes[40], std::byte{3});
  EXPECT_EQ(bytes[44], std::byte{9});
}

TEST(Frame, AnyBitOfAHeaderThatFlipsIsRefused) {
  const Bytes whole = encoded(some_header());
  for (size_t bit = 0; bit < whole.size() * 8; ++bit) {
    Bytes bytes = whole;
    bytes[bit / 8] ^= std::byte{1} << bit % 8;
    EXPECT_TRUE(fails(wire::decode(header_of(bytes), 640), StatusCode::kProtocol)) << bit;
  }
}

TEST(Frame, ABodyBeyondTheLimitIsRefusedBeforeItIsRead) {
  const Bytes bytes = encoded(some_header());
  EXPECT_TRUE(
      fails(wire::decode(header_of(bytes), 639), StatusCode::kProtocol, "at most 639 are taken"));
}

// A header with one field that nobody may send, and a checksum that fits.
TEST(Frame, WhatNobodyMaySendIsRefusedThoughTheChecksumFits) {
  struct Wrong {
    size_t at;
    uint8_t value;
  };
  for (const auto& [at, value] : std::vector<Wrong>{{4, 2}, {6, 0}, {6, 200}, {7, 4}, {32, 1}}) {
    Bytes bytes = encoded(some_header());
    bytes[at] = std::byte{value};
    const uint64_t sum = xxh3({reinterpret_cast<const char*>(bytes.data()), 56});
    std::memcpy(bytes.data() + 56, &sum, sizeof sum);
    EXPECT_TRUE(fails(wire::decode(header_of(bytes), 1 << 20), StatusCode::kProtocol)) << at;
  }
  FrameHeader header = some_header();
  header.sections = 1025;
  header.body_bytes = 1 << 20;
  EXPECT_TRUE(fails(wire::decode(header_of(encoded(header)), 1 << 20), StatusCode::kProtocol));
  header = some_header();
  header.sections = 17;  // 680 bytes of 640
  EXPECT_TRUE(fails(wire::decode(header_of(encoded(header)), 1 << 20), StatusCode::kProtocol));
  header = some_header();
  header.body_sum = 1;
  EXPECT_TRUE(fails(wire::decode(header_of(encoded(header)), 1 << 20), StatusCode::kProtocol));
}

// Two sections of one part and one of the next.
AlignedBuffer some_frame(const FrameHeader& header) {
  wire::FrameWriter frame;
  frame.layout().add(0, 7, Kind::kKeys, Type::kU64, 3);
  frame.layout().add(0, 7, Kind::kRows, Type::kF32, 3, 5);
  frame.layout().add(1, 8, Kind::kText, Type::kU8, 2);
  frame.begin(header);
  for (uint64_t i = 0; i < 3; ++i) frame.array<uint64_t>(0)[i] = 100 + i;
  for (size_t i = 0; i < 15; ++i) frame.array<float>(1)[i] = 0.5F * static_cast<float>(i);
  frame.array<uint8_t>(2)[0] = 'o';
  frame.array<uint8_t>(2)[1] = 'k';
  return frame.finish(true);
}

TEST(Message, SectionsComeBackWhereTheyWerePut) {
  const AlignedBuffer frame = some_frame({.verb = wire::Verb::kLookup});
  const FrameHeader header = must(wire::decode(
      std::span<const std::byte, wire::kHeaderBytes>(frame.data(), wire::kHeaderBytes), 1 << 20));
  EXPECT_EQ(frame.size(), header.bytes());
  EXPECT_EQ(frame.size() % wire::kAlignment, 0U);
  wire::Message message;
  EXPECT_TRUE(ok(message.read(header, frame.bytes().subspan(wire::kHeaderBytes))));
  EXPECT_EQ(message.parts(), 2U);
  const auto keys = must(message.values<uint64_t>(0, Kind::kKeys));
  EXPECT_EQ(std::vector<uint64_t>(keys.begin(), keys.end()),
            (std::vector<uint64_t>{100, 101, 102}));
  EXPECT_EQ(must(message.values<float>(0, Kind::kRows)).size(), 15U);
  EXPECT_EQ(must(message.values<float>(0, Kind::kRows))[14], 7.0F);
  EXPECT_EQ(message.part(1).front().parameter, 8U);
  EXPECT_EQ(message.find(1, Kind::kKeys), nullptr);
  EXPECT_TRUE(must(message.values<float>(1, Kind::kRows)).empty());
  EXPECT_TRUE(fails(message.values<float>(0, Kind::kKeys), StatusCode::kProtocol, "wrong type"));
}

// Any section table at all: it is refused, or every section lies within the body, apart from the
// others, as long as it says.
TEST(Message, NoSectionTableReachesBeyondItsBody) {
  Random random(9);
  uint64_t taken = 0;
  const uint64_t cases = scaled(300'000);
  for (uint64_t i = 0; i < cases; ++i) {
    wire::Layout layout;
    const uint64_t count = 1 + random.below(4);
    for (uint64_t s = 0; s < count; ++s) {
      layout.add(static_cast<uint16_t>(s / 2), 1, static_cast<Kind>(1 + random.below(12)),
                 static_cast<Type>(1 + random.below(4)), random.below(40),
                 static_cast<uint32_t>(1 + random.below(4)));
    }
    const auto placed = layout.place();
    const FrameHeader header{.body_bytes = layout.body_bytes(),
                             .sections = static_cast<uint32_t>(placed.size())};
    Bytes body(header.body_bytes);
    std::memcpy(body.data(), placed.data(), placed.size_bytes());
    // A field, or a few bytes, become something else.
    for (uint64_t n = random.below(3); n > 0; --n) {
      const uint64_t at = random.below(placed.size_bytes());
      body[at] = static_cast<std::byte>(random.below(4) == 0 ? 255 : random.below(256));
    }
    std::vector<Section> sections;
    if (!wire::decode_sections(header, body, sections).ok()) continue;
    ++taken;
    uint64_t end = placed.size_bytes();
    for (const Section& section : sections) {
      ASSERT_GE(section.offset, end);
      ASSERT_LE(section.bytes, header.body_bytes);
      ASSERT_LE(section.offset, header.body_bytes - section.bytes);
      ASSERT_EQ(section.bytes, section.count * section.dim * wire::size_of(section.type));
      end = section.offset + section.bytes;
    }
  }
  EXPECT_GT(taken, cases / 10);
  EXPECT_LT(taken, cases);
}

// Frames of all lengths one after the other, in pieces of any length.
TEST(FrameReader, GivesEveryFrameHoweverItsBytesCome) {
  Random random(3);
  for (uint64_t round = 0; round < scaled(60); ++round) {
    Bytes stream;
    std::vector<uint64_t> lengths;
    for (uint64_t i = 0; i < 12; ++i) {
      wire::FrameWriter frame;
      const uint64_t length = random.below(3) == 0 ? random.below(200'000) : random.below(300);
      frame.layout().add(0, 0, Kind::kBytes, Type::kU8, length);
      frame.begin({.verb = wire::Verb::kScan, .request = i});
      for (uint8_t& byte : frame.array<uint8_t>(0)) byte = static_cast<uint8_t>(i + 1);
      const AlignedBuffer whole = frame.finish(random.below(2) == 0);
      stream.insert(stream.end(), whole.data(), whole.data() + whole.size());
      lengths.push_back(length);
    }
    wire::FrameReader reader;
    reader.open(1 << 20);
    size_t at = 0;
    uint64_t seen = 0;
    while (seen < lengths.size()) {
      const auto space = reader.space();
      ASSERT_FALSE(space.empty());
      const size_t most = random.below(2) == 0 ? 100 : 50'000;
      const size_t n = std::min({space.size(), stream.size() - at, 1 + random.below(most)});
      ASSERT_GT(n, 0U);
      std::memcpy(space.data(), stream.data() + at, n);
      at += n;
      ASSERT_TRUE(ok(reader.advance(n)));
      while (reader.ready()) {
        ASSERT_EQ(reader.header().request, seen);
        wire::Message message;
        ASSERT_TRUE(ok(message.read(reader.header(), reader.body())));
        const auto bytes = must(message.values<uint8_t>(0, Kind::kBytes));
        ASSERT_EQ(bytes.size(), lengths[seen]);
        for (const uint8_t byte : bytes) ASSERT_EQ(byte, seen + 1);
        ASSERT_EQ(reinterpret_cast<uintptr_t>(reader.body().data()) % wire::kAlignment, 0U);
        ++seen;
        ASSERT_TRUE(ok(reader.next()));
      }
    }
    EXPECT_FALSE(reader.halfway());
  }
}

TEST(FrameReader, ADamagedBodyIsRefused) {
  AlignedBuffer frame = some_frame({.verb = wire::Verb::kLookup});
  frame.data()[frame.size() - 1] ^= std::byte{1};
  wire::FrameReader reader;
  std::memcpy(reader.space().data(), frame.data(), frame.size());
  EXPECT_TRUE(fails(reader.advance(frame.size()), StatusCode::kProtocol, "checksum"));
}

TEST(FrameReader, BeforeHelloOnlyAFewBytesAreTaken) {
  wire::FrameReader reader;
  EXPECT_LE(reader.space().size(), wire::FrameReader::kFirstBytes);
  const Bytes bytes = encoded({.verb = wire::Verb::kHello, .body_bytes = 8192, .sections = 0});
  std::memcpy(reader.space().data(), bytes.data(), bytes.size());
  EXPECT_TRUE(fails(reader.advance(bytes.size()), StatusCode::kProtocol, "at most 4096"));
}

}  // namespace
}  // namespace hotrow::test
