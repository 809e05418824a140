// Options of a store, a table and a dense parameter: aggregates with defaults.
//
// lib/options.ts mirrors every field of these structs in camelCase (test/tidy compares them).
// `validate()` says the first thing that is wrong and names the field as TypeScript spells it.
#ifndef HOTROW_OPTIONS_H_
#define HOTROW_OPTIONS_H_

#include <cstdint>
#include <vector>

#include "hotrow/status.h"

namespace hotrow {

/// Longest row, in values. 8,192 f32 values with Adam's state are 96 KiB a row.
inline constexpr uint32_t kMaxDim = 8192;
/// Most values of one dense parameter (8 GiB of f32).
inline constexpr uint64_t kMaxDenseValues = uint64_t{1} << 31;
/// Most dimensions of a dense parameter's shape.
inline constexpr uint32_t kMaxDenseRank = 8;
/// Longest name of a table or dense parameter, in UTF-8 bytes.
inline constexpr uint32_t kMaxNameBytes = 255;
/// Most threads one store may ask for.
inline constexpr uint32_t kMaxThreads = 256;

/// The rule that turns a gradient g into a change of the row w. All arithmetic is f32, in the
/// order written here; state starts as stated and lies behind the row.
enum class OptimizerKind : uint8_t {
  /// w -= learning_rate * g
  kSgd,
  /// a += g^2; w -= learning_rate * g / (sqrt(a) + epsilon). a starts at initial_accumulator.
  /// Duchi, Hazan, Singer 2011.
  kAdagrad,
  /// As kAdagrad with one a for the row: a += mean(g^2). The rule of FBGEMM's
  /// EXACT_ROWWISE_ADAGRAD.
  kRowwiseAdagrad,
  /// m = beta1 m + (1 - beta1) g; v = beta2 v + (1 - beta2) g^2;
  /// w -= learning_rate / (1 - beta1^t) * m / (sqrt(v) / sqrt(1 - beta2^t) + epsilon).
  /// m and v start at 0 and move only for rows that are pushed; t counts the pushes of the table
  /// (torch.optim.SparseAdam). Kingma, Ba 2015.
  kAdam,
  /// FTRL-Proximal with state n (starts at initial_accumulator) and z (starts at 0):
  /// s = (sqrt(n + g^2) - sqrt(n)) / learning_rate; z += g - s w; n += g^2;
  /// w = |z| <= l1 ? 0 : (sign(z) l1 - z) / ((beta + sqrt(n)) / learning_rate + l2).
  /// McMahan et al. 2013, algorithm 1.
  kFtrl,
  /// w += g: plain addition, exact for integers below 2^24.
  kSum,
};

struct OptimizerOptions {
  OptimizerKind kind = OptimizerKind::kSgd;
  float learning_rate = 0.01F;
  float initial_accumulator = 0.1F;  ///< Adagrad, row-wise Adagrad, FTRL
  float epsilon = 1e-10F;            ///< Adagrad, row-wise Adagrad, Adam
  float beta1 = 0.9F;                ///< Adam
  float beta2 = 0.999F;              ///< Adam
  float beta = 1.0F;                 ///< FTRL
  float l1 = 0.0F;                   ///< FTRL
  float l2 = 0.0F;                   ///< FTRL

  Status validate() const;
  bool operator==(const OptimizerOptions&) const = default;
};

/// How a row begins: a pure function of (table seed, key, position in the row), the same on every
/// machine, for every thread count and instruction set.
enum class InitializerKind : uint8_t {
  kZeros,
  kConstant,         ///< value
  kUniform,          ///< [low, high)
  kNormal,           ///< mean, stddev
  kTruncatedNormal,  ///< as kNormal, nothing beyond two standard deviations
};

struct InitializerOptions {
  InitializerKind kind = InitializerKind::kZeros;
  float value = 0.0F;
  float low = 0.0F;
  float high = 0.0F;
  float mean = 0.0F;
  float stddev = 0.0F;

  Status validate() const;
  bool operator==(const InitializerOptions&) const = default;
};

/// What a lookup answers for a key that has no row.
enum class Missing : uint8_t {
  kInitial,  ///< the row's initial values
  kZeros,    ///< zeros, as serving often wants
};

/// What a push or update does with a row that holds NaN or infinity.
enum class NonFinite : uint8_t {
  kReject,  ///< the whole call fails with ERR_INVALID_ARGUMENT and changes nothing
  kSkip,    ///< that row is left out and counted in `skipped_gradients`
};

/// Which keys get a row. Others are looked up as missing keys are, and their gradients dropped.
enum class AdmissionKind : uint8_t {
  kAll,          ///< every pushed key
  kCount,        ///< from its min_count-th gradient on, counted in the index beside the rows' keys
  kBloom,        ///< as kCount, counted in a counting Bloom filter of bounded memory
  kProbability,  ///< each push of a key without a row admits it with `probability`
};

struct AdmissionOptions {
  AdmissionKind kind = AdmissionKind::kAll;
  uint32_t min_count = 1;   ///< kCount, kBloom: gradients of the key, duplicates counted
  float probability = 1;    ///< kProbability
  uint64_t capacity = 0;    ///< kBloom: different keys that are expected between two decays

  Status validate() const;
  bool operator==(const AdmissionOptions&) const = default;
};

/// Which rows go when there are too many.
enum class EvictionPolicy : uint8_t {
  kNone,          ///< none: at a ceiling pushes are refused with ERR_CAPACITY
  kLru,           ///< the least recently used
  kLfu,           ///< the least often used
  kAgeingLfu,     ///< the least often used, uses counting half after each half-life
  kTtl,           ///< none but those unused for ttl_ms
  kOldestStep,    ///< those whose last push was at the lowest step
  kSmallestNorm,  ///< those whose values have the smallest L2 norm
  kLowestScore,   ///< those with the lowest score that the caller gave
  kRandom,
};

/// When rows are evicted: before a push or update that would pass a limit, with some more so that
/// it is not for every push; at once on demand; and ahead of need where `background` says so. A
/// victim is the coldest of sixteen keys or so. Limits hold at every moment.
struct EvictionOptions {
  EvictionPolicy policy = EvictionPolicy::kNone;
  uint64_t max_rows = 0;    ///< 0: no limit but the store's
  uint64_t max_bytes = 0;   ///< rows and index; 0: no limit but the store's
  uint64_t ttl_ms = 0;      ///< kTtl, and with kLru and kLfu: evict what was unused for so long
  uint64_t half_life = 0;   ///< kAgeingLfu: key uses of the whole table; 0: eight per row
  bool background = false;  ///< keep some rows free ahead of need; always so for ttl_ms
  uint32_t log = 0;         ///< evicted keys remembered for take_evicted(), the latest so many

  Status validate() const;
  bool operator==(const EvictionOptions&) const = default;
};

/// How a table keeps the values of its rows. Calls give and take f32 whatever this is, and
/// optimizer state is f32 always. Bytes are little-endian; a row's values are padded with zero
/// bytes to a multiple of 4 (diagrams: simd/value_layout.h). Every type but kF32 keeps its rows
/// finite whatever an optimizer computes: what lies beyond the type's range becomes its nearest
/// end, infinity too, and a NaN becomes the end of its sign.
enum class ValueType : uint8_t {
  /// IEEE 754 binary32, 4 bytes a value: kept as it is.
  kF32,
  /// IEEE 754 binary16, 2 bytes a value: 11 significant bits, range +-65,504. Subnormals are kept,
  /// down to 2^-24; what rounds to less becomes a zero of its sign.
  kF16,
  /// bfloat16, 2 bytes a value, the upper half of a binary32: 8 significant bits, subnormals kept,
  /// range +-0x1.fep127 (3.39e38).
  kBf16,
  /// For serving: rows are assigned, not pushed. 1 byte a value and 8 bytes a row. q from 0 to 255 stands for bias + scale * q in f32, rounded
  /// after the product and after the sum; bias = min(row), scale = (max(row) - min(row)) / 255 and
  /// q = (x - bias) / scale to the nearest, ties to even. An error is at most scale / 2 and the
  /// rounding of that formula, unless scale is subnormal. Range +-2^126, so that no step overflows.
  /// A row of equal values has scale 0 and is kept exactly, but for the sign of zero. Formula:
  /// FBGEMM's 8-bit row-wise rows.
  kI8,
  /// As kI8 with q from 0 to 15, two values a byte, the earlier one in the low half:
  /// scale = (max(row) - min(row)) / 15.
  kI4,
};

/// How a value becomes one of the two that a 16-bit type has beside it.
enum class Rounding : uint8_t {
  /// To the nearest, ties to even. Changes below half a unit of a value's last place are lost.
  kNearest,
  /// Up or down by chance, each as likely as the other side is near, so that the mean of many
  /// rounded values is the value itself: small changes add up. A value that the type has is kept.
  /// For kF16 and kBf16. The chance is a pure function of (table, key, push, position), so state
  /// is the same for any number of threads and any instruction set.
  /// Gupta, Agrawal, Gopalakrishnan, Narayanan 2015.
  kStochastic,
};

struct TableOptions {
  uint32_t dim = 0;  ///< values per row, 1 to kMaxDim
  ValueType value_type = ValueType::kF32;
  Rounding rounding = Rounding::kNearest;  ///< kStochastic only with kF16 and kBf16
  OptimizerOptions optimizer;
  InitializerOptions initializer;
  Missing missing = Missing::kInitial;
  NonFinite non_finite = NonFinite::kReject;
  AdmissionOptions admission;
  EvictionOptions eviction;
  uint64_t seed = 0;  ///< 0: made from the table's name

  Status validate() const;
  bool operator==(const TableOptions&) const = default;
};

struct DenseOptions {
  std::vector<uint64_t> shape;  ///< row-major; the last dimension is the row of row-wise rules
  OptimizerOptions optimizer;
  InitializerOptions initializer;  ///< the key is the row's index
  NonFinite non_finite = NonFinite::kReject;
  uint64_t seed = 0;  ///< 0: made from the parameter's name

  Status validate() const;
  bool operator==(const DenseOptions&) const = default;
};

struct StoreOptions {
  /// Ceiling for rows, index and dense parameters, in bytes. 0: half of what the process may use.
  uint64_t memory_bytes = 0;
  /// Threads that one large call may use, the caller's included. 0: one per core but one, which is
  /// left to whoever makes the batches.
  uint32_t threads = 0;

  Status validate() const;
  bool operator==(const StoreOptions&) const = default;
};

}  // namespace hotrow

#endif  // HOTROW_OPTIONS_H_
