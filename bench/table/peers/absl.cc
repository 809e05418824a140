// Abseil's flat_hash_map behind 256 mutexes.
#include "peers/peer.h"
#include "peers/sharded.h"

#if HOTROW_BENCH_ABSL
#include <absl/container/flat_hash_map.h>

namespace hotrow::bench {

PeerKind absl_peer() {
  using Map = ShardedMap<absl::flat_hash_map<uint64_t, uint32_t>>;
  return {"absl", "libabsl-dev", [] { return std::make_unique<MapPeer<Map>>(); }};
}

}  // namespace hotrow::bench
#else
hotrow::bench::PeerKind hotrow::bench::absl_peer() { return {"absl", "libabsl-dev", nullptr}; }
#endif
