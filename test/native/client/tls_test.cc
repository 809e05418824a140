// Stores over TLS: who is let in and who is not, on both sides, and what either is told.
#include <gtest/gtest.h>
#include <openssl/ssl.h>

#include <atomic>
#include <chrono>
#include <memory>
#include <string>
#include <thread>
#include <vector>

#include "client/connection.h"
#include "hotrow/connect.h"
#include "hotrow/server.h"
#include "support/comes_true.h"
#include "support/random.h"
#include "support/scale.h"
#include "support/stores.h"
#include "support/tls_files.h"

namespace hotrow::test {
namespace {

using Clock = std::chrono::steady_clock;
constexpr auto kDenied = StatusCode::kDenied;

class TlsStores : public testing::Test {
 protected:
  TlsFiles files_;
  std::shared_ptr<Store> store_ = private_store();

  std::unique_ptr<Server> serve(const ServerTls& tls) const {
    return must(Server::start(store_, {.tls = tls}));
  }
  static Result<std::shared_ptr<Store>> dial(const Server& server, const ClientTls& tls,
                                             uint32_t timeout_ms = 20'000) {
    return connect({.servers = {server.address()}, .timeout_ms = timeout_ms, .tls = tls});
  }
  /// Refused, and at once: trying again would not help.
  void expect_denied(const Server& server, const ClientTls& tls, const char* what,
                     StatusCode code = kDenied) const {
    const auto started = Clock::now();
    const auto made = dial(server, tls);
    EXPECT_TRUE(fails(made, code, what));
    EXPECT_LT(Clock::now() - started, std::chrono::seconds(10));
    for (const std::string& secret : {TlsFiles::kKey, TlsFiles::kToken}) {
      EXPECT_EQ(made.status().message().find(secret), std::string::npos);
    }
  }
};

TEST_F(TlsStores, EveryKindOfCredentialLetsItsClientIn) {
  const auto server = serve(files_.every());
  const auto keys = range(0, 100'000);
  std::vector<float> ones(keys.size() * 4, 1);
  float pushes = 0;
  for (const ClientTls& tls : {files_.with_certificate(), files_.with_key(), files_.with_token()}) {
    const auto store = must(dial(*server, tls));
    const auto table = must(store->table("t", sum_table(4)));
    // Megabytes, both ways.
    must(table->push(keys, ones));
    ++pushes;
    EXPECT_EQ(lookup(*table, keys), std::vector<float>(keys.size() * 4, pushes));
    EXPECT_EQ(lookup(*table, {3}), std::vector<float>(4, pushes));
    store->close();
  }
  EXPECT_EQ(server->stats().refused, 0U);
}

TEST_F(TlsStores, ServersOfOneKindTakeThatKind) {
  const auto only_keys = serve({.psk_file = files_.psks});
  EXPECT_TRUE(ok(dial(*only_keys, files_.with_key())));
  expect_denied(*only_keys, files_.with_certificate(), "refuses the connection");
  const auto only_certificates = serve(files_.by_certificate_only());
  EXPECT_TRUE(ok(dial(*only_certificates, files_.with_certificate())));
  expect_denied(*only_certificates, files_.with_key(), "does not know this client's key");
  expect_denied(*only_certificates, files_.with_token(), "certificate required");
  auto tls = files_.every();
  tls.ca_file = tls.psk_file = "";
  const auto only_tokens = serve(tls);
  EXPECT_TRUE(ok(dial(*only_tokens, files_.with_token())));
  expect_denied(*only_tokens, files_.with_certificate(),
                "neither a certificate, a key nor a token");
}

TEST_F(TlsStores, ClientsWithWrongCredentialsAreRefused) {
  const auto server = serve(files_.every());
  const auto& authority = files_.authority;
  const auto wrong = [&](const char* name, const Wanted& wanted) {
    return files_.with(authority.issue(name, wanted));
  };
  expect_denied(*server, files_.with(files_.stranger.issue("s", {.names = "DNS:by-cert"})),
                "refuses the connection");
  expect_denied(*server, wrong("old", {.names = "DNS:x", .begins_s = -7200, .ends_s = -3600}),
                "certificate expired");
  expect_denied(*server, wrong("early", {.names = "DNS:x", .begins_s = 1800}),
                "refuses the connection");
  expect_denied(*server, wrong("nameless", {}), "refuses the connection");
  expect_denied(*server, wrong("mail", {.names = "email:a@b.c"}), "refuses the connection");
  expect_denied(*server, wrong("server", {.names = "DNS:x", .use = "serverAuth"}),
                "refuses the connection");
  expect_denied(*server, files_.with_key("urn:x:by-key:00112233445566778899aabbccddeeff0012"),
                "refuses the connection");
  expect_denied(*server, files_.with_key("nobody:" + TlsFiles::kKey),
                "does not know this client's key");
  expect_denied(*server, files_.with_token("by-token:0123456789abcdef"), "nor a token");
  expect_denied(*server, files_.with_token("nobody:" + TlsFiles::kToken), "nor a token");
  EXPECT_EQ(server->stats().refused, 10U);
  EXPECT_TRUE(ok(dial(*server, files_.with_certificate())));
}

TEST_F(TlsStores, ServersWithWrongCertificatesAreNotBelieved) {
  const auto with = [&](const Issued& its) {
    return serve(
        {.cert_file = its.cert_file, .key_file = its.key_file, .token_file = files_.tokens});
  };
  const auto& authority = files_.authority;
  expect_denied(*with(files_.stranger.issue("a", {.names = kServerNames})), files_.with_token(),
                "certificate of the server is not accepted");
  expect_denied(*with(authority.issue("b", {.names = kServerNames, .ends_s = -60})),
                files_.with_token(), "certificate has expired");
  expect_denied(*with(authority.issue("c", {.names = "DNS:other,IP:10.0.0.1"})),
                files_.with_token(), "IP address mismatch");
  expect_denied(*with(authority.issue("d", {.names = kServerNames, .use = "clientAuth"})),
                files_.with_token(), "not accepted");
  const auto named = with(authority.issue("e", {.names = "DNS:other"}));
  ClientTls tls = files_.with_token();
  tls.server_name = "other";
  EXPECT_TRUE(ok(dial(*named, tls)));
  tls.server_name = "another";
  expect_denied(*named, tls, "ostname mismatch");
}

TEST_F(TlsStores, WhoSpeaksPlainlyAndWhoDoesNotTellEachOther) {
  const auto plain = must(Server::start(store_, {}));
  const auto started = Clock::now();
  EXPECT_TRUE(fails(dial(*plain, files_.with_key()), StatusCode::kProtocol, "does not speak TLS"));
  const auto secret = serve(files_.every());
  EXPECT_TRUE(fails(dial(*secret, {}), StatusCode::kProtocol, "the server speaks TLS only"));
  EXPECT_LT(Clock::now() - started, std::chrono::seconds(10));
  // Counted once the answer has gone out.
  EXPECT_TRUE(comes_true([&] { return secret->stats().refused == 1; }));
}

TEST_F(TlsStores, ManyThreadsShareAConnection) {
  const auto server = serve(files_.every());
  const auto store = must(dial(*server, files_.with_key()));
  const auto table = must(store->table("t", sum_table(8)));
  constexpr int kThreads = 4;
  const uint64_t rounds = scaled(60);
  std::vector<std::thread> threads;
  for (int i = 0; i < kThreads; ++i) {
    threads.emplace_back([&, i] {
      Random random(static_cast<uint64_t>(i));
      const auto keys = range(static_cast<uint64_t>(i) * 100'000, 20'000);
      const std::vector<float> ones(keys.size() * 8, 1);
      for (uint64_t round = 1; round <= rounds; ++round) {
        const size_t n = random.below(keys.size()) + 1;
        must(table->push({keys.data(), n}, {ones.data(), n * 8}));
        EXPECT_EQ(lookup(*table, {keys[0]}), std::vector<float>(8, static_cast<float>(round)));
        lookup(*table, {keys.begin(), keys.begin() + static_cast<ptrdiff_t>(n)});
      }
    });
  }
  for (auto& thread : threads) thread.join();
}

TEST_F(TlsStores, ASessionIsOfTheIdentityThatBeganIt) {
  const auto server = serve(files_.every());
  const auto address = must(net::parse_address(server->address()));
  const auto soon = Clock::now() + std::chrono::seconds(20);
  const auto open = [&](const ClientTls& tls, const std::string& session) {
    return must(client::Connection::open(address, {.session = session}, soon, {},
                                         must(net::TlsContext::client(tls))));
  };
  const auto first = open(files_.with_key(), "");
  const std::string session = first->welcome().session;
  EXPECT_TRUE(open(files_.with_key(), session)->welcome().resumed);
  const auto thief = open(files_.with_certificate(), session);
  EXPECT_FALSE(thief->welcome().resumed);
  EXPECT_NE(thief->welcome().session, session);
}

TEST_F(TlsStores, AClientGoesOnWhenItsServerComesBack) {
  auto server = serve(files_.every());
  const std::string address = server->address();
  const auto store = must(dial(*server, files_.with_token()));
  const auto table = must(store->table("t", sum_table(1)));
  EXPECT_EQ(lookup(*table, {1}), std::vector<float>{0});
  server.reset();
  server = must(Server::start(store_, {.listen = address, .tls = files_.every()}));
  EXPECT_EQ(lookup(*table, {1}), std::vector<float>{0});
}

TEST_F(TlsStores, ServersBeyondThisMachineNeedTls) {
  EXPECT_TRUE(fails(Server::start(store_, {.listen = "0.0.0.0:0"}), kInvalid, "of this machine"));
  const auto server = must(Server::start(store_, {.listen = "0.0.0.0:0", .tls = files_.every()}));
  const std::string port = server->address().substr(server->address().rfind(':'));
  // 0.0.0.0 is not of loopback, and leads to this machine all the same.
  EXPECT_TRUE(fails(connect({.servers = {"0.0.0.0" + port}}), kInvalid, "of this machine"));
  const auto store = must(connect({.servers = {"0.0.0.0" + port}, .tls = files_.with_key()}));
  EXPECT_EQ(lookup(*must(store->table("t", sum_table(1))), {1}), std::vector<float>{0});
}

TEST_F(TlsStores, FilesThatDoNotGoTogetherOrCannotBeUsedAreNamed) {
  const auto start = [&](const ServerTls& tls) { return Server::start(store_, {.tls = tls}); };
  const auto& [cert, key] = files_.server;
  EXPECT_TRUE(fails(start({.cert_file = cert, .key_file = key}), kInvalid, "caFile, pskFile or"));
  EXPECT_TRUE(fails(start({.cert_file = cert, .psk_file = files_.psks}), kInvalid, "go together"));
  EXPECT_TRUE(fails(start({.token_file = files_.tokens}), kInvalid, "need certFile"));
  EXPECT_TRUE(fails(start({.access_file = "x"}), kInvalid, "expected caFile"));
  auto tls = files_.every();
  tls.key_file = files_.client.key_file;
  EXPECT_TRUE(fails(start(tls), kInvalid, "keyFile"));
  tls.key_file = write_file(files_.folder / "open.key", "secretsecret", true);
  EXPECT_TRUE(fails(start(tls), kInvalid, "chmod 600"));
  tls.key_file = write_file(files_.folder / "bad.key", "secretsecret");
  EXPECT_TRUE(fails(start(tls), kInvalid, "bad.key' cannot be used"));
  EXPECT_EQ(start(tls).status().message().find("secretsecret"), std::string::npos);
  tls = files_.every();
  tls.cert_file = files_.folder / "nothing";
  EXPECT_TRUE(fails(start(tls), kInvalid, "certFile: '"));
  tls = files_.every();
  tls.ca_file = key;
  EXPECT_TRUE(fails(start(tls), kInvalid, "caFile: '"));

  const auto client = [](const ClientTls& its) {
    return connect({.servers = {"127.0.0.1:1"}, .tls = its});
  };
  EXPECT_TRUE(fails(client({.server_name = "x"}), kInvalid, "pskFile or caFile"));
  EXPECT_TRUE(fails(client({.ca_file = "x"}), kInvalid, "either certFile"));
  EXPECT_TRUE(fails(client({.ca_file = "x", .psk_file = "y"}), kInvalid, "no other field"));
  EXPECT_TRUE(fails(client({.psk_file = files_.psks}), kInvalid, "several lines"));
  EXPECT_TRUE(fails(client({.ca_file = files_.authority.ca_file(), .token_file = files_.tokens}),
                    kInvalid, "several lines"));
}

}  // namespace
}  // namespace hotrow::test
