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
      {InstanceMethod<&DenseObject::pull>("pull"),
       InstanceMethod<&DenseObject::pull_state>("pullState"),
       InstanceMethod<&DenseObject::state_values>("stateValues"),
       InstanceMethod<&DenseObject::options>("options"), InstanceMethod<&DenseObject::push>("push"),
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

// pullState(values, state): both fresh; resolves with the pushes they have seen.
Napi::Value DenseObject::pull_state(const Napi::CallbackInfo& info) {
  const size_t size = dense_->size();
  const size_t state = dense_->state_values();
  expect_length(info.Env(), "values", read_floats(info[0], "values").size(), size,
                "the parameter's size");
  expect_length(info.Env(), "state", read_floats(info[1], "state").size(), state,
                "the parameter's state");
  struct Result {
    FloatResult values;
    FloatResult state;
  };
  const auto fresh = Napi::Boolean::New(info.Env(), true);
  auto result = std::make_shared<Result>(FloatResult(info[0], size, fresh),
                                         FloatResult(info[1], state, fresh));
  return lane_->answer(
      info.This().As<Napi::Object>(),
      [dense = dense_, result] {
        return dense->pull_state(result->values.values(), result->state.values());
      },
      [result](Napi::Env env, uint64_t steps) {
        result->values.resolve(env);
        result->state.resolve(env);
        return to_number(env, steps);
      });
}

Napi::Value DenseObject::state_values(const Napi::CallbackInfo& info) {
  return to_number(info.Env(), dense_->state_values());
}

Napi::Value DenseObject::options(const Napi::CallbackInfo& info) {
  return to_object(info.Env(), dense_->options());
}

// push(gradient, learningRate)
Napi::Value DenseObject::push(const Napi::CallbackInfo& info) {
  const auto gradient = read_floats(info[0], "gradient");
  expect_length(info.Env(), "gradient", gradient.size(), dense_->size(), "the parameter's size");
  auto buffers = lane_->take_buffers();
  buffers->values.assign(gradient.begin(), gradient.end());
  return lane_->submit(
      info.This().As<Napi::Object>(),
      [dense = dense_, buffers, options = read_push_options(info[1])] {
        return dense->push(buffers->values, options);
      },
      undefined);
}

// update(values, state?, steps)
Napi::Value DenseObject::update(const Napi::CallbackInfo& info) {
  const auto values = read_floats(info[0], "values");
  const auto state = read_optional_floats(info[1], "state");
  expect_length(info.Env(), "values", values.size(), dense_->size(), "the parameter's size");
  if (!info[1].IsUndefined()) {
    expect_length(info.Env(), "state", state.size(), dense_->state_values(),
                  "the parameter's state");
  }
  auto buffers = lane_->take_buffers();
  buffers->values.assign(values.begin(), values.end());
  buffers->weights.assign(state.begin(), state.end());
  return lane_->submit(
      info.This().As<Napi::Object>(),
      [dense = dense_, buffers, options = read_update_options(buffers->weights, info[2])] {
        return dense->update(buffers->values, options);
      },
      undefined);
}

}  // namespace hotrow::bindings
