// The addon's entry: classes, and the hashing of string keys.
#include <napi.h>

#include "arguments.h"
#include "device_rows_object.h"
#include "environment.h"
#include "errors.h"
#include "hotrow/keys.h"
#include "mover_object.h"
#include "placements.h"
#include "server_object.h"
#include "store_object.h"
#include "worker_object.h"

namespace hotrow::bindings {

namespace {

// hashStrings(strings, out BigUint64Array)
Napi::Value hash_strings(const Napi::CallbackInfo& info) {
  const auto strings = info[0].As<Napi::Array>();
  auto keys = info[1].As<Napi::BigUint64Array>();
  for (uint32_t i = 0; i < keys.ElementLength(); ++i) {
    keys[i] = hash_key(read_string(strings.Get(i), "value"));
  }
  return info[1];
}

// hashBytes(bytes Uint8Array) -> bigint
Napi::Value hash_bytes(const Napi::CallbackInfo& info) {
  const auto bytes = read_bytes(info[0], "value");
  const auto* const data = reinterpret_cast<const char*>(bytes.data());
  return Napi::BigInt::New(info.Env(), hash_key({data, bytes.size()}));
}

// initialize(StoreError, { newKeys, newFloats, newBytes }): must be called once per environment,
// before anything else.
Napi::Value initialize(const Napi::CallbackInfo& info) {
  Environment& environment = Environment::of(info.Env());
  environment.store_error = Napi::Persistent(info[0].As<Napi::Function>());
  const auto arrays = info[1].As<Napi::Object>();
  const auto function = [&](const char* name) {
    return Napi::Persistent(arrays.Get(name).As<Napi::Function>());
  };
  environment.new_keys = function("newKeys");
  environment.new_floats = function("newFloats");
  environment.new_bytes = function("newBytes");
  return info.Env().Undefined();
}

Napi::Object init(Napi::Env env, Napi::Object exports) {
  auto* const environment = new Environment;
  env.SetInstanceData(environment);
  environment->table = Napi::Persistent(TableObject::define(env));
  environment->dense = Napi::Persistent(DenseObject::define(env));
  environment->device_rows = Napi::Persistent(DeviceRowsObject::define(env));
  environment->worker = Napi::Persistent(WorkerObject::define(env));
  exports.Set("NativeStore", StoreObject::define(env));
  exports.Set("NativeServer", ServerObject::define(env));
  exports.Set("NativeMover", MoverObject::define(env));
  exports.Set("initialize", Napi::Function::New(env, initialize));
  exports.Set("hashStrings", Napi::Function::New(env, hash_strings));
  exports.Set("makePlacement", Napi::Function::New(env, make_placement));
  exports.Set("writePlacement", Napi::Function::New(env, write_placement));
  exports.Set("readPlacement", Napi::Function::New(env, read_placement));
  exports.Set("hashBytes", Napi::Function::New(env, hash_bytes));
  return exports;
}

}  // namespace

}  // namespace hotrow::bindings

using hotrow::bindings::init;
NODE_API_MODULE(hotrow, init)
