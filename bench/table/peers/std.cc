// The standard library: one unordered_map behind one shared_mutex.
#include <mutex>
#include <shared_mutex>
#include <unordered_map>

#include "peers/peer.h"

namespace hotrow::bench {

namespace {

class StdMap {
 public:
  template <class Use>
  void with(uint64_t key, const Use& use) {
    const std::shared_lock<std::shared_mutex> lock(mutex_);
    const auto found = map_.find(key);
    if (found != map_.end()) use(found->second);
  }
  template <class Use>
  void change(uint64_t key, const Use& use) {
    const std::unique_lock<std::shared_mutex> lock(mutex_);
    const auto found = map_.find(key);
    if (found != map_.end()) use(found->second);
  }
  template <class Use>
  void add(uint64_t key, uint32_t row, const Use& use) {
    const std::unique_lock<std::shared_mutex> lock(mutex_);
    map_.emplace(key, row);
    use(row);
  }

 private:
  std::shared_mutex mutex_;
  std::unordered_map<uint64_t, uint32_t> map_;
};

}  // namespace

PeerKind std_peer() {
  return {"std", "the compiler", [] { return std::make_unique<MapPeer<StdMap>>(); }};
}

}  // namespace hotrow::bench
