// Stores over shared memory: what they do, who may have them, and what happens when one side dies
// or stops. Every test of one store and of three holds over it too: remote_store_test.cc, and those
// of test/lib by test/lib/contract.test.ts.
#include <gtest/gtest.h>
#include <sys/mman.h>

#include <array>
#include <atomic>
#include <chrono>
#include <csignal>
#include <memory>
#include <string>
#include <thread>
#include <vector>

#include "base/random_id.h"
#include "client/connection.h"
#include "hotrow/connect.h"
#include "hotrow/server.h"
#include "net/listener.h"
#include "support/child.h"
#include "support/comes_true.h"
#include "support/fabric.h"
#include "support/folder.h"
#include "support/scale.h"
#include "support/stores.h"
#include "support/tickets.h"
#include "support/tls_files.h"

namespace hotrow::test {
namespace {

using Clock = std::chrono::steady_clock;
using std::chrono::milliseconds;
using std::chrono::seconds;

constexpr uint32_t kWide = 64;

Result<std::shared_ptr<Store>> dial_shm(const std::string& address, uint32_t timeout_ms = 20'000,
                                        const ClientTls& tls = {}) {
  return connect({.servers = {address},
                  .timeout_ms = timeout_ms,
                  .tls = tls,
                  .transport = tested_transport()});
}

// A server in a process of its own, and what it tells.
struct Told {
  std::array<char, 64> address;
  std::atomic<bool> ready;
  std::atomic<uint64_t> lookups;  // of a client
};

std::string told_variable(const Folder& folder) { return "HOTROW_TEST_TOLD=" + (folder / "told"); }
Told* told_by_environment() {
  const char* const path = std::getenv("HOTROW_TEST_TOLD");
  return path == nullptr ? nullptr : map_shared<Told>(path);
}

TEST(FabricServing, DISABLED_UntilItIsKilled) {
  Told* const told = told_by_environment();
  ASSERT_NE(told, nullptr);
  const auto server = must(Server::start(private_store(), {.transport = tested_transport()}));
  server->address().copy(told->address.data(), told->address.size() - 1);
  told->ready = true;
  while (true) ::pause();
}

TEST(FabricUsing, DISABLED_UntilItIsKilled) {
  Told* const told = told_by_environment();
  ASSERT_NE(told, nullptr);
  const auto store = must(dial_shm(told->address.data()));
  const auto table = must(store->table("wide", sum_table(kWide)));
  const auto keys = range(0, 16'000);
  while (true) {
    (void)lookup(*table, keys);
    ++told->lookups;
    must(table->push(keys, std::vector<float>(keys.size() * kWide)));
  }
}

struct ServedChild {
  Folder folder;
  Told* told = map_shared<Told>(folder / "told");
  Child child{"FabricServing.DISABLED_UntilItIsKilled", {told_variable(folder)}};
  std::string address() const {
    EXPECT_TRUE(comes_true([&] { return told->ready.load(); }));
    return told->address.data();
  }
  ~ServedChild() { ::munmap(told, sizeof *told); }
};

TEST(FabricStores, LargeCallsOfManyThreadsAtOnce) {
  HOTROW_NEEDS_FABRIC();
  const auto behind = private_store();
  const auto server = must(Server::start(behind, {.threads = 2, .transport = Transport::kAuto}));
  const auto store = must(dial_shm(server->address()));
  EXPECT_TRUE(comes_true([&] { return server->stats().fabric == 1; }));
  const uint64_t rounds = scaled(12);
  std::vector<std::thread> threads;
  for (uint64_t t = 0; t < 4; ++t) {
    threads.emplace_back([&, t] {
      const auto table = must(store->table("t", sum_table(kWide)));
      const auto keys = range(t * 100'000, 10'000 + t * 7'000);  // 2.5 to 8 MB of rows
      std::vector<float> gradients(keys.size() * kWide);
      for (size_t i = 0; i < gradients.size(); ++i) gradients[i] = static_cast<float>(i % 1000);
      for (uint64_t round = 1; round <= rounds; ++round) {
        must(table->push(keys, gradients));
        const auto rows = lookup(*table, keys);
        for (size_t i = 0; i < rows.size(); ++i) {
          ASSERT_EQ(rows[i], gradients[i] * static_cast<float>(round)) << t << " at " << i;
        }
      }
    });
  }
  for (std::thread& thread : threads) thread.join();
  EXPECT_EQ(server->stats().refused, 0U);
  store->close();
  EXPECT_TRUE(comes_true([&] { return server->stats().fabric == 0; }));
}

TEST(FabricStores, SpinningSidesDoTheSame) {
  HOTROW_NEEDS_FABRIC();
  const auto server =
      must(Server::start(private_store(), {.spin_us = 200, .transport = tested_transport()}));
  const auto store = must(
      connect({.servers = {server->address()}, .spin_us = 200, .transport = tested_transport()}));
  const auto table = must(store->table("t", sum_table(kWide)));
  const auto keys = range(0, 5000);
  const std::vector<float> ones(keys.size() * kWide, 1);
  for (uint64_t round = 1; round <= scaled(30); ++round) {
    must(table->push(keys, ones));
    const auto rows = lookup(*table, keys);
    ASSERT_EQ(rows, std::vector<float>(rows.size(), static_cast<float>(round)));
    // Longer than it looks for work.
    if (round % 10 == 0) std::this_thread::sleep_for(milliseconds(3));
  }
}

TEST(FabricStores, AServerThatIsKilledEndsTheCallsOfItsClients) {
  HOTROW_NEEDS_FABRIC();
  ServedChild serving;
  const auto store = must(dial_shm(serving.address(), 8000));
  std::atomic<uint64_t> done = 0;
  std::vector<std::thread> threads;
  std::array<Status, 3> ends;
  for (Status& end : ends) {
    threads.emplace_back([&] {
      const auto table = must(store->table("t", sum_table(kWide)));
      const auto keys = range(0, 16'000);
      std::vector<float> rows(keys.size() * kWide);
      do {
        end = table->lookup(keys, rows);
        ++done;
      } while (end.ok());
    });
  }
  EXPECT_TRUE(comes_true([&] { return done > 20; }));
  const auto killed = Clock::now();
  serving.child.kill();
  for (std::thread& thread : threads) thread.join();
  for (const Status& end : ends) {
    EXPECT_TRUE(fails(end, StatusCode::kUnavailable, serving.address())) << describe(end);
  }
  // Their deadline, within which they look for another server there, and some for a slow machine.
  EXPECT_LT(Clock::now() - killed, seconds(40));
}

TEST(FabricStores, AClientThatIsKilledCostsOnlyItsConnection) {
  HOTROW_NEEDS_FABRIC();
  const auto server = must(Server::start(private_store(), {.transport = tested_transport()}));
  const auto other = must(dial_shm(server->address()));
  const auto table = must(other->table("t", sum_table(1)));
  const std::vector<uint64_t> key = {5};
  float pushes = 0;
  for (uint64_t round = 0; round < scaled(4); ++round) {
    const Folder folder;
    Told* const told = map_shared<Told>(folder / "told");
    server->address().copy(told->address.data(), told->address.size() - 1);
    Child child("FabricUsing.DISABLED_UntilItIsKilled", {told_variable(folder)});
    EXPECT_TRUE(comes_true([&] { return told->lookups > 3; }));
    EXPECT_EQ(server->stats().fabric, 2U);
    child.kill();
    ::munmap(told, sizeof *told);
    EXPECT_TRUE(comes_true([&] { return server->stats().fabric == 1; }));
    must(table->push(key, std::vector<float>{1}));
    EXPECT_EQ(lookup(*table, key), std::vector<float>{++pushes});
  }
}

TEST(FabricStores, CallsOfAServerThatStopsEndByTheirDeadline) {
  HOTROW_NEEDS_FABRIC();
  ServedChild serving;
  const auto store = must(dial_shm(serving.address(), 5000));
  const auto table = must(store->table("t", sum_table(kWide)));
  const auto keys = range(0, 16'000);
  std::vector<float> rows(keys.size() * kWide);
  must(table->lookup(keys, rows));
  serving.child.stop();
  const auto stopped = Clock::now();
  EXPECT_TRUE(fails(table->lookup(keys, rows), StatusCode::kTimeout));
  EXPECT_LT(Clock::now() - stopped, seconds(40));
  serving.child.go_on();
  EXPECT_TRUE(comes_true([&] { return table->lookup(keys, rows).ok(); }));
}

TEST(FabricStores, OneSideThatCannotIsNamed) {
  const auto behind = private_store();
  const auto tcp_only = must(Server::start(behind, {}));
  const auto refused = dial_shm(tcp_only->address());
  EXPECT_TRUE(fails(refused, StatusCode::kUnsupported)) << describe(refused.status());
  // Whoever takes what there is goes on over TCP.
  const auto store =
      must(connect({.servers = {tcp_only->address()}, .transport = Transport::kAuto}));
  const auto table = must(store->table("t", sum_table(1)));
  must(table->push({{1}}, std::vector<float>{1}));
  EXPECT_EQ(tcp_only->stats().fabric, 0U);
  HOTROW_NEEDS_FABRIC();
  EXPECT_TRUE(fails(refused, StatusCode::kUnsupported,
                    "does not offer the transport '" + tested_transport_name()));
  if (tested_transport() != Transport::kShm) return;  // the only one that is chosen by itself
  const auto any = must(Server::start(behind, {.transport = Transport::kAuto}));
  const auto chosen = must(connect({.servers = {any->address()}, .transport = Transport::kAuto}));
  EXPECT_TRUE(comes_true([&] { return any->stats().fabric == 1; }));
  const auto plain = must(connect({.servers = {any->address()}}));
  EXPECT_EQ(any->stats().connections, 2U);
  EXPECT_EQ(any->stats().fabric, 1U);
}

TEST(FabricStores, WhoMayDoWhatIsAsOverTls) {
  HOTROW_NEEDS_FABRIC();
  TlsFiles files;
  const auto behind = private_store();
  const auto own = must(behind->table("t", sum_table(1)));
  ServerTls tls = files.every();
  tls.access_file = write_file(
      files.folder / "access",
      R"({"identities":{"urn:x:by-key":{"role":"reader"},"by-token":{"role":"trainer"}}})");
  const auto server = must(Server::start(behind, {.tls = tls, .transport = tested_transport()}));
  const std::vector<uint64_t> key = {1};
  const auto trainer = must(dial_shm(server->address(), 20'000, files.with_token()));
  const auto its = must(trainer->table("t"));
  must(its->push(key, std::vector<float>{2}));
  const auto reader = must(dial_shm(server->address(), 20'000, files.with_key()));
  const auto readable = must(reader->table("t"));
  EXPECT_EQ(lookup(*readable, key), std::vector<float>{2});
  EXPECT_TRUE(fails(readable->push(key, std::vector<float>{1}), StatusCode::kDenied));
  EXPECT_TRUE(comes_true([&] { return server->stats().fabric == 2; }));
  EXPECT_EQ(lookup(*own, key), std::vector<float>{2});
  // Without being known there is no ticket either.
  EXPECT_TRUE(fails(dial_shm(server->address()), StatusCode::kProtocol, "TLS only"));
}

// As a client that speaks the protocol itself.
class FabricTickets : public testing::Test {
 protected:
  wire::Welcome greet(bool wants = true) {
    Greeted greeted = test::greet(server_->address(), wants);
    sockets_.push_back(std::move(greeted.socket));
    return greeted.welcome;
  }

  // What a link has to say may still be on its way, as is what it takes to say it.
  bool refuses(net::FabricLink& link, uint64_t so_many) const {
    return comes_true([&] {
      (void)link.progress();
      return server_->stats().refused == so_many;
    });
  }

  std::shared_ptr<Store> store_ = private_store();
  std::unique_ptr<Server> server_;
  std::vector<net::Socket> sockets_;
};

TEST_F(FabricTickets, AreGoodOnceForTheirConnectionOnly) {
  HOTROW_NEEDS_FABRIC();
  server_ = must(Server::start(store_, {.transport = tested_transport()}));
  const wire::Welcome first = greet();
  const wire::Welcome second = greet();
  EXPECT_EQ(first.ticket.size(), 32U);
  EXPECT_NE(first.ticket, second.ticket);
  EXPECT_TRUE(greet(false).ticket.empty());
  // A guessed one, and that of another connection; each of tickets that are new, for these end.
  const auto guessed = new_link();
  const wire::Welcome third = greet();
  EXPECT_FALSE(opens(*guessed, third, random_id(), a_while()));
  EXPECT_TRUE(refuses(*guessed, 1));
  const auto swapped = new_link();
  const wire::Welcome fourth = greet();
  const wire::Welcome fifth = greet();
  EXPECT_FALSE(opens(*swapped, fourth, fifth.ticket, a_while()));
  EXPECT_TRUE(refuses(*swapped, 2));
  const auto right = new_link();
  const wire::Welcome sixth = greet();
  EXPECT_TRUE(opens(*right, sixth, sixth.ticket));
  const auto again = new_link();
  EXPECT_FALSE(opens(*again, sixth, sixth.ticket, a_while()));
  EXPECT_TRUE(refuses(*again, 3));
  EXPECT_EQ(server_->stats().fabric, 1U);
  EXPECT_EQ(server_->stats().connections, 7U);
}

TEST_F(FabricTickets, AreGoodForFiveSecondsOnly) {
  HOTROW_NEEDS_FABRIC();
  server_ = must(Server::start(store_, {.transport = tested_transport()}));
  const wire::Welcome welcome = greet();
  std::this_thread::sleep_for(net::kTicketTime + seconds(1));
  const auto late = new_link();
  EXPECT_FALSE(opens(*late, welcome, welcome.ticket, a_while()));
  EXPECT_EQ(server_->stats().fabric, 0U);
  EXPECT_EQ(server_->stats().connections, 1U);  // over TCP it goes on
}

TEST_F(FabricTickets, TheEndOfTheConnectionOverTcpIsThatOfItsLink) {
  HOTROW_NEEDS_FABRIC();
  server_ = must(Server::start(store_, {.transport = tested_transport()}));
  const wire::Welcome welcome = greet();
  const auto its = new_link();
  ASSERT_TRUE(opens(*its, welcome, welcome.ticket));
  sockets_.clear();
  EXPECT_TRUE(comes_true([&] { return server_->stats().connections == 0; }));
  EXPECT_EQ(server_->stats().fabric, 0U);
}

TEST_F(FabricTickets, WhatIsNoFrameEndsTheConnection) {
  HOTROW_NEEDS_FABRIC();
  server_ = must(Server::start(store_, {.transport = tested_transport()}));
  const auto client = must(dial_shm(server_->address()));
  const auto table = must(client->table("t", sum_table(1)));
  const wire::Welcome welcome = greet();
  const auto its = new_link();
  ASSERT_TRUE(opens(*its, welcome, welcome.ticket));
  AlignedBuffer garbage(100'000);
  std::fill_n(garbage.data(), garbage.size(), std::byte{7});
  its->send(std::move(garbage), 64);
  EXPECT_TRUE(comes_true([&] {
    (void)its->progress();
    return server_->stats().connections == 1;
  }));
  EXPECT_EQ(server_->stats().refused, 1U);
  // And over TCP nothing may come any more.
  const wire::Welcome other = greet();
  const auto second = new_link();
  ASSERT_TRUE(opens(*second, other, other.ticket));
  const AlignedBuffer frame = wire::text_frame({.verb = wire::Verb::kCall}, "{}");
  std::span<const std::byte> bytes = frame.bytes();
  (void)must(sockets_.back().send({&bytes, 1}));
  EXPECT_TRUE(comes_true([&] { return server_->stats().connections == 1; }));
  must(table->push({{1}}, std::vector<float>{1}));
}

}  // namespace
}  // namespace hotrow::test
