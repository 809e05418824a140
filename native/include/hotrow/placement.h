// Placements: texts that say which server has which keys (docs/FORMATS.md, "Placement that
// changes"). Pure functions; servers and clients take the text.
#ifndef HOTROW_PLACEMENT_H_
#define HOTROW_PLACEMENT_H_

#include <cstdint>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "hotrow/status.h"

namespace hotrow {

/// What a placement says.
struct PlacementInfo {
  uint32_t epoch = 0;                 ///< from 1 on; of two placements the higher one holds
  std::vector<std::string> servers;   ///< HOST:PORT each
  std::vector<uint64_t> slot_counts;  ///< [servers], of 16,384 slots together
  std::vector<uint16_t> slots;        ///< [16,384], positions in servers
};

/// A placement in which each server's share of the slots is as its weight, from 0 to 1,000,000, is
/// to the sum of all. The order of the servers does not matter: the same slots go to the same
/// names. ERR_INVALID_ARGUMENT for servers that are not 1 to 1,024 different HOST:PORT, for weights
/// that are not one a server or all 0, and for epoch 0.
Result<std::string> make_placement(uint32_t epoch, std::span<const std::string> servers,
                                   std::span<const double> weights);

/// As above, of slots that are given: [16,384] positions in `servers`, of which some may have none.
/// ERR_INVALID_ARGUMENT when there are more or fewer, or a position is none.
Result<std::string> make_placement(uint32_t epoch, std::span<const std::string> servers,
                                   std::span<const uint16_t> slots);
/// ERR_INVALID_ARGUMENT, which says what is wrong, unless the text is a placement as it was
/// written.
Result<PlacementInfo> read_placement(std::string_view text);

}  // namespace hotrow

#endif  // HOTROW_PLACEMENT_H_
