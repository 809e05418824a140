// Exact caches, to hold hit rates against.
#ifndef HOTROW_BENCH_TIER_SIMULATE_H_
#define HOTROW_BENCH_TIER_SIMULATE_H_

#include <cstdint>
#include <list>
#include <set>
#include <span>
#include <tuple>
#include <unordered_map>

namespace hotrow::bench {

/// The share of keys that are among the `capacity` used last.
inline double lru_hit_rate(std::span<const uint64_t> keys, uint64_t capacity) {
  std::list<uint64_t> order;
  std::unordered_map<uint64_t, std::list<uint64_t>::iterator> places;
  uint64_t hits = 0;
  for (const uint64_t key : keys) {
    const auto at = places.find(key);
    if (at != places.end()) {
      ++hits;
      order.splice(order.begin(), order, at->second);
      continue;
    }
    if (places.size() == capacity) {
      places.erase(order.back());
      order.pop_back();
    }
    order.push_front(key);
    places[key] = order.begin();
  }
  return static_cast<double>(hits) / static_cast<double>(keys.size());
}

/// The least often used since it came in goes, of several the least recently used.
inline double lfu_hit_rate(std::span<const uint64_t> keys, uint64_t capacity) {
  using Place = std::tuple<uint64_t, uint64_t, uint64_t>;  // uses, when, key
  std::set<Place> order;
  std::unordered_map<uint64_t, Place> places;
  uint64_t hits = 0;
  uint64_t now = 0;
  for (const uint64_t key : keys) {
    ++now;
    uint64_t uses = 0;
    const auto at = places.find(key);
    if (at != places.end()) {
      ++hits;
      uses = std::get<0>(at->second);
      order.erase(at->second);
    } else if (places.size() == capacity) {
      places.erase(std::get<2>(*order.begin()));
      order.erase(order.begin());
    }
    const Place place{uses + 1, now, key};
    order.insert(place);
    places[key] = place;
  }
  return static_cast<double>(hits) / static_cast<double>(keys.size());
}

}  // namespace hotrow::bench

#endif  // HOTROW_BENCH_TIER_SIMULATE_H_
