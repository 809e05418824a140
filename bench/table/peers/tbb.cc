// oneTBB's concurrent_hash_map: an accessor holds the entry's own lock.
#include "peers/peer.h"

#if HOTROW_BENCH_TBB
#include <tbb/concurrent_hash_map.h>

namespace hotrow::bench {

namespace {

class TbbMap {
 public:
  template <class Use>
  void with(uint64_t key, const Use& use) {
    Map::const_accessor entry;
    if (map_.find(entry, key)) use(entry->second);
  }
  template <class Use>
  void change(uint64_t key, const Use& use) {
    Map::accessor entry;
    if (map_.find(entry, key)) use(entry->second);
  }
  template <class Use>
  void add(uint64_t key, uint32_t row, const Use& use) {
    Map::accessor entry;
    map_.insert(entry, {key, row});
    use(row);
  }

 private:
  using Map = tbb::concurrent_hash_map<uint64_t, uint32_t>;
  Map map_;
};

}  // namespace

PeerKind tbb_peer() {
  return {"tbb", "libtbb-dev", [] { return std::make_unique<MapPeer<TbbMap>>(); }};
}

}  // namespace hotrow::bench
#else
hotrow::bench::PeerKind hotrow::bench::tbb_peer() { return {"tbb", "libtbb-dev", nullptr}; }
#endif
