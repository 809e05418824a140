// Servers with a placement, and clients that follow it: who refuses what, what is sent where when
// slots change hands, and that nothing is applied twice or not at all.
#include <gtest/gtest.h>

#include <atomic>
#include <memory>
#include <numeric>
#include <string>
#include <thread>
#include <vector>

#include "base/slot_map.h"
#include "client/connection.h"
#include "hotrow/connect.h"
#include "hotrow/placement.h"
#include "hotrow/server.h"
#include "support/placed_servers.h"
#include "support/plain_requests.h"
#include "support/random.h"
#include "support/scale.h"
#include "support/stores.h"

namespace hotrow::test {
namespace {

TEST_F(PlacedServers, OneOfThemLeadsAClientToAll) {
  start(3);
  const auto remote = client();
  const auto table = must(remote->table("t", sum_table(1)));
  const auto keys = range(0, 3000);
  must(table->push(keys, std::vector<float>(3000, 1.0F)));
  EXPECT_EQ(lookup(*table, keys), std::vector<float>(3000, 1.0F));
  uint64_t rows = 0;
  for (size_t i = 0; i < 3; ++i) {
    EXPECT_GT(stats_of(table_of(i)).rows, 500U);
    rows += stats_of(table_of(i)).rows;
  }
  EXPECT_EQ(rows, 3000U);
  const auto version = must(remote->list());
  EXPECT_EQ(version.front().rows, 3000U);
}

TEST_F(PlacedServers, AKeyOfAnotherIsRefusedAndNothingOfTheRequestIsDone) {
  start(2);
  must(client()->table("t", sum_table(1)));
  Plain plain(map_.servers[0]);
  const uint64_t ours = key_of(0);
  const uint64_t theirs = key_of(1);
  must(plain.push(1, ours));
  EXPECT_EQ(plain.seen, 1U);
  const std::string slot = "slot " + std::to_string(placement_slot(theirs)) + " ";
  // Whatever epoch the client says it knows.
  for (const uint32_t epoch : {0, 1, 7}) {
    EXPECT_TRUE(fails(plain.push(0, theirs, epoch), kWrongOwner, slot));
    EXPECT_EQ(plain.seen, 1U);
  }
  EXPECT_EQ(stats_of(table_of(0)).rows, 1U);
  // All or nothing, of tables too.
  const std::vector<uint64_t> both = {ours, theirs};
  const std::vector<float> ones = {1, 1};
  client::Request push(wire::Verb::kPush);
  push.add<uint64_t>(0, plain.number, wire::Kind::kKeys, both);
  push.add<float>(0, plain.number, wire::Kind::kGradients, ones);
  client::CountReply reply;
  must(plain.connection->send(push, reply, Plain::soon()));
  must(plain.connection->wait(reply, Plain::soon()));
  EXPECT_TRUE(fails(reply.status, kWrongOwner, "epoch 1"));
  EXPECT_EQ(lookup(table_of(0), both), (std::vector<float>{1, 0}));
}

// A client whose connection broke asks the old owner first: it alone knows whether it has applied
// the change, and only what it refuses may go elsewhere.
TEST_F(PlacedServers, ADenseParameterOfAnotherIsRefusedWhateverSectionsComeWithIt) {
  start(2);
  const auto remote = client();
  must(remote->table("t", sum_table(1)));
  must(remote->dense("w", {.shape = {1}, .optimizer = optimizer(OptimizerKind::kSum)}));
  const size_t had = owner(xxh3("w"));
  Plain plain(map_.servers[had]);
  client::Request open(wire::Verb::kCall);
  open.add_text(wire::to_text(wire::Call{.call = "dense", .name = "w"}));
  client::TextReply opened;
  must(plain.connection->send(open, opened, Plain::soon()));
  must(plain.connection->wait(opened, Plain::soon()));
  const uint32_t number = must(wire::from_text<wire::OpenedDense>(opened.text)).parameter;
  turn();
  tell();
  // The key is the server's, the parameter is not.
  const std::vector<uint64_t> keys = {key_of(had)};
  const std::vector<float> ones = {1};
  for (const wire::Verb verb : {wire::Verb::kUpdate, wire::Verb::kPull}) {
    client::Request request(verb);
    if (verb == wire::Verb::kUpdate) request.header().sequence = 1;
    request.add<uint64_t>(0, number, wire::Kind::kKeys, keys);
    if (verb == wire::Verb::kUpdate) request.add<float>(0, number, wire::Kind::kValues, ones);
    client::CountReply reply;
    must(plain.connection->send(request, reply, Plain::soon()));
    must(plain.connection->wait(reply, Plain::soon()));
    EXPECT_EQ(reply.status.code(), kWrongOwner) << static_cast<int>(verb);
  }
}

TEST_F(PlacedServers, AChangeThatWasAppliedIsNotRefusedWhenItComesAgainAfterItsSlotLeft) {
  start(2);
  must(client()->table("t", sum_table(1)));
  const uint64_t key = key_of(0);
  Plain first(map_.servers[0]);
  must(first.push(1, key));
  turn();
  tell();
  Plain second(map_.servers[0], first.session());
  must(second.push(1, key));
  EXPECT_TRUE(fails(second.push(2, key), kWrongOwner));
  turn();
  tell();
  // What was refused stays so: its client has sent it elsewhere.
  EXPECT_TRUE(fails(second.push(2, key), kWrongOwner));
  must(second.push(3, key));
  EXPECT_EQ(lookup(table_of(0), {key}), std::vector<float>{2});
}

TEST_F(PlacedServers, ClientsFollowSlotsAndEveryPushIsAppliedOnce) {
  start(3);
  constexpr size_t kClients = 3;
  constexpr size_t kKeys = 200;
  const auto keys = range(0, kKeys);
  must(client()->table("t", sum_table(kClients)));
  must(client()->table("u", sum_table(kClients)));
  std::atomic<bool> done{false};
  std::vector<uint64_t> pushes(kClients);
  std::vector<std::thread> threads;
  for (size_t lane = 0; lane < kClients; ++lane) {
    threads.emplace_back([&, lane] {
      const auto store = client();
      const auto a = must(store->table("t"));
      const auto b = must(store->table("u"));
      std::vector<float> gradients(kKeys * kClients);
      for (size_t i = 0; i < kKeys; ++i) gradients[i * kClients + lane] = 1;
      while (!done) {
        const TablePush both[] = {{.table = a.get(), .keys = keys, .gradients = gradients},
                                  {.table = b.get(), .keys = keys, .gradients = gradients}};
        must(store->push_all(both));
        must(a->push(keys, gradients));
        ++pushes[lane];
      }
    });
  }
  for (uint64_t round = 0; round < scaled(40); ++round) {
    std::this_thread::sleep_for(std::chrono::milliseconds(5));
    turn();
    // Not at once: some know it before others.
    for (size_t i = 0; i < 3; ++i) tell((i + round) % 3);
  }
  done = true;
  for (std::thread& thread : threads) thread.join();
  for (const auto& [name, times] : {std::pair{"t", 2.0F}, std::pair{"u", 1.0F}}) {
    std::vector<float> sums(kKeys * kClients);
    for (size_t server = 0; server < 3; ++server) {
      const auto its = lookup(table_of(server, name), keys);
      for (size_t i = 0; i < sums.size(); ++i) sums[i] += its[i];
    }
    for (size_t i = 0; i < sums.size(); ++i) {
      ASSERT_EQ(sums[i], times * static_cast<float>(pushes[i % kClients])) << i << name;
    }
  }
}

TEST_F(PlacedServers, EveryCallFollows) {
  start(2);
  const auto remote = client();
  const auto table = must(remote->table("t", sum_table(2)));
  const auto dense =
      must(remote->dense("w", {.shape = {3}, .optimizer = optimizer(OptimizerKind::kSum)}));
  Random random(8);
  for (uint32_t round = 0; round < 8; ++round) {
    turn();
    tell();
    // Of this round, so that all of them are where they are now.
    const auto keys = range(uint64_t{round} * 1000, 300);
    const std::vector<float> ones(600, 1.0F);
    std::vector<uint8_t> found((keys.size() + 7) / 8, 0xff);
    std::vector<float> rows(600, -1.0F);
    must(table->lookup(keys, rows, {.found = found}));
    EXPECT_EQ(rows, std::vector<float>(600, 0.0F));
    EXPECT_EQ(found, std::vector<uint8_t>(found.size(), 0));
    must(table->push(keys, ones));
    turn();
    tell();
    must(table->update(keys, std::vector<float>(600, 5.0F)));
    must(table->lookup(keys, rows, {.found = found}));
    EXPECT_EQ(rows, std::vector<float>(600, 5.0F));
    EXPECT_EQ(found.back(), 0x0f);
    EXPECT_EQ(must(table->erase(std::span(keys).first(100))), 100U);
    const std::vector<uint32_t> offsets = {0, 100, 200, 300};
    const BagBatch bags{.keys = keys, .offsets = offsets};
    must(table->push_pooled(bags, std::vector<float>(6, 1.0F)));
    std::vector<float> pooled(6);
    must(table->lookup_pooled(bags, pooled));
    EXPECT_EQ(pooled, (std::vector<float>{100, 100, 600, 600, 600, 600}));
    std::vector<float> together(600);
    const TableLookup lookups[] = {{.table = table.get(), .keys = keys, .rows = together}};
    turn();
    turn();
    tell();
    must(remote->lookup_all(lookups));
    EXPECT_EQ(together[0], 1.0F);
    EXPECT_EQ(together[599], 6.0F);
  }
  // Rows stay where they were: the dense parameter is with who had it first, now and again.
  std::vector<float> values(3);
  must(dense->push(std::vector<float>{1, 2, 3}));
  must(dense->pull(values));
  EXPECT_EQ(values, (std::vector<float>{1, 2, 3}));
  turn();
  tell();
  EXPECT_TRUE(fails(dense->pull(values), StatusCode::kNotFound, "w"));
}

TEST_F(PlacedServers, OneServerBecomesTwoUnderAClient) {
  start(1);
  const auto remote = client();
  const auto table = must(remote->table("t", sum_table(1)));
  const auto keys = range(0, 5000);
  must(table->push(keys, std::vector<float>(5000, 1.0F)));
  all_.push_back(std::make_unique<PlacedServer>());
  map_.servers.push_back(all_.back()->address());
  map_.slots = rendezvous(map_.servers);
  ++map_.epoch;
  tell();
  std::vector<uint8_t> found(625);
  std::vector<float> rows(5000);
  must(table->lookup(keys, rows, {.found = found}));
  for (size_t i = 0; i < 5000; ++i) ASSERT_EQ(rows[i], owner(i) == 0 ? 1.0F : 0.0F);
  const std::vector<uint32_t> offsets = {0, 5000};
  must(table->push_pooled({.keys = keys, .offsets = offsets}, std::vector<float>{1}));
  const std::vector<float> pushed = lookup(*table, keys);
  for (size_t i = 0; i < 5000; ++i) ASSERT_EQ(pushed[i], owner(i) == 0 ? 2.0F : 1.0F);
  EXPECT_EQ(stats_of(table_of(1)).rows, static_cast<uint64_t>(std::ranges::count_if(
                                            keys, [&](uint64_t key) { return owner(key) == 1; })));
  // What the first still has of the other's slots is nobody's.
  EXPECT_EQ(must(table->scan(0, 10'000)).keys.size(), 5000U);
}

TEST_F(PlacedServers, AScanOfAClientThatIsBehindHasTheRowsOfTheNewPlacement) {
  start(2);
  const auto behind = client();
  const auto table = must(behind->table("t", sum_table(1)));
  const auto keys = range(0, 200);
  turn();
  tell();
  const auto other = client();
  must(must(other->table("t", sum_table(1)))->push(keys, std::vector<float>(200, 1.0F)));
  EXPECT_EQ(must(table->scan(0, 1000)).keys.size(), 200U);
}

TEST_F(PlacedServers, WhatSomeServersHaveAppliedIsNoRefusal) {
  start(2);
  const auto remote = client(500);
  const auto table = must(remote->table("t", sum_table(1)));
  const auto keys = range(0, 200);
  // The second server is told that its slots are the first's, who hears nothing of it.
  ++map_.epoch;
  const SlotMap before = map_;
  for (uint16_t& server : map_.slots) server = 0;
  tell(1);
  const Status status = table->push(keys, std::vector<float>(200, 1.0F));
  EXPECT_TRUE(fails(status, StatusCode::kTimeout, "some of the batch may be applied"));
  map_ = before;
}

TEST_F(PlacedServers, ACallOfAllServersAsksThoseOfTheNewPlacement) {
  start(1);
  const auto behind = client();
  const auto table = must(behind->table("t", sum_table(1)));
  all_.push_back(std::make_unique<PlacedServer>());
  map_.servers.push_back(all_.back()->address());
  map_.slots = rendezvous(map_.servers);
  ++map_.epoch;
  tell();
  const auto other = client();
  // Where it was made before the second server joined, it is there for whoever opens it by its
  // name.
  const auto its = must(other->table("t"));
  must(its->push(range(0, 200), std::vector<float>(200, 1.0F)));
  EXPECT_EQ(must(table->stats()).rows, 200U);
  EXPECT_EQ(must(behind->stats()).rows, 200U);
  EXPECT_EQ(must(behind->list()).front().rows, 200U);
}

TEST_F(PlacedServers, AClientIsToldByOthersToo) {
  start(2);
  const auto remote = client();
  const auto table = must(remote->table("t", sum_table(1)));
  const auto keys = range(0, 100);
  must(table->push(keys, std::vector<float>(100, 1.0F)));
  // The first server leaves; nobody but an operator knows who has its slots.
  turn();
  for (uint16_t& server : map_.slots) server = 1;
  must(remote->set_placement(map_.to_text()));
  all_[0].reset();
  must(all_[1]->server->set_placement(map_.to_text(), map_.servers[1]));
  must(table->push(keys, std::vector<float>(100, 1.0F)));
  EXPECT_EQ(stats_of(table_of(1)).rows, 100U);
  // Older ones are passed over, others of that epoch are not believed.
  SlotMap older = map_;
  --older.epoch;
  must(remote->set_placement(older.to_text()));
  SlotMap other = map_;
  other.slots[5] = 0;
  EXPECT_TRUE(fails(remote->set_placement(other.to_text()), StatusCode::kConflict, "epoch 2"));
  EXPECT_TRUE(fails(remote->set_placement("{}"), kInvalid, "epoch"));
  SlotMap far = map_;
  ++far.epoch;
  far.servers[0] = "10.0.0.1:7070";
  EXPECT_TRUE(fails(remote->set_placement(far.to_text()), kInvalid, "of this machine only"));
  EXPECT_TRUE(fails(private_store()->set_placement(map_.to_text()), StatusCode::kUnsupported));
}

TEST_F(PlacedServers, OfADeadServerCallsFailByTheirDeadlineAndNameTheSlotOthersGoOn) {
  start(2);
  const auto remote = client(300);
  const auto table = must(remote->table("t", sum_table(1)));
  const uint64_t dead = key_of(1);
  const uint64_t alive = key_of(0);
  all_[1].reset();
  const std::string slot = "slot " + std::to_string(placement_slot(dead)) + " in epoch 1";
  const auto started = std::chrono::steady_clock::now();
  std::vector<float> row(1);
  EXPECT_TRUE(fails(table->lookup(std::vector{dead}, row), StatusCode::kUnavailable, slot));
  EXPECT_TRUE(fails(table->push(std::vector{dead}, row), StatusCode::kUnavailable, slot));
  EXPECT_LT(std::chrono::steady_clock::now() - started, std::chrono::seconds(20));
  must(table->push(std::vector{alive}, std::vector<float>{1}));
  EXPECT_EQ(lookup(*table, {alive}), std::vector<float>{1});
}

TEST_F(PlacedServers, WithoutAPlacementCallsWaitForOneUntilTheirDeadline) {
  PlacedServer served;
  const auto remote = must(connect({.servers = {served.address()}, .timeout_ms = 1000}));
  const auto table = must(remote->table("t", sum_table(1)));
  const std::vector<uint64_t> key = {1};
  std::vector<float> row(1);
  EXPECT_TRUE(fails(table->lookup(key, row), kWrongOwner, "waits for a placement"));
  EXPECT_TRUE(fails(remote->dense("w", {.shape = {1}}), kWrongOwner, "waits for a placement"));
  std::thread later([&] {
    std::this_thread::sleep_for(std::chrono::milliseconds(50));
    const std::vector<std::string> names = {served.address()};
    const std::vector<double> weights = {1};
    must(served.server->set_placement(must(make_placement(1, names, weights)), names[0]));
  });
  must(must(connect({.servers = {served.address()}}))->table("t"));
  const auto patient = must(connect({.servers = {served.address()}, .timeout_ms = 20'000}));
  must(must(patient->table("t"))->push(key, std::vector<float>{1}));
  later.join();
  EXPECT_EQ(lookup(*table, key), std::vector<float>{1});
}

TEST_F(PlacedServers, APlacementThatCannotBeBelievedAnyMoreIsNone) {
  start(1);
  const auto remote = client(1000);
  const auto table = must(remote->table("t", sum_table(1)));
  const std::vector<uint64_t> key = {1};
  Server& server = *all_[0]->server;
  server.believe_placement_for(std::chrono::milliseconds(0));
  std::vector<float> row(1);
  EXPECT_TRUE(fails(table->lookup(key, row), kWrongOwner, "has not reached etcd"));
  const std::vector<float> one = {1};
  // Of a machine that is late with everything the last attempt may have no answer.
  const StatusCode refused = table->push(key, one).code();
  EXPECT_TRUE(refused == kWrongOwner || refused == StatusCode::kTimeout);
  server.believe_placement_for(std::chrono::hours(1));
  must(table->push(key, one));
  EXPECT_EQ(lookup(*table, key), one);
}

TEST_F(PlacedServers, RefuseAPlacementThatIsOlderOrAnotherOrNone) {
  start(2);
  turn();
  tell();
  Server& server = *all_[0]->server;
  const std::string self = map_.servers[0];
  const std::string before = server.placement();
  EXPECT_EQ(must(SlotMap::parse(before)), map_);
  must(server.set_placement(map_.to_text(), self));
  SlotMap older = map_;
  --older.epoch;
  EXPECT_TRUE(fails(server.set_placement(older.to_text(), self), StatusCode::kConflict, "older"));
  SlotMap other = map_;
  other.slots[0] ^= 1;
  EXPECT_TRUE(fails(server.set_placement(other.to_text(), self), StatusCode::kConflict, "another"));
  SlotMap later = map_;
  ++later.epoch;
  EXPECT_TRUE(fails(server.set_placement(later.to_text(), "else:1"), kInvalid, "is called"));
  std::string digest = later.to_text();
  digest.replace(digest.find("\"digest\":\"") + 10, 4, "0000");
  EXPECT_TRUE(fails(server.set_placement(digest, self), kInvalid, "digest"));
  EXPECT_TRUE(fails(server.set_placement("\xff{", self), kInvalid, "JSON"));
  EXPECT_EQ(server.placement(), before);
  // One that does not name it leaves it nothing.
  later.servers[0] = "127.0.0.1:9";
  must(server.set_placement(later.to_text(), self));
  must(all_[1]->store->table("t", sum_table(1)));
  must(all_[0]->store->table("t", sum_table(1)));
  Plain plain(self);
  EXPECT_TRUE(fails(plain.push(1, key_of(0)), kWrongOwner, "epoch 3"));
  EXPECT_TRUE(fails(plain.call({.call = "setPlacement", .name = self, .other = before}),
                    StatusCode::kConflict, "older"));
  EXPECT_TRUE(ok(plain.call({.call = "placement"})));
}

TEST(Unplaced, AServerWithoutAPlacementAnswersForAllKeys) {
  PlacedServer served(ServerOptions{});
  const auto remote = must(connect({.servers = {served.address()}}));
  const auto table = must(remote->table("t", sum_table(1)));
  const auto keys = range(0, 1000);
  must(table->push(keys, std::vector<float>(1000, 1.0F)));
  EXPECT_EQ(served.server->placement(), "");
  Plain plain(served.address());
  EXPECT_TRUE(fails(plain.call({.call = "placement"}), StatusCode::kNotFound, "no placement"));
  must(plain.push(1, 3));
  EXPECT_EQ(plain.seen, 0U);
}

}  // namespace
}  // namespace hotrow::test
