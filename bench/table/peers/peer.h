// A peer: a concurrent hash map from key to row number over a slab of rows.
//
// No peer has calls for batches or hooks to fetch ahead, so each is driven key by key, and the row
// is read or written while the map protects the entry, so that no reader sees half a row.
#ifndef HOTROW_BENCH_TABLE_PEERS_PEER_H_
#define HOTROW_BENCH_TABLE_PEERS_PEER_H_

#include <cstdint>
#include <cstring>
#include <functional>
#include <memory>
#include <span>
#include <vector>

#include "simd/kernels.h"
#include "workload.h"

namespace hotrow::bench {

class Peer {
 public:
  virtual ~Peer() = default;

  /// The slab that row numbers mean from now on.
  void attach(const RowSlab& slab) { slab_ = &slab; }
  /// Adds the keys of rows first_row, first_row + 1, …; copies `values` [n, dim] into the rows
  /// where they are given.
  virtual void insert(std::span<const uint64_t> keys, uint32_t first_row, const float* values) = 0;
  virtual void lookup(std::span<const uint64_t> keys, float* out) = 0;
  virtual void push(std::span<const uint64_t> keys, const float* gradients, UpdateRow update,
                    const UpdateStep& step) = 0;

 protected:
  const RowSlab* slab_ = nullptr;
};

/// `Map` has with(key, use), which calls use(row number) under the entry's protection for
/// reading, change(key, use) for writing, and add(key, row number, use).
template <class Map>
class MapPeer final : public Peer {
 public:
  void insert(std::span<const uint64_t> keys, uint32_t first_row, const float* values) override {
    const size_t dim = values == nullptr ? 0 : slab_->dim();
    for (size_t i = 0; i < keys.size(); ++i) {
      const float* const from = values + i * dim;
      map_.add(keys[i], first_row + static_cast<uint32_t>(i), [&](uint32_t row) {
        if (dim > 0) std::memcpy(slab_->row(row), from, dim * sizeof(float));
      });
    }
  }

  void lookup(std::span<const uint64_t> keys, float* out) override {
    const auto gather = row_kernels().gather;
    const size_t dim = slab_->dim();
    for (size_t i = 0; i < keys.size(); ++i) {
      map_.with(keys[i], [&](uint32_t number) {
        const float* const row = slab_->row(number);
        gather(&row, 1, dim, out + i * dim);
      });
    }
  }

  void push(std::span<const uint64_t> keys, const float* gradients, UpdateRow update,
            const UpdateStep& step) override {
    const size_t dim = slab_->dim();
    for (size_t i = 0; i < keys.size(); ++i) {
      map_.change(keys[i], [&](uint32_t number) {
        float* const w = slab_->row(number);
        update(w, w + dim, gradients + i * dim, dim, step);
      });
    }
  }

 private:
  Map map_;
};

struct PeerKind {
  const char* name;
  const char* package;  ///< Debian's package it is built with
  /// Makes an empty one; null when the program was built without the package.
  std::function<std::unique_ptr<Peer>()> make;
};

/// One file each.
PeerKind tbb_peer();
PeerKind cuckoo_peer();
PeerKind boost_peer();
PeerKind absl_peer();
PeerKind std_peer();

inline std::vector<PeerKind> all_peers() {
  return {tbb_peer(), cuckoo_peer(), boost_peer(), absl_peer(), std_peer()};
}

}  // namespace hotrow::bench

#endif  // HOTROW_BENCH_TABLE_PEERS_PEER_H_
