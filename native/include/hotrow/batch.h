// Batches: what the caller lends to a call. Spans into the caller's memory; the store keeps none
// of them after the call returns and writes only through the mutable ones.
#ifndef HOTROW_BATCH_H_
#define HOTROW_BATCH_H_

#include <cstdint>
#include <optional>
#include <span>

namespace hotrow {

/// keys [n] u64. The whole 64-bit space is legal; duplicates are legal everywhere.
using KeyBatch = std::span<const uint64_t>;
/// rows [n, dim] f32, row-major, one row a key in the order of the keys.
using RowBatch = std::span<float>;
/// rows or gradients [n, dim] f32, read only.
using ConstRowBatch = std::span<const float>;

/// One call's own wishes for a lookup.
struct LookupOptions {
  /// [ceil(n / 8)] bits, lowest first: bit i is set when key i had a row, cleared otherwise; bits
  /// past n are cleared. Empty: not asked.
  std::span<uint8_t> found = {};
  /// What keys without a row give, every value of it; else the table's rule.
  std::optional<float> missing = std::nullopt;
  /// Rows may be half of one update and half of the next: reads do not wait for writers. For
  /// trainers that live with it ("hogwild"); a row is still some row of its key, or, where one is
  /// erased meanwhile, of another.
  bool relaxed = false;
  /// Of a store opened for reading: ERR_STALE when the version it is at was committed longer ago.
  /// 0: not asked. A store opened for writing is never stale.
  uint64_t max_age_ms = 0;
};

/// What an update assigns beside values: what an export has given.
struct UpdateOptions {
  /// [n, state_values()] of the optimizer, finite. Empty: the state of a row stays.
  std::span<const float> state = {};
  /// Pushes that the state has seen, Adam's t: from now on no fewer count as applied.
  uint64_t steps = 0;
};

/// What a scan reads beside values.
struct ScanOptions {
  bool state = false;  ///< the optimizer's state of each row, of the same instant
  /// For servers: what the eviction policy remembers of each row, too; of a store on this machine.
  bool heats = false;
};

/// How the rows of a bag become one. With weights u_i (1 when none are given):
enum class Pooling : uint8_t {
  kSum,    ///< sum of u_i w_i
  kMean,   ///< sum of u_i w_i / sum of u_i
  kSqrtn,  ///< sum of u_i w_i / sqrt(sum of u_i^2)
};

/// Ragged bags of keys, as tf.nn.embedding_lookup_sparse and torch.nn.EmbeddingBag take them.
/// Bag b holds keys[offsets[b] .. offsets[b + 1]). An empty bag pools to zeros, as does one whose
/// divisor is zero.
struct BagBatch {
  KeyBatch keys;                      ///< [n]
  std::span<const uint32_t> offsets;  ///< [bags + 1], rising from 0 to n
  std::span<const float> weights;     ///< [n], or empty: every weight is 1
  Pooling pooling = Pooling::kSum;
};

}  // namespace hotrow

#endif  // HOTROW_BATCH_H_
