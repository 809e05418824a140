// Fused optimizer updates: `push` of Adagrad, row-wise Adagrad and Adam on rows with their state.
#ifndef HOTROW_BENCH_GPU_UPDATES_H_
#define HOTROW_BENCH_GPU_UPDATES_H_

#include <array>
#include <cmath>

#include "cuda/cache.h"
#include "kernels.h"
#include "roofline.h"

namespace hotrow::bench::HOTROW_EXECUTOR {

/// out [n] = rows of handles [n], of so many bytes.
struct CopyOut {
  static constexpr unsigned kWidth = 32;
  const std::byte* rows;
  const uint32_t* handles;
  uint64_t n;
  uint32_t bytes;
  std::byte* out;

  template <class Tile>
  HOTROW_DEVICE void operator()(const Tile& tile, uint64_t number) const {
    gpu::copy_row(tile, rows + uint64_t{handles[number]} * bytes, out + number * bytes, bytes);
  }
};

struct Rule {
  const char* op;
  OptimizerKind kind;
  uint32_t arrays;  // of state, of dim values each
  bool one_value;   // instead
};

class UpdateFigures {
 public:
  explicit UpdateFigures(Bench& bench) : bench_(bench) {
#ifdef __CUDACC__
    copy_bytes_per_us_ = copy_bytes_per_us(bench, bench.settings.repeats);
#endif
    step_.learning_rate = 0.01F;
    step_.epsilon = 1e-8F;
    step_.beta1 = 0.9F;
    step_.beta2 = 0.999F;
    step_.one_minus_beta1 = 1 - step_.beta1;
    step_.one_minus_beta2 = 1 - step_.beta2;
    step_.adam_rate = 0.02F;
    step_.adam_root_correction = 0.1F;
  }

  void all() {
    constexpr Rule kRules[] = {{"push_adagrad", OptimizerKind::kAdagrad, 1, false},
                               {"push_rowwise_adagrad", OptimizerKind::kRowwiseAdagrad, 0, true},
                               {"push_adam", OptimizerKind::kAdam, 2, false}};
    for (const uint32_t dim : bench_.settings.dims) {
      for (const Rule& rule : kRules) {
        if (!bench_.settings.has(rule.op)) continue;
        const std::string name = std::string(rule.op) + " dim " + std::to_string(dim);
        if (!bench_.report.late(name)) one(dim, rule);
      }
    }
  }

 private:
  using Cache = gpu::Cache<Device>;
  static constexpr uint64_t kRows = Device::kOnDevice ? 1 << 23 : 1 << 14;
  static constexpr uint64_t kMostBatch = Device::kOnDevice ? 1 << 20 : 4096;

  struct Sample {
    std::vector<float> values;
    std::vector<float> state;
  };

  static TierSpec spec_of(uint32_t dim, const Rule& rule) {
    TierSpec spec = {};
    spec.optimizer = rule.kind;
    spec.policy = TierPolicy::kAgeingLfu;
    spec.dim = dim;
    spec.state_values = rule.one_value ? 1 : rule.arrays * dim;
    return spec;
  }

  /// Rows need no keys here: pushes go by handle.
  void one(uint32_t dim, const Rule& rule) {
    const TierSpec spec = spec_of(dim, rule);
    const uint64_t buckets = kRows / gpu::kWays;
    const auto cache = must(
        Cache::create(bench_.device, spec, buckets * Cache::bucket_bytes(spec), bench_.stream));
    const gpu::CacheView& view = cache->view();
    make_floats(view.values, view.rows() * view.value_stride, 1, false);
    make_floats(view.state, view.rows() * view.state_stride, 2, true);
    const Array<float> gradients(bench_.device, kMostBatch * dim);
    make_floats(gradients.data(), gradients.bytes(), 3, false);
    const Array<uint32_t> handles(bench_.device, kRows);
    bench_.run(PickHandles{Shuffle::of(view.rows()), handles.data(), kRows}, tiles32(kRows));
    for (const uint64_t batch : {kMostBatch / 64, kMostBatch / 8, kMostBatch}) {
      gpu::PushTask task = {};
      task.cache = view;
      task.n = batch;
      task.gradients = gradients.data();
      task.step = step_;
      const auto push = [&](uint32_t i) {
        task.handles = handles.data() + i % (kRows / batch) * batch;
        return push_one(rule, task);
      };
      const uint64_t checked = std::max<uint64_t>(batch / kCheckedOf, 16);
      const Sample before = sample(view, spec, handles.data(), checked);
      const std::vector<float> pushed = bench_.read(gradients.data(), checked * dim);
      must(push(0));
      const Sample after = sample(view, spec, handles.data(), checked);
      const std::string checks = follows(rule, spec, before, pushed, after) ? "ok" : "wrong";
      add(rule, spec, batch, bench_.clock.time(bench_.settings.repeats, push), checks);
    }
  }
  /// Only these rules are compiled.
  Status push_one(const Rule& rule, const gpu::PushTask& task) {
    const auto launch = [&](auto kind) {
      return bench_.device.launch(
          gpu::Push<decltype(kind)::value, ValueType::kF32, Rounding::kNearest>{task}, task.n,
          bench_.stream);
    };
    if (rule.kind == OptimizerKind::kAdam) return launch(gpu::Constant<OptimizerKind::kAdam>());
    if (rule.one_value) return launch(gpu::Constant<OptimizerKind::kRowwiseAdagrad>());
    return launch(gpu::Constant<OptimizerKind::kAdagrad>());
  }
  void make_floats(void* to, uint64_t bytes, uint32_t salt, bool positive) {
    bench_.run(MakeFloats{static_cast<uint32_t*>(to), bytes / 4, salt, positive},
               tiles32(bytes / 4));
  }
  void add(const Rule& rule, const TierSpec& spec, uint64_t batch, const Times& times,
           const std::string& checks) {
    Point point;
    point.op = rule.op;
    point.dim = spec.dim;
    point.row_bytes = spec.dim * 4;
    point.capacity = kRows;
    point.load = 1;
    point.batch = batch;
    point.hit_rate = 1;
    point.times = times;
    point.checks = checks;
    // Handle, gradient, the row and its state read and written; one value is a sector of 32 bytes.
    const double state = rule.one_value ? 32 : spec.state_values * 4.0;
    point.bytes = static_cast<double>(batch) * (4 + 3.0 * point.row_bytes + 2 * state);
    if (times.median_us > 0) point.floor_frac = point.bytes / copy_bytes_per_us_ / times.median_us;
    bench_.report.add(point);
  }

  Sample sample(const gpu::CacheView& view, const TierSpec& spec, const uint32_t* handles,
                uint64_t n) {
    const auto copied = [&](const std::byte* rows, uint32_t stride, uint32_t values) {
      const Array<float> out(bench_.device, n * stride / 4);
      bench_.run(CopyOut{rows, handles, n, stride, reinterpret_cast<std::byte*>(out.data())}, n);
      const std::vector<float> padded = bench_.read(out.data(), out.size());
      std::vector<float> rows_of;
      for (uint64_t i = 0; i < n; ++i) {
        const auto row = padded.begin() + static_cast<int64_t>(i * stride / 4);
        rows_of.insert(rows_of.end(), row, row + values);
      }
      return rows_of;
    };
    return {copied(view.values, view.value_stride, spec.dim),
            copied(view.state, view.state_stride, spec.state_values)};
  }

  /// Is `after` what the formulas of hotrow/options.h make of `before`?
  bool follows(const Rule& rule, const TierSpec& spec, const Sample& before,
               const std::vector<float>& gradients, const Sample& after) const {
    const uint32_t dim = spec.dim;
    const auto near = [](float a, float b) { return std::abs(a - b) <= 1e-5F * std::abs(b); };
    for (size_t row = 0; row < before.values.size() / dim; ++row) {
      const float* const s0 = before.state.data() + row * spec.state_values;
      const float* const s1 = after.state.data() + row * spec.state_values;
      float mean = 0;
      for (uint32_t i = 0; i < dim; ++i) {
        mean += gradients[row * dim + i] * gradients[row * dim + i] / static_cast<float>(dim);
      }
      for (uint32_t i = 0; i < dim; ++i) {
        const float g = gradients[row * dim + i];
        const float w = before.values[row * dim + i];
        const float got = after.values[row * dim + i];
        if (rule.kind == OptimizerKind::kAdam) {
          const float m = step_.beta1 * s0[i] + step_.one_minus_beta1 * g;
          const float v = step_.beta2 * s0[dim + i] + step_.one_minus_beta2 * (g * g);
          const float root = std::sqrt(v) / step_.adam_root_correction + step_.epsilon;
          if (!near(s1[i], m) || !near(s1[dim + i], v)) return false;
          if (!near(got, w - step_.adam_rate * m / root)) return false;
          continue;
        }
        const uint32_t at = rule.one_value ? 0 : i;
        const float sum = s0[at] + (rule.one_value ? mean : g * g);
        if (!near(s1[at], sum)) return false;
        if (!near(got, w - step_.learning_rate * g / (std::sqrt(sum) + step_.epsilon))) {
          return false;
        }
      }
    }
    return true;
  }

  Bench& bench_;
  UpdateStep step_ = {};
  double copy_bytes_per_us_ = 1;
};

}  // namespace hotrow::bench::HOTROW_EXECUTOR

#endif  // HOTROW_BENCH_GPU_UPDATES_H_
