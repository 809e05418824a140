// Servers of a cluster in this process, and the placement that they share.
#ifndef HOTROW_TEST_SUPPORT_PLACED_SERVERS_H_
#define HOTROW_TEST_SUPPORT_PLACED_SERVERS_H_

#include <gtest/gtest.h>

#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "base/slot_map.h"
#include "hotrow/connect.h"
#include "hotrow/server.h"
#include "support/stores.h"

namespace hotrow::test {

inline constexpr auto kWrongOwner = StatusCode::kWrongOwner;

struct PlacedServer {
  explicit PlacedServer(ServerOptions options = {.placed = true},
                        std::shared_ptr<Store> its_store = private_store())
      : store(std::move(its_store)), server(must(Server::start(store, options))) {}

  std::string address() const { return server->address(); }

  std::shared_ptr<Store> store;
  std::unique_ptr<Server> server;
};

// Servers with one placement, of which each knows.
class PlacedServers : public testing::Test {
 protected:
  void start(size_t servers) {
    for (size_t i = 0; i < servers; ++i) {
      all_.push_back(std::make_unique<PlacedServer>());
      map_.servers.push_back(all_.back()->address());
    }
    map_.slots = rendezvous(map_.servers);
    map_.epoch = 1;
    tell();
  }

  void tell() {
    for (size_t i = 0; i < all_.size(); ++i) tell(i);
  }
  void tell(size_t i) { must(all_[i]->server->set_placement(map_.to_text(), map_.servers[i])); }
  /// Each slot goes to the next server.
  void turn() {
    ++map_.epoch;
    for (uint16_t& server : map_.slots) {
      server = static_cast<uint16_t>((server + 1) % map_.servers.size());
    }
  }
  std::shared_ptr<Store> client(uint32_t timeout_ms = 20'000) {
    return must(connect({.servers = {map_.servers.front()}, .timeout_ms = timeout_ms}));
  }
  size_t owner(uint64_t key) const { return map_.slots[placement_slot(key)]; }
  Table& table_of(size_t server, const std::string& name = "t") {
    return *tables_.emplace_back(must(all_[server]->store->table(name)));
  }
  /// A key that the server has.
  uint64_t key_of(size_t server) const {
    uint64_t key = 1;
    while (owner(key) != server) ++key;
    return key;
  }

  std::vector<std::unique_ptr<PlacedServer>> all_;
  std::vector<std::shared_ptr<Table>> tables_;
  SlotMap map_;
};

}  // namespace hotrow::test

#endif  // HOTROW_TEST_SUPPORT_PLACED_SERVERS_H_
