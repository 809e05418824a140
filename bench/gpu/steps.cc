// `steps`: steady training with and without `prefetch` of the next batch, by the store's own front
// of a table (native/store/device_table.h): lookup to the device, a stand-in for the model there,
// push. With prefetch, the next batch's rows come while the model is at work. Then serving: lookups
// that wait for their misses, and those that do not (GpuOptions::fill_above), whose rows are
// checked.
#include "steps.h"

#include <dlfcn.h>
#include <unistd.h>

#include <algorithm>
#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <filesystem>
#include <thread>

#include "compute.h"
#include "store/device_table.h"
#include "zipf.h"

namespace hotrow::bench {

namespace {

using Clock = std::chrono::steady_clock;

constexpr double kAlpha = 1.05;
// Of which a run takes some, and the next run others.
constexpr uint32_t kBatches = 256;

template <class T>
T demand(Result<T> result) {
  if (result.ok()) return std::move(result).value();
  std::fprintf(stderr, "hotrow_bench_gpu: %s\n", result.status().message().c_str());
  std::exit(1);
}
void demand(const Status& status) {
  if (status.ok()) return;
  std::fprintf(stderr, "hotrow_bench_gpu: %s\n", status.message().c_str());
  std::exit(1);
}

/// The library of the GPU tier beside this program; null, with a line, where it does not load.
const TierApi* tier(const Settings& settings, const Report& report) {
  const auto folder = std::filesystem::read_symlink("/proc/self/exe").parent_path();
  const char* const name = settings.host ? "libhotrow_tier_emulated.so" : "libhotrow_cuda.so";
  void* const library = dlopen((folder / name).c_str(), RTLD_NOW | RTLD_LOCAL);
  void* const symbol = library == nullptr ? nullptr : dlsym(library, kTierSymbol);
  if (symbol == nullptr) {
    report.say(std::string("steps are left out: ") + dlerror());
    return nullptr;
  }
  return reinterpret_cast<const TierApi* (*)()>(symbol)();
}

class Host final : public Compute {
 public:
  void start(double ms) override {
    end_ = Clock::now() + std::chrono::microseconds(static_cast<int64_t>(ms * 1e3));
  }
  void wait() override { std::this_thread::sleep_until(end_); }

 private:
  Clock::time_point end_;
};

/// A table of `rows` rows with a device in front that has room for a part of them.
class Training {
 public:
  struct Size {
    uint32_t dim;
    uint64_t rows;
    uint64_t batch;
    uint64_t device_bytes;
    double fill_above = 1;
  };
  struct Measured {
    Times step;
    double steps_per_s = 0;
    double hit_rate = 0;
  };

  Training(const Settings& settings, const TierApi& api, Size size)
      : settings_(settings),
        size_(size),
        context_(size.rows * (uint64_t{size.dim} * 8 + 64) * 2 + (uint64_t{1} << 29),
                 settings.threads),
        compute_(settings.host ? std::make_unique<Host>() : cuda_compute(settings.device)) {
    TableOptions options;
    options.dim = size.dim;
    options.optimizer.kind = OptimizerKind::kAdagrad;
    options.optimizer.learning_rate = 0.01F;
    options.seed = 7;
    auto rows = demand(SparseTable::create("rows", options, context_));
    fill(*rows);
    table_ = demand(DeviceTable::create(rows, {.api = api,
                                               .device = static_cast<uint32_t>(settings.device),
                                               .policy = GpuPolicy::kAgeingLfu,
                                               .promotion = GpuPromotion::kSecondTouch,
                                               .fill_above = size.fill_above,
                                               .bytes = size.device_bytes}));
    make_batches();
  }
  ~Training() {
    table_->stop_filling();
    table_->table().close();
    table_->close();
  }
  Training(const Training&) = delete;
  Training& operator=(const Training&) = delete;

  uint64_t capacity() { return table_->device_stats().capacity; }
  uint64_t defaulted() { return table_->device_stats().defaulted; }

  /// Lookups alone, to the host's memory. Before any push: all rows are kRow then.
  Measured serve(uint32_t lookups, std::string& checks) {
    std::vector<double> samples;
    std::vector<float> rows(size_.batch * size_.dim);
    std::vector<uint8_t> found((size_.batch + 7) / 8);
    const GpuTableStats before = table_->device_stats();
    for (uint32_t i = 0; i < lookups; ++i, ++next_) {
      const auto start = Clock::now();
      demand(table_->lookup(batches_[next_ % kBatches], rows, LookupOptions{.found = found}));
      const std::chrono::duration<double, std::micro> took = Clock::now() - start;
      samples.push_back(took.count());
      for (uint64_t at = i % 97; at < size_.batch; at += 97) {
        const float expected = (found[at / 8] >> (at % 8) & 1) != 0 ? kRow : 0;
        if (rows[at * size_.dim] != expected) checks = "wrong";
      }
    }
    const GpuTableStats after = table_->device_stats();
    Measured measured;
    measured.hit_rate = static_cast<double>(after.hits - before.hits) /
                        static_cast<double>(std::max<uint64_t>(after.lookups - before.lookups, 1));
    if (!settings_.host) measured.step = Times::of(std::move(samples));
    return measured;
  }
  /// Until no row is on its way.
  void drain() {
    for (int i = 0; i < 10'000 && table_->device_stats().fills_waiting > 0; ++i) {
      std::this_thread::sleep_for(std::chrono::milliseconds(1));
    }
  }

  Measured run(uint32_t steps, double compute_ms, bool ahead) {
    std::vector<double> samples;
    const GpuTableStats before = table_->device_stats();
    if (ahead) demand(table_->prefetch(batches_[next_ % kBatches]).status());
    const auto start = Clock::now();
    auto last = start;
    for (uint32_t i = 0; i < steps; ++i, ++next_) {
      const std::vector<uint64_t>& keys = batches_[next_ % kBatches];
      const auto rows = demand(table_->lookup_on_device(keys, {}));
      compute_->start(compute_ms);
      if (ahead && i + 1 < steps) {
        demand(table_->prefetch(batches_[(next_ + 1) % kBatches]).status());
      }
      compute_->wait();
      demand(table_->push(keys, gradients_));
      const auto now = Clock::now();
      samples.push_back(std::chrono::duration<double, std::micro>(now - last).count());
      last = now;
    }
    const std::chrono::duration<double> took = last - start;
    demand(table_->release_prefetched());
    const GpuTableStats after = table_->device_stats();
    Measured measured;
    measured.hit_rate = static_cast<double>(after.hits - before.hits) /
                        static_cast<double>(std::max<uint64_t>(after.lookups - before.lookups, 1));
    if (settings_.host) return measured;
    measured.step = Times::of(std::move(samples));
    measured.steps_per_s = steps / took.count();
    return measured;
  }

 private:
  static constexpr float kRow = 0.25F;

  static uint64_t key_of(uint64_t id) { return (id + 1) * 0x9e3779b97f4a7c15U; }

  void fill(SparseTable& rows) {
    constexpr uint64_t kPiece = 1 << 16;
    const std::vector<float> values(kPiece * size_.dim, kRow);
    std::vector<uint64_t> keys(kPiece);
    for (uint64_t first = 0; first < size_.rows; first += kPiece) {
      const uint64_t n = std::min(kPiece, size_.rows - first);
      for (uint64_t i = 0; i < n; ++i) keys[i] = key_of(first + i);
      demand(rows.update(KeyBatch(keys).first(n), std::span(values).first(n * size_.dim)));
    }
  }
  /// Zipf's law over the rows that there are.
  void make_batches() {
    std::vector<uint32_t> ranks;
    while (ranks.size() < kBatches * size_.batch) {
      const uint64_t more = 2 * kBatches * size_.batch;
      ranks = zipf_ranks(kAlpha, std::max(more, uint64_t{2} * ranks.size()), settings_.threads);
      std::erase_if(ranks, [&](uint32_t rank) { return rank >= size_.rows; });
    }
    for (uint32_t i = 0; i < kBatches; ++i) {
      std::vector<uint64_t>& keys = batches_.emplace_back(size_.batch);
      for (uint64_t at = 0; at < size_.batch; ++at) keys[at] = key_of(ranks[i * size_.batch + at]);
    }
    gradients_.resize(size_.batch * size_.dim);
    for (size_t i = 0; i < gradients_.size(); ++i) {
      gradients_[i] = static_cast<float>(i % 97) * 1e-4F;
    }
  }

  const Settings& settings_;
  const Size size_;
  TableContext context_;
  std::unique_ptr<Compute> compute_;
  std::shared_ptr<DeviceTable> table_;
  std::vector<std::vector<uint64_t>> batches_;
  std::vector<float> gradients_;
  uint32_t next_ = 0;
};

void add(Report& report, const char* op, const Training::Size& size, uint64_t capacity,
         const Training::Measured& measured, double ratio,
         const std::string& checks = "not checked") {
  Point point;
  point.op = op;
  point.dim = size.dim;
  point.row_bytes = size.dim * 4;
  point.capacity = capacity;
  point.load = static_cast<double>(capacity) / static_cast<double>(size.rows);
  point.batch = size.batch;
  point.keys_kind = "zipf";
  point.alpha = kAlpha;
  point.hit_rate = measured.hit_rate;
  point.times = measured.step;
  point.bytes = static_cast<double>(size.batch) * size.dim * 4 * 2;
  point.floor_frac = ratio;
  point.checks = checks;
  report.add(point);
}

/// Lookups of a steady cache that wait, and that do not above half of their keys.
void serve(const Settings& settings, const TierApi& api, Training::Size size, Report& report) {
  const uint32_t lookups = settings.host ? 8 : 100;
  for (const bool waits : {true, false}) {
    size.fill_above = waits ? 1 : 0.5;
    Training table(settings, api, size);
    std::string checks = "ok";
    (void)table.serve(lookups, checks);
    table.drain();
    const uint64_t defaulted = table.defaulted();
    const Training::Measured measured = table.serve(lookups, checks);
    table.drain();
    add(report, waits ? "serve_waits" : "serve_fills", size, table.capacity(), measured, 0, checks);
    report.say(words("dim %u: %u lookups, %.2f%% of their keys got the default row", size.dim,
                     lookups,
                     100 * static_cast<double>(table.defaulted() - defaulted) /
                         static_cast<double>(lookups * size.batch)));
  }
}

void compare(Training& training, const Training::Size& size, double compute_ms, Report& report,
             uint32_t steps) {
  // Twice each, in turns: what drifts shows.
  for (int round = 0; round < 2; ++round) {
    const Training::Measured plain = training.run(steps, compute_ms, false);
    const Training::Measured ahead = training.run(steps, compute_ms, true);
    const double ratio = plain.steps_per_s > 0 ? ahead.steps_per_s / plain.steps_per_s : 0;
    const uint64_t capacity = training.capacity();
    add(report, words("steps_plain_%.0fms", compute_ms).c_str(), size, capacity, plain, 0);
    add(report, words("steps_prefetch_%.0fms", compute_ms).c_str(), size, capacity, ahead, ratio);
    report.say(
        words("dim %u, model %.0f ms: %.1f steps/s without prefetch (hit %.1f%%), %.1f with "
              "(hit %.1f%%): %.3f times as many",
              size.dim, compute_ms, plain.steps_per_s, 100 * plain.hit_rate, ahead.steps_per_s,
              100 * ahead.hit_rate, ratio));
  }
}

}  // namespace

void run_steps(const Settings& settings, Report& report) {
  const TierApi* const api = tier(settings, report);
  if (api == nullptr) return;
  for (const uint32_t dim : {64U, 16U}) {
    const auto& dims = settings.dims;
    if (std::find(dims.begin(), dims.end(), dim) == dims.end()) continue;
    const std::string name = "steps of dim " + std::to_string(dim);
    if (report.late(name)) return;
    // A tenth of the rows fit, about.
    const uint64_t rows = settings.host ? 20'000 : 4'000'000;
    const uint64_t stages = settings.host ? uint64_t{2} << 20 : uint64_t{192} << 20;
    const Training::Size size = {.dim = dim,
                                 .rows = rows,
                                 .batch = settings.host ? 512U : 65'536U,
                                 .device_bytes = rows / 10 * (dim * 8 + 40) + stages};
    if (settings.has("serve")) serve(settings, *api, size, report);
    if (!settings.has("step")) continue;
    Training training(settings, *api, size);
    const uint32_t steps = settings.host ? 4 : 60;
    (void)training.run(steps, 0, false);
    for (const double compute_ms : {5.0, 20.0, 1.0}) {
      if (report.late(name + words(", %.0f ms", compute_ms))) break;
      compare(training, size, compute_ms, report, steps);
    }
  }
}

}  // namespace hotrow::bench
