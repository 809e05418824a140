// What a store asks of a cache of rows on a device, as a struct of function pointers: the library
// that implements it (cuda/) is opened at run time, so nothing here is linked against it.
//
// A cache holds some rows of one table, whole: values as the table keeps them (simd/value_layout.h)
// and the optimizer's state. A row in it is a copy of the table's, or newer ("dirty"); never older.
// The store keeps it so: it gives rows that it read, pushes to both, and takes dirty rows back.
//
// All arrays are the caller's, in plain memory, and are free again when the call returns. Keys of
// one call are distinct unless stated. Functions return null, or what went wrong: a text that lives
// until the thread's next call of this library. After such a failure the cache answers every call
// with it (the device may be gone), and its dirty rows are lost; only `create` fails for want of
// memory alone.
//
// Threads: calls on one cache come one at a time, but for `lookup`, `lookup_to`, `find`, `pool`,
// `stats` and those of outputs, which may run beside each other.
#ifndef HOTROW_STORE_TIER_H_
#define HOTROW_STORE_TIER_H_

#include <cstddef>
#include <cstdint>

#include "hotrow/batch.h"
#include "hotrow/options.h"
#include "simd/update_step.h"

namespace hotrow {

inline constexpr uint32_t kTierAbi = 2;
/// The one symbol of the library: `const TierApi* hotrow_tier_api()`.
inline constexpr const char* kTierSymbol = "hotrow_tier_api";

/// What decides who stays when a bucket is full. The score is 32 bits, larger = keep.
enum class TierPolicy : uint8_t {
  kLru,        ///< the clock of the last use
  kLfu,        ///< uses, saturating
  kAgeingLfu,  ///< epoch of the last use, 8 bits, and uses, 24 bits, halved with every epoch since
  kEpochLru,   ///< the epoch of the last use, then the clock
  kEpochLfu,   ///< the epoch of the last use, then uses
  kCustom,     ///< as given when the row came in
};

struct TierDevice {
  char name[128];           // of the device
  uint32_t compute_major;   // compute capability
  uint32_t compute_minor;   //
  uint32_t driver_version;  // as CUDA counts: 13000 is 13.0
  uint32_t multiprocessors;
  uint64_t memory_bytes;
  uint64_t free_bytes;
};

struct TierSpec {
  uint32_t device;
  ValueType value_type;
  Rounding rounding;
  OptimizerKind optimizer;
  TierPolicy policy;
  uint32_t dim;
  uint32_t state_values;  // f32 a row; 0: the rows are only served, or have none
  uint64_t bytes;         // of device memory that the cache may take, everything included
};

/// What the host counts: scores are made of it, never of a device's clock.
struct TierMoment {
  uint32_t clock;  // rises with every call
  uint32_t epoch;  // rises now and then; one epoch more halves an ageing count
};

/// Positions whose keys have no row in the cache, in rising order.
struct TierMisses {
  uint32_t* positions;  // [n]
  uint64_t count;
};

struct TierLookup {
  const uint64_t* keys;  // [n], duplicates are legal
  uint64_t n;            // below 2^31
  float* rows;           // [n, dim] at `stride` values; those of misses stay as they are
  uint64_t stride;
  bool touch;  // as a use
  TierMoment moment;
};

/// Bags of keys become one row each; see BagBatch. `missed` are the rows of the positions that a
/// call to `find` just before has named, in its order.
struct TierPool {
  const uint64_t* keys;  // [n], duplicates are legal
  uint64_t n;
  const uint32_t* offsets;  // [bags + 1]
  uint64_t bags;
  const float* weights;  // [n] or null
  Pooling pooling;
  const uint32_t* missed_positions;  // [missed], rising
  const float* missed_rows;          // [missed, dim]
  uint64_t missed;
  float* out;  // [bags, dim] at `stride` values
  uint64_t stride;
  bool touch;
  TierMoment moment;
};

/// Rows to be taken in, or handed out.
struct TierRows {
  uint64_t* keys;     // [n]
  std::byte* values;  // [n] at `value_bytes` of the table
  float* state;       // [n, state_values], or null where there is none
  uint64_t n;
};

/// How much a row wants to come in.
enum class TierWish : uint8_t {
  kUsual,     ///< in the place of a row that ranks no higher
  kHesitant,  ///< only into an empty way, or a stale row's (score <= 2)
  kAwaited,   ///< in the place of any row that is not held, and is held then, once
};

struct TierInsert {
  TierRows rows;           // only read
  const uint32_t* uses;    // [n] counted by the host, or null: 1 each. kCustom: the score
  const TierWish* wishes;  // [n] or null: kUsual
  TierMoment moment;
  // Dirty rows that had to go: room for n of them. `n` is set.
  TierRows* evicted;
  uint64_t refused;  // set: rows that found no way
};

struct TierPush {
  const uint64_t* keys;  // [n]
  uint64_t n;
  const float* gradients;   // [n, dim], summed
  const UpdateStep* steps;  // [step_count]
  uint32_t step_count;      //
  const uint8_t* step_of;   // [n], or null: steps[0] for all
  const uint64_t* random;   // [n] for stochastic rounding, or null
  bool touch;
  TierMoment moment;
};

struct TierAssign {
  TierRows rows;  // only read; state null: the row's stays
  bool dirty;     // newer than the table's row; else the row is the table's again
};

/// Rows that are held stay: no other row comes in their place. A row is held up to 255 times.
enum class TierHolding : uint8_t {
  kOnceMore,  ///< held once more
  kOnceLess,  ///< and once less, where it is held
  kNoMore,    ///< however often it was
};
struct TierHold {
  const uint64_t* keys;  // [n]
  uint64_t n;
  TierHolding how;
  uint64_t changed;  // set: rows whose count has changed
};

struct TierStats {
  uint64_t capacity;       // rows
  uint64_t rows;           //
  uint64_t dirty;          // rows
  uint64_t bytes;          // of device memory
  uint64_t lookups;        // keys of lookups and pools
  uint64_t hits;           // keys
  uint64_t inserted;       // rows
  uint64_t evicted;        // rows
  uint64_t evicted_dirty;  // rows
  uint64_t refused;        // rows
  uint64_t flushed;        // rows
  uint64_t bytes_to_device;
  uint64_t bytes_from_device;
};

struct TierCache;
/// Rows f32 [n, dim] in the device's memory, which outlive the cache.
struct TierOutput;

struct TierApi {
  uint32_t abi;  // kTierAbi
  /// What device number `device` is, or why there is none.
  const char* (*describe)(uint32_t device, TierDevice* out);
  const char* (*create)(const TierSpec* spec, TierCache** out);
  void (*destroy)(TierCache* cache);
  const char* (*lookup)(TierCache* cache, const TierLookup* lookup, TierMisses* misses);
  /// Room for rows, beside the cache's own memory; what goes wrong with it is no failure of the
  /// cache. `no_room` is set when it is memory alone that lacks.
  const char* (*open_output)(TierCache* cache, uint64_t rows, TierOutput** out, bool* no_room);
  void (*close_output)(TierOutput* output);
  /// Where they are, for kernels.
  float* (*output_address)(const TierOutput* output);
  /// As lookup, to an output with room for lookup->n rows; rows and stride are not looked at.
  const char* (*lookup_to)(TierCache* cache, const TierLookup* lookup, TierOutput* output,
                           TierMisses* misses);
  /// Rows [n, dim] of the host become those at positions [n] of an output.
  const char* (*fill_output)(TierCache* cache, TierOutput* output, const uint32_t* positions,
                             const float* rows, uint64_t n);
  /// The first `values` of an output, to the host.
  const char* (*read_output)(const TierOutput* output, float* to, uint64_t values);
  /// Which keys [n] have no row; duplicates are legal.
  const char* (*find)(TierCache* cache, const uint64_t* keys, uint64_t n, TierMisses* misses);
  const char* (*pool)(TierCache* cache, const TierPool* pool);
  /// Whole rows of keys: those of misses stay as they are.
  const char* (*read)(TierCache* cache, const TierRows* rows, TierMisses* misses);
  /// A key that has a row here keeps it.
  const char* (*insert)(TierCache* cache, TierInsert* insert);
  /// Gives gradients to rows that are here, which are dirty then.
  const char* (*push)(TierCache* cache, const TierPush* push, TierMisses* misses);
  const char* (*assign)(TierCache* cache, const TierAssign* assign, TierMisses* misses);
  /// Rows that are here are held, or let go. Erased rows leave their holds to who comes next in
  /// their place: let them go before.
  const char* (*hold)(TierCache* cache, TierHold* hold, TierMisses* misses);
  /// Lets all rows go.
  const char* (*let_go)(TierCache* cache);
  const char* (*erase)(TierCache* cache, const uint64_t* keys, uint64_t n);
  /// Hands out dirty rows, at most rows->n of them (8 or more), from place *from on, and sets
  /// rows->n, which may be 0, and *from; they are clean then. The end is reached when *from is
  /// UINT64_MAX. Begin with 0.
  const char* (*flush)(TierCache* cache, TierRows* rows, uint64_t* from);
  /// Forgets every row, dirty ones too.
  const char* (*clear)(TierCache* cache);
  const char* (*stats)(TierCache* cache, TierStats* stats);
};

}  // namespace hotrow

#endif  // HOTROW_STORE_TIER_H_
