// Guarantee S6: a hostile peer costs nothing but its own connection. Sessions of garbage, of
// damaged and half frames and of frames in the wrong order, while another client goes on as if
// nothing was.
#include <gtest/gtest.h>

#include <chrono>
#include <cstring>
#include <memory>
#include <string>
#include <thread>
#include <vector>

#include "hotrow/connect.h"
#include "hotrow/server.h"
#include "net/socket.h"
#include "support/random.h"
#include "support/scale.h"
#include "support/stores.h"
#include "wire/message.h"

namespace hotrow::test {
namespace {

using wire::FrameHeader;
using wire::Verb;
using Bytes = std::vector<std::byte>;
using Clock = std::chrono::steady_clock;

Bytes bytes_of(const AlignedBuffer& frame) { return {frame.data(), frame.data() + frame.size()}; }

Bytes text(Verb verb, std::string_view text) {
  return bytes_of(wire::text_frame({.verb = verb}, text));
}

Bytes hello() { return text(Verb::kHello, R"({"version":1})"); }

Bytes bare(const FrameHeader& header) {
  Bytes bytes(wire::kHeaderBytes);
  wire::encode(header, std::span<std::byte, wire::kHeaderBytes>(bytes.data(), bytes.size()));
  return bytes;
}

Bytes operator+(Bytes a, const Bytes& b) {
  a.insert(a.end(), b.begin(), b.end());
  return a;
}

class Hostile : public testing::Test {
 protected:
  Hostile()
      : store_(private_store()),
        server_(must(Server::start(store_, {.threads = 2}))),
        client_(must(connect({.servers = {server_->address()}}))),
        table_(must(client_->table("t", sum_table(1)))) {
    must(table_->push(key_, std::vector<float>{5}));
  }
  ~Hostile() override { expect_well(); }

  void expect_well() { EXPECT_EQ(lookup(*table_, key_), std::vector<float>{5}); }

  net::Socket dial() const {
    const auto address = must(net::parse_address(server_->address()));
    return must(net::Socket::connect(address, Clock::now() + std::chrono::seconds(20)));
  }
  /// Sends bytes as far as the server takes them.
  static void send(net::Socket& socket, std::span<const std::byte> bytes) {
    const auto end = Clock::now() + std::chrono::seconds(20);
    while (!bytes.empty()) {
      const auto sent = socket.send({&bytes, 1});
      if (!sent.ok()) return;
      bytes = bytes.subspan(sent.value());
      if (sent.value() == 0) socket.wait(net::Socket::kWritable, end, {});
    }
  }
  /// All that comes until the server ends the connection, or until nothing comes for so long.
  static std::string hear(net::Socket& socket, std::chrono::milliseconds quiet) {
    std::string heard;
    Bytes space(1 << 16);
    while (socket.wait(net::Socket::kReadable, Clock::now() + quiet, {}) != 0) {
      const auto came = socket.receive(space, {});
      if (!came.ok()) break;
      heard.append(reinterpret_cast<const char*>(space.data()), came.value());
    }
    return heard;
  }
  /// What the server says before it ends the connection.
  std::string last_words(const Bytes& bytes) const {
    net::Socket socket = dial();
    send(socket, bytes);
    return hear(socket, std::chrono::seconds(20));
  }

  const std::vector<uint64_t> key_ = {1};
  std::shared_ptr<Store> store_;
  std::unique_ptr<Server> server_;
  std::shared_ptr<Store> client_;
  std::shared_ptr<Table> table_;
};

TEST_F(Hostile, WhatIsNoFrameEndsTheConnectionWithAReason) {
  std::string request;
  while (request.size() < 256) request += "GET / HTTP/1.1\r\nHost: x\r\n\r\n";
  const auto bytes = std::as_bytes(std::span(request));
  const std::string words = last_words({bytes.begin(), bytes.end()});
  EXPECT_NE(words.find("does not speak hotrow's protocol"), std::string::npos);
  EXPECT_EQ(server_->stats().refused, 1U);
}

TEST_F(Hostile, FramesInTheWrongOrderEndTheConnection) {
  const Bytes reply =
      bytes_of(wire::text_frame({.verb = Verb::kCall, .flags = wire::kReply}, "{}"));
  for (const Bytes& bytes :
       {bare({.verb = Verb::kLookup}), hello() + hello(),
        bytes_of(wire::text_frame({.verb = Verb::kHello, .flags = wire::kReply}, "{}")),
        hello() + reply}) {
    EXPECT_NE(last_words(bytes).find("not now"), std::string::npos);
  }
  EXPECT_NE(last_words(text(Verb::kHello, "{")).find("text:"), std::string::npos);
}

TEST_F(Hostile, BodiesBeyondTheLimitAreRefusedByTheirHeader) {
  EXPECT_NE(last_words(bare({.verb = Verb::kHello, .body_bytes = 8192})).find("at most 4096"),
            std::string::npos);
  EXPECT_NE(last_words(hello() + bare({.verb = Verb::kLookup, .body_bytes = uint64_t{1} << 40}))
                .find("at most 67108864"),
            std::string::npos);
}

// Every verb with nothing, with the wrong sections, and for numbers that nobody has.
TEST_F(Hostile, RequestsThatAskForNonsenseAreAnswered) {
  net::Socket socket = dial();
  send(socket, hello());
  uint64_t asked = 0;
  const auto ask = [&](const Bytes& bytes) {
    send(socket, bytes);
    ++asked;
  };
  for (auto verb = static_cast<uint8_t>(Verb::kCall); verb <= wire::kLastVerb; ++verb) {
    if (static_cast<Verb>(verb) == Verb::kGoodbye) continue;
    ask(bare({.verb = static_cast<Verb>(verb)}));
    for (const uint32_t parameter : {0U, 77U, ~0U}) {
      for (uint16_t kind = 1; kind <= wire::kLastKind; ++kind) {
        wire::FrameWriter frame;
        frame.layout().add(0, parameter, static_cast<wire::Kind>(kind), wire::Type::kU64, 3);
        frame.layout().add(0, parameter, wire::Kind::kOffsets, wire::Type::kU32, 2);
        frame.layout().add(0, parameter, wire::Kind::kGradients, wire::Type::kF32, 7);
        frame.begin({.verb = static_cast<Verb>(verb)});
        for (uint32_t& offset : frame.array<uint32_t>(1)) offset = ~0U;
        ask(bytes_of(frame.finish(true)));
      }
    }
  }
  for (const char* const call :
       {"", "{", "[]", R"({"call":"no such call"})", R"({"call":"table"})",
        R"({"call":"table","name":"x","flag":true,"table":{"dim":9000}})",
        R"({"call":"drop","name":"u"})", R"({"call":"hotKeys","parameter":9})",
        R"({"call":"commit"})", R"({"call":"rollback","name":"9"})"}) {
    ask(text(Verb::kCall, call));
  }
  const std::string heard = hear(socket, std::chrono::seconds(2));
  // One reply to each, beside that to hello.
  uint64_t replies = 0;
  for (size_t at = 0; at + wire::kHeaderBytes <= heard.size(); ++replies) {
    const auto header = must(
        wire::decode(std::span<const std::byte, wire::kHeaderBytes>(
                         reinterpret_cast<const std::byte*>(heard.data() + at), wire::kHeaderBytes),
                     uint64_t{1} << 30));
    EXPECT_TRUE(header.reply());
    at += header.bytes();
  }
  EXPECT_EQ(replies, asked + 1);
}

TEST_F(Hostile, SessionsOfDamagedFramesCostNobodyElseAnything) {
  Random random(12);
  wire::FrameWriter frame;
  frame.layout().add(0, 0, wire::Kind::kKeys, wire::Type::kU64, 8);
  frame.begin({.verb = Verb::kLookup});
  const Bytes good =
      hello() + text(Verb::kCall, R"({"call":"list"})") + bytes_of(frame.finish(true));
  const uint64_t cases = scaled(10'000);
  for (uint64_t i = 0; i < cases; ++i) {
    Bytes bytes = good;
    for (uint64_t n = random.below(4); n > 0; --n) {
      bytes[random.below(bytes.size())] = static_cast<std::byte>(random.below(256));
    }
    if (random.one_in(3)) bytes.resize(random.below(bytes.size()));
    net::Socket socket = dial();
    const size_t half = random.below(bytes.size() + 1);
    send(socket, std::span(bytes).first(half));
    send(socket, std::span(bytes).subspan(half));
    // Most go at once; some wait for an answer.
    if (random.one_in(8)) hear(socket, std::chrono::milliseconds(1));
    if (i % 64 == 0) expect_well();
  }
  EXPECT_GT(server_->stats().refused, cases / 20);
}

TEST_F(Hostile, TextsAsDeepAsTheyAreLongAreRefused) {
  net::Socket socket = dial();
  send(socket, hello());
  const std::string deep(1'000'000, '[');
  for (const std::string& call :
       {R"({"call":"evict","number":)" + deep,
        R"({"call":"evict","number":)" + deep + std::string(deep.size(), ']') + "}"}) {
    send(socket, text(Verb::kCall, call));
  }
  const std::string heard = hear(socket, std::chrono::seconds(2));
  EXPECT_NE(heard.find("too deep"), std::string::npos);
  EXPECT_LT(heard.size(), 10'000U);
}

// What would otherwise be answered before anybody looks how much waits to be sent.
TEST_F(Hostile, WhoAsksForMuchInFewBytesGetsNoMoreThanWhatWaits) {
  const auto wide = must(client_->dense("wide", {.shape = {15'000'000}}));
  net::Socket socket = dial();
  send(socket, hello() + text(Verb::kCall, R"({"call":"dense","name":"wide"})"));
  hear(socket, std::chrono::milliseconds(500));
  wire::FrameWriter frame;
  frame.layout().add(0, 1, wire::Kind::kOptions, wire::Type::kU8, sizeof(wire::CallOptions));
  frame.begin({.verb = Verb::kPull});
  std::memset(frame.array<uint8_t>(0).data(), 0, sizeof(wire::CallOptions));
  const Bytes pull = bytes_of(frame.finish(true));
  Bytes pulls;
  for (int i = 0; i < 20; ++i) pulls = std::move(pulls) + pull;
  const uint64_t before = server_->stats().requests;
  send(socket, pulls);  // for 1.2 GB
  std::this_thread::sleep_for(std::chrono::milliseconds(300));
  expect_well();
  EXPECT_LT(server_->stats().requests - before, 8U);
  // Whoever takes them gets all of them.
  uint64_t heard = 0;
  Bytes space(1 << 20);
  while (heard < uint64_t{20} * 60'000'000 &&
         socket.wait(net::Socket::kReadable, Clock::now() + std::chrono::seconds(10), {}) != 0) {
    const auto came = socket.receive(space, {});
    if (!came.ok()) break;
    heard += came.value();
  }
  EXPECT_GE(heard, uint64_t{20} * 60'000'000);
}

TEST_F(Hostile, SessionsWithoutChangesAreNotKept) {
  for (int i = 0; i < 5000; ++i) {
    net::Socket socket = dial();
    send(socket, hello());
  }
  EXPECT_TRUE(ok(connect({.servers = {server_->address()}})));
}

TEST_F(Hostile, WhoDawdlesIsLetGo) {
  const auto started = Clock::now();
  net::Socket silent = dial();
  net::Socket halfway = dial();
  send(halfway, std::span<const std::byte>(hello()).first(70));
  hear(silent, std::chrono::seconds(20));
  hear(halfway, std::chrono::seconds(20));
  EXPECT_LT(Clock::now() - started, std::chrono::seconds(19));
  EXPECT_EQ(server_->stats().refused, 2U);
}

TEST_F(Hostile, WhoTakesNoAnswersIsReadNoFurther) {
  const auto rows = must(client_->table("wide", sum_table(8192)));
  net::Socket socket = dial();
  send(socket, hello() + text(Verb::kCall, R"({"call":"table","name":"wide"})"));
  hear(socket, std::chrono::milliseconds(500));
  wire::FrameWriter frame;
  frame.layout().add(0, 1, wire::Kind::kKeys, wire::Type::kU64, 1000);
  frame.begin({.verb = Verb::kLookup});
  const Bytes request = bytes_of(frame.finish(true));
  // Each asks for 32 MB and nobody takes them: after a few of them, requests wait too.
  uint64_t taken = 0;
  std::span<const std::byte> rest;
  for (int i = 0; i < 100'000 && taken < 2000; ++i) {
    if (rest.empty()) rest = request;
    const auto sent = socket.send({&rest, 1});
    if (!sent.ok()) break;
    if (sent.value() == 0 && socket.wait(net::Socket::kWritable,
                                         Clock::now() + std::chrono::milliseconds(500), {}) == 0) {
      break;
    }
    rest = rest.subspan(sent.value());
    if (rest.empty()) ++taken;
  }
  EXPECT_LT(taken, 2000U);
  expect_well();
}

}  // namespace
}  // namespace hotrow::test
