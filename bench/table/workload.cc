#include "workload.h"

#include <cmath>
#include <cstdio>
#include <cstdlib>
#include <functional>
#include <numeric>

#include "memory/slab_pool.h"

namespace hotrow::bench {

namespace {

[[noreturn]] void no_memory(uint64_t bytes) {
  std::fprintf(stderr, "bench:table: the system refuses %.1f GiB\n",
               static_cast<double>(bytes) * 0x1p-30);
  std::exit(1);
}

/// Ranks from 1 to n with probability proportional to 1 / rank^s, s not 1: rejection-inversion,
/// Hörmann and Derflinger 1996.
class Zipf {
 public:
  Zipf(uint64_t n, double s)
      : n_(static_cast<double>(n)),
        s_(s),
        first_(area(1.5) - 1.0),
        last_(area(n_ + 0.5)),
        cut_(2.0 - area_inverse(area(2.5) - std::pow(2.0, -s))) {}

  uint64_t draw(Random& random) const {
    for (;;) {
      const double u = last_ + random.unit() * (first_ - last_);
      const double x = area_inverse(u);
      const double k = std::fmin(std::fmax(std::floor(x + 0.5), 1.0), n_);
      if (k - x <= cut_ || u >= area(k + 0.5) - std::pow(k, -s_)) return static_cast<uint64_t>(k);
    }
  }

 private:
  double area(double x) const { return (std::pow(x, 1.0 - s_) - 1.0) / (1.0 - s_); }
  double area_inverse(double y) const { return std::pow(1.0 + y * (1.0 - s_), 1.0 / (1.0 - s_)); }

  double n_;
  double s_;
  double first_;
  double last_;
  double cut_;
};

std::vector<uint32_t> scattered(uint64_t n) {
  std::vector<uint32_t> order(n);
  std::iota(order.begin(), order.end(), 0U);
  Random random(17);
  for (uint64_t i = n; i > 1; --i) std::swap(order[i - 1], order[random.below(i)]);
  return order;
}

std::vector<Stream> draw_streams(const StreamShape& shape,
                                 const std::function<uint32_t(Random&)>& draw) {
  std::vector<Stream> streams(shape.threads);
  for (uint32_t thread = 0; thread < shape.threads; ++thread) {
    Random random(1000 + thread);
    Stream& stream = streams[thread];
    stream.rows.resize(shape.keys);
    stream.keys.resize(shape.keys);
    for (uint64_t i = 0; i < shape.keys; ++i) {
      stream.rows[i] = draw(random);
      stream.keys[i] = key_of(stream.rows[i]);
    }
  }
  return streams;
}

}  // namespace

const char* name_of(Choice choice) {
  switch (choice) {
    case Choice::kUniform:
      return "uniform";
    case Choice::kZipf099:
      return "zipf0.99";
    case Choice::kZipf105:
      return "zipf1.05";
  }
  return "";
}

std::vector<Stream> make_streams(Choice choice, const StreamShape& shape) {
  if (choice == Choice::kUniform) {
    return draw_streams(
        shape, [n = shape.rows](Random& random) { return static_cast<uint32_t>(random.below(n)); });
  }
  const Zipf zipf(shape.rows, choice == Choice::kZipf099 ? 0.99 : 1.05);
  const std::vector<uint32_t> row_of_rank = scattered(shape.rows);
  return draw_streams(shape, [&](Random& random) { return row_of_rank[zipf.draw(random) - 1]; });
}

RowSlab::RowSlab(uint64_t rows, Shape shape)
    : rows_(rows),
      shape_(shape),
      stride_(slab_stride((uint64_t{shape.dim} + shape.state) * sizeof(float))) {
  const uint64_t bytes = rows * stride_;
  if (!pages_.reserve(bytes) || !pages_.grow(bytes)) no_memory(bytes);
  base_ = pages_.data();
}

void RowSlab::fill(float state_value) {
  for (uint64_t i = 0; i < rows_; ++i) {
    float* const w = row(static_cast<uint32_t>(i));
    fill_values(static_cast<uint32_t>(i), {w, shape_.dim});
    std::fill(w + shape_.dim, w + shape_.dim + shape_.state, state_value);
  }
}

void fill_values(uint32_t number, std::span<float> values) {
  const float start = static_cast<float>(number % 65521);
  for (size_t j = 0; j < values.size(); ++j) values[j] = start + static_cast<float>(j);
}

Buffer::Buffer(uint64_t values) {
  const uint64_t bytes = values * sizeof(float);
  if (!pages_.reserve(bytes) || !pages_.grow(bytes)) no_memory(bytes);
  std::fill(data(), data() + values, 0.001F);
}

}  // namespace hotrow::bench
