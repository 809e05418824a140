// Boost's unordered_flat_map behind 256 mutexes.
#include "peers/peer.h"
#include "peers/sharded.h"

#if HOTROW_BENCH_BOOST
#include <boost/unordered/unordered_flat_map.hpp>

namespace hotrow::bench {

PeerKind boost_peer() {
  using Map = ShardedMap<boost::unordered_flat_map<uint64_t, uint32_t>>;
  return {"boost", "libboost1.81-dev", [] { return std::make_unique<MapPeer<Map>>(); }};
}

}  // namespace hotrow::bench
#else
hotrow::bench::PeerKind hotrow::bench::boost_peer() {
  return {"boost", "libboost1.81-dev", nullptr};
}
#endif
