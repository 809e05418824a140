// libcuckoo's cuckoohash_map: a function runs under the locks of the key's two buckets.
#include "peers/peer.h"

#if HOTROW_BENCH_CUCKOO
#include <libcuckoo/cuckoohash_map.hh>

namespace hotrow::bench {

namespace {

class CuckooMap {
 public:
  template <class Use>
  void with(uint64_t key, const Use& use) {
    map_.find_fn(key, [&](const uint32_t& row) { use(row); });
  }
  template <class Use>
  void change(uint64_t key, const Use& use) {
    map_.update_fn(key, [&](uint32_t& row) { use(row); });
  }
  // The row first: the entry must not be seen before its row is there.
  template <class Use>
  void add(uint64_t key, uint32_t row, const Use& use) {
    use(row);
    map_.insert(key, row);
  }

 private:
  libcuckoo::cuckoohash_map<uint64_t, uint32_t> map_;
};

}  // namespace

PeerKind cuckoo_peer() {
  return {"cuckoo", "libcuckoo-dev", [] { return std::make_unique<MapPeer<CuckooMap>>(); }};
}

}  // namespace hotrow::bench
#else
hotrow::bench::PeerKind hotrow::bench::cuckoo_peer() {
  return {"cuckoo", "libcuckoo-dev", nullptr};
}
#endif
