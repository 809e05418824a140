// Roles and tables: what each may do, request by request.
#include "server/access.h"

#include <gtest/gtest.h>

#include <chrono>
#include <memory>
#include <string>
#include <vector>

#include "client/connection.h"
#include "hotrow/connect.h"
#include "hotrow/server.h"
#include "support/stores.h"
#include "support/tls_files.h"

namespace hotrow::test {
namespace {

using server::Access;
using server::Grant;
using server::Role;
using wire::Kind;
using wire::Verb;

constexpr auto kDeniedCode = StatusCode::kDenied;

TEST(AccessFile, SaysWhoMayDoWhat) {
  const Access access = must(Access::parse(R"({"identities": {
    "a": {"role": "trainer", "tables": ["ads*", "users", "*"]},
    "b": {"role": "reader", "tables": ["ads*", "users"]},
    "c": {"role": "admin"}, "d": {"role": "reader", "tables": []}}})"));
  EXPECT_TRUE(access.of("a")->names("anything"));
  const Grant& b = *access.of("b");
  for (const char* name : {"ads", "ads-2", "users"}) EXPECT_TRUE(b.names(name)) << name;
  for (const char* name : {"ad", "users2", "user", "", "xads"}) EXPECT_FALSE(b.names(name)) << name;
  EXPECT_TRUE(ok(b.permits(Role::kReader, "x")));
  EXPECT_TRUE(
      fails(b.permits(Role::kTrainer, "PUSH"), kDeniedCode, "PUSH is for the role trainer"));
  EXPECT_TRUE(ok(access.of("c")->permits(Role::kAdmin, "x")));
  EXPECT_TRUE(access.of("c")->everywhere());
  EXPECT_FALSE(access.of("d")->names("x"));
  EXPECT_EQ(access.of("nobody"), nullptr);
  EXPECT_EQ(access.of("*"), nullptr);
  const Access others = must(Access::parse(R"({"identities": {"*": {"role": "reader"}}})"));
  EXPECT_TRUE(fails(others.of("nobody")->permits(Role::kTrainer, "x"), kDeniedCode));
  // Without a file everybody is a trainer.
  EXPECT_TRUE(ok(Access().of("nobody")->permits(Role::kTrainer, "x")));
  EXPECT_TRUE(fails(Access().of("nobody")->permits(Role::kAdmin, "x"), kDeniedCode));
}

TEST(AccessFile, WhatIsWrongIsNamed) {
  const struct {
    const char* text;
    const char* what;
  } cases[] = {
      {"", "parse error"},
      {"[]", "identities"},
      {R"({"identities": {}, "more": 1})", "identities"},
      {R"({"identities": []})", "identities"},
      {R"({"identities": {"a": 1}})", "'a': expected an object"},
      {R"({"identities": {"a": {}}})", "'a': role is missing"},
      {R"({"identities": {"a": {"role": "boss"}}})", "'a': role: expected"},
      {R"({"identities": {"a": {"role": 1}}})", "'a': role: expected"},
      {R"({"identities": {"a": {"role": "reader", "table": []}}})", "'a': what is 'table'?"},
      {R"({"identities": {"a": {"role": "reader", "tables": "x"}}})", "'a': tables: expected"},
      {R"({"identities": {"a": {"role": "reader", "tables": ["a*b"]}}})", "'a': tables: expected"},
      {R"({"identities": {"a": {"role": "reader", "tables": [""]}}})", "'a': tables: expected"},
      {R"({"identities": {"a": {"role": "admin", "tables": ["x"]}}})", "'a': an admin has all"},
  };
  for (const auto& [text, what] : cases) {
    EXPECT_TRUE(fails(Access::parse(text), kInvalid, what)) << text;
  }
}

class Roles : public testing::Test {
 protected:
  TlsFiles files_;
  Folder folder_;
  std::shared_ptr<Store> store_ = must(Store::open(folder_ / "store", {}));
  std::unique_ptr<Server> server_;
  std::shared_ptr<client::Connection> connection_;

  ~Roles() override {
    connection_.reset();
    server_.reset();
    store_->close();
  }
  /// Serves, with one client of that role, or of whatever the access file says of it.
  void serve(const std::string& grant) {
    ServerTls tls = files_.every();
    tls.access_file =
        write_file(files_.folder / "access", R"({"identities": {"by-token": )" + grant + "}}");
    connection_.reset();
    server_.reset();
    server_ = must(Server::start(store_, {.tls = tls}));
    connection_ =
        must(client::Connection::open(must(net::parse_address(server_->address())),
                                      {.identity = "by-token", .token = TlsFiles::kToken}, soon(),
                                      {}, must(net::TlsContext::client(files_.with_token()))));
  }
  std::shared_ptr<Store> dial() {
    return must(connect({.servers = {server_->address()}, .tls = files_.with_token()}));
  }

  static net::Deadline soon() {
    return std::chrono::steady_clock::now() + std::chrono::seconds(20);
  }
  Status ask(client::Request& request, std::string* text = nullptr) {
    client::TextReply reply;
    must(connection_->send(request, reply, soon()));
    must(connection_->wait(reply, soon()));
    if (text != nullptr) *text = reply.text;
    return reply.status;
  }
  Status call(const wire::Call& call, std::string* text = nullptr) {
    client::Request request(Verb::kCall);
    request.add_text(wire::to_text(call));
    return ask(request, text);
  }
  /// The number of a table, or the server's refusal.
  Result<uint32_t> number_of(const std::string& name) {
    std::string text;
    HOTROW_RETURN_IF_ERROR(call({.call = "table", .name = name}, &text));
    return must(wire::from_text<wire::OpenedTable>(text)).parameter;
  }
  /// A request that is right in all but who asks for it.
  Status ask_for(Verb verb, uint32_t number) {
    const std::vector<uint64_t> keys = {1};
    const std::vector<float> values = {1};
    const std::vector<uint32_t> offsets = {0, 1};
    client::Request request(verb);
    request.add<uint64_t>(0, number, Kind::kKeys, keys);
    request.add<float>(0, number, Kind::kRows, values);
    request.add<float>(0, number, Kind::kGradients, values);
    request.add<float>(0, number, Kind::kWeights, values);
    request.add<uint32_t>(0, number, Kind::kOffsets, offsets);
    request.add(0, number, {.most = 10});
    return ask(request);
  }
};

const char* const kPlainRoles[] = {R"({"role": "reader"})", R"({"role": "trainer"})",
                                   R"({"role": "admin"})"};

// Each request of the protocol beside the first role that may ask for it.
TEST_F(Roles, EachVerbIsForItsRole) {
  const std::vector<std::pair<Verb, int>> verbs = {
      {Verb::kLookup, 0}, {Verb::kState, 0},  {Verb::kPooled, 0},   {Verb::kScan, 0},
      {Verb::kPull, 0},   {Verb::kPush, 1},   {Verb::kPushBags, 1}, {Verb::kUpdate, 1},
      {Verb::kErase, 1},  {Verb::kScores, 1}, {Verb::kEvicted, 1},  {Verb::kScanSlots, 2},
      {Verb::kTake, 2}};
  ASSERT_EQ(verbs.size(), wire::kLastVerb - 3U);  // all but HELLO, CALL and GOODBYE
  must(store_->table("t", sum_table(1)));
  for (int role = 0; role < 3; ++role) {
    serve(kPlainRoles[role]);
    const uint32_t number = must(number_of("t"));
    for (const auto& [verb, least] : verbs) {
      const Status status = ask_for(verb, number);
      EXPECT_EQ(status.code() == kDeniedCode, role < least)
          << kPlainRoles[role] << wire::name_of(verb) << describe(status);
    }
  }
}

TEST_F(Roles, EachCallIsForItsRole) {
  const std::vector<std::pair<const char*, int>> calls = {
      {"table", 0},       {"dense", 0},        {"list", 0},        {"version", 0},
      {"versions", 0},    {"diff", 0},         {"stats", 0},       {"tableStats", 0},
      {"hotKeys", 0},     {"commit", 1},       {"refresh", 1},     {"verify", 1},
      {"reserve", 1},     {"evict", 1},        {"shrink", 1},      {"decay", 1},
      {"drop", 2},        {"rollback", 2},     {"nameVersion", 2}, {"pinVersion", 2},
      {"placement", 0},   {"setPlacement", 2}, {"freezeSlots", 2}, {"thawSlots", 2},
      {"expectSlots", 2}, {"closeSlots", 2},   {"compact", 2},     {"begin", 1},
      {"decide", 1},      {"close", 1},        {"notClosed", 1},   {"resolve", 1},
      {"settle", 1},      {"serverStats", 0},  {"prepare", 2}};  // of a rollback: number
  must(store_->table("t", sum_table(1)));
  for (int role = 0; role < 3; ++role) {
    serve(kPlainRoles[role]);
    for (const auto& [name, least] : calls) {
      // With a name a commit is an admin's.
      const std::string its = std::string_view(name) == "commit" ? "" : "none";
      const Status status = call({.call = name, .name = its, .other = "none", .number = 99});
      EXPECT_EQ(status.code() == kDeniedCode, role < least)
          << kPlainRoles[role] << name << describe(status);
      EXPECT_EQ(status.message().find("knows no call"), std::string::npos) << name;
    }
  }
}

TEST_F(Roles, OnlyAnAdminNamesVersions) {
  for (int role = 1; role < 3; ++role) {
    serve(kPlainRoles[role]);
    const Status status = call({.call = "commit", .name = "prod"});
    EXPECT_EQ(status.code() == kDeniedCode, role < 2) << describe(status);
  }
}

TEST_F(Roles, AReaderOpensWhatIsThereAndMakesNothing) {
  must(store_->table("t", sum_table(1)));
  must(store_->dense("d", {.shape = {2}}));
  serve(kPlainRoles[0]);
  const auto store = dial();
  EXPECT_TRUE(ok(store->table("t", sum_table(1))));
  EXPECT_TRUE(fails(store->table("t", sum_table(2)), StatusCode::kConflict, "other options"));
  EXPECT_TRUE(ok(store->table("t")));
  EXPECT_TRUE(ok(store->dense("d", {.shape = {2}})));
  EXPECT_TRUE(fails(store->table("new", sum_table(1)), kDeniedCode, "to make a table"));
  EXPECT_TRUE(fails(store->dense("new", {.shape = {2}}), kDeniedCode, "to make a dense"));
  EXPECT_TRUE(fails(store->table("new"), StatusCode::kNotFound));
  EXPECT_EQ(must(store_->list()).size(), 2U);
  const auto table = must(store->table("t"));
  EXPECT_TRUE(fails(table->push(range(1, 1), std::vector<float>{1}), kDeniedCode, "reader"));
  EXPECT_EQ(lookup(*table, {1}), std::vector<float>{0});
}

TEST_F(Roles, OnlyPermittedTablesAreSeenOrTouched) {
  for (const char* name : {"ads-1", "ads-2", "users"}) must(store_->table(name, sum_table(1)));
  must(store_->commit({}));
  serve(R"({"role": "trainer", "tables": ["ads*"]})");
  EXPECT_TRUE(fails(number_of("users"), kDeniedCode, "'users'"));
  const uint32_t ads = must(number_of("ads-1"));
  for (const Verb verb :
       {Verb::kLookup, Verb::kState, Verb::kPooled, Verb::kPush, Verb::kPushBags, Verb::kUpdate,
        Verb::kErase, Verb::kScores, Verb::kScan, Verb::kEvicted, Verb::kPull}) {
    EXPECT_NE(ask_for(verb, ads).code(), kDeniedCode) << wire::name_of(verb);
    // Nor is a number that nobody has any other table's.
    EXPECT_TRUE(fails(ask_for(verb, 77), StatusCode::kNotFound)) << wire::name_of(verb);
  }
  EXPECT_EQ(lookup(*must(store_->table("users")), {1}), std::vector<float>{0});
  for (const char* name : {"tableStats", "hotKeys", "reserve", "evict"}) {
    EXPECT_NE(call({.call = name, .parameter = ads, .number = 1}).code(), kDeniedCode) << name;
  }
  const auto store = dial();
  const auto listed = must(store->list());
  ASSERT_EQ(listed.size(), 2U);
  EXPECT_EQ(listed[0].name, "ads-1");
  EXPECT_TRUE(fails(store->table("other", sum_table(1)), kDeniedCode, "'other'"));
  EXPECT_TRUE(ok(store->table("ads-3", sum_table(1))));
}

TEST_F(Roles, FiguresNameOnlyPermittedTables) {
  for (const char* name : {"ads", "users"}) must(store_->table(name, sum_table(1)));
  ServerTls tls = files_.every();
  tls.access_file = write_file(files_.folder / "access", R"({"identities": {
      "by-token": {"role": "reader", "tables": ["ads"]}, "urn:x:by-key": {"role": "admin"}}})");
  server_ = must(Server::start(store_, {.tls = tls}));
  const auto key = must(connect({.servers = {server_->address()}, .tls = files_.with_key()}));
  for (const char* name : {"ads", "users"}) (void)lookup(*must(key->table(name)), {1});
  EXPECT_EQ(must(key->stats()).remote->servers.front().latency.back().table, "users");
  std::string tables;
  uint64_t lookups = 0;
  const StoreStats stats = must(dial()->stats());
  for (const RequestTimes& its : stats.remote->servers.front().latency) {
    tables += its.table;
    if (its.verb == "LOOKUP" && its.table.empty()) lookups = its.stages[2].time.count;
  }
  EXPECT_EQ(tables, "ads");
  EXPECT_EQ(lookups, 2U) << "of all tables together";
}

TEST_F(Roles, ANumberOfATableThatIsNotPermittedIsRefused) {
  for (const char* name : {"ads", "users"}) must(store_->table(name, sum_table(1)));
  // Somebody else opens the other one.
  ServerTls tls = files_.every();
  tls.access_file = write_file(files_.folder / "access", R"({"identities": {
      "by-token": {"role": "trainer", "tables": ["ads"]}, "urn:x:by-key": {"role": "admin"}}})");
  server_.reset();
  server_ = must(Server::start(store_, {.tls = tls}));
  const auto key = must(connect({.servers = {server_->address()}, .tls = files_.with_key()}));
  must(key->table("users"));  // number 0
  connection_ =
      must(client::Connection::open(must(net::parse_address(server_->address())),
                                    {.identity = "by-token", .token = TlsFiles::kToken}, soon(), {},
                                    must(net::TlsContext::client(files_.with_token()))));
  EXPECT_TRUE(fails(ask_for(Verb::kLookup, 0), kDeniedCode, "number 0"));
  EXPECT_TRUE(fails(ask_for(Verb::kPush, 0), kDeniedCode, "number 0"));
  EXPECT_TRUE(fails(ask_for(Verb::kScan, 0), kDeniedCode, "number 0"));
  EXPECT_TRUE(fails(call({.call = "tableStats", .parameter = 0}), kDeniedCode, "'users'"));
  EXPECT_TRUE(fails(call({.call = "shrink", .parameter = 0}), kDeniedCode, "'users'"));
  // In one message with one that is permitted, or hidden in a section behind it.
  const uint32_t mine = must(number_of("ads"));
  EXPECT_NE(mine, 0U);
  const std::vector<uint64_t> keys = {1};
  const std::vector<float> values = {1};
  client::Request both(Verb::kPush);
  for (uint16_t part = 0; part < 2; ++part) {
    both.add<uint64_t>(part, part == 0 ? mine : 0, Kind::kKeys, keys);
    both.add<float>(part, part == 0 ? mine : 0, Kind::kGradients, values);
  }
  EXPECT_TRUE(fails(ask(both), kDeniedCode, "number 0"));
  client::Request hidden(Verb::kScan);
  hidden.add<uint64_t>(0, mine, Kind::kKeys, keys);
  hidden.add(0, 0, {.most = 10});
  EXPECT_TRUE(fails(ask(hidden), kDeniedCode, "number 0"));
  EXPECT_EQ(lookup(*must(store_->table("users")), {1}), std::vector<float>{0});
}

TEST_F(Roles, WhoIsNotListedIsTurnedAway) {
  serve(R"({"role": "reader"})");
  EXPECT_TRUE(fails(connect({.servers = {server_->address()}, .tls = files_.with_key()}),
                    kDeniedCode, "does not list 'urn:x:by-key'"));
  EXPECT_EQ(server_->stats().refused, 1U);
}

}  // namespace
}  // namespace hotrow::test
