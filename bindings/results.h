// Float32Array results of asynchronous calls: into the caller's array, or a new one.
#ifndef HOTROW_BINDINGS_RESULTS_H_
#define HOTROW_BINDINGS_RESULTS_H_

#include <napi.h>

#include <cstddef>
#include <memory>
#include <span>

namespace hotrow::bindings {

/// Where one result goes. Made and resolved on the JavaScript thread, filled on a lane's.
class FloatResult {
 public:
  /// `out` is the caller's Float32Array of `size` values, already checked, or undefined.
  FloatResult(Napi::Value out, size_t size);

  /// The memory to fill.
  std::span<float> values() { return {memory_.get(), size_}; }

  /// The filled array: `out` if there is one (a TypeError if it was detached or resized
  /// meanwhile), else a new array, which takes the memory over without a copy when it is large.
  Napi::Value resolve(Napi::Env env);

 private:
  size_t size_;
  std::unique_ptr<float[]> memory_;
  std::shared_ptr<Napi::ObjectReference> out_;
};

}  // namespace hotrow::bindings

#endif  // HOTROW_BINDINGS_RESULTS_H_
