// Placement: which server has a key. 16,384 slots by the key's mixed hash; each slot goes to the
// server that draws the highest number for it (rendezvous hashing, Thaler and Ravishankar 1998), so
// that one server more takes over an even share of everybody's slots and moves no other.
#ifndef HOTROW_CLIENT_PLACEMENT_H_
#define HOTROW_CLIENT_PLACEMENT_H_

#include <cstdint>
#include <string>
#include <vector>

#include "base/hash.h"

namespace hotrow::client {

inline constexpr uint32_t kSlotBits = 14;
inline constexpr uint32_t kSlots = 1U << kSlotBits;

/// The slot of a key, in every table: ranges of slots are ranges of a scan.
constexpr uint32_t placement_slot(uint64_t key) {
  return static_cast<uint32_t>(mix64(key) >> (64 - kSlotBits));
}

class Placement {
 public:
  /// `servers` by the names that all clients have for them; their order does not matter.
  explicit Placement(const std::vector<std::string>& servers);

  /// Position of the key's server.
  uint32_t server_of(uint64_t key) const { return servers_[placement_slot(key)]; }
  uint32_t server_of_slot(uint32_t slot) const { return servers_[slot]; }

 private:
  std::vector<uint16_t> servers_;  // [kSlots]
};

}  // namespace hotrow::client

#endif  // HOTROW_CLIENT_PLACEMENT_H_
