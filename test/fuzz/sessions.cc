// A server's conversation with one client, without sockets: HELLO, requests, calls, clocks. The
// client may do much with tables called t…, and nothing whatever it sends reaches the row of
// another. Every answer is a whole reply.
#include <algorithm>
#include <cstring>
#include <deque>
#include <memory>
#include <mutex>

#include "server/hub.h"
#include "server/session.h"
#include "support/stores.h"
#include "test/fuzz/mended.h"
#include "test/fuzz/reads.h"
#include "test/fuzz/target.h"

namespace hotrow::fuzz {

namespace {

constexpr uint64_t kMemory = uint64_t{96} << 20;
constexpr uint64_t kMostBody = uint64_t{256} << 10;
/// Inputs that share a server: to start one takes longer than to hear one out.
constexpr uint32_t kInputsAServer = 64;

class Wire final : public net::Connection {
 public:
  void send(AlignedBuffer frame, size_t) override {
    ++replies;
    must_hold(frame.size() >= wire::kHeaderBytes, "a reply has a header");
    const auto header = wire::decode(
        std::span<const std::byte, wire::kHeaderBytes>(frame.data(), wire::kHeaderBytes),
        uint64_t{1} << 30);
    must_hold(header.ok() && header.value().reply(), "a reply is one");
    must_hold(header.value().bytes() == frame.size(), "a reply is as long as it says");
    wire::Message message;
    const auto body = std::as_const(frame).bytes().subspan(wire::kHeaderBytes);
    must_hold(message.read(header.value(), body).ok(), "a reply can be read");
    read_all(message, body);
  }
  bool full() const override { return false; }
  AlignedBuffer take(size_t bytes) override { return AlignedBuffer(bytes); }
  void post(std::function<void(net::Handler&)> work) override {
    const std::lock_guard lock(mutex_);
    posted_.push_back(std::move(work));
  }
  const std::string& peer() const override { return peer_; }
  const std::string& identity() const override { return identity_; }
  Result<net::FabricOffer> offer(Transport) override {
    return Status(StatusCode::kUnsupported, "there is none");
  }

  /// What workers have done so far.
  void run_posted(net::Handler& handler) {
    while (true) {
      std::function<void(net::Handler&)> work;
      {
        const std::lock_guard lock(mutex_);
        if (posted_.empty()) return;
        work = std::move(posted_.front());
        posted_.pop_front();
      }
      work(handler);
    }
  }

  uint64_t replies = 0;

 private:
  const std::string peer_ = "fuzz";
  const std::string identity_ = "client";
  std::mutex mutex_;
  std::deque<std::function<void(net::Handler&)>> posted_;
};

class World {
 public:
  World() : store_(test::private_store(1, kMemory)) {
    ServerOptions options;
    options.most_body_bytes = kMostBody;
    options.tls.psk_file = "a client is known by its connection";
    server::Admission admission;
    admission.access = test::must(server::Access::parse(
        R"({"identities": {"client": {"role": "trainer", "tables": ["t*"]}}})"));
    hub_ = std::make_unique<server::Hub>(store_, options, std::move(admission));
    other_ = test::must(store_->table("other", test::sum_table(4)));
    test::must(other_->push(key_, others_));
    // Both have numbers, as if others had opened them: 0 and 1.
    test::must(hub_->parameters.number_of(other_));
    test::must(hub_->parameters.number_of(test::must(store_->table("t", test::sum_table(4)))));
  }

  /// As a server stops: before its figures go, whoever counts in them.
  ~World() {
    hub_->clocks.stop();
    for (server::Worker* worker : {&hub_->others, &hub_->opening, &hub_->files}) worker->stop();
  }
  World(const World&) = delete;
  World& operator=(const World&) = delete;

  void hear(std::span<const uint8_t> input) {
    const auto wire = std::make_shared<Wire>();
    {
      server::Session session(*hub_, *wire);
      Pieces pieces(input);
      while (const auto piece = pieces.next()) {
        if (!feed(session, piece->bytes, (piece->how & kInBits) != 0 ? 61 : SIZE_MAX)) break;
        wire->run_posted(session);
      }
      wire->run_posted(session);
    }
    must_hold(test::lookup(*other_, key_) == others_,
              "a table that the client may not use is as it was");
  }

 private:
  static bool feed(net::Handler& session, std::span<const std::byte> bytes, size_t most) {
    while (!bytes.empty()) {
      const auto space = session.space();
      must_hold(!space.empty(), "a session that listens has space");
      const size_t n = std::min({space.size(), bytes.size(), most});
      std::memcpy(space.data(), bytes.data(), n);
      bytes = bytes.subspan(n);
      if (!session.received(n)) return false;
    }
    return true;
  }

  const std::vector<uint64_t> key_ = {1};
  const std::vector<float> others_ = {3, 4, 5, 6};
  std::shared_ptr<Store> store_;
  std::shared_ptr<Table> other_;
  std::unique_ptr<server::Hub> hub_;
};

void run_session(std::span<const uint8_t> input) {
  static std::unique_ptr<World> world;
  static uint32_t heard = 0;
  if (heard++ % kInputsAServer == 0) {
    world.reset();
    world = std::make_unique<World>();
  }
  world->hear(input);
}

AlignedBuffer call(std::string_view text) {
  return wire::text_frame({.verb = wire::Verb::kCall, .request = 2}, text);
}

/// Keys of table number `parameter` and, where `kind` is not kKeys, four values each.
AlignedBuffer about_rows(wire::Verb verb, uint32_t parameter, wire::Kind kind,
                         uint64_t sequence = 0) {
  wire::FrameWriter frame;
  frame.layout().add(0, parameter, wire::Kind::kKeys, wire::Type::kU64, 3);
  if (kind != wire::Kind::kKeys) {
    frame.layout().add(0, parameter, kind, wire::Type::kF32, 3, 4);
  }
  frame.begin({.verb = verb, .request = 3, .sequence = sequence});
  std::ranges::fill(frame.array<uint64_t>(0), uint64_t{1});
  if (kind != wire::Kind::kKeys) std::ranges::fill(frame.array<float>(1), 0.5F);
  return frame.finish(true);
}

AlignedBuffer about_bags(wire::Verb verb) {
  wire::FrameWriter frame;
  frame.layout().add(0, 1, wire::Kind::kKeys, wire::Type::kU64, 3);
  frame.layout().add(0, 1, wire::Kind::kOffsets, wire::Type::kU32, 2);
  frame.layout().add(0, 1, wire::Kind::kGradients, wire::Type::kF32, 1, 4);
  frame.begin({.verb = verb, .request = 4, .sequence = 9});
  std::ranges::fill(frame.array<uint64_t>(0), uint64_t{2});
  frame.array<uint32_t>(1)[0] = 0;
  frame.array<uint32_t>(1)[1] = 3;
  std::ranges::fill(frame.array<float>(2), 0.25F);
  return frame.finish(true);
}

AlignedBuffer about_options(wire::Verb verb, uint32_t parameter) {
  wire::FrameWriter frame;
  frame.layout().add(0, parameter, wire::Kind::kOptions, wire::Type::kU8,
                     sizeof(wire::CallOptions));
  frame.begin({.verb = verb, .request = 5});
  const wire::CallOptions options{.most = 10};
  std::memcpy(frame.array<uint8_t>(0).data(), &options, sizeof options);
  return frame.finish(true);
}

Input conversation(const std::vector<AlignedBuffer>& frames) {
  Input input;
  add_piece(input, kMended | kSummedToo,
            wire::text_frame({.verb = wire::Verb::kHello}, R"({"version":1})").bytes());
  for (const AlignedBuffer& frame : frames) add_piece(input, kMended, frame.bytes());
  return input;
}

template <class... Frames>
Input talk(Frames... frames) {
  std::vector<AlignedBuffer> all;
  (all.push_back(std::move(frames)), ...);
  return conversation(all);
}

std::vector<Input> session_seeds() {
  using wire::Kind;
  using wire::Verb;
  const auto open = [] { return call(R"({"call":"table","name":"t"})"); };
  const auto join = [](const char* name, int step) {
    return call(R"({"call":")" + std::string(name) +
                R"(","group":"g","of":1,"mode":2,"leaseMs":1000,"waitMs":1,"step":)" +
                std::to_string(step) + "}");
  };
  return {talk(),
          talk(open(), about_rows(Verb::kPush, 1, Kind::kGradients, 1),
               about_rows(Verb::kPush, 1, Kind::kGradients, 1),
               about_rows(Verb::kLookup, 1, Kind::kKeys), about_rows(Verb::kState, 1, Kind::kKeys)),
          talk(open(), about_rows(Verb::kUpdate, 1, Kind::kRows, 2),
               about_rows(Verb::kErase, 1, Kind::kKeys, 3)),
          talk(about_rows(Verb::kPush, 0, Kind::kGradients, 1),
               about_rows(Verb::kErase, 0, Kind::kKeys, 2), about_options(Verb::kScan, 0)),
          talk(open(), about_bags(Verb::kPooled), about_bags(Verb::kPushBags)),
          talk(open(), about_options(Verb::kScan, 1), about_options(Verb::kEvicted, 1)),
          talk(call(R"({"call":"dense","name":"td","flag":true,"dense":{"shape":[3]}})"),
               about_options(Verb::kPull, 2)),
          talk(call(R"({"call":"table","name":"other"})"), call(R"({"call":"list"})"),
               call(R"({"call":"drop","name":"other"})"), call(R"({"call":"stats"})")),
          talk(open(), join("join", 0), about_rows(Verb::kPush, 1, Kind::kGradients, 4),
               join("tick", 1), join("clock", 0), join("leave", 0)),
          talk(wire::text_frame({.verb = Verb::kGoodbye}, ""))};
}

}  // namespace

const Target kSessions{
    .name = "sessions", .run = run_session, .seeds = session_seeds, .mutations = 20'000};

}  // namespace hotrow::fuzz
