// hotrow_bench_hkv: HierarchicalKV beside our cache: the same keys, rows, capacity and batches, one
// after the other in one process. Built by scripts/gpu-build where HKV_DIR is the folder of a
// checkout of NVIDIA-Merlin/HierarchicalKV; nothing of it is part of this repository.
//
// Both hold our cache's rows: theirs is given the same capacity and all keys that ours has. At load
// 1 it has no room for some of them, so its hit rate is measured and stands in the line: a find of
// theirs moves fewer rows then.
//
//   hotrow_bench_hkv table [--dims 64] [--pool-gib 4] [--csv FILE] [--time-limit-s 60]
#include <algorithm>
#include <exception>
#include <memory>
#include <vector>

#include "commands.h"
#include "merlin_hashtable.cuh"
#include "run.h"
#include "scene.h"

namespace hotrow::bench::on_cuda {

namespace {

/// keys [n] of resident handles, from `first` on.
struct KeysOf {
  static constexpr unsigned kWidth = 32;
  gpu::CacheView cache;
  const uint32_t* resident;
  uint64_t first;
  uint64_t n;
  uint64_t* keys;

  template <class Tile>
  HOTROW_DEVICE void operator()(const Tile& tile, uint64_t number) const {
    tile.each([&](unsigned lane) {
      const uint64_t i = number * kWidth + lane;
      if (i < n) keys[i] = cache.keys[resident[first + i]];
    });
  }
};

struct HkvOptions {
  bool locks;  ///< their default; ours has none
  double load;
};

class HkvFigures {
 public:
  using Table = nv::merlin::HashTable<uint64_t, float, uint64_t, nv::merlin::EvictStrategy::kLru>;

  explicit HkvFigures(Bench& bench) : bench_(bench), stream_(bench.device) {}

  void all() {
    for (const uint32_t dim : {64U, 16U, 32U, 128U}) {
      const auto& dims = bench_.settings.dims;
      if (std::find(dims.begin(), dims.end(), dim) == dims.end()) continue;
      const std::string name = "HierarchicalKV, dim " + std::to_string(dim);
      if (bench_.report.late(name)) continue;
      Scene scene(bench_, dim, ValueType::kF32, std::min(bench_.settings.pool_gib, 4.0));
      for (const double load : {0.5, 0.75, 1.0}) {
        if (bench_.report.late(name + " by load")) break;
        scene.fill(load);
        beside(scene, {false, load});
      }
      if (dim == 64 && !bench_.report.late(name + " with locks")) beside(scene, {true, 1.0});
    }
  }

 private:
  void beside(Scene& scene, HkvOptions how) {
    nv::merlin::HashTableOptions options;
    // Whole buckets of theirs.
    options.init_capacity = (scene.capacity() + 127) / 128 * 128;
    options.max_capacity = options.init_capacity;
    options.max_hbm_for_vectors = uint64_t{64} << 30;
    options.dim = scene.dim();
    options.max_load_factor = 1.0F;
    options.num_of_buckets_per_alloc = 1024;
    options.api_lock = how.locks;
    Table table;
    table.init(options);
    const uint64_t all = scene.resident_rows();
    for (uint64_t first = 0; first < all; first += kFillBatch) {
      const uint64_t n = std::min(kFillBatch, all - first);
      bench_.run(KeysOf{scene.cache().view(), scene.resident(), first, n, scene.batch_keys()},
                 tiles32(n));
      scene.make_rows(n, 0);
      put(table, scene, n);
    }
    must(bench_.device.wait(bench_.stream));
    impl_ = how.locks ? "hkv_locked" : "hkv";
    capacity_ = table.capacity();
    load_ = static_cast<double>(table.size(bench_.stream)) / static_cast<double>(capacity_);
    for (const double misses : {0.0, 0.05}) {
      scene.pick(stream_, misses);
      for (const uint64_t batch : {uint64_t{1} << 20, uint64_t{1} << 14}) {
        if (bench_.report.late("HierarchicalKV lookups")) return;
        lookups(table, scene, batch);
      }
    }
    if (how.load == 1) inserts(table, scene);
  }
  void put(Table& table, const Scene& scene, uint64_t n) {
    table.insert_or_assign(n, scene.batch_keys(),
                           reinterpret_cast<const float*>(scene.batch_rows()), nullptr,
                           bench_.stream, true);
  }

  void lookups(Table& table, const Scene& scene, uint64_t n) {
    const uint32_t row = scene.row_bytes();
    const Array<std::byte> ours(bench_.device, n * row);
    const Array<std::byte> theirs(bench_.device, n * row);
    const Array<bool> found(bench_.device, n);
    const Array<uint32_t> positions(bench_.device, n);
    const Array<uint32_t> counts(bench_.device, kCounts);
    must(bench_.device.fill(counts.data(), 0, counts.bytes(), bench_.stream));
    const auto keys = [&](uint32_t i) { return stream_.keys.data() + KeyStream::at(i, n); };
    const Work our_find = [&](uint32_t i) {
      return scene_lookup(scene, keys(i), n, ours.data(),
                          {positions.data(), counts.data() + i % kCounts});
    };
    const Work their_find = [&](uint32_t i) {
      table.find(n, keys(i), reinterpret_cast<float*>(theirs.data()), found.data(), nullptr,
                 bench_.stream);
      return Status();
    };
    must(our_find(0));
    must(their_find(0));
    const uint64_t checked = std::min(n, uint64_t{1} << 16);
    const std::vector<std::byte> a = bench_.read(ours.data(), checked * row);
    const std::vector<std::byte> b = bench_.read(theirs.data(), checked * row);
    const std::vector<uint32_t> handles = bench_.read(stream_.handles.data(), n);
    std::vector<uint8_t> there(n);
    must(bench_.device.copy_out(there.data(), found.data(), n, bench_.stream));
    must(bench_.device.wait(bench_.stream));
    std::string checks = "ok";
    uint64_t hits = 0;
    for (uint64_t i = 0; i < n; ++i) {
      if (there[i] == 0) continue;
      ++hits;
      // They have nothing that we have not, and the same rows.
      const bool same = handles[i] != gpu::kNoHandle &&
                        (i >= checked || std::equal(a.data() + i * row, a.data() + (i + 1) * row,
                                                    b.data() + i * row));
      if (!same) checks = "wrong";
    }
    const double rate = static_cast<double>(hits) / static_cast<double>(n);
    const Times before = bench_.clock.time(bench_.settings.repeats, our_find);
    const Times their = bench_.clock.time(bench_.settings.repeats, their_find);
    // Once more, for the drift of the device.
    const Times after = bench_.clock.time(bench_.settings.repeats, our_find);
    add(scene, "find", {"hotrow", n, stream_.hit_rate, before, 0, "not checked"});
    add(scene, "find_again", {"hotrow", n, stream_.hit_rate, after, 0, "not checked"});
    add(scene, "find",
        {impl_, n, rate, their, their.median_us > 0 ? before.median_us / their.median_us : 0,
         checks});
  }
  Status scene_lookup(const Scene& scene, const uint64_t* keys, uint64_t n, std::byte* out,
                      gpu::MissList misses) {
    return const_cast<Scene&>(scene).cache().lookup(keys, n, gpu::Output::kRaw, out,
                                                    scene.row_bytes(), misses, {}, bench_.stream);
  }

  /// Keys that never were, into what is full: each makes another go.
  void inserts(Table& table, Scene& scene) {
    constexpr uint32_t kRepeats = 8;
    constexpr uint64_t kNew = 1 << 20;
    const Work make = [&](uint32_t) {
      scene.make_new(kNew);
      return Status();
    };
    const Times ours =
        bench_.clock.time(kRepeats, [&](uint32_t) { return scene.insert(kNew); }, make, 2);
    const Times theirs = bench_.clock.time(
        kRepeats,
        [&](uint32_t) {
          put(table, scene, kNew);
          return Status();
        },
        make, 2);
    add(scene, "insert_new", {"hotrow", kNew, 0, ours, 0, "not checked"});
    add(scene, "insert_new",
        {impl_, kNew, 0, theirs, theirs.median_us > 0 ? ours.median_us / theirs.median_us : 0,
         "not checked"});
  }

  struct Figure {
    std::string impl;
    uint64_t batch;
    double hit_rate;
    Times times;
    double ours_over_theirs;  ///< of times: below 1, ours is faster
    std::string checks;
  };
  void add(const Scene& scene, const std::string& op, const Figure& figure) {
    Point point;
    point.op = "peer_" + op;
    point.impl = figure.impl;
    const bool ours = figure.impl == "hotrow";
    if (!ours) point.layout = "bucket128";
    point.dim = scene.dim();
    point.row_bytes = scene.row_bytes();
    point.capacity = ours ? scene.capacity() : capacity_;
    point.load = ours ? scene.load() : load_;
    point.batch = figure.batch;
    point.hit_rate = figure.hit_rate;
    point.times = figure.times;
    point.bytes = static_cast<double>(figure.batch) *
                  (8 + 2.0 * scene.row_bytes() * (op == "insert_new" ? 1 : figure.hit_rate));
    point.floor_frac = figure.ours_over_theirs;
    point.checks = figure.checks;
    bench_.report.add(point);
  }

  static constexpr uint32_t kCounts = 4096;

  Bench& bench_;
  KeyStream stream_;
  std::string impl_;
  uint64_t capacity_ = 0;
  double load_ = 0;
};

}  // namespace
}  // namespace hotrow::bench::on_cuda

int main(int argc, char** argv) {
  using namespace hotrow::bench;  // NOLINT(google-build-using-namespace)
  const Settings settings = read_settings(argc, argv);
  Report report(settings);
  std::string reason;
  if (!on_cuda::find_device(settings, report, reason)) {
    std::fprintf(stderr, "gpu=skipped (%s)\n", reason.c_str());
    return 0;
  }
  try {
    on_cuda::with_bench(settings, report,
                        [](on_cuda::Bench& bench) { on_cuda::HkvFigures(bench).all(); });
  } catch (const std::exception& error) {
    std::fprintf(stderr, "hotrow_bench_hkv: HierarchicalKV: %s\n", error.what());
    return 1;
  }
  return report.failed() ? 1 : 0;
}
