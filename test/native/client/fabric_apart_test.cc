// A server on one machine and its client on another, over RDMA: scripts/rdma.mjs runs each side in
// a guest of its own. HOTROW_TEST_SERVER is the server's host; without it both are on this machine.
//
// The server's side is two processes: one that serves until it is killed, and its keeper, which a
// client tells by single letters over TCP what to do with it.
#include <arpa/inet.h>
#include <gtest/gtest.h>
#include <netinet/in.h>
#include <sys/socket.h>
#include <unistd.h>

#include <array>
#include <atomic>
#include <chrono>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <thread>
#include <vector>

#include "base/random_id.h"
#include "hotrow/connect.h"
#include "hotrow/server.h"
#include "net/socket.h"
#include "support/child.h"
#include "support/comes_true.h"
#include "support/fabric.h"
#include "support/folder.h"
#include "support/random.h"
#include "support/scale.h"
#include "support/stores.h"
#include "support/tickets.h"
#include "support/tls_files.h"

namespace hotrow::test {
namespace {

using std::chrono::seconds;
using Clock = std::chrono::steady_clock;

constexpr uint16_t kDataPort = 7070;
constexpr uint16_t kKeeperPort = 7071;
constexpr uint32_t kRow = 64;

// To the keeper, which answers each by one byte.
enum Order : char { kStart = 's', kKill = 'k', kRefused = 'r', kQuit = 'q' };

std::string server_host() {
  const char* const host = std::getenv("HOTROW_TEST_SERVER");
  return host == nullptr ? "127.0.0.1" : host;
}
std::string address_of(uint16_t port) { return server_host() + ":" + std::to_string(port); }

const std::string& shared_key() {
  static const std::string line = "urn:x:by-key:" + TlsFiles::kKey;
  return line;
}

struct Kept {
  std::atomic<bool> ready;
  std::atomic<uint64_t> refused;
};

TEST(FabricApartServer, DISABLED_UntilItIsKilled) {
  const std::string folder = std::getenv("HOTROW_TEST_FOLDER");
  auto* const kept = map_shared<Kept>(folder + "/kept");
  const auto store = must(Store::open(folder + "/store", {.memory_bytes = 64 * kMiB}));
  const std::string keys = write_file(folder + "/keys", shared_key() + "\n");
  const std::string access =
      write_file(folder + "/access", R"({"identities":{"urn:x:by-key":{"role":"admin"}}})");
  const auto server = must(Server::start(store, {.listen = address_of(kDataPort),
                                                 .tls = {.psk_file = keys, .access_file = access},
                                                 .transport = tested_transport()}));
  kept->ready = true;
  while (true) {
    kept->refused = server->stats().refused;
    std::this_thread::sleep_for(std::chrono::milliseconds(5));
  }
}

// Of one connection after the other; 0 when a client went without a word.
char next_order(int listener, int& connection) {
  if (connection >= 0) ::close(connection);
  connection = ::accept(listener, nullptr, nullptr);
  char order = 0;
  return ::read(connection, &order, 1) == 1 ? order : '\0';
}

TEST(FabricApart, DISABLED_Serves) {
  HOTROW_NEEDS_FABRIC();
  const Folder folder;
  auto* const kept = map_shared<Kept>(folder / "kept");
  const int listener = ::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
  const int yes = 1;
  ::setsockopt(listener, SOL_SOCKET, SO_REUSEADDR, &yes, sizeof yes);
  sockaddr_in here{};
  here.sin_family = AF_INET;
  here.sin_port = htons(kKeeperPort);
  ASSERT_EQ(::inet_pton(AF_INET, server_host().c_str(), &here.sin_addr), 1);
  ASSERT_EQ(::bind(listener, reinterpret_cast<const sockaddr*>(&here), sizeof here), 0);
  ASSERT_EQ(::listen(listener, 8), 0);
  std::optional<Child> server;
  int connection = -1;
  for (char order = 0; order != kQuit;) {
    order = next_order(listener, connection);
    char answer = 'y';
    if (order == kKill || order == kQuit) server.reset();
    if (order == kStart) {
      kept->ready = false;
      server.emplace("FabricApartServer.DISABLED_UntilItIsKilled",
                     std::vector{"HOTROW_TEST_FOLDER=" + folder.path()});
      EXPECT_TRUE(comes_true([&] { return kept->ready.load(); }));
    }
    if (order == kRefused) answer = static_cast<char>(kept->refused.load());
    EXPECT_EQ(::write(connection, &answer, 1), 1);
  }
  ::close(connection);
  ::close(listener);
  ::munmap(kept, sizeof *kept);
}

class FabricApartClient : public testing::Test {
 protected:
  static void SetUpTestSuite() { EXPECT_EQ(tell(kStart), 'y'); }
  static void TearDownTestSuite() { EXPECT_EQ(tell(kQuit), 'y'); }
  void SetUp() override { HOTROW_NEEDS_FABRIC(); }

  static char tell(Order order) {
    const auto end = Clock::now() + seconds(60);
    auto socket =
        must(net::Socket::connect(must(net::parse_address(address_of(kKeeperPort))), end));
    const auto byte = static_cast<std::byte>(order);
    std::span<const std::byte> bytes(&byte, 1);
    EXPECT_EQ(must(socket.send({&bytes, 1})), 1U);
    std::array<std::byte, 1> answer{};
    EXPECT_NE(socket.wait(net::Socket::kReadable, end, {}), 0U);
    EXPECT_EQ(must(socket.receive(answer, {})), 1U);
    return static_cast<char>(answer[0]);
  }
  ClientTls tls() const { return {.psk_file = write_file(folder_ / "key", shared_key())}; }
  std::shared_ptr<Store> dial(uint32_t timeout_ms = 60'000) const {
    return must(connect({.servers = {address_of(kDataPort)},
                         .timeout_ms = timeout_ms,
                         .tls = tls(),
                         .transport = tested_transport()}));
  }

  Folder folder_;
};

// A table and what must be in it.
struct Mirrored {
  std::shared_ptr<Table> table;
  std::map<uint64_t, float> sums = {};  // each value of a row is its key's sum
  Random random{51};

  void push_some(uint64_t universe) {
    const auto keys = random.keys(1 + random.below(2 * universe), universe);
    const auto step = static_cast<float>(1 + random.below(9));
    must(table->push(keys, std::vector<float>(keys.size() * kRow, step)));
    for (const uint64_t key : keys) sums[key] += step;
  }
  void expect_rows() const {
    std::vector<uint64_t> keys;
    std::vector<float> expected;
    for (const auto& [key, sum] : sums) {
      keys.push_back(key);
      expected.insert(expected.end(), kRow, sum);
    }
    EXPECT_TRUE(lookup(*table, keys) == expected);
  }
};

TEST_F(FabricApartClient, DISABLED_RowsAreWhatWasPushed) {
  const auto store = dial();
  // From a few rows, which go as they are, to 2 MB, which are fetched.
  Mirrored few{must(store->table("few", sum_table(kRow)))};
  Mirrored many{must(store->table("many", sum_table(kRow)))};
  for (uint64_t round = 0; round < scaled(200); ++round) {
    few.push_some(10);
    few.expect_rows();
    many.push_some(8000);
    many.expect_rows();
  }
  EXPECT_EQ(few.sums.size(), 10U);
}

TEST_F(FabricApartClient, DISABLED_GuessedAndUsedTicketsAreRefused) {
  const auto context = must(net::TlsContext::client(tls()));
  const char before = tell(kRefused);
  // What the link has to say may still be on its way, as is what it takes to say it.
  const auto refused = [&](net::FabricLink& link, int more) {
    return comes_true([&] {
      (void)link.progress();
      return tell(kRefused) == before + more;
    });
  };
  const Greeted first = greet(address_of(kDataPort), true, context);
  const auto guessed = new_link();
  EXPECT_FALSE(opens(*guessed, first.welcome, random_id(), a_while()));
  EXPECT_TRUE(refused(*guessed, 1));
  const Greeted second = greet(address_of(kDataPort), true, context);
  const auto right = new_link();
  EXPECT_TRUE(opens(*right, second.welcome, second.welcome.ticket));
  const auto again = new_link();
  EXPECT_FALSE(opens(*again, second.welcome, second.welcome.ticket, a_while()));
  EXPECT_TRUE(refused(*again, 2));
  // The server goes on as if nothing had been.
  const auto store = dial();
  Mirrored rows{must(store->table("after", sum_table(kRow)))};
  rows.push_some(100);
  rows.expect_rows();
}

TEST_F(FabricApartClient, DISABLED_AServerThatWasKilledIsFoundAgain) {
  const auto store = dial(8000);
  Mirrored rows{must(store->table("kept", sum_table(kRow)))};
  for (int i = 0; i < 3; ++i) rows.push_some(4000);
  must(store->commit());
  std::atomic<uint64_t> done = 0;
  std::array<Status, 2> ends;
  std::vector<std::thread> threads;
  for (Status& end : ends) {
    threads.emplace_back([&] {
      const auto keys = range(0, 4000);
      std::vector<float> values(keys.size() * kRow);
      do {
        end = rows.table->lookup(keys, values);
        ++done;
      } while (end.ok());
    });
  }
  EXPECT_TRUE(comes_true([&] { return done > 4; }));
  EXPECT_EQ(tell(kKill), 'y');
  for (std::thread& thread : threads) thread.join();
  for (const Status& end : ends) {
    EXPECT_TRUE(fails(end, StatusCode::kUnavailable, address_of(kDataPort))) << describe(end);
  }
  EXPECT_EQ(tell(kStart), 'y');
  // What was committed is there, for the same client, and more can be pushed.
  rows.expect_rows();
  for (int i = 0; i < 3; ++i) {
    rows.push_some(4000);
    rows.expect_rows();
  }
}

}  // namespace
}  // namespace hotrow::test
