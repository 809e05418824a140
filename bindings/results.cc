#include "results.h"

#include <algorithm>

#include "arguments.h"

namespace hotrow::bindings {

FloatResult::FloatResult(Napi::Value out, size_t size, Napi::Value fresh)
    : array_(Napi::Persistent(out.As<Napi::Object>())) {
  if (fresh.ToBoolean()) {
    values_ = read_floats(out, "out");
  } else {
    memory_ = std::make_unique_for_overwrite<float[]>(size);
    values_ = {memory_.get(), size};
  }
}

Napi::Value FloatResult::resolve(Napi::Env env) {
  const Napi::Object array = array_.Value();
  if (memory_) {
    const std::span<float> target = read_floats(array, "out");
    expect_length(env, "out", target.size(), values_.size(), "as when the call was made");
    std::copy(values_.begin(), values_.end(), target.begin());
  }
  return array;
}

}  // namespace hotrow::bindings
