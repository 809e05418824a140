// `cpu`: the CPU's table and the device's cache on the same keys, one after the other in one run.
#ifndef HOTROW_BENCH_GPU_CPU_H_
#define HOTROW_BENCH_GPU_CPU_H_

#include "cpu_table.h"
#include "roofline.h"
#include "scene.h"

namespace hotrow::bench::HOTROW_EXECUTOR {

class CpuFigures {
 public:
  explicit CpuFigures(Bench& bench) : bench_(bench) {}

  void all() {
    for (const uint32_t dim : {64U, 16U, 32U, 128U}) {
      const auto& dims = bench_.settings.dims;
      if (std::find(dims.begin(), dims.end(), dim) == dims.end()) continue;
      if (!bench_.report.late("CPU table of dim " + std::to_string(dim))) one(dim);
    }
  }

 private:
  static constexpr uint64_t kRows = Device::kOnDevice ? 1 << 22 : 4096;
  static constexpr uint64_t kBatch = Device::kOnDevice ? 1 << 20 : 2048;
  static constexpr uint32_t kBatches = 4;

  /// Of rows that the CPU's table has as well: as many as pass its caches.
  void one(uint32_t dim) {
    const double gib = static_cast<double>(kRows) * dim * 4 / 0x1p30;
    Scene scene(bench_, dim, ValueType::kF32, gib);
    scene.fill(1);
    const uint64_t rows = std::min(kRows, scene.resident_rows());
    const std::vector<uint64_t> cached = bench_.read(scene.cache().view().keys, scene.capacity());
    const std::vector<uint32_t> resident = bench_.read(scene.resident(), rows);
    std::vector<uint64_t> there(rows);
    for (uint64_t i = 0; i < rows; ++i) there[i] = cached[resident[i]];
    CpuTable table(dim, rows, bench_.settings.threads);
    put(table, there, dim);
    for (const double hit_rate : {1.0, 0.8}) both(scene, table, there, hit_rate);
  }
  void put(CpuTable& table, const std::vector<uint64_t>& keys, uint32_t dim) const {
    constexpr uint64_t kPart = 1 << 18;
    std::vector<float> rows(kPart * dim);
    for (uint64_t first = 0; first < keys.size(); first += kPart) {
      const uint64_t n = std::min<uint64_t>(kPart, keys.size() - first);
      table.run(static_cast<uint32_t>((n + 4095) / 4096), [&](uint32_t part) {
        for (uint64_t i = part * 4096; i < std::min(n, (part + 1) * uint64_t{4096}); ++i) {
          for (uint32_t at = 0; at < dim; ++at) {
            const uint32_t word = word_of(keys[first + i], at, false, 0);
            std::memcpy(&rows[i * dim + at], &word, sizeof word);
          }
        }
      });
      table.put({keys.data() + first, n}, rows.data());
    }
  }

  void both(Scene& scene, CpuTable& table, const std::vector<uint64_t>& there, double hit_rate) {
    std::vector<uint64_t> keys(kBatches * kBatch);
    const Shuffle shuffle = Shuffle::of(there.size());
    const auto share = static_cast<uint64_t>(hit_rate * 0x1p32);
    uint64_t hits = 0;
    for (uint64_t i = 0; i < keys.size(); ++i) {
      const bool hit = gpu::mixed(i + 991) >> 32 < share;
      hits += hit ? 1 : 0;
      keys[i] = hit ? there[shuffle.at(i % there.size())] : key_of(kAbsent + i);
    }
    hit_rate_ = static_cast<double>(hits) / static_cast<double>(keys.size());
    on_device(scene, keys);
    std::vector<float> out(kBatch * scene.dim());
    const auto batch = [&](uint32_t i) {
      return std::span<const uint64_t>(keys).subspan(i % kBatches * kBatch, kBatch);
    };
    table.lookup(batch(0), out.data());
    const std::string checks = check(batch(0), out.data(), scene.dim());
    add(scene, "cpu_pool", bench_.wall(12, [&](uint32_t i) { table.lookup(batch(i), out.data()); }),
        checks);
    add(scene, "cpu_callers",
        bench_.wall(12, [&](uint32_t i) { table.lookup_by_callers(batch(i), out.data()); }),
        checks);
    add(scene, "cpu_one",
        bench_.wall(3, [&](uint32_t i) { table.lookup_alone(batch(i), out.data()); }), checks);
  }
  /// Present rows of a hundredth of the batch.
  static std::string check(std::span<const uint64_t> keys, const float* out, uint32_t dim) {
    for (uint64_t i = 0; i < keys.size(); i += kCheckedOf) {
      uint32_t first = 0;
      std::memcpy(&first, out + i * dim, sizeof first);
      if (first == 0) continue;  // absent
      for (uint32_t at = 0; at < dim; ++at) {
        uint32_t word = 0;
        std::memcpy(&word, out + i * dim + at, sizeof word);
        if (word != word_of(keys[i], at, false, 0)) return "wrong";
      }
    }
    return "ok";
  }
  void on_device(Scene& scene, const std::vector<uint64_t>& keys) {
    const Array<uint64_t> on_device(bench_.device, keys.size());
    bench_.write(on_device.data(), keys);
    const Array<std::byte> out(bench_.device, kBatch * scene.row_bytes());
    const Array<uint32_t> positions(bench_.device, kBatch);
    const Array<uint32_t> counts(bench_.device, 1024);
    must(bench_.device.fill(counts.data(), 0, counts.bytes(), bench_.stream));
    const Times times = bench_.clock.time(bench_.settings.repeats, [&](uint32_t i) {
      return scene.cache().lookup(on_device.data() + i % kBatches * kBatch, kBatch,
                                  gpu::Output::kRaw, out.data(), scene.row_bytes(),
                                  {positions.data(), counts.data() + i % 1024}, {}, bench_.stream);
    });
    add(scene, "gpu_find_gather", times, "not checked");
  }
  void add(Scene& scene, const char* op, const Times& times, const std::string& checks) {
    Point point;
    point.op = op;
    point.dim = scene.dim();
    point.row_bytes = scene.row_bytes();
    point.capacity = kRows;
    point.load = 1;
    point.batch = kBatch;
    point.hit_rate = hit_rate_;
    point.times = times;
    point.bytes = static_cast<double>(kBatch) * (72 + 2.0 * hit_rate_ * scene.row_bytes());
    point.checks = checks;
    bench_.report.add(point);
  }

  Bench& bench_;
  double hit_rate_ = 1;
};

}  // namespace hotrow::bench::HOTROW_EXECUTOR

#endif  // HOTROW_BENCH_GPU_CPU_H_
