// Placement: which server has a key, by the list of servers that a client was given or by a slot
// map (base/slot_map.h).
#ifndef HOTROW_CLIENT_PLACEMENT_H_
#define HOTROW_CLIENT_PLACEMENT_H_

#include <cstdint>
#include <string>
#include <utility>
#include <vector>

#include "base/slot_map.h"

namespace hotrow::client {

using hotrow::kSlots;
using hotrow::placement_slot;

class Placement {
 public:
  /// `servers` by the names that all clients have for them; their order does not matter.
  explicit Placement(const std::vector<std::string>& servers) : servers_(rendezvous(servers)) {}
  /// The position of each slot's server, [kSlots].
  explicit Placement(std::vector<uint16_t> servers) : servers_(std::move(servers)) {}

  /// Position of the key's server.
  uint32_t server_of(uint64_t key) const { return servers_[placement_slot(key)]; }
  uint32_t server_of_slot(uint32_t slot) const { return servers_[slot]; }
  /// Of each slot, [kSlots].
  const std::vector<uint16_t>& servers() const { return servers_; }

 private:
  std::vector<uint16_t> servers_;  // [kSlots]
};

}  // namespace hotrow::client

#endif  // HOTROW_CLIENT_PLACEMENT_H_
