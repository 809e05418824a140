// Versions of several servers: one of all or none, whichever process dies at whichever step
// (guarantee C2). Every row of a table with the rule `sum` counts the pushes it has had: rows that
// differ are a torn version.
#include <gtest/gtest.h>

#include <algorithm>
#include <memory>
#include <string>
#include <thread>
#include <vector>

#include "base/random_id.h"
#include "client/cluster.h"
#include "hotrow/connect.h"
#include "hotrow/server.h"
#include "support/folder.h"
#include "support/stores.h"

namespace hotrow::test {
namespace {

constexpr int kServers = 3;
constexpr size_t kRows = 60;

/// Servers of stores on disk, each of which can die and be started again where it was.
class Crew {
 public:
  explicit Crew(const StoreOptions& options = {.memory_bytes = 64 * kMiB,
                                               .threads = 1,
                                               .sync = SyncMode::kOs})
      : options_(options) {
    for (int i = 0; i < kServers; ++i) start(i);
  }

  /// As a process that is killed: what was not committed is gone.
  void kill(int i) {
    members_[i].server.reset();
    members_[i].store.reset();
  }
  void start(int i) {
    Member& member = members_[i];
    member.store = must(Store::open(folder_ / std::to_string(i), options_));
    const std::string where = member.address.empty() ? "127.0.0.1:0" : member.address;
    member.server = must(Server::start(member.store, {.listen = where}));
    member.address = member.server->address();
  }
  Store& store(int i) { return *members_[i].store; }

  ConnectOptions addresses() const {
    ConnectOptions options;
    for (const Member& member : members_) options.servers.push_back(member.address);
    return options;
  }
  std::shared_ptr<Store> connected() const { return must(connect(addresses())); }
  int leader() const {
    const auto first = std::ranges::min_element(members_, {}, &Member::address);
    return static_cast<int>(first - members_);
  }

 private:
  struct Member {
    std::shared_ptr<Store> store;
    std::unique_ptr<Server> server;
    std::string address;
  };
  Folder folder_;
  const StoreOptions options_;
  Member members_[kServers];
};

void push_one(Table& table) { must(table.push(range(0, kRows), std::vector<float>(kRows, 1.0F))); }

/// What every row is.
float value_of(Table& table) {
  const std::vector<float> rows = lookup(table, range(0, kRows));
  for (const float row : rows) EXPECT_EQ(row, rows[0]) << "a torn version";
  return rows[0];
}

/// A client that makes a version step by step, as far as it lives.
class Coordinator {
 public:
  explicit Coordinator(const Crew& crew)
      : cluster_(crew.addresses(), parsed(crew), must(client::read_credentials({}))),
        leader_(crew.leader()),
        id_(random_id() + " " + crew.addresses().servers[leader_]) {}

  Status say(int server, const std::string& call) {
    const bool decides = call == "decide" && server == leader_;
    const wire::Call its{.call = call, .name = id_, .other = "cursor", .flag = decides};
    return cluster_.call(server, its, cluster_.deadline()).status();
  }

 private:
  static std::vector<net::Address> parsed(const Crew& crew) {
    std::vector<net::Address> all;
    for (const std::string& server : crew.addresses().servers) {
      all.push_back(net::parse_address(server).value());
    }
    return all;
  }

  client::Cluster cluster_;
  const int leader_;
  const std::string id_;
};

/// Of servers: bit i for server i.
bool has(unsigned set, int server) { return (set >> server & 1) != 0; }

TEST(ClusterVersions, ACommitIsOneVersionOfAllServers) {
  Crew crew;
  auto remote = crew.connected();
  auto table = must(remote->table("t", sum_table(1)));
  const auto dense = must(remote->dense("d", {.shape = {3}}));
  EXPECT_EQ(must(remote->version()).version, 0U);
  push_one(*table);
  const VersionInfo one = must(remote->commit({.cursor = "step 1", .name = "prod"}));
  EXPECT_EQ(one.names, std::vector<std::string>{"prod"});
  EXPECT_EQ(one.rows, kRows);
  push_one(*table);
  const VersionInfo two = must(remote->commit({.cursor = "step 2"}));
  EXPECT_GT(two.version, one.version);
  const std::vector<VersionInfo> all = must(remote->versions());
  ASSERT_EQ(all.size(), 2U);
  EXPECT_EQ(all[0].version, one.version);
  EXPECT_EQ(all[0].cursor, "step 1");
  EXPECT_EQ(all[0].names, std::vector<std::string>{"prod"});
  EXPECT_EQ(all[1].parent, one.version);
  EXPECT_TRUE(all[1].names.empty());
  const auto diffs = must(remote->diff("prod", std::to_string(two.version)));
  ASSERT_EQ(diffs.size(), 1U);
  EXPECT_EQ(diffs[0].changed, kRows);
  must(remote->pin_version(one.version, true));
  EXPECT_TRUE(must(remote->versions())[0].pinned);
  EXPECT_TRUE(fails(remote->rollback("gone"), StatusCode::kNotFound, "'gone'"));
  EXPECT_TRUE(fails(remote->name_version("x", 4711), StatusCode::kNotFound, "'4711'"));
  EXPECT_TRUE(fails(remote->commit({.name = "12"}), StatusCode::kInvalidArgument, "digits"));

  const VersionInfo back = must(remote->rollback("prod"));
  EXPECT_EQ(back.rolled_back_to, one.version);
  EXPECT_EQ(value_of(*table), 1.0F);
  for (int i = 0; i < kServers; ++i) crew.kill(i);
  for (int i = 0; i < kServers; ++i) crew.start(i);
  remote = crew.connected();
  table = must(remote->table("t"));
  EXPECT_EQ(must(remote->version()).version, back.version);
  EXPECT_EQ(value_of(*table), 1.0F);
  EXPECT_EQ(must(remote->rollback(std::to_string(two.version))).cursor, "step 2");
  EXPECT_EQ(value_of(*table), 2.0F);
}

/// One server's restart after another's, of a version that came as far as `prepared` and `decided`.
void die(Crew& crew, unsigned prepared, unsigned decided, unsigned killed) {
  SCOPED_TRACE("prepared " + std::to_string(prepared) + ", decided " + std::to_string(decided) +
               ", killed " + std::to_string(killed));
  float before = 0;
  uint64_t newest = 0;
  std::string before_cursor;
  {
    const auto remote = crew.connected();
    const auto table = must(remote->table("t", sum_table(1)));
    before = value_of(*table);
    newest = must(remote->version()).version;
    before_cursor = must(remote->version()).cursor;
    push_one(*table);
    Coordinator coordinator(crew);
    for (int i = 0; i < kServers; ++i) {
      if (has(prepared, i)) must(coordinator.say(i, "prepare"));
    }
    if (has(decided, crew.leader())) must(coordinator.say(crew.leader(), "decide"));
    for (int i = 0; i < kServers; ++i) {
      if (has(decided, i)) must(coordinator.say(i, "decide"));
    }
  }
  const bool exists = decided != 0;
  for (int i = 0; i < kServers; ++i) {
    if (has(killed, i)) crew.kill(i);
  }
  for (int i = 0; i < kServers; ++i) {
    if (has(killed, i)) crew.start(i);
  }
  const auto remote = crew.connected();
  const auto table = must(remote->table("t"));
  const VersionInfo version = must(remote->version());
  EXPECT_EQ(version.version > newest, exists);
  EXPECT_EQ(version.cursor, exists ? "cursor" : before_cursor);
  // Who was killed has the version, and nothing that came after it.
  const float after = exists ? before + 1 : before;
  const std::vector<float> rows = lookup(*table, range(0, kRows));
  for (const float row : rows) {
    EXPECT_TRUE(row == after || (killed != 7 && row == before + 1)) << row;
  }
  // As a version it is whole, whoever was killed.
  must(remote->rollback(std::to_string(version.version)));
  EXPECT_EQ(value_of(*table), after);
}

TEST(ClusterVersions, AreOfAllServersOrOfNoneWhoeverDiesAtWhicheverStep) {
  Crew crew;
  {
    const auto remote = crew.connected();
    push_one(*must(remote->table("t", sum_table(1))));
    must(remote->commit());
  }
  constexpr unsigned kAll = 7;
  const unsigned leader = 1U << crew.leader();
  for (const unsigned killed : {0U, leader, kAll & ~leader, kAll}) {
    for (unsigned prepared = 0; prepared <= kAll; ++prepared) die(crew, prepared, 0, killed);
    for (unsigned decided = 1; decided <= kAll; ++decided) {
      if (has(decided, crew.leader())) die(crew, kAll, decided, killed);
    }
  }
}

TEST(ClusterVersions, TheFirstOneTooIsOfAllOrOfNone) {
  for (const bool decided : {false, true}) {
    Crew crew;
    {
      const auto remote = crew.connected();
      push_one(*must(remote->table("t", sum_table(1))));
      Coordinator coordinator(crew);
      for (int i = 0; i < kServers; ++i) {
        if (decided || i != crew.leader()) must(coordinator.say(i, "prepare"));
      }
      if (decided) must(coordinator.say(crew.leader(), "decide"));
    }
    for (int i = 0; i < kServers; ++i) crew.kill(i);
    for (int i = 0; i < kServers; ++i) crew.start(i);
    const auto remote = crew.connected();
    EXPECT_EQ(must(remote->versions()).size(), decided ? 1U : 0U);
    EXPECT_EQ(value_of(*must(remote->table("t", sum_table(1)))), decided ? 1.0F : 0.0F);
  }
}

TEST(ClusterVersions, WhatWasGivenUpIsNotDecidedLater) {
  Crew crew;
  const auto remote = crew.connected();
  push_one(*must(remote->table("t", sum_table(1))));
  must(remote->commit());
  Coordinator coordinator(crew);
  for (int i = 0; i < kServers; ++i) must(coordinator.say(i, "prepare"));
  const int other = (crew.leader() + 1) % kServers;
  crew.kill(other);
  crew.start(other);
  const auto second = crew.connected();  // settles it
  EXPECT_TRUE(fails(coordinator.say(crew.leader(), "decide"), StatusCode::kNotFound, "given up"));
  EXPECT_EQ(must(second->versions()).size(), 1U);
  // A prepare that comes as late as that is refused.
  EXPECT_TRUE(fails(coordinator.say(crew.leader(), "prepare"), StatusCode::kNotFound));
  must(second->commit());
  EXPECT_EQ(must(second->versions()).size(), 2U);
}

// A server's newest version may be a part that came to nothing: it is nothing to start from.
TEST(ClusterVersions, WhatWasGivenUpIsNoPlaceToStartFrom) {
  Crew crew;
  {
    const auto remote = crew.connected();
    const auto table = must(remote->table("t", sum_table(1)));
    push_one(*table);
    must(remote->commit());
    for (const bool all : {false, true}) {
      push_one(*table);
      Coordinator coordinator(crew);
      for (int i = 0; i < kServers; ++i) {
        if (all || i == crew.leader()) must(coordinator.say(i, "prepare"));
      }
      must(coordinator.say(crew.leader(), "resolve"));
      for (int i = 0; i < kServers; ++i) must(coordinator.say(i, "settle"));
      EXPECT_EQ(value_of(*table), all ? 3.0F : 2.0F) << "rows in memory stay";
    }
  }
  for (int i = 0; i < kServers; ++i) crew.kill(i);
  for (int i = 0; i < kServers; ++i) crew.start(i);
  const auto remote = crew.connected();
  EXPECT_EQ(value_of(*must(remote->table("t"))), 1.0F);
  EXPECT_EQ(must(remote->versions()).size(), 1U);
}

TEST(ClusterVersions, OneThatAServerHasNotHeardOfOutlivesCommitsThatFail) {
  Crew crew;
  const int other = (crew.leader() + 1) % kServers;
  {
    const auto remote = crew.connected();
    push_one(*must(remote->table("t", sum_table(1))));
    Coordinator coordinator(crew);
    for (int i = 0; i < kServers; ++i) must(coordinator.say(i, "prepare"));
    must(coordinator.say(crew.leader(), "decide"));
  }
  ConnectOptions soon = crew.addresses();
  soon.timeout_ms = 200;
  const auto remote = must(connect(crew.addresses()));
  crew.kill(other);
  for (int i = 0; i < 7; ++i) {
    EXPECT_FALSE(ok(connect(soon)));
    must(crew.store(crew.leader()).commit({.cursor = "of the leader alone"}));
  }
  crew.start(other);
  const auto again = crew.connected();
  EXPECT_EQ(must(again->versions()).size(), 1U);
  must(again->rollback(std::to_string(must(again->version()).version)));
  EXPECT_EQ(value_of(*must(again->table("t"))), 1.0F);
}

TEST(ClusterVersions, OneIsMadeAfterTheOther) {
  Crew crew;
  const auto remote = crew.connected();
  push_one(*must(remote->table("t", sum_table(1))));
  Coordinator first(crew);
  Coordinator second(crew);
  must(first.say(crew.leader(), "begin"));
  must(first.say(crew.leader(), "begin"));
  EXPECT_TRUE(fails(second.say(crew.leader(), "begin"), StatusCode::kBusy));
  for (int i = 0; i < kServers; ++i) must(first.say(i, "prepare"));
  must(first.say(crew.leader(), "decide"));
  must(second.say(crew.leader(), "begin"));
  must(second.say(crew.leader(), "resolve"));
  // Many at once: each waits for its turn.
  std::vector<std::thread> threads;
  for (int i = 0; i < 4; ++i) {
    threads.emplace_back([&] {
      const auto mine = crew.connected();
      for (int j = 0; j < 3; ++j) EXPECT_TRUE(ok(mine->commit()));
    });
  }
  for (std::thread& thread : threads) thread.join();
  EXPECT_EQ(must(remote->versions()).size(), 5U);  // as many as are kept
}

TEST(ClusterVersions, AServerInDoubtIsNotUsedAlone) {
  Crew crew;
  {
    const auto remote = crew.connected();
    push_one(*must(remote->table("t", sum_table(1))));
    Coordinator coordinator(crew);
    for (int i = 0; i < kServers; ++i) must(coordinator.say(i, "prepare"));
  }
  const int other = (crew.leader() + 1) % kServers;
  crew.kill(other);
  crew.start(other);
  const std::string its = crew.addresses().servers[other];
  const std::string leader = crew.addresses().servers[crew.leader()];
  EXPECT_TRUE(fails(connect({.servers = {its}}), StatusCode::kUnavailable, leader));
  must(crew.connected()->commit());
  must(connect({.servers = {its}}));
}

TEST(ClusterVersions, AClientThatWasThereConnectsAgain) {
  Crew crew;
  const auto remote = crew.connected();
  const auto table = must(remote->table("t", sum_table(1)));
  Coordinator coordinator(crew);
  for (int i = 0; i < kServers; ++i) must(coordinator.say(i, "prepare"));
  const int other = (crew.leader() + 1) % kServers;
  crew.kill(other);
  crew.start(other);
  const std::vector<uint64_t> keys = range(0, kRows);
  EXPECT_TRUE(fails(table->push(keys, std::vector<float>(kRows, 1.0F)), StatusCode::kSessionExpired,
                    "connect again"));
}

TEST(ClusterVersions, OldOnesGoOnAllServers) {
  Crew crew({.memory_bytes = 64 * kMiB, .threads = 1, .keep_versions = 2, .sync = SyncMode::kOs});
  const auto remote = crew.connected();
  const auto table = must(remote->table("t", sum_table(1)));
  uint64_t last = 0;
  for (int i = 0; i < 12; ++i) {
    push_one(*table);
    last = must(remote->commit({.cursor = std::to_string(i)})).version;
  }
  const auto all = must(remote->versions());
  EXPECT_LE(all.size(), 3U);
  EXPECT_EQ(all.back().version, last);
  EXPECT_EQ(all.back().cursor, "11");
  for (int i = 0; i < kServers; ++i) {
    size_t names = 0;
    for (const VersionInfo& info : must(crew.store(i).versions())) names += info.names.size();
    EXPECT_LE(names, 4U) << "of server " << i;
  }
}

TEST(ClusterVersions, IdsThatAreNoneAreRefused) {
  Crew crew;
  const auto remote = crew.connected();
  client::Cluster one({.servers = {crew.addresses().servers[0]}},
                      {net::parse_address(crew.addresses().servers[0]).value()},
                      must(client::read_credentials({})));
  for (const char* call : {"begin", "prepare", "decide", "close", "resolve", "settle"}) {
    for (const std::string& id : {std::string(), std::string("../x"), std::string(32, 'a'),
                                  std::string(32, 'a').append(" ").append(500, 'b')}) {
      const auto answer = one.call(0, {.call = call, .name = id}, one.deadline());
      EXPECT_TRUE(fails(answer, StatusCode::kInvalidArgument, "32 hexadecimal digits")) << call;
    }
  }
}

}  // namespace
}  // namespace hotrow::test
