// Initial rows: pure functions of (table seed, key, position).
//
// Every value comes from its own 64-bit draw of a counter-based generator, and only from
// operations that IEEE 754 defines exactly (no libm), so a row starts with the same bits on every
// machine, thread count and instruction set.
#ifndef HOTROW_TABLE_INITIALIZER_H_
#define HOTROW_TABLE_INITIALIZER_H_

#include <cstdint>
#include <span>

#include "hotrow/options.h"

namespace hotrow {

class Initializer {
 public:
  Initializer(const InitializerOptions& options, uint64_t seed) : options_(options), seed_(seed) {}

  /// Writes the initial values of `key`'s row, or of the piece of it that begins at value `first`.
  void fill(uint64_t key, std::span<float> row, uint64_t first = 0) const;

 private:
  InitializerOptions options_;
  uint64_t seed_;
};

/// The inverse of the normal distribution's cumulative function, for 0 < p < 1, within 1e-15
/// relative: Wichura 1988, algorithm AS 241 (PPND16).
double normal_quantile(double p);

}  // namespace hotrow

#endif  // HOTROW_TABLE_INITIALIZER_H_
