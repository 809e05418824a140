#include "figures.h"

#include <algorithm>
#include <cstdio>

#include "machine.h"

namespace hotrow::bench {

std::vector<LoadedPeers::Loaded>& LoadedPeers::over(const RowSlab& slab, Report& report) {
  if (rows_ != slab.rows()) drop();
  rows_ = slab.rows();
  if (peers_.empty()) {
    for (const PeerKind& kind : all_peers()) {
      if (!kind.make) continue;
      report.note(std::string("loading ") + kind.name);
      peers_.push_back({kind.name, kind.make()});
      std::vector<uint64_t> keys(1);
      for (uint64_t i = 0; i < rows_; ++i) {
        keys[0] = key_of(i);
        peers_.back().peer->insert(keys, static_cast<uint32_t>(i), nullptr);
      }
    }
  }
  for (Loaded& each : peers_) each.peer->attach(slab);
  return peers_;
}

uint64_t Bench::rows_that_fit(uint64_t bytes_per_row, const std::string& figure) {
  // An eighth stays with the system.
  const uint64_t usable = std::min(settings.memory_gib << 30, available_bytes() / 8 * 7);
  const uint64_t most = std::max<uint64_t>(usable / bytes_per_row, 10'000);
  if (most >= settings.rows) return settings.rows;
  report.note(figure + ": " + std::to_string(most) + " rows instead of " +
              std::to_string(settings.rows) + ", for want of memory");
  return most;
}

uint64_t Bench::keys_per_thread() const {
  // Enough that neither rows nor keys of one turn stay in a cache.
  constexpr uint64_t kMost = uint64_t{1} << 19;
  return settings.rows >= kMost ? kMost : uint64_t{1} << 16;
}

}  // namespace hotrow::bench
