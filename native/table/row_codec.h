// How one table keeps the values of its rows: value type, rounding and dim, bound to the kernels of
// this machine. Constant once made; any thread may use it.
#ifndef HOTROW_TABLE_ROW_CODEC_H_
#define HOTROW_TABLE_ROW_CODEC_H_

#include <cstddef>
#include <cstdint>
#include <span>

#include "hotrow/options.h"
#include "simd/convert_kernels.h"
#include "simd/value_layout.h"

namespace hotrow {

class RowCodec {
 public:
  RowCodec(ValueType type, Rounding rounding, uint32_t dim)
      : kernels_(value_kernels(type)), type_(type), rounding_(rounding), dim_(dim) {}

  /// Bytes of a row's values, a multiple of 4; optimizer state may follow.
  size_t bytes() const { return value_bytes(type_, dim_); }
  uint32_t dim() const { return dim_; }
  /// Are the values of a row an array of f32, to be read and changed in place?
  bool in_place() const { return type_ == ValueType::kF32; }

  /// Values of rows that others may be writing: the caller validates afterwards. A function
  /// pointer for loops over batches.
  GatherValues gather() const { return kernels_.gather; }

  /// out [dim] = the values of `row`, which nobody else writes.
  void decode(const std::byte* row, float* out) const { kernels_.decode(row, dim_, out); }

  /// Writes in [dim] over the values of `row`, bytes() bytes of it, which nobody else uses but
  /// readers that validate. `random` decides where stochastic rounding goes up, and nothing else:
  /// a number of its own for every row and push, and a pure function of these, keeps state the
  /// same for any number of threads. `in` and `row` do not overlap.
  void encode(const float* in, std::byte* row, uint64_t random) const {
    if (rounding_ == Rounding::kStochastic) {
      kernels_.encode_stochastic(in, dim_, random, row);
    } else {
      kernels_.encode(in, dim_, row);
    }
  }

  /// As encode(), but numbers that decode() has given are written so that it gives them again:
  /// scale and bias alone, made from the least and the greatest value, can be off in the last bits.
  /// `scratch` [dim] where values are not in place.
  void assign(const float* in, std::byte* row, uint64_t random, std::span<float> scratch) const {
    encode(in, row, random);
    if (has_coefficients(type_)) settle_scale(in, row, scratch);
  }

 private:
  void settle_scale(const float* in, std::byte* row, std::span<float> scratch) const;

  const ValueKernels& kernels_;
  ValueType type_;
  Rounding rounding_;
  uint32_t dim_;
};

}  // namespace hotrow

#endif  // HOTROW_TABLE_ROW_CODEC_H_
