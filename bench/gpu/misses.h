// `misses`: lookups end to end, keys up and rows of misses from the host, beside what each part of
// the way can do alone: the device, the bus, the host's rows.
#ifndef HOTROW_BENCH_GPU_MISSES_H_
#define HOTROW_BENCH_GPU_MISSES_H_

#include "cpu_table.h"
#include "cuda/ring.h"
#include "roofline.h"
#include "scene.h"
#include "spinning.h"

namespace hotrow::bench::HOTROW_EXECUTOR {

class MissFigures {
 public:
  explicit MissFigures(Bench& bench)
      : bench_(bench), stream_(bench.device), threads_(bench.settings.threads) {}

  void all() {
    for (const uint32_t dim : {64U, 32U, 128U}) {
      const auto& dims = bench_.settings.dims;
      if (std::find(dims.begin(), dims.end(), dim) == dims.end()) continue;
      if (!bench_.report.late("misses of dim " + std::to_string(dim))) one(dim);
    }
  }

 private:
  using Ring = gpu::MissRing<Device>;
  static constexpr uint64_t kBatch = Device::kOnDevice ? 1 << 17 : 1024;
  static constexpr uint32_t kBatches = kStreamKeys / kBatch;
  static constexpr uint32_t kRounds = Device::kOnDevice ? 4 : 1;
  /// Rows that only the host has.
  static constexpr uint64_t kHostRows = Device::kOnDevice ? 1 << 21 : 2048;

  /// Where the host's rows are.
  enum class Source : uint8_t { kArray, kTable };

  void one(uint32_t dim) {
    Scene scene(bench_, dim, ValueType::kF32, std::min(bench_.settings.pool_gib, 4.0));
    scene.fill(1);
    scene_ = &scene;
    dim_ = dim;
    CpuTable table(dim, kHostRows, bench_.settings.threads);
    table_ = &table;
    host_rows_.assign(kHostRows * dim, 0);
    std::vector<uint64_t> absent(kHostRows);
    table.run(kHostRows / 1024, [&](uint32_t part) {
      for (uint64_t i = part * 1024; i < (part + 1) * uint64_t{1024}; ++i) {
        absent[i] = key_of(kAbsent + i);
        for (uint32_t at = 0; at < dim; ++at) {
          const uint32_t word = word_of(absent[i], at, false, 0);
          std::memcpy(&host_rows_[i * dim + at], &word, sizeof word);
        }
      }
    });
    table.put(absent, host_rows_.data());
    const auto ring = must(Ring::create(bench_.device, scene.cache(), kBatch, scene.row_bytes()));
    ring_ = ring.get();
    out_ = Array<std::byte>(bench_.device, Ring::kStages * kBatch * scene.row_bytes());
    for (const double misses : {0.2, 0.1, 0.05, 0.01}) {
      if (bench_.report.late(words("misses of dim %u, %.0f%%", dim, 100 * misses))) return;
      pick(misses);
      for (const Source source : {Source::kArray, Source::kTable}) measure(source);
    }
  }

  /// Keys of a stream whose absent ids are all the host's: pinned, with each position's host row.
  void pick(double misses) {
    scene_->pick(stream_, misses);
    std::vector<uint64_t> keys = bench_.read(stream_.keys.data(), kStreamKeys);
    const std::vector<uint32_t> handles = bench_.read(stream_.handles.data(), kStreamKeys);
    ids_.assign(kStreamKeys, 0);
    const Shuffle shuffle = Shuffle::of(kHostRows);
    uint64_t missing = 0;
    for (uint64_t i = 0; i < kStreamKeys; ++i) {
      if (handles[i] != gpu::kNoHandle) continue;
      ids_[i] = static_cast<uint32_t>(shuffle.at(missing++ % kHostRows));
      keys[i] = key_of(kAbsent + ids_[i]);
    }
    missed_a_batch_ = static_cast<double>(missing) / kBatches;
    bench_.write(stream_.keys.data(), keys);
    keys_ = PinnedArray<uint64_t>(bench_.device, kStreamKeys);
    std::memcpy(keys_.data(), keys.data(), keys_.bytes());
  }

  /// Rows of misses into a pinned block, by all threads; meanwhile() first, on this one.
  template <class Meanwhile>
  Status fetch(Source source, uint64_t first, const Ring::Missed& missed,
               const Meanwhile& meanwhile) {
    const auto parts = static_cast<uint32_t>(
        std::min<uint64_t>(bench_.settings.threads, (missed.count + 255) / 256));
    const auto work = [&](uint32_t part) {
      const uint64_t from = missed.count * part / parts;
      const uint64_t to = missed.count * (part + 1) / parts;
      auto* const rows = reinterpret_cast<float*>(missed.rows);
      if (source == Source::kArray) {
        copy_rows(first, missed, from, to, rows);
        return;
      }
      thread_local std::vector<uint64_t> keys;
      keys.clear();
      for (uint64_t i = from; i < to; ++i) keys.push_back(missed.keys[missed.positions[i]]);
      table_->lookup_alone(keys, rows + from * dim_);
    };
    threads_.run(parts, work, meanwhile);
    return {};
  }
  void copy_rows(uint64_t first, const Ring::Missed& missed, uint64_t from, uint64_t to,
                 float* rows) const {
    constexpr uint64_t kAhead = 16;
    const auto row_of = [&](uint64_t i) {
      return host_rows_.data() + uint64_t{ids_[first + missed.positions[i]]} * dim_;
    };
    for (uint64_t i = from; i < to; ++i) {
      if (i + kAhead < to) {
        const float* const ahead = row_of(i + kAhead);
        for (uint32_t at = 0; at < dim_; at += 16) __builtin_prefetch(ahead + at);
      }
      std::memcpy(rows + i * dim_, row_of(i), dim_ * sizeof(float));
    }
  }

  Ring::Lookup lookup_of(uint32_t batch) const {
    const uint32_t row_bytes = scene_->row_bytes();
    return {keys_.data() + uint64_t{batch % kBatches} * kBatch,
            kBatch,
            gpu::Output::kRaw,
            row_bytes,
            out_.data() + batch % Ring::kStages * kBatch * row_bytes,
            row_bytes,
            {}};
  }
  /// The next batch is begun while the oldest one's rows are fetched.
  void pass(Source source, uint32_t batches) {
    uint32_t begun = 0;
    const auto begin = [&](uint32_t before) {
      if (begun < std::min(before, batches)) must(ring_->begin(lookup_of(begun++)));
    };
    for (uint32_t i = 1; i < Ring::kStages; ++i) begin(i);
    for (uint32_t ended = 0; ended < batches; ++ended) {
      const uint64_t first = uint64_t{ended % kBatches} * kBatch;
      const uint32_t ahead = ended + static_cast<uint32_t>(Ring::kStages);
      must(ring_->end([&](const Ring::Missed& missed) {
        return fetch(source, first, missed, [&] { begin(ahead); });
      }));
      begin(ahead);
    }
    must(ring_->finish());
  }

  void measure(Source source) {
    must(bench_.device.fill(out_.data(), kPoison, out_.bytes(), bench_.stream));
    must(bench_.device.wait(bench_.stream));
    pass(source, Ring::kStages);
    std::string checks = "ok";
    for (uint32_t i = 0; i < Ring::kStages; ++i) {
      CheckRows check = {};
      check.keys = stream_.keys.data() + uint64_t{i} * kBatch;
      check.out = lookup_of(i).out;
      check.n = kBatch;
      check.stride = scene_->row_bytes();
      check.words = dim_;
      if (check_rows(bench_, check) != "ok") checks = "wrong";
    }
    pass(source, kBatches);
    const Times whole = bench_.wall(kRounds, [&](uint32_t) { pass(source, kBatches); });
    const Times device = alone_on_device();
    const Times bus = alone_on_bus();
    const Times host = alone_on_host(source);
    const double slowest = std::max({device.median_us, bus.median_us, host.median_us});
    const char* const name = source == Source::kArray ? "array" : "table";
    const double per = 1.0 / kBatches;
    add(words("misses_%s", name), {whole.median_us * per, whole.p95_us * per},
        whole.median_us > 0 ? slowest * kBatches / whole.median_us : 0, checks);
    add("alone_device", device, 0, "not checked");
    add("alone_bus", bus, 0, "not checked");
    add(words("alone_host_%s", name), host, 0, "not checked");
  }

  Times alone_on_device() {
    const Array<uint32_t> positions(bench_.device, kBatch);
    const Array<uint32_t> counts(bench_.device, 1024);
    must(bench_.device.fill(counts.data(), 0, counts.bytes(), bench_.stream));
    return bench_.clock.time(bench_.settings.repeats, [&](uint32_t i) {
      return scene_->cache().lookup(stream_.keys.data() + uint64_t{i % kBatches} * kBatch, kBatch,
                                    gpu::Output::kRaw, out_.data(), scene_->row_bytes(),
                                    {positions.data(), counts.data() + i % 1024}, {},
                                    bench_.stream);
    });
  }
  /// Keys and rows of misses up.
  Times alone_on_bus() {
    const auto bytes =
        static_cast<uint64_t>(kBatch * sizeof(uint64_t) + missed_a_batch_ * scene_->row_bytes());
    const PinnedArray<std::byte> host(bench_.device, bytes);
    std::memset(host.data(), 0x5a, bytes);
    const Array<std::byte> device(bench_.device, bytes);
    return bench_.clock.time(bench_.settings.repeats, [&](uint32_t) {
      return bench_.device.copy_in(device.data(), host.data(), bytes, bench_.stream);
    });
  }
  Times alone_on_host(Source source) {
    const PinnedArray<std::byte> rows(bench_.device, kBatch * scene_->row_bytes());
    std::vector<std::vector<uint32_t>> positions(kBatches);
    for (uint64_t i = 0; i < kStreamKeys; ++i) {
      if (is_absent(i)) positions[i / kBatch].push_back(static_cast<uint32_t>(i % kBatch));
    }
    return bench_.wall(2 * kBatches, [&](uint32_t i) {
      const uint64_t first = uint64_t{i % kBatches} * kBatch;
      const std::vector<uint32_t>& its = positions[i % kBatches];
      must(
          fetch(source, first, {keys_.data() + first, its.data(), its.size(), rows.data()}, [] {}));
    });
  }
  bool is_absent(uint64_t i) const { return keys_.data()[i] == key_of(kAbsent + ids_[i]); }

  void add(const std::string& op, const Times& times, double fraction, const std::string& checks) {
    Point point;
    point.op = op;
    point.dim = dim_;
    point.row_bytes = scene_->row_bytes();
    point.capacity = scene_->capacity();
    point.load = scene_->load();
    point.batch = kBatch;
    point.hit_rate = 1 - missed_a_batch_ / static_cast<double>(kBatch);
    point.times = times;
    point.floor_frac = fraction;
    // Over the bus, upwards.
    point.bytes = kBatch * 8.0 + missed_a_batch_ * scene_->row_bytes();
    point.checks = checks;
    bench_.report.add(point);
  }

  Bench& bench_;
  KeyStream stream_;
  SpinningThreads threads_;
  Scene* scene_ = nullptr;
  CpuTable* table_ = nullptr;
  Ring* ring_ = nullptr;
  uint32_t dim_ = 0;
  std::vector<float> host_rows_;
  std::vector<uint32_t> ids_;  // of absent positions
  PinnedArray<uint64_t> keys_;
  Array<std::byte> out_;
  double missed_a_batch_ = 0;
};

}  // namespace hotrow::bench::HOTROW_EXECUTOR

#endif  // HOTROW_BENCH_GPU_MISSES_H_
