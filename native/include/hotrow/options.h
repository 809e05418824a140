// Options of a store, a table and a dense parameter: aggregates with defaults.
//
// lib/options.ts mirrors every field of these structs in camelCase (test/tidy compares them).
// `validate()` says the first thing that is wrong and names the field as TypeScript spells it.
#ifndef HOTROW_OPTIONS_H_
#define HOTROW_OPTIONS_H_

#include <cstdint>
#include <string>
#include <vector>

#include "hotrow/status.h"

namespace hotrow {

/// Longest row, in values. 8,192 f32 values are 96 KiB a row with Adam's state, 128 KiB with
/// AMSGrad's.
inline constexpr uint32_t kMaxDim = 8192;
/// Most values of one dense parameter (8 GiB of f32).
inline constexpr uint64_t kMaxDenseValues = uint64_t{1} << 31;
/// Most chunks of one dense parameter.
inline constexpr uint32_t kMaxDenseChunks = 1U << 16;
/// Most dimensions of a dense parameter's shape.
inline constexpr uint32_t kMaxDenseRank = 8;
/// Longest name of a table or dense parameter, in UTF-8 bytes.
inline constexpr uint32_t kMaxNameBytes = 255;
/// Most threads one store may ask for.
inline constexpr uint32_t kMaxThreads = 256;
inline constexpr uint32_t kMaxCursorBytes = 1 << 20;

/// Most keys that one table names by their use.
inline constexpr uint32_t kMostHotKeys = 4096;
/// TableOptions::gpu when nothing is asked for.
inline constexpr float kGpuHalfOfRest = -1.0F;
/// Most groups of one table.
inline constexpr uint32_t kMaxGroups = 64;

/// The rule that turns a gradient g into a change of the row w. All arithmetic is f32, in the
/// order written here, without fused multiply-add; state starts at 0 unless stated and lies behind
/// the row in the order in which it is named.
///
/// In the formulas t counts the pushes of the table from 1, and `dim` is the length of the row.
/// mean(g^2) and norms sum squares in sixteen partial sums (value i in sum i mod 16), folded by
/// halves. 1 - beta1^t and 1 - beta2^t are taken in f64 by repeated squaring, then rounded.
///
/// Every rule but kSum first clips g (clip_value, clip_norm), then adds weight_decay * w to it. The
/// four rules whose papers decay the row apart from the gradient do so instead, where written:
/// kAdamW, kLamb, kLars, kLion.
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
  /// m and v move only for rows that are pushed; t counts the pushes of the table
  /// (torch.optim.SparseAdam). Kingma, Ba 2015.
  kAdam,
  /// FTRL-Proximal with state n (starts at initial_accumulator) and z:
  /// s = (sqrt(n + g^2) - sqrt(n)) / learning_rate; z += g - s w; n += g^2;
  /// w = |z| <= l1 ? 0 : (sign(z) l1 - z) / ((beta + sqrt(n)) / learning_rate + l2).
  /// McMahan et al. 2013, algorithm 1.
  kFtrl,
  /// w += g: plain addition, exact for integers below 2^24.
  kSum,
  /// m = momentum m + g; w -= learning_rate * m. Polyak 1964; torch.optim.SGD without dampening.
  kMomentum,
  /// m = momentum m + g; w -= learning_rate * (g + momentum m). torch.optim.SGD, nesterov=True.
  kNesterov,
  /// Adagrad whose a is decayed once in every decay_steps pushes of the table, never below where
  /// it starts: p counts the row's decays, and a row pushed when p < floor(t / decay_steps) first
  /// takes a = max(decay_rate a, initial_accumulator); p += 1. Then as kAdagrad. State a (starts
  /// at initial_accumulator) and one p a row, which ends at 2^24. DeepRec's AdagradDecay, which
  /// has no epsilon.
  kAdagradDecay,
  /// v = rho v + (1 - rho) g^2; w -= learning_rate * g / (sqrt(v) + epsilon).
  /// Tieleman, Hinton 2012; torch.optim.RMSprop (its alpha is rho), not centered.
  kRmsprop,
  /// v = rho v + (1 - rho) g^2; d = sqrt(u + epsilon) / sqrt(v + epsilon) * g;
  /// u = rho u + (1 - rho) d^2; w -= learning_rate * d. State v, u. Zeiler 2012;
  /// torch.optim.Adadelta.
  kAdadelta,
  /// m and v as kAdam; w = (1 - learning_rate weight_decay) w
  /// - learning_rate / (1 - beta1^t) * m / (sqrt(v) / sqrt(1 - beta2^t) + epsilon).
  /// Loshchilov, Hutter 2019; torch.optim.AdamW.
  kAdamW,
  /// As kAdam with h = max(h, v) in the place of v under the root. State m, v, h.
  /// Reddi, Kale, Kumar 2018; torch.optim.Adam, amsgrad=True.
  kAmsgrad,
  /// m as kAdam; u = max(beta2 u, |g|); w -= learning_rate / (1 - beta1^t) * m / (u + epsilon).
  /// State m, u. Kingma, Ba 2015, section 7.1, with the epsilon of TensorFlow's ApplyAdaMax.
  kAdamax,
  /// As kAdam with one v for the row: v = beta2 v + (1 - beta2) mean(g^2). State m, then one v.
  /// FBGEMM's PARTIAL_ROWWISE_ADAM.
  kRowwiseAdam,
  /// n and z as kFtrl; s = |z| <= l1 ? 0 : sign(z) l1 - z; then for the row as one group
  /// w = norm(s) <= sqrt(dim) l21 ? 0
  ///   : (1 - sqrt(dim) l21 / norm(s)) * s / ((beta + sqrt(n)) / learning_rate + l2).
  /// With l21 = 0 it is kFtrl. The sparse group lasso of Yue et al. 2021 ("Adaptive Optimizers with
  /// Sparse Group Lasso"), the l21 of TFPlus; Monolith's GroupFtrl is to be this rule.
  kGroupFtrl,
  /// m and v as kAdam;
  /// r = m / (1 - beta1^t) / (sqrt(v) / sqrt(1 - beta2^t) + epsilon) + weight_decay w;
  /// w -= (learning_rate * norm(w) / norm(r)) * r, the ratio 1 when either norm is 0. State m, v.
  /// m / (1 - beta1^t) is taken as the product with the rounded 1 / (1 - beta1^t). You et al.
  /// 2020, algorithm 2, a row as a layer, as FBGEMM's LAMB.
  kLamb,
  /// q = trust * norm(w) / (norm(g) + weight_decay norm(w)), 1 when either norm is 0;
  /// m = momentum m + (learning_rate q) * (g + weight_decay w); w -= m.
  /// You, Gitman, Ginsburg 2017, a row as a layer, as FBGEMM's LARS_SGD.
  kLars,
  /// c = beta1 m + (1 - beta1) g; w = (1 - learning_rate weight_decay) w - learning_rate sign(c);
  /// m = beta2 m + (1 - beta2) g. Chen et al. 2023, algorithm 2.
  kLion,
};

/// Fields down to l2 are legal with every rule; the later ones must keep their default where the
/// rule does not read them.
struct OptimizerOptions {
  OptimizerKind kind = OptimizerKind::kSgd;
  float learning_rate = 0.01F;
  float initial_accumulator = 0.1F;  ///< Adagrad and its kin, FTRL and group FTRL
  float epsilon = 1e-10F;            ///< Adagrad and its kin, RMSprop, Adadelta, Adam and its kin
  float beta1 = 0.9F;                ///< Adam and its kin, LAMB, Lion
  float beta2 = 0.999F;              ///< Adam and its kin, LAMB, Lion
  float beta = 1.0F;                 ///< FTRL, group FTRL
  float l1 = 0.0F;                   ///< FTRL, group FTRL
  float l2 = 0.0F;                   ///< FTRL, group FTRL
  float l21 = 0.0F;                  ///< group FTRL
  float momentum = 0.9F;             ///< momentum, Nesterov, LARS
  float rho = 0.9F;                  ///< RMSprop, Adadelta
  float decay_rate = 0.9F;           ///< Adagrad with decay
  uint32_t decay_steps = 100000;     ///< Adagrad with decay: pushes between two decays
  float trust = 0.001F;              ///< LARS: the paper's eta
  float weight_decay = 0.0F;         ///< all but sum; 0: none
  /// All but sum: each value of the row's summed gradient is cut to [-clip_value, clip_value].
  /// 0: not.
  float clip_value = 0.0F;
  /// All but sum: the row's summed gradient is scaled by clip_norm / norm(g) when its norm is
  /// above clip_norm. 0: not. Not with clip_value.
  float clip_norm = 0.0F;

  Status validate() const;
  bool operator==(const OptimizerOptions&) const = default;
};

/// How the optimizer treats some keys of a table: those whose upper 20 bits (slot_key() in
/// hotrow/keys.h) are first_slot to last_slot. Keys in no group are treated as the optimizer says.
struct OptimizerGroup {
  uint32_t first_slot = 0;
  uint32_t last_slot = 0;      ///< included
  float rate_scale = 1.0F;     ///< times the learning rate, the table's or the push's
  float weight_decay = -1.0F;  ///< -1: the optimizer's
  /// Pushes change no row: a key without a row gets its initial row, and that stays. update() and
  /// erase() work.
  bool frozen = false;

  bool operator==(const OptimizerGroup&) const = default;
};

/// Options of one push.
struct PushOptions {
  /// In the place of the optimizer's, for this push; rules without one ignore it. 0: the
  /// optimizer's.
  float learning_rate = 0.0F;

  Status validate() const;
  bool operator==(const PushOptions&) const = default;
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
  kAll,  ///< every pushed key
  /// From its min_count-th gradient on, counted in the index beside the rows' keys. A table with
  /// max_rows or max_bytes holds as many keys that have no row as rows; when more come, their
  /// counts are halved, and those at 0 go.
  kCount,
  kBloom,        ///< as kCount, counted in a counting Bloom filter of bounded memory
  kProbability,  ///< each push of a key without a row admits it with `probability`
};

struct AdmissionOptions {
  AdmissionKind kind = AdmissionKind::kAll;
  uint32_t min_count = 1;  ///< kCount, kBloom: gradients of the key, duplicates counted
  float probability = 1;   ///< kProbability
  uint64_t capacity = 0;   ///< kBloom: different keys that are expected between two decays

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
  uint64_t max_rows = 0;   ///< 0: no limit but the store's
  uint64_t max_bytes = 0;  ///< rows and index; 0: no limit but the store's
  uint64_t ttl_ms = 0;     ///< kTtl, and with kLru and kLfu: evict what was unused for so long
  uint64_t half_life = 0;  ///< kAgeingLfu: key uses of the whole table; 0: eight per row
  /// Rows that would be evicted for want of room go to the store's disk instead, and are read from
  /// there: the table holds all of its rows, memory the hottest of them. With kLru, kLfu,
  /// kAgeingLfu and kRandom, without ttl_ms, in a store on disk. What has changed since the newest
  /// version is kept on disk for as long as the process lives and is in no version before the next.
  bool demote = false;
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
  /// For serving: rows are assigned, not pushed. 1 byte a value and 8 bytes a row. q from 0 to 255
  /// stands for bias + scale * q in f32, rounded
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
  /// Keys whose counts of use Table::hot_keys() can name, up to 4,096: a sketch of 640 bytes for
  /// each, over one key in 64 of all used. 0: not counted.
  uint32_t hot_keys = 0;
  uint64_t seed = 0;  ///< 0: made from the table's name
  /// At most kMaxGroups, in any order, no slot in two of them.
  std::vector<OptimizerGroup> groups;
  /// Of the store's GpuOptions::bytes, above 0 and at most 1: what the table's rows on the device
  /// may take, as far as it is left. 0: none, the table stays on the CPU. kGpuHalfOfRest: half of
  /// what is left. Of whoever makes the table in this process; no version knows of it.
  float gpu = kGpuHalfOfRest;

  Status validate() const;
  bool operator==(const TableOptions&) const = default;
};

/// What a server's dense parameter is a chunk of. Clients of several servers cut large parameters
/// into chunks, each of which is a dense parameter of one server's store; docs/FORMATS.md has how.
/// Nobody else sets it.
struct DenseChunk {
  std::vector<uint64_t> shape;  ///< of the whole parameter; empty: it is not cut
  uint32_t count = 0;           ///< chunks of the whole; 0: it is not cut
  uint32_t pieces = 0;          ///< that each row is cut into; 0: chunks are of whole rows
  uint32_t index = 0;
  uint32_t slot = 0;  ///< of the placement: the chunk is with the server that has it
  std::string slots;  ///< of chunk 0: the slots of all, four hexadecimal digits each

  bool used() const { return count != 0; }
  bool operator==(const DenseChunk&) const = default;
};

struct DenseOptions {
  std::vector<uint64_t> shape;  ///< row-major; the last dimension is the row of row-wise rules
  OptimizerOptions optimizer;
  InitializerOptions initializer;  ///< the key is the row's index
  NonFinite non_finite = NonFinite::kReject;
  uint64_t seed = 0;  ///< 0: made from the parameter's name
  DenseChunk chunk;   ///< of a parameter that is cut: which part of it this one is

  Status validate() const;
  bool operator==(const DenseOptions&) const = default;
};

/// What a commit waits for.
enum class SyncMode : uint8_t {
  kDisk,  ///< until the disk says it has the version: it survives loss of power
  kOs,    ///< until the system has it: it survives the death of the process, not loss of power
};

/// What open() does when the newest version is damaged.
enum class RecoverMode : uint8_t {
  kNever,         ///< ERR_CORRUPTION
  kNewestIntact,  ///< opens the newest version of which every checksum fits
};

/// When what a call has changed is on disk.
enum class Durability : uint8_t {
  kCommit,  ///< with the next commit
  kPush,    ///< when the promise of the call resolves; commits are shared by calls that wait
  kNever,   ///< nobody knows: commits make versions and sync nothing
};

/// Which rows stay on a device when there is no room for another one.
enum class GpuPolicy : uint8_t {
  kLru,        ///< the most recently used
  kLfu,        ///< the most often used
  kAgeingLfu,  ///< the most often used, uses counting half after each epoch
  kEpochLru,   ///< those used in the latest epoch, of these the most recently used
  kEpochLfu,   ///< those used in the latest epoch, of these the most often used
  kCustom,     ///< by the uses that were counted before the row came in
};

/// When a row that a lookup has missed on the device comes there.
enum class GpuPromotion : uint8_t {
  kSecondTouch,  ///< when it was missed before, of late; at its first miss only where nobody goes
  kAlways,       ///< at once
};

/// Rows in use are kept on a GPU too, in front of tables that evict nothing. Where there is none
/// that works the store goes on without it, and StoreStats::gpu says why.
struct GpuOptions {
  uint32_t device = 0;  ///< as CUDA numbers them
  uint64_t bytes = 0;   ///< of device memory, for all tables together; 0: no GPU
  GpuPolicy policy = GpuPolicy::kAgeingLfu;
  GpuPromotion promotion = GpuPromotion::kSecondTouch;
  /// For inference, from 0 to 1: a lookup of which a larger share is on the device does not wait
  /// for the rest. Those keys get what a key without a row gets (its bit of LookupOptions::found is
  /// cleared), and their rows come to the device in the background, for lookups after that. So a
  /// share of at most 1 - fill_above of any answer is not what was learned. Lookups of values
  /// alone; all else is exact. 1: every lookup waits for its rows.
  double fill_above = 1;

  Status validate() const;
  bool operator==(const GpuOptions&) const = default;
};

struct StoreOptions {
  /// Ceiling for rows, index and dense parameters, in bytes. 0: half of what the process may use.
  uint64_t memory_bytes = 0;
  /// Threads that one large call may use, the caller's included. 0: one per core but one, which is
  /// left to whoever makes the batches.
  uint32_t threads = 0;
  /// Of a core, above 0 and at most 1: what eviction by age and ahead of need may take.
  float background_share = 0.1F;
  /// The store is opened as it was at a version, for reading, by any number of processes.
  bool read_only = false;
  /// With read_only, the version: its number or name. Empty: the newest.
  std::string version;
  /// Versions kept on disk beside the newest, from 0 on: the newest of them. Those that are pinned,
  /// named or in use are kept besides.
  uint32_t keep_versions = 4;
  /// Kept no longer than so many milliseconds; 0: for ever.
  uint64_t keep_ms = 0;
  /// With kOs a commit is as safe as the system's memory. After loss of power the last versions
  /// may be gone, or damaged, which is ERR_CORRUPTION then.
  SyncMode sync = SyncMode::kDisk;
  /// A damaged newest version is given up for an older one, see Store::recovered(). Reads all of
  /// the store when it is opened.
  RecoverMode recover = RecoverMode::kNever;
  /// kPush is for callers that wait on promises: through C++ it is kCommit, and commit() is called
  /// by whoever wants it. With kNever nothing is synced, as with SyncMode::kOs, and nothing is
  /// promised of a store that was not closed but that what opens is whole.
  Durability durable = Durability::kCommit;
  GpuOptions gpu;

  Status validate() const;
  bool operator==(const StoreOptions&) const = default;
};

}  // namespace hotrow

#endif  // HOTROW_OPTIONS_H_
