// A remote store does what a store in this process does, over one server and over several; and what
// happens when a connection or a server goes. The calls themselves: test/lib, run against a server.
#include <gtest/gtest.h>

#include <atomic>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <thread>
#include <vector>

#include "client/connection.h"
#include "hotrow/connect.h"
#include "hotrow/server.h"
#include "support/fabric.h"
#include "support/random.h"
#include "support/scale.h"
#include "support/stores.h"

namespace hotrow::test {
namespace {

// A store in memory and a server of it.
struct Served {
  explicit Served(ServerOptions options = {})
      : store(private_store()), server(must(Server::start(store, options))) {}
  std::string address() const { return server->address(); }

  std::shared_ptr<Store> store;
  std::unique_ptr<Server> server;
};

std::shared_ptr<Store> connected(std::vector<std::string> servers, uint32_t timeout_ms = 10'000) {
  return must(connect({.servers = std::move(servers), .timeout_ms = timeout_ms}));
}

TableOptions adagrad_table(uint32_t dim) {
  return {
      .dim = dim, .optimizer = optimizer(OptimizerKind::kAdagrad), .initializer = uniform(0.5F)};
}

void expect_same(Table& a, Table& b, const std::vector<uint64_t>& keys) {
  EXPECT_EQ(lookup(a, keys), lookup(b, keys));
  std::vector<float> of_a(keys.size() * a.state_values());
  std::vector<float> of_b(of_a.size());
  std::vector<uint8_t> found_a((keys.size() + 7) / 8);
  std::vector<uint8_t> found_b(found_a.size());
  must(a.lookup_state(keys, of_a, {.found = found_a}));
  must(b.lookup_state(keys, of_b, {.found = found_b}));
  EXPECT_EQ(of_a, of_b);
  EXPECT_EQ(found_a, found_b);
}

/// What a scan gives of each key, in pages of `rows()` rows or a few more. Each key comes once.
template <class Rows>
std::map<uint64_t, std::vector<float>> scanned(Table& table, bool state, const Rows& rows) {
  const size_t dim = table.options().dim;
  const size_t width = state ? table.state_values() : 0;
  std::map<uint64_t, std::vector<float>> all;
  for (std::optional<uint64_t> next = 0; next;) {
    const ScanPage page = must(table.scan(*next, rows(), {.state = state}));
    for (size_t i = 0; i < page.keys.size(); ++i) {
      const auto row = page.rows.begin() + static_cast<ptrdiff_t>(i * dim);
      const auto its = page.state.begin() + static_cast<ptrdiff_t>(i * width);
      std::vector<float> values(row, row + static_cast<ptrdiff_t>(dim));
      values.insert(values.end(), its, its + static_cast<ptrdiff_t>(width));
      EXPECT_TRUE(all.emplace(page.keys[i], std::move(values)).second) << page.keys[i] << " twice";
    }
    next = page.next;
  }
  return all;
}

struct Serving {
  int servers = 1;
  bool fabric = false;
  Transport transport() const { return fabric ? tested_transport() : Transport::kTcp; }
};

class Servers : public testing::TestWithParam<Serving> {
 protected:
  void SetUp() override {
    if (GetParam().fabric) HOTROW_NEEDS_FABRIC();
    for (int i = 0; i < GetParam().servers; ++i) {
      const ServerOptions options{.transport = GetParam().transport()};
      addresses_.push_back(all_.emplace_back(std::make_unique<Served>(options))->address());
    }
  }
  std::shared_ptr<Store> connected() const {
    return must(connect({.servers = addresses_, .transport = GetParam().transport()}));
  }

  std::vector<std::unique_ptr<Served>> all_;
  std::vector<std::string> addresses_;
};

TEST_P(Servers, DoWhatOneStoreDoes) {
  const auto remote = connected();
  const auto local = private_store();
  const auto a = must(remote->table("t", adagrad_table(5)));
  const auto b = must(local->table("t", adagrad_table(5)));
  Random random(21);
  for (uint64_t round = 0; round < scaled(120); ++round) {
    const std::vector<uint64_t> keys = random.keys(random.below(400), 900);
    switch (random.below(5)) {
      case 0:
      case 1: {
        const auto gradients = random.reals(keys.size() * 5);
        const PushOptions options{.learning_rate = random.one_in(2) ? 0.0F : 0.01F};
        must(a->push(keys, gradients, options));
        must(b->push(keys, gradients, options));
        break;
      }
      case 2: {
        const auto rows = random.reals(keys.size() * 5);
        const auto state = random.reals(keys.size() * 5, 0.1F, 1.0F);
        const UpdateOptions options{.state = random.one_in(2) ? std::span<const float>(state)
                                                              : std::span<const float>()};
        must(a->update(keys, rows, options));
        must(b->update(keys, rows, options));
        break;
      }
      case 3: {
        // Bags of two keys or so, with weights.
        std::vector<uint32_t> offsets = {0};
        while (offsets.back() < keys.size()) {
          offsets.push_back(static_cast<uint32_t>(
              std::min<uint64_t>(keys.size(), offsets.back() + random.below(4))));
        }
        const auto weights = random.reals(keys.size(), 0.5F, 2.0F);
        const BagBatch bags{.keys = keys,
                            .offsets = offsets,
                            .weights = random.one_in(2) ? std::span<const float>(weights)
                                                        : std::span<const float>(),
                            .pooling = static_cast<Pooling>(random.below(3))};
        const size_t values = (offsets.size() - 1) * 5;
        std::vector<float> pooled_a(values);
        std::vector<float> pooled_b(values);
        must(a->lookup_pooled(bags, pooled_a));
        must(b->lookup_pooled(bags, pooled_b));
        EXPECT_EQ(pooled_a, pooled_b);
        const auto gradients = random.reals(values);
        must(a->push_pooled(bags, gradients));
        must(b->push_pooled(bags, gradients));
        break;
      }
      default: {
        const std::vector<uint64_t> some(keys.begin(), keys.begin() + keys.size() / 8);
        EXPECT_EQ(must(a->erase(some)), must(b->erase(some)));
      }
    }
    expect_same(*a, *b, random.keys(random.below(1500), 1000));
  }
  expect_same(*a, *b, range(0, 1000));
  expect_same(*a, *b, {});
  EXPECT_EQ(stats_of(*a).rows, stats_of(*b).rows);
  EXPECT_EQ(must(remote->list()).front().rows, stats_of(*b).rows);
  if (GetParam().servers == 1) return;
  for (const auto& each : all_) EXPECT_GT(stats_of(*each->store).rows, 0U);
}

TEST_P(Servers, ScansGiveEachRowOnce) {
  const auto remote = connected();
  const auto local = private_store();
  const auto a = must(remote->table("t", adagrad_table(3)));
  const auto b = must(local->table("t", adagrad_table(3)));
  EXPECT_TRUE(must(a->scan(0, 10)).keys.empty());
  Random random(23);
  const std::vector<uint64_t> keys = random.keys(3000, 100'000);
  const auto gradients = random.reals(keys.size() * 3);
  must(a->push(keys, gradients));
  must(b->push(keys, gradients));
  for (const bool state : {false, true}) {
    EXPECT_EQ(scanned(*a, state, [&] { return 1 + random.below(200); }),
              scanned(*b, state, [] { return 1000; }));
  }
  EXPECT_TRUE(fails(a->scan(0, 0), StatusCode::kInvalidArgument, "rows"));
}

TEST_P(Servers, SeveralTablesInOneCall) {
  const auto remote = connected();
  const auto a = must(remote->table("a", sum_table(2)));
  const auto b = must(remote->table("b", sum_table(3)));
  const auto keys = range(0, 50);
  const std::vector<float> to_a(100, 1.0F);
  const std::vector<float> to_b(150, 2.0F);
  const TablePush pushes[] = {{.table = a.get(), .keys = keys, .gradients = to_a},
                              {.table = b.get(), .keys = keys, .gradients = to_b}};
  must(remote->push_all(pushes));
  std::vector<float> together(50 * 6, -1.0F);
  const TableLookup lookups[] = {
      {.table = a.get(), .keys = keys, .rows = together, .stride = 6},
      {.table = b.get(), .keys = keys, .rows = std::span(together).subspan(2), .stride = 6}};
  must(remote->lookup_all(lookups));
  for (size_t i = 0; i < 50; ++i) {
    const std::vector<float> row(together.begin() + i * 6, together.begin() + i * 6 + 6);
    ASSERT_EQ(row, (std::vector<float>{1, 1, 2, 2, 2, -1})) << i;
  }
}

INSTANTIATE_TEST_SUITE_P(OneAndThree, Servers, testing::Values(Serving{1}, Serving{3}));
INSTANTIATE_TEST_SUITE_P(OverFabric, Servers, testing::Values(Serving{1, true}, Serving{3, true}));

TEST(Remote, LookupsLargerThanAFrameComeInPieces) {
  const Served served({.most_body_bytes = 2 << 20});
  const auto remote = connected({served.address()});
  const auto its = must(remote->table("t", adagrad_table(64)));
  const auto own = must(served.store->table("t"));
  const auto keys = range(0, 40'001);  // 10 MB of rows
  must(own->push(std::span(keys).first(30'000), std::vector<float>(30'000 * 64, 0.25F)));
  expect_same(*its, *own, keys);
  EXPECT_TRUE(fails(its->push(keys, std::vector<float>(keys.size() * 64)), kInvalid, "takes"));
}

TEST(Remote, ThreadsOfOneClientAndOfSeveralLoseNothing) {
  const Served served({.threads = 2});
  constexpr int kThreads = 4;
  const uint64_t rounds = scaled(300);
  const std::vector<std::shared_ptr<Store>> clients = {connected({served.address()}),
                                                       connected({served.address()})};
  std::vector<std::thread> threads;
  for (int t = 0; t < kThreads; ++t) {
    threads.emplace_back([&, t] {
      const auto table = must(clients[t % 2]->table("t", sum_table(kThreads)));
      const auto keys = range(0, 64);
      std::vector<float> gradients(64 * kThreads);
      for (size_t i = 0; i < 64; ++i) gradients[i * kThreads + t] = 1;
      for (uint64_t round = 1; round <= rounds; ++round) {
        must(table->push(keys, gradients));
        // A client reads its own writes.
        const auto rows = lookup(*table, keys);
        for (size_t i = 0; i < 64; ++i) {
          ASSERT_EQ(rows[i * kThreads + t], static_cast<float>(round));
        }
      }
    });
  }
  for (std::thread& thread : threads) thread.join();
  const auto rows = lookup(*must(served.store->table("t")), range(0, 64));
  for (const float value : rows) EXPECT_EQ(value, static_cast<float>(rounds));
}

TEST(Remote, WithoutAServerCallsEndByTheirDeadline) {
  auto served = std::make_unique<Served>();
  const auto remote = connected({served->address()}, 300);
  const auto table = must(remote->table("t", sum_table(1)));
  served.reset();
  const auto started = std::chrono::steady_clock::now();
  std::vector<float> row(1);
  const std::vector<uint64_t> key = {1};
  EXPECT_TRUE(fails(table->lookup(key, row), StatusCode::kUnavailable));
  EXPECT_LT(std::chrono::steady_clock::now() - started, std::chrono::seconds(20));
  EXPECT_TRUE(fails(connect({.servers = {"127.0.0.1:1"}, .timeout_ms = 100}),
                    StatusCode::kUnavailable, "127.0.0.1:1"));
}

TEST(Remote, AReaderGoesOnWithAServerThatWasStartedAnew) {
  auto served = std::make_unique<Served>();
  const std::string address = served->address();
  const auto remote = connected({address});
  must(served->store->table("other", sum_table(1)));
  const auto table = must(remote->table("t", sum_table(1)));
  const std::vector<uint64_t> keys = {7};
  EXPECT_EQ(lookup(*table, keys), std::vector<float>{0});
  served.reset();
  served = std::make_unique<Served>(ServerOptions{.listen = address});
  must(must(served->store->table("t", sum_table(1)))->push(keys, std::vector<float>{5}));
  // Its number is another's now.
  const auto first = connected({address});
  const auto other = must(first->table("other", sum_table(1)));
  EXPECT_EQ(lookup(*table, keys), std::vector<float>{5});
  must(table->push(keys, std::vector<float>{1}));
  EXPECT_EQ(lookup(*table, keys), std::vector<float>{6});
  EXPECT_EQ(lookup(*other, keys), std::vector<float>{0});
}

TEST(Remote, AChangeNeverGoesToATableThatHasTheNumberNow) {
  auto served = std::make_unique<Served>();
  const std::string address = served->address();
  const auto remote = connected({address}, 1000);
  const auto users = must(remote->table("users", sum_table(1)));
  served.reset();
  std::vector<float> row(1);
  const std::vector<uint64_t> keys = {7};
  // The connection is known to be gone, so that the push goes out on a new one.
  EXPECT_TRUE(fails(users->lookup(keys, row), StatusCode::kUnavailable));
  served = std::make_unique<Served>(ServerOptions{.listen = address});
  const auto second = connected({address});
  const auto items = must(second->table("items", sum_table(1)));
  must(second->table("users", sum_table(1)));
  must(users->push(keys, std::vector<float>{1}));
  EXPECT_EQ(lookup(*items, keys), std::vector<float>{0});
  EXPECT_EQ(lookup(*users, keys), std::vector<float>{1});
}

TEST(Remote, ACallInTextNeverGoesToATableThatHasTheNumberNow) {
  auto served = std::make_unique<Served>();
  const std::string address = served->address();
  const auto remote = connected({address}, 1000);
  TableOptions evicting = sum_table(1);
  evicting.eviction = {.policy = EvictionPolicy::kLru, .max_rows = 100};
  const auto users = must(remote->table("users", evicting));
  served.reset();
  std::vector<float> row(1);
  const std::vector<uint64_t> keys = {7};
  EXPECT_TRUE(fails(users->lookup(keys, row), StatusCode::kUnavailable));
  served = std::make_unique<Served>(ServerOptions{.listen = address});
  const auto second = connected({address});
  const auto items = must(second->table("items", evicting));
  must(second->table("users", evicting));
  must(items->push(keys, std::vector<float>{1}));
  EXPECT_TRUE(fails(users->evict(1), StatusCode::kUnavailable, "nothing was done"));
  EXPECT_EQ(must(users->evict(1)), 0U);
  EXPECT_EQ(stats_of(*items).rows, 1U);
}

TEST(Remote, CallsThatMayTakeLongDoNotWaitLongForAServerThatIsGone) {
  auto served = std::make_unique<Served>();
  const auto remote = connected({served->address()}, 200);
  served.reset();
  const auto started = std::chrono::steady_clock::now();
  EXPECT_FALSE(ok(remote->table("t", sum_table(1))));
  EXPECT_FALSE(ok(remote->commit()));
  EXPECT_LT(std::chrono::steady_clock::now() - started, std::chrono::seconds(20));
}

TEST(Remote, AcknowledgedChangesThatAServerLostAreNotLostSilently) {
  auto served = std::make_unique<Served>();
  const std::string address = served->address();
  const auto remote = connected({address});
  const auto table = must(remote->table("t", sum_table(1)));
  const std::vector<uint64_t> keys = {7};
  must(table->push(keys, std::vector<float>{1}));
  served.reset();
  served = std::make_unique<Served>(ServerOptions{.listen = address});
  std::vector<float> row(1);
  for (int i = 0; i < 2; ++i) {
    EXPECT_TRUE(fails(table->lookup(keys, row), StatusCode::kSessionExpired,
                      "1 acknowledged changes since this client's last commit are lost"));
  }
  EXPECT_TRUE(fails(table->push(keys, row), StatusCode::kSessionExpired));
  const auto again = connected({address});
  must(again->table("t", sum_table(1)));
}

TEST(Remote, AChangeThatIsSentTwiceIsAppliedOnce) {
  const Served served;
  const auto address = net::Address{.host = "127.0.0.1",
                                    .port = static_cast<uint16_t>(std::stoi(
                                        served.address().substr(served.address().find(':') + 1)))};
  const auto soon = std::chrono::steady_clock::now() + std::chrono::seconds(20);
  const auto table = must(served.store->table("t", sum_table(1)));
  const std::vector<uint64_t> keys = {7};
  const std::vector<float> ones = {1};
  std::string session;
  uint32_t number = 0;
  // The second time on another connection of the same session.
  for (int i = 0; i < 2; ++i) {
    const auto connection = must(client::Connection::open(address, {.session = session}, soon, {}));
    EXPECT_EQ(connection->welcome().resumed, i == 1);
    session = connection->welcome().session;
    if (i == 0) {
      client::Request open(wire::Verb::kCall);
      open.add_text(wire::to_text(wire::Call{.call = "table", .name = "t"}));
      client::TextReply reply;
      must(connection->send(open, reply, soon));
      must(connection->wait(reply, soon));
      number = must(wire::from_text<wire::OpenedTable>(reply.text)).parameter;
    }
    for (const uint64_t sequence : {1, 2, 1}) {
      client::Request push(wire::Verb::kPush);
      push.header().sequence = sequence;
      push.add<uint64_t>(0, number, wire::Kind::kKeys, keys);
      push.add<float>(0, number, wire::Kind::kGradients, ones);
      client::CountReply reply;
      must(connection->send(push, reply, soon));
      must(connection->wait(reply, soon));
      must(reply.status);
    }
  }
  EXPECT_EQ(lookup(*table, keys), std::vector<float>{2});
  EXPECT_EQ(served.server->stats().repeated, 4U);
}

TEST(Remote, OptionsThatAreWrongAreNamed) {
  EXPECT_TRUE(fails(connect({}), kInvalid, "servers"));
  EXPECT_TRUE(fails(connect({.servers = {"x"}}), kInvalid, "HOST:PORT"));
  EXPECT_TRUE(fails(connect({.servers = {"127.0.0.1:1", "127.0.0.1:1"}}), kInvalid, "twice"));
  EXPECT_TRUE(fails(connect({.servers = {"10.0.0.1:7"}}), kInvalid, "of this machine"));
  EXPECT_TRUE(fails(connect({.servers = {"127.0.0.1:1"}, .timeout_ms = 0}), kInvalid, "timeoutMs"));
  const auto start = [](ServerOptions options) { return Server::start(private_store(), options); };
  EXPECT_TRUE(fails(start({.listen = "0.0.0.0:0"}), kInvalid, "of this machine"));
  EXPECT_TRUE(fails(start({.threads = 0}), kInvalid, "threads"));
  EXPECT_TRUE(fails(start({.most_body_bytes = 100}), kInvalid, "mostBodyBytes"));
  const Served served;
  EXPECT_TRUE(fails(start({.listen = served.address()}), StatusCode::kUnavailable, "listen"));
}

TEST(Remote, AServerWithTooManyConnectionsLetsNobodyElseIn) {
  const Served served({.most_connections = 2});
  const auto a = connected({served.address()});
  const auto b = connected({served.address()});
  EXPECT_TRUE(
      fails(connect({.servers = {served.address()}, .timeout_ms = 200}), StatusCode::kUnavailable));
  must(a->table("t", sum_table(1)));
  b->close();
  EXPECT_TRUE(ok(connect({.servers = {served.address()}})));
}

}  // namespace
}  // namespace hotrow::test
