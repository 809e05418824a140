// How long 1,000 keys take from the call to the rows, as a launch and as a graph's replay. For
// translation units of nvcc.
#ifndef HOTROW_BENCH_GPU_LATENCY_H_
#define HOTROW_BENCH_GPU_LATENCY_H_

#include "links.h"
#include "scene.h"

namespace hotrow::bench::HOTROW_EXECUTOR {

/// By the host's clock: until the stream is done, rows on the device and misses counted.
inline void small_batches(Bench& bench, Scene& scene, const KeyStream& stream) {
  constexpr uint64_t kKeys = 1000;
  // Together they touch more than the L2 cache holds, of rows of 64 bytes, too.
  constexpr uint32_t kGraphs = 512;
  constexpr uint32_t kRepeats = 4 * kGraphs;
  const Array<std::byte> out(bench.device, kKeys * scene.row_bytes());
  const Array<uint32_t> positions(bench.device, kKeys);
  const Array<uint32_t> count(bench.device, 1);
  const auto look_up = [&](uint32_t i) {
    must(bench.device.fill(count.data(), 0, 4, bench.stream));
    must(scene.cache().lookup(stream.keys.data() + KeyStream::at(i, 1024), kKeys, gpu::Output::kRaw,
                              out.data(), scene.row_bytes(), {positions.data(), count.data()}, {},
                              bench.stream));
  };
  const auto add = [&](const char* op, const Times& times) {
    Point point;
    point.op = op;
    point.dim = scene.dim();
    point.dtype = scene.halves() ? "f16" : "f32";
    point.row_bytes = scene.row_bytes();
    point.capacity = scene.capacity();
    point.load = scene.load();
    point.batch = kKeys;
    point.hit_rate = stream.hit_rate;
    point.times = times;
    bench.report.add(point);
  };
  std::vector<Graph> graphs;
  for (uint32_t i = 0; i < kGraphs; ++i) graphs.emplace_back(bench.stream, [&] { look_up(i); });
  const auto replay = [&](uint32_t i) {
    must(graphs[i % kGraphs].launch(bench.stream));
    must(bench.device.wait(bench.stream));
  };
  (void)bench.wall(kGraphs, replay);
  add("small_graph_wall", bench.wall(kRepeats, replay));
  add("small_graph_events", bench.clock.time(kRepeats, [&](uint32_t i) {
    return graphs[i % kGraphs].launch(bench.stream);
  }));
  const auto single = [&](uint32_t i) {
    look_up(i);
    must(bench.device.wait(bench.stream));
  };
  (void)bench.wall(100, single);
  add("small_launch_wall", bench.wall(kRepeats, single));
}

}  // namespace hotrow::bench::HOTROW_EXECUTOR

#endif  // HOTROW_BENCH_GPU_LATENCY_H_
