#include "figures.h"

#include <algorithm>
#include <cstdio>

#include "machine.h"

namespace hotrow::bench {

std::vector<LoadedPeers::Loaded>& LoadedPeers::over(const RowSlab& slab, Bench& bench) {
  if (rows_ != slab.rows()) drop();
  rows_ = slab.rows();
  if (peers_.empty()) {
    for (const PeerKind& kind : bench.settings_peers()) load(kind, bench.report);
  }
  for (Loaded& each : peers_) each.peer->attach(slab);
  return peers_;
}

void LoadedPeers::load(const PeerKind& kind, Report& report) {
  constexpr uint64_t kBatch = 4096;
  report.note(std::string("loading ") + kind.name);
  const uint64_t before = resident_bytes();
  peers_.push_back({kind.name, kind.make()});
  std::vector<uint64_t> keys;
  for (uint64_t first = 0; first < rows_; first += kBatch) {
    keys.resize(std::min(kBatch, rows_ - first));
    for (uint64_t i = 0; i < keys.size(); ++i) keys[i] = key_of(first + i);
    peers_.back().peer->insert(keys, static_cast<uint32_t>(first), nullptr);
  }
  const uint64_t after = resident_bytes();
  const double bytes = static_cast<double>(after > before ? after - before : 0);
  if (!told_.insert(kind.name).second) return;
  report.add({std::string(kind.name) + "/index-bytes/end",
              {{"rows", std::to_string(rows_)}},
              bytes / static_cast<double>(rows_),
              "bytes/key, resident",
              {}});
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

std::vector<Stream> Bench::streams(Choice choice, uint64_t rows) const {
  constexpr uint64_t kKeys = uint64_t{1} << 21;
  constexpr uint64_t kFewKeys = uint64_t{1} << 16;
  return make_streams(choice, {.rows = rows,
                               .keys = settings.rows >= kKeys ? kKeys : kFewKeys,
                               .threads = settings.most_threads()});
}

std::vector<PeerKind> Bench::settings_peers() const {
  std::vector<PeerKind> kinds;
  for (PeerKind& kind : all_peers()) {
    if (kind.make && settings.has_peer(kind.name)) kinds.push_back(kind);
  }
  return kinds;
}

}  // namespace hotrow::bench
