// SlotMap: which server has which slot, as all clients and servers of a cluster are told. A value
// with an epoch: of two maps the one with the higher epoch holds, and two of one epoch are equal.
//
// Pure functions and values. docs/FORMATS.md, "Placement that changes", has the text's format.
#ifndef HOTROW_BASE_SLOT_MAP_H_
#define HOTROW_BASE_SLOT_MAP_H_

#include <cstddef>
#include <cstdint>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "base/hash.h"
#include "hotrow/status.h"

namespace hotrow {

inline constexpr uint32_t kSlotBits = 14;
inline constexpr uint32_t kSlots = 1U << kSlotBits;
inline constexpr size_t kMostServers = 1024;
inline constexpr size_t kMostServerNameBytes = 255;
/// Of a server, relative to others; 0: it gets no slots.
inline constexpr double kMostWeight = 1e6;

/// The slot of a key, in every table: ranges of slots are ranges of a scan.
constexpr uint32_t placement_slot(uint64_t key) {
  return static_cast<uint32_t>(mix64(key) >> (64 - kSlotBits));
}

/// The position of each slot's server, by rendezvous hashing (Thaler and Ravishankar 1998): each
/// slot goes to the server that draws the highest number for it, so that one server more takes over
/// an even share of everybody's slots and moves no other. The order of the servers does not matter.
std::vector<uint16_t> rendezvous(std::span<const std::string> servers);
/// As above, where a server's share is as its weight is to the sum of all (Schindelhauer and
/// Schomaker 2005): a draw u in (0, 1) counts as -weight / ln u. Equal weights place as none.
/// ERR_INVALID_ARGUMENT unless there is one weight a server, from 0 to kMostWeight, one above 0.
Result<std::vector<uint16_t>> rendezvous(std::span<const std::string> servers,
                                         std::span<const double> weights);

struct SlotMap {
  uint32_t epoch = 0;                // from 1 on
  std::vector<std::string> servers;  // HOST:PORT, each once; some may have no slots
  std::vector<uint16_t> slots;       // [kSlots], positions in servers

  /// ERR_INVALID_ARGUMENT, which says what is wrong.
  Status validate() const;
  /// XXH3 of epoch, servers and slots: of two maps with one digest all three are equal.
  uint64_t digest() const;
  /// JSON, as docs/FORMATS.md describes it. The map must be valid.
  std::string to_text() const;
  /// ERR_INVALID_ARGUMENT when the text is none, is not valid, or its digest is of another map.
  static Result<SlotMap> parse(std::string_view text);

  bool operator==(const SlotMap&) const = default;
};

}  // namespace hotrow

#endif  // HOTROW_BASE_SLOT_MAP_H_
