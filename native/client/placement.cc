#include "client/placement.h"

#include <string_view>

namespace hotrow::client {

Placement::Placement(const std::vector<std::string>& servers) : servers_(kSlots) {
  std::vector<uint64_t> names;
  for (const std::string& server : servers) names.push_back(xxh3(server));
  for (uint32_t slot = 0; slot < kSlots; ++slot) {
    uint64_t highest = 0;
    for (size_t i = 0; i < names.size(); ++i) {
      const uint64_t drawn = mix64(names[i] ^ mix64(slot + 1));
      if (i > 0 && drawn <= highest) continue;
      highest = drawn;
      servers_[slot] = static_cast<uint16_t>(i);
    }
  }
}

}  // namespace hotrow::client
