// `table`: the cache's operations beside the ceiling of each point, measured in the same run.
#ifndef HOTROW_BENCH_GPU_TABLE_H_
#define HOTROW_BENCH_GPU_TABLE_H_

#include "lookups.h"
#include "modifies.h"
#include "zipf.h"
#ifdef __CUDACC__
#include "latency.h"
#endif

namespace hotrow::bench::HOTROW_EXECUTOR {

class TableFigures {
 public:
  explicit TableFigures(Bench& bench) : bench_(bench), stream_(bench.device) {
#ifdef __CUDACC__
    copy_bytes_per_us_ = copy_bytes_per_us(bench, bench.settings.repeats);
#endif
  }

  void all() {
    for (const uint32_t dim : bench_.settings.dims) f32(dim);
    for (const uint32_t dim : bench_.settings.dims) f16(dim);
  }

 private:
  static std::vector<uint64_t> batches() {
    if (!Device::kOnDevice) return {1000, kMostBatch};
    return {1 << 10, 1 << 14, 1 << 17, 1 << 20};
  }

  void f32(uint32_t dim) {
    const std::string name = "dim " + std::to_string(dim);
    if (bench_.report.late(name + " f32")) return;
    Scene scene(bench_, dim, ValueType::kF32, bench_.settings.pool_gib);
    loads(scene, name);
    for (const uint64_t batch : batches()) {
      for (const double misses : {0.2, 0.05, 0.0}) {
        if (bench_.report.late(name + " batch " + std::to_string(batch))) break;
        scene.pick(stream_, misses);
        Lookups lookups(bench_, scene, stream_, batch);
        lookups.all(misses == 0 && batch >= 1 << 14);
        if (misses == 0 && batch == kMostBatch) lookups.again();
      }
    }
    skewed(scene, name);
#ifdef __CUDACC__
    if (bench_.settings.has("small") && !bench_.report.late(name + " small batches")) {
      scene.pick(stream_, 0);
      small_batches(bench_, scene, stream_);
    }
#endif
    for (const uint64_t batch : {kMostBatch, kMostBatch / 8}) {
      if (bench_.report.late(name + " modifies")) break;
      Modifies(bench_, scene, stream_, batch, copy_bytes_per_us_).all();
    }
  }
  void f16(uint32_t dim) {
    const std::string name = "dim " + std::to_string(dim) + " f16";
    if (bench_.report.late(name)) return;
    Scene scene(bench_, dim, ValueType::kF16, bench_.settings.pool_gib);
    loads(scene, name);
    scene.pick(stream_, 0);
    Lookups(bench_, scene, stream_, kMostBatch).all(true);
  }
  /// Up to full.
  void loads(Scene& scene, const std::string& name) {
    for (const double load : {0.5, 0.75}) {
      if (bench_.report.late(name + " by load")) break;
      scene.fill(load);
      scene.pick(stream_, 0);
      Lookups(bench_, scene, stream_, kMostBatch).all(false);
    }
    scene.fill(1);
  }

  void skewed(Scene& scene, const std::string& name) {
    struct Case {
      double alpha;
      double hit_rate;
    };
    constexpr Case kCases[] = {{0.9, 0.8},   {0.9, 0.9},   {1.05, 0.8}, {1.05, 0.9},
                               {1.05, 0.95}, {1.05, 0.99}, {1.2, 0.95}, {1.2, 0.99}};
    for (const Case& each : kCases) {
      if (bench_.report.late(name + " zipf")) return;
      // On the CPU ranks are folded into its few rows.
      const uint64_t cut = Device::kOnDevice ? zipf_cut(each.alpha, each.hit_rate) : 1000;
      if (cut > scene.resident_rows()) {
        bench_.report.say(words("%s: %lu rows for %.0f%% of Zipf %.2f do not fit", name.c_str(),
                                cut, 100 * each.hit_rate, each.alpha));
        continue;
      }
      scene.pick_ranks(stream_, ranks(each.alpha), cut, each.alpha);
      for (const uint64_t batch : {kMostBatch / 8, kMostBatch}) {
        Lookups(bench_, scene, stream_, batch).all(false);
      }
    }
  }
  /// [kStreamKeys] on the device, made once.
  const uint32_t* ranks(double alpha) {
    for (const auto& each : ranks_) {
      if (each.first == alpha) return each.second.data();
    }
    ranks_.emplace_back(alpha, Array<uint32_t>(bench_.device, kStreamKeys));
    bench_.write(ranks_.back().second.data(),
                 zipf_ranks(alpha, kStreamKeys, bench_.settings.threads));
    return ranks_.back().second.data();
  }

  Bench& bench_;
  KeyStream stream_;
  std::vector<std::pair<double, Array<uint32_t>>> ranks_;
  double copy_bytes_per_us_ = 1;
};

}  // namespace hotrow::bench::HOTROW_EXECUTOR

#endif  // HOTROW_BENCH_GPU_TABLE_H_
