// A dense parameter's calls.
#include <utility>

#include "arguments.h"
#include "environment.h"
#include "errors.h"
#include "options.h"
#include "results.h"
#include "store_object.h"

namespace hotrow::bindings {

struct DenseParts {
  std::shared_ptr<Dense> dense;
  std::shared_ptr<Store> store;
  std::shared_ptr<Lane> lane;
};

Napi::Function DenseObject::define(Napi::Env env) {
  return DefineClass(
      env, "NativeDense",
      {InstanceMethod<&DenseObject::pull>("pull"), InstanceMethod<&DenseObject::push>("push"),
       InstanceMethod<&DenseObject::update>("update")});
}

Napi::Value DenseObject::make(Napi::Env env, std::shared_ptr<Dense> dense,
                              std::shared_ptr<Store> store, std::shared_ptr<Lane> lane) {
  DenseParts parts{std::move(dense), std::move(store), std::move(lane)};
  Environment& environment = Environment::of(env);
  environment.dense_parts = &parts;
  try {
    return environment.dense.New({});
  } catch (const Napi::Error&) {
    environment.dense_parts = nullptr;
    throw;
  }
}

DenseObject::DenseObject(const Napi::CallbackInfo& info) : Napi::ObjectWrap<DenseObject>(info) {
  auto* const parts = std::exchange(Environment::of(info.Env()).dense_parts, nullptr);
  if (parts == nullptr) throw_type(info.Env(), "dense", "store.dense()", "a constructor call");
  dense_ = std::move(parts->dense);
  store_ = std::move(parts->store);
  lane_ = std::move(parts->lane);
}

// pull(out, fresh)
Napi::Value DenseObject::pull(const Napi::CallbackInfo& info) {
  const size_t size = dense_->size();
  expect_length(info.Env(), "out", read_floats(info[0], "out").size(), size,
                "the parameter's size");
  auto result = std::make_shared<FloatResult>(info[0], size, info[1]);
  return lane_->submit(
      info.This().As<Napi::Object>(),
      [dense = dense_, result] { return dense->pull(result->values()); },
      [result](Napi::Env env) { return result->resolve(env); });
}

Napi::Value DenseObject::write(const Napi::CallbackInfo& info, const char* argument,
                               std::function<Status(Dense&, std::span<const float>)> call) {
  const auto values = read_floats(info[0], argument);
  expect_length(info.Env(), argument, values.size(), dense_->size(), "the parameter's size");
  auto buffers = lane_->take_buffers();
  buffers->values.assign(values.begin(), values.end());
  return lane_->submit(
      info.This().As<Napi::Object>(),
      [dense = dense_, buffers, call = std::move(call)] { return call(*dense, buffers->values); },
      undefined);
}

Napi::Value DenseObject::push(const Napi::CallbackInfo& info) {
  return write(
      info, "gradient",
      [options = read_push_options(info[1])](Dense& dense, std::span<const float> gradient) {
        return dense.push(gradient, options);
      });
}

Napi::Value DenseObject::update(const Napi::CallbackInfo& info) {
  return write(info, "values", &Dense::update);
}

}  // namespace hotrow::bindings
