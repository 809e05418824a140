// Float32Array results of asynchronous calls: into the caller's array, or a new one.
#ifndef HOTROW_BINDINGS_RESULTS_H_
#define HOTROW_BINDINGS_RESULTS_H_

#include <napi.h>

#include <cstddef>
#include <memory>
#include <span>

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

}  // namespace hotrow::bindings

#endif  // HOTROW_BINDINGS_RESULTS_H_
