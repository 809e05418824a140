// Results of asynchronous calls: arrays into which a lane's thread fills them, and numbers.
#ifndef HOTROW_BINDINGS_RESULTS_H_
#define HOTROW_BINDINGS_RESULTS_H_

#include <napi.h>

#include <cstddef>
#include <cstdint>
#include <memory>
#include <span>
#include <vector>

#include "hotrow/batch.h"
#include "hotrow/stats.h"
#include "hotrow/sync_worker.h"

namespace hotrow::bindings {

/// Where one result goes. Made and resolved on the JavaScript thread, filled on a lane's.
///
/// A new array is filled where it lies: nobody else has it before the promise resolves, so nothing
/// can detach it. The caller's own array is filled by a copy at the end.
class FloatResult {
 public:
  /// `out` is a Float32Array of `size` values, already checked; `fresh` when lib/ has just made it
  /// and nobody else has it.
  FloatResult(Napi::Value out, size_t size, Napi::Value fresh);

  /// The memory to fill.
  std::span<float> values() { return values_; }

  /// The filled array: `out` if there is one (a TypeError or RangeError if it was detached or
  /// resized meanwhile).
  Napi::Value resolve(Napi::Env env);

 private:
  std::unique_ptr<float[]> memory_;  // when the array is the caller's
  std::span<float> values_;
  Napi::ObjectReference array_;
};

/// Where the bits of a lookup's `found` go, if it was asked for: into the caller's array, by a copy
/// at the end. Threads as FloatResult.
class FoundResult {
 public:
  /// `found` is checked or undefined. Points options.found at memory of its own, which stays where
  /// it is when the object is moved.
  FoundResult(Napi::Value found, LookupOptions& options);

  /// Throws as FloatResult::resolve does.
  void check();
  /// Fills the caller's array, which check() has just found fit.
  void fill();

 private:
  std::vector<uint8_t> memory_;
  Napi::ObjectReference array_;  // empty: not asked
};

/// A lookup's rows and bits: all of what the caller gave is filled, or nothing.
Napi::Value resolve_lookup(Napi::Env env, FloatResult& rows, std::span<FoundResult> founds);

/// What a call that gives nothing resolves with.
inline Napi::Value undefined(Napi::Env env) { return env.Undefined(); }
/// A number that JavaScript holds exactly up to 2^53.
Napi::Value to_number(Napi::Env env, uint64_t value);

/// New arrays of these values; ERR_CAPACITY where there is no memory for them.
Napi::Value to_array(Napi::Env env, std::span<const uint64_t> keys);
Napi::Value to_array(Napi::Env env, std::span<const float> values);
Napi::Value to_array(Napi::Env env, std::span<const uint8_t> bytes);

/// As TypeScript has them.
Napi::Value workers_value(Napi::Env env, const std::vector<WorkerFigures>& workers);
Napi::Value groups_value(Napi::Env env, const std::vector<GroupFigures>& groups);
Napi::Object latency_object(Napi::Env env, const LatencySummary& summary);
/// Sets `latency`, an object by verb, and `tableLatency`, an array, of an object.
void set_latency(Napi::Object object, const std::vector<RequestTimes>& all);
/// Of a server, without its groups.
Napi::Object figures_object(Napi::Env env, const ServerFigures& figures);

}  // namespace hotrow::bindings

#endif  // HOTROW_BINDINGS_RESULTS_H_
