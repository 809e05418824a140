#include "results.h"

#include <algorithm>
#include <new>
#include <string>
#include <utility>

#include "arguments.h"
#include "errors.h"

namespace hotrow::bindings {

namespace {

// Above this, making a buffer out of foreign memory is cheaper than copying.
constexpr size_t kAdoptBytes = 64 << 10;

void free_floats(napi_env, void* data, void*) { delete[] static_cast<float*>(data); }

}  // namespace

FloatResult::FloatResult(Napi::Value out, size_t size)
    : size_(size), memory_(new(std::nothrow) float[size]) {
  if (!memory_) {
    throw_status(out.Env(), Status::capacity("the system refused memory for a result of " +
                                             std::to_string(size) + " values"));
  }
  if (!out.IsUndefined()) {
    out_ = std::make_shared<Napi::ObjectReference>(Napi::Persistent(out.As<Napi::Object>()));
  }
}

Napi::Value FloatResult::resolve(Napi::Env env) {
  if (out_) {
    const Napi::Object out = out_->Value();
    const std::span<float> target = read_floats(out, "out");
    expect_length(env, "out", target.size(), size_, "as when the call was made");
    std::copy_n(memory_.get(), size_, target.begin());
    return out;
  }
  const size_t bytes = size_ * sizeof(float);
  napi_value buffer = nullptr;
  // Some runtimes (Electron) refuse foreign memory; then it is copied.
  if (bytes >= kAdoptBytes &&
      napi_create_external_arraybuffer(env, memory_.get(), bytes, free_floats, nullptr, &buffer) ==
          napi_ok) {
    (void)memory_.release();
    return Napi::Float32Array::New(env, size_, Napi::ArrayBuffer(env, buffer), 0);
  }
  Napi::Float32Array array = Napi::Float32Array::New(env, size_);
  std::copy_n(memory_.get(), size_, array.Data());
  return array;
}

}  // namespace hotrow::bindings
