// What a figure is measured on: our table, the slab for limits and peers with the same rows, and a
// buffer a thread.
#ifndef HOTROW_BENCH_TABLE_SCENE_H_
#define HOTROW_BENCH_TABLE_SCENE_H_

#include <cstdint>
#include <functional>
#include <memory>
#include <span>
#include <string>
#include <vector>

#include "figures.h"
#include "ours.h"
#include "table/optimizer.h"
#include "workload.h"

namespace hotrow::bench {

struct SceneShape {
  uint32_t dim = 0;
  OptimizerOptions optimizer;
  uint64_t rows = 0;
  uint64_t batch = 0;  ///< the largest; buffers hold [batch, dim]
};

struct Scene {
  /// Fills the table and the slab.
  Scene(Bench& all, const SceneShape& its_shape);

  /// Appends one contestant for each thread count: turn(thread, rows, keys) for every batch of
  /// the streams, which must outlive the race.
  template <class Turn>
  void enter(std::vector<Contestant>& contestants, const std::string& name,
             const std::vector<Stream>& streams, size_t batch, const Turn& turn) {
    const uint64_t keys = streams[0].size() / batch * batch * streams.size();
    for (const uint32_t threads : bench.settings.threads) {
      contestants.push_back(
          {name, threads, keys, [&streams, batch, threads, turn](uint32_t thread) {
             for_share(streams, thread, threads, [&](const Stream& stream) {
               for_batches(stream, batch,
                           [&](auto rows, auto its_keys) { turn(thread, rows, its_keys); });
             });
           }});
    }
  }

  /// Ends the program unless `lookup` gives the rows of the raw gather.
  void check(const Stream& stream, const std::string& who,
             const std::function<void(std::span<const uint64_t>, float*)>& lookup) const;

  float* buffer(uint32_t thread) const { return buffers[thread]->data(); }
  float* gradients(uint32_t thread) const { return gradient_buffers[thread]->data(); }

  Bench& bench;
  SceneShape shape;
  Optimizer optimizer;
  RowSlab slab;
  Ours ours;
  std::vector<std::unique_ptr<Buffer>> buffers;
  std::vector<std::unique_ptr<Buffer>> gradient_buffers;
};

/// Bytes that a row takes in our table and in the slab together, with our index.
uint64_t scene_bytes(uint32_t dim, const OptimizerOptions& optimizer);

/// As figure names spell it.
const char* name_of(OptimizerKind kind);

}  // namespace hotrow::bench

#endif  // HOTROW_BENCH_TABLE_SCENE_H_
