// What CUDA alone has: copies over the bus, reads of the host's memory, launches and graphs. For
// translation units of nvcc.
#ifndef HOTROW_BENCH_GPU_LINKS_H_
#define HOTROW_BENCH_GPU_LINKS_H_

#include "kernels.h"
#include "raw.h"

namespace hotrow::bench::HOTROW_EXECUTOR {

inline void cuda_must(const char* what, cudaError_t error) { must(Device::check(what, error)); }

struct Nothing {
  static constexpr unsigned kWidth = 32;
  template <class Tile>
  HOTROW_DEVICE void operator()(const Tile&, uint64_t) const {}
};

/// Work captured once, replayed as one launch.
class Graph {
 public:
  template <class F>
  Graph(Stream stream, const F& work) {
    cuda_must("capturing", cudaStreamBeginCapture(stream, cudaStreamCaptureModeThreadLocal));
    work();
    cudaGraph_t graph = nullptr;
    cuda_must("capturing", cudaStreamEndCapture(stream, &graph));
    cuda_must("making a graph", cudaGraphInstantiate(&graph_, graph, 0));
    cuda_must("freeing a graph", cudaGraphDestroy(graph));
  }
  Graph(Graph&& other) noexcept : graph_(std::exchange(other.graph_, nullptr)) {}
  Graph& operator=(Graph&&) = delete;
  ~Graph() {
    if (graph_ != nullptr) (void)cudaGraphExecDestroy(graph_);
  }
  Status launch(Stream stream) const {
    return Device::check("replaying a graph", cudaGraphLaunch(graph_, stream));
  }

 private:
  cudaGraphExec_t graph_ = nullptr;
};

inline void add_link(Bench& bench, const char* op, const Times& times, double bytes,
                     uint32_t row_bytes = 0) {
  Point point;
  point.op = op;
  point.impl = "cuda";
  point.layout = "none";
  point.times = times;
  point.bytes = bytes;
  point.row_bytes = row_bytes;
  bench.report.add(point);
}

/// Median bandwidth of device-to-device copies, in bytes read and written a microsecond.
inline double copy_bytes_per_us(Bench& bench, uint32_t repeats) {
  constexpr size_t kBytes = size_t{1} << 29;
  Array<std::byte> from(bench.device, kBytes);
  Array<std::byte> to(bench.device, kBytes);
  must(bench.device.fill(from.data(), 0x5a, kBytes, bench.stream));
  const Times times = bench.clock.time(repeats, [&](uint32_t) {
    return Device::check("copying", cudaMemcpyAsync(to.data(), from.data(), kBytes,
                                                    cudaMemcpyDeviceToDevice, bench.stream));
  });
  add_link(bench, "copy_d2d", times, 2.0 * kBytes);
  return 2.0 * kBytes / times.median_us;
}

inline void bus(Bench& bench) {
  constexpr size_t kBytes = size_t{1} << 28;
  const Array<std::byte> device(bench.device, 2 * kBytes);
  const PinnedArray<std::byte> host(bench.device, 2 * kBytes);
  std::memset(host.data(), 0x5a, 2 * kBytes);
  const auto up = [&](Stream stream) {
    return bench.device.copy_in(device.data(), host.data(), kBytes, stream);
  };
  const auto down = [&](Stream stream) {
    return bench.device.copy_out(host.data() + kBytes, device.data() + kBytes, kBytes, stream);
  };
  const double bytes = kBytes;
  must(bench.device.fill(device.data(), 0x5a, 2 * kBytes, bench.stream));
  add_link(bench, "copy_h2d",
           bench.clock.time(20, [&](uint32_t) { return up(bench.stream); }, nullptr, 2), bytes);
  add_link(bench, "copy_d2h",
           bench.clock.time(20, [&](uint32_t) { return down(bench.stream); }, nullptr, 2), bytes);
  const Stream other = must(bench.device.stream());
  const Times both = bench.wall(20, [&](uint32_t) {
    must(up(bench.stream));
    must(down(other));
    must(bench.device.wait(bench.stream));
    must(bench.device.wait(other));
  });
  bench.device.end(other);
  add_link(bench, "copy_both", both, 2 * bytes);
}

/// Rows in the host's memory, read by a kernel over the bus.
inline void zero_copy(Bench& bench) {
  constexpr size_t kPool = size_t{1} << 30;
  constexpr uint64_t kRows = 1 << 17;
  const PinnedArray<std::byte> pool(bench.device, kPool);
  std::memset(pool.data(), 0x3f, kPool);
  const Array<std::byte> out(bench.device, kRows * 512);
  const Array<uint32_t> handles(bench.device, kRows);
  for (const uint32_t row_bytes : {64U, 256U, 512U}) {
    std::vector<uint32_t> picked(kRows);
    const Shuffle shuffle = Shuffle::of(kPool / row_bytes);
    for (uint64_t i = 0; i < kRows; ++i) picked[i] = static_cast<uint32_t>(shuffle.at(i));
    bench.write(handles.data(), picked);
    const RawVariant variant = raw_variants(row_bytes)[1];
    const Times times = bench.clock.time(
        20,
        [&](uint32_t) {
          return variant.launch(bench.device, {pool.data(), handles.data(), kRows, out.data()},
                                bench.stream);
        },
        nullptr, 2);
    add_link(bench, "zero_copy_read", times, static_cast<double>(kRows) * row_bytes, row_bytes);
  }
}

inline void launches(Bench& bench) {
  const auto launch = [&](uint32_t) { return bench.device.launch(Nothing(), 1, bench.stream); };
  add_link(bench, "launch_events", bench.clock.time(500, launch), 0);
  for (int i = 0; i < 100; ++i) must(launch(0));
  must(bench.device.wait(bench.stream));
  add_link(bench, "launch_and_wait",
           bench.wall(1000,
                      [&](uint32_t i) {
                        must(launch(i));
                        must(bench.device.wait(bench.stream));
                      }),
           0);
  const Graph graph(bench.stream, [&] { must(launch(0)); });
  add_link(bench, "graph_and_wait",
           bench.wall(1000,
                      [&](uint32_t) {
                        must(graph.launch(bench.stream));
                        must(bench.device.wait(bench.stream));
                      }),
           0);
}

inline void links(Bench& bench) {
  if (bench.report.late("copies and launches")) return;
  (void)copy_bytes_per_us(bench, bench.settings.repeats);
  bus(bench);
  zero_copy(bench);
  launches(bench);
}

}  // namespace hotrow::bench::HOTROW_EXECUTOR

#endif  // HOTROW_BENCH_GPU_LINKS_H_
