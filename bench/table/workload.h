// Rows, keys and streams of keys. The key of row i is a mixed 64-bit integer; contenders that are
// given row numbers and those that must find them work through the same streams.
#ifndef HOTROW_BENCH_TABLE_WORKLOAD_H_
#define HOTROW_BENCH_TABLE_WORKLOAD_H_

#include <cstdint>
#include <span>
#include <vector>

#include "base/hash.h"
#include "memory/pages.h"

namespace hotrow::bench {

/// The key of row `i`; a bijection, so that distinct rows have distinct keys.
constexpr uint64_t key_of(uint64_t i) { return mix64(i + 0x9e3779b97f4a7c15U); }

/// splitmix64: quick, and the same numbers everywhere.
class Random {
 public:
  explicit Random(uint64_t seed) : state_(seed) {}
  uint64_t next() { return mix64(state_ += 0x9e3779b97f4a7c15U); }
  uint64_t below(uint64_t n) { return multiply_high(next(), n); }
  /// In [0, 1).
  double unit() { return static_cast<double>(next() >> 11) * 0x1p-53; }

 private:
  uint64_t state_;
};

/// How a stream chooses its rows.
enum class Choice : uint8_t { kUniform, kZipf099, kZipf105 };

const char* name_of(Choice choice);

/// Row numbers below 2^32 and their keys, in the order of arrival.
struct Stream {
  std::vector<uint32_t> rows;
  std::vector<uint64_t> keys;

  size_t size() const { return keys.size(); }
};

struct StreamShape {
  uint64_t rows = 0;  ///< rows to choose from
  uint64_t keys = 0;  ///< keys a thread
  uint32_t threads = 1;
};

/// One stream a thread. Ranks of Zipf's law lie scattered over the rows.
std::vector<Stream> make_streams(Choice choice, const StreamShape& shape);

/// Rows on 2-MiB pages in the store's own layout: `dim` values, `state` more, padded as
/// memory/slab_pool.h pads them.
class RowSlab {
 public:
  struct Shape {
    uint32_t dim = 0;
    uint32_t state = 0;
  };

  /// Ends the program when the system refuses.
  RowSlab(uint64_t rows, Shape shape);

  uint64_t rows() const { return rows_; }
  uint32_t dim() const { return shape_.dim; }
  uint32_t state() const { return shape_.state; }
  uint64_t stride() const { return stride_; }
  float* row(uint32_t number) const { return reinterpret_cast<float*>(base_ + number * stride_); }
  /// Writes every row: the values of fill_values(), the state `state_value`.
  void fill(float state_value);

 private:
  uint64_t rows_;
  Shape shape_;
  uint64_t stride_;
  PageRange pages_;
  std::byte* base_ = nullptr;
};

/// The values that row `number` starts with.
void fill_values(uint32_t number, std::span<float> values);

/// What a thread works with: a batch's output or gradients [batch, dim], on 2-MiB pages.
class Buffer {
 public:
  explicit Buffer(uint64_t values);
  float* data() const { return reinterpret_cast<float*>(pages_.data()); }

 private:
  PageRange pages_;
};

}  // namespace hotrow::bench

#endif  // HOTROW_BENCH_TABLE_WORKLOAD_H_
