// Guarantee S6 where TLS begins: whoever sends what is no handshake, half of one, a damaged one or
// none at all costs nothing but its own connection, while another client goes on.
#include <arpa/inet.h>
#include <gtest/gtest.h>
#include <openssl/ssl.h>
#include <poll.h>
#include <sys/socket.h>

#include <algorithm>
#include <array>
#include <atomic>
#include <chrono>
#include <memory>
#include <string>
#include <thread>
#include <vector>

#include "base/hash.h"
#include "hotrow/connect.h"
#include "hotrow/server.h"
#include "net/listener.h"
#include "net/socket.h"
#include "support/random.h"
#include "support/scale.h"
#include "support/stores.h"
#include "support/tls_files.h"
#include "wire/message.h"

namespace hotrow::test {
namespace {

using SteadyClock = std::chrono::steady_clock;
using Raw = std::vector<std::byte>;
using std::chrono::milliseconds;
using std::chrono::seconds;

// A client of OpenSSL's that gives its bytes away instead of sending them.
class RawTls {
 public:
  explicit RawTls(const ClientTls& files, int least = TLS1_3_VERSION, int most = TLS1_3_VERSION)
      : context_(SSL_CTX_new(TLS_client_method()), SSL_CTX_free), ssl_(nullptr, SSL_free) {
    SSL_CTX_set_min_proto_version(context_.get(), least);
    SSL_CTX_set_max_proto_version(context_.get(), most);
    SSL_CTX_use_certificate_chain_file(context_.get(), files.cert_file.c_str());
    SSL_CTX_use_PrivateKey_file(context_.get(), files.key_file.c_str(), SSL_FILETYPE_PEM);
    ssl_.reset(SSL_new(context_.get()));
    SSL_set_bio(ssl_.get(), BIO_new(BIO_s_mem()), BIO_new(BIO_s_mem()));
    SSL_set_connect_state(ssl_.get());
  }
  /// Goes on with what has come; what is to be sent.
  Raw shake(const std::string& came) {
    BIO_write(SSL_get_rbio(ssl_.get()), came.data(), static_cast<int>(came.size()));
    SSL_do_handshake(ssl_.get());
    return sent();
  }
  /// What is to be sent once these bytes are.
  Raw seal(const Raw& bytes) {
    SSL_write(ssl_.get(), bytes.data(), static_cast<int>(bytes.size()));
    return sent();
  }
  bool shaken() const { return SSL_is_init_finished(ssl_.get()) == 1; }
  /// What OpenSSL makes of what came since.
  std::string open(const std::string& came) {
    BIO_write(SSL_get_rbio(ssl_.get()), came.data(), static_cast<int>(came.size()));
    std::string clear;
    char piece[4096];
    for (int n = 0; (n = SSL_read(ssl_.get(), piece, sizeof piece)) > 0;) clear.append(piece, n);
    return clear;
  }

 private:
  Raw sent() {
    Raw bytes(BIO_pending(SSL_get_wbio(ssl_.get())));
    if (!bytes.empty()) {
      BIO_read(SSL_get_wbio(ssl_.get()), bytes.data(), static_cast<int>(bytes.size()));
    }
    return bytes;
  }
  std::unique_ptr<SSL_CTX, decltype(&SSL_CTX_free)> context_;
  std::unique_ptr<SSL, decltype(&SSL_free)> ssl_;
};

class TlsHostile : public testing::Test {
 protected:
  TlsHostile()
      : store_(private_store()),
        server_(must(Server::start(store_, {.tls = files_.by_certificate_only()}))),
        client_(must(connect({.servers = {server_->address()}, .tls = files_.with_certificate()}))),
        table_(must(client_->table("t", sum_table(1)))) {
    must(table_->push(key_, std::vector<float>{5}));
  }
  ~TlsHostile() override { expect_well(); }

  void expect_well() { EXPECT_EQ(lookup(*table_, key_), std::vector<float>{5}); }

  net::Socket dial() const {
    return must(net::Socket::connect(must(net::parse_address(server_->address())),
                                     SteadyClock::now() + seconds(20)));
  }
  static void send(net::Socket& socket, std::span<const std::byte> bytes) {
    const auto end = SteadyClock::now() + seconds(20);
    while (!bytes.empty()) {
      const auto sent = socket.send({&bytes, 1});
      if (!sent.ok()) return;
      bytes = bytes.subspan(sent.value());
      if (sent.value() == 0) socket.wait(net::Socket::kWritable, end, {});
    }
  }
  /// What comes until the server ends the connection, or nothing comes for so long.
  static std::string hear(net::Socket& socket, milliseconds quiet, bool once = false) {
    std::string heard;
    Raw space(1 << 14);
    while (socket.wait(net::Socket::kReadable, SteadyClock::now() + quiet, {}) != 0) {
      const auto came = socket.receive(space, {});
      if (!came.ok()) break;
      heard.append(reinterpret_cast<const char*>(space.data()), came.value());
      if (once) break;
    }
    return heard;
  }
  /// The server's part of a handshake, which it sends at once.
  static std::string hear_server(net::Socket& socket) { return hear(socket, seconds(5), true); }

  const std::vector<uint64_t> key_ = {1};
  TlsFiles files_;
  std::shared_ptr<Store> store_;
  std::unique_ptr<Server> server_;
  std::shared_ptr<Store> client_;
  std::shared_ptr<Table> table_;
};

Raw raw_hello() {
  const AlignedBuffer frame = wire::text_frame({.verb = wire::Verb::kHello}, R"({"version":1})");
  return {frame.data(), frame.data() + frame.size()};
}

// The two that follow would prove nothing if this client did not get in.
TEST_F(TlsHostile, AnUnharmedHandshakeOfTheSameClientIsAnswered) {
  net::Socket socket = dial();
  RawTls tls(files_.with_certificate());
  send(socket, tls.shake(""));
  send(socket, tls.shake(hear_server(socket)));
  ASSERT_TRUE(tls.shaken());
  send(socket, tls.seal(raw_hello()));
  EXPECT_NE(tls.open(hear(socket, milliseconds(500))).find("mostBodyBytes"), std::string::npos);
}

TEST_F(TlsHostile, ClientsOfOlderVersionsAreRefused) {
  for (const int version : {TLS1_VERSION, TLS1_2_VERSION}) {
    net::Socket socket = dial();
    RawTls tls(files_.with_certificate(), version, version);
    send(socket, tls.shake(""));
    const std::string heard = hear(socket, seconds(5));
    // An alert of seven bytes, whose last says protocol_version; OpenSSL of old clients has none.
    if (version == TLS1_2_VERSION) {
      ASSERT_GE(heard.size(), 7U);
      EXPECT_EQ(heard[0], 21);
      EXPECT_EQ(heard[6], 70);
    }
    EXPECT_FALSE(tls.shaken());
  }
}

TEST_F(TlsHostile, DamagedHandshakesCostNobodyElseAnything) {
  Random random(31);
  const auto damage = [&](Raw& bytes) {
    for (uint64_t n = random.between(1, 4); n > 0 && !bytes.empty(); --n) {
      bytes[random.below(bytes.size())] = static_cast<std::byte>(random.below(256));
    }
    if (random.one_in(4)) bytes.resize(random.below(bytes.size() + 1));
    if (random.one_in(8)) bytes.insert(bytes.end(), random.below(40'000), std::byte{22});
  };
  const uint64_t cases = scaled(3'000);
  for (uint64_t i = 0; i < cases; ++i) {
    net::Socket socket = dial();
    RawTls tls(files_.with_certificate());
    Raw first = tls.shake("");
    const bool second = random.one_in(3);
    if (!second) damage(first);
    const size_t half = random.below(first.size() + 1);
    send(socket, std::span(first).first(half));
    send(socket, std::span(first).subspan(half));
    if (second) {
      // The server's part is let through, the client's certificate and proof are not as they were.
      Raw last = tls.shake(hear_server(socket));
      damage(last);
      send(socket, last);
    }
    if (random.one_in(8)) hear(socket, milliseconds(1));
    if (i % 64 == 0) expect_well();
  }
  // The last ones may still be looked at.
  for (int i = 0; i < 100 && server_->stats().refused < cases / 2; ++i) {
    std::this_thread::sleep_for(milliseconds(20));
  }
  EXPECT_GT(server_->stats().refused, cases / 2);
}

TEST_F(TlsHostile, DamagedRecordsAfterTheHandshakeEndTheConnectionOnly) {
  Random random(32);
  for (uint64_t i = 0; i < scaled(200); ++i) {
    net::Socket socket = dial();
    RawTls tls(files_.with_certificate());
    send(socket, tls.shake(""));
    send(socket, tls.shake(hear_server(socket)));
    Raw sealed = tls.seal(raw_hello());
    // Not of the record's first bytes: a longer one would be waited for.
    sealed[random.between(5, sealed.size() - 1)] ^= std::byte{1};
    send(socket, sealed);
    EXPECT_EQ(tls.open(hear(socket, seconds(5))).find("mostBodyBytes"), std::string::npos);
  }
}

TEST_F(TlsHostile, HandshakesThatStallAreEndedAndHoldUpNobody) {
  const auto started = SteadyClock::now();
  RawTls tls(files_.with_certificate());
  const Raw first = tls.shake("");
  std::vector<net::Socket> stalled;
  for (int i = 0; i < 40; ++i) {
    stalled.push_back(dial());
    // Nothing, a part of the first message, all of it, or all and nothing after it.
    send(stalled.back(), std::span(first).first(first.size() * static_cast<size_t>(i % 4) / 3));
  }
  const auto asked = SteadyClock::now();
  for (int i = 0; i < 200; ++i) expect_well();
  EXPECT_LT(SteadyClock::now() - asked, seconds(3));
  EXPECT_GT(server_->stats().connections, 30U);
  for (net::Socket& each : stalled) hear(each, seconds(20));
  EXPECT_LT(SteadyClock::now() - started, seconds(19));
  EXPECT_EQ(server_->stats().refused, 40U);
}

TEST_F(TlsHostile, WhoIsKnownButSaysNothingIsLetGo) {
  net::Socket socket = dial();
  RawTls tls(files_.with_certificate());
  send(socket, tls.shake(""));
  send(socket, tls.shake(hear_server(socket)));
  const auto started = SteadyClock::now();
  hear(socket, seconds(20));
  EXPECT_LT(SteadyClock::now() - started, seconds(19));
  EXPECT_EQ(server_->stats().refused, 1U);
}

// Records that were encrypted and found no room wait, and come out whole and in order.
TEST_F(TlsHostile, WhoReadsSlowlyGetsEveryByte) {
  must(client_->dense("wide", {.shape = {2'000'000}}));
  auto socket = must(net::Socket::connect(
      must(net::parse_address(server_->address())), SteadyClock::now() + seconds(20),
      must(net::TlsContext::client(files_.with_certificate()))));
  const auto frame_of = [](AlignedBuffer frame) {
    return Raw(frame.data(), frame.data() + frame.size());
  };
  send(socket, raw_hello());
  send(socket, frame_of(wire::text_frame({.verb = wire::Verb::kCall},
                                         R"({"call":"dense","name":"wide"})")));
  hear(socket, milliseconds(500));
  wire::FrameWriter pull;
  pull.layout().add(0, 1, wire::Kind::kOptions, wire::Type::kU8, sizeof(wire::CallOptions));
  pull.begin({.verb = wire::Verb::kPull});
  std::memset(pull.array<uint8_t>(0).data(), 0, sizeof(wire::CallOptions));
  const Raw request = frame_of(pull.finish(true));
  constexpr size_t kPulls = 6;  // 48 MB, far more than sockets hold
  for (size_t i = 0; i < kPulls; ++i) send(socket, request);
  std::string heard;
  Raw space(100'000);
  for (int i = 0; socket.wait(net::Socket::kReadable, SteadyClock::now() + seconds(3), {}) != 0;
       ++i) {
    const auto came = socket.receive(space, {});
    ASSERT_TRUE(ok(came));
    heard.append(reinterpret_cast<const char*>(space.data()), came.value());
    if (i % 100 == 0) std::this_thread::sleep_for(milliseconds(2));
  }
  size_t replies = 0;
  for (size_t at = 0; at < heard.size(); ++replies) {
    const auto header = must(
        wire::decode(std::span<const std::byte, wire::kHeaderBytes>(
                         reinterpret_cast<const std::byte*>(heard.data() + at), wire::kHeaderBytes),
                     uint64_t{1} << 30));
    ASSERT_LE(at + header.bytes(), heard.size());
    EXPECT_EQ(header.code, 0U);
    EXPECT_EQ(xxh3(std::string_view(heard).substr(at + wire::kHeaderBytes, header.body_bytes)),
              header.body_sum);
    at += header.bytes();
  }
  EXPECT_EQ(replies, kPulls);
}

// Hands bytes on between clients and a server, and ends both connections after so many of the
// server's.
class Relay {
 public:
  Relay(const std::string& server, uint64_t most)
      : server_(must(net::parse_address(server))), left_(most) {
    sockaddr_in any{};
    any.sin_family = AF_INET;
    any.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    socklen_t length = sizeof any;
    listener_ = ::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    ::bind(listener_, reinterpret_cast<sockaddr*>(&any), sizeof any);
    ::listen(listener_, 8);
    ::getsockname(listener_, reinterpret_cast<sockaddr*>(&any), &length);
    address_ = {.host = "127.0.0.1", .port = ntohs(any.sin_port)};
    thread_ = std::thread([this] {
      while (serve()) {
      }
    });
  }
  ~Relay() {
    cut();
    ::shutdown(listener_, SHUT_RDWR);
    thread_.join();
    ::close(listener_);
  }
  const net::Address& address() const { return address_; }
  void cut() { left_ = 0; }

 private:
  bool serve() {
    const int client = ::accept4(listener_, nullptr, nullptr, SOCK_CLOEXEC);
    if (client < 0) return false;
    const int server = ::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    sockaddr_in to{};
    to.sin_family = AF_INET;
    to.sin_port = htons(server_.port);
    to.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    ::connect(server, reinterpret_cast<sockaddr*>(&to), sizeof to);
    while (left_ > 0 && hand_on(client, server)) {
    }
    ::shutdown(client, SHUT_RDWR);  // an end, not a reset
    ::close(client);
    ::close(server);
    return true;
  }
  bool hand_on(int client, int server) {
    std::array<pollfd, 2> both{pollfd{client, POLLIN, 0}, pollfd{server, POLLIN, 0}};
    ::poll(both.data(), both.size(), 10);
    std::array<char, 1 << 14> space;
    for (const auto& [from, events, ready] : both) {
      if (ready == 0) continue;
      const uint64_t most = from == server ? std::min<uint64_t>(left_, space.size()) : space.size();
      const ssize_t came = ::recv(from, space.data(), most, 0);
      if (came <= 0) return false;
      ::send(from == client ? server : client, space.data(), came, MSG_NOSIGNAL);
      if (from == server) left_ -= std::min<uint64_t>(left_, came);
    }
    return true;
  }

  const net::Address server_;
  std::atomic<uint64_t> left_;
  int listener_ = -1;
  net::Address address_;
  std::thread thread_;
};

// Whoever stands between the two can end a connection, but not make it look like its end.
TEST_F(TlsHostile, AConnectionThatIsCutIsToldFromOneThatHasEnded) {
  const auto context = must(net::TlsContext::client(files_.with_certificate()));
  Raw space(64);
  for (const bool cut : {true, false}) {
    const auto server = must(Server::start(store_, {.tls = files_.by_certificate_only()}));
    Relay relay(server->address(), uint64_t{1} << 40);
    auto socket =
        must(net::Socket::connect(relay.address(), SteadyClock::now() + seconds(20), context));
    send(socket, raw_hello());
    EXPECT_NE(hear(socket, milliseconds(500)).find("mostBodyBytes"), std::string::npos);
    if (cut) relay.cut();
    if (!cut) server->stop();
    socket.wait(net::Socket::kReadable, SteadyClock::now() + seconds(5), {});
    EXPECT_TRUE(fails(
        socket.receive(space, {}), StatusCode::kUnavailable,
        cut ? "the server has cut it off without an end" : "the server has ended the connection"));
  }
}

TEST_F(TlsHostile, WhereverAServersBytesStopTheClientHearsOfIt) {
  Random random(33);
  const auto keys = range(1, 3000);
  for (uint64_t i = 0; i < scaled(60); ++i) {
    Relay relay(server_->address(), random.below(12'000));
    const auto store = connect({.servers = {relay.address().to_string()},
                                .timeout_ms = 100,
                                .tls = files_.with_certificate()});
    if (!store.ok()) {
      EXPECT_TRUE(fails(store, StatusCode::kUnavailable));
      continue;
    }
    const auto table = store.value()->table("t");
    if (!table.ok()) continue;
    // 12 KB of rows: the relay ends before they are all there.
    std::vector<float> rows(keys.size());
    EXPECT_FALSE(table.value()->lookup(keys, rows).ok());
  }
}

// A server that takes connections and says nothing.
TEST_F(TlsHostile, AClientsHandshakeHasADeadline) {
  struct Silent final : public net::Handler {
    std::span<std::byte> space() override { return memory; }
    bool received(size_t) override { return true; }
    bool waiting() const override { return false; }
    bool overdue(SteadyClock::time_point) override { return false; }
    Raw memory = Raw(4096);
  };
  const auto silent = must(net::Listener::open({.address = {.host = "127.0.0.1"}},
                                               [](auto&) { return std::make_unique<Silent>(); }));
  const auto started = SteadyClock::now();
  EXPECT_TRUE(fails(connect({.servers = {silent->address().to_string()},
                             .timeout_ms = 300,
                             .tls = files_.with_certificate()}),
                    StatusCode::kUnavailable, "does not end the TLS handshake"));
  EXPECT_LT(SteadyClock::now() - started, seconds(3));
}

}  // namespace
}  // namespace hotrow::test
