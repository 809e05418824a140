#include "device_rows_object.h"

#include <utility>

#include "arguments.h"
#include "environment.h"
#include "errors.h"
#include "options.h"
#include "results.h"
#include "store_object.h"

namespace hotrow::bindings {

struct DeviceRowsParts {
  std::shared_ptr<DeviceRows> rows;
  std::shared_ptr<Lane> lane;
};

Napi::Function DeviceRowsObject::define(Napi::Env env) {
  return DefineClass(env, "NativeDeviceRows",
                     {InstanceMethod<&DeviceRowsObject::rows>("rows"),
                      InstanceMethod<&DeviceRowsObject::copy_to>("copyTo"),
                      InstanceMethod<&DeviceRowsObject::release>("release")});
}

Napi::Value DeviceRowsObject::make(Napi::Env env, std::shared_ptr<DeviceRows> rows,
                                   std::shared_ptr<Lane> lane) {
  DeviceRowsParts parts{std::move(rows), std::move(lane)};
  Environment& environment = Environment::of(env);
  environment.device_rows_parts = &parts;
  try {
    return environment.device_rows.New({});
  } catch (const Napi::Error&) {
    environment.device_rows_parts = nullptr;
    throw;
  }
}

DeviceRowsObject::DeviceRowsObject(const Napi::CallbackInfo& info)
    : Napi::ObjectWrap<DeviceRowsObject>(info) {
  auto* const parts = std::exchange(Environment::of(info.Env()).device_rows_parts, nullptr);
  if (parts == nullptr) {
    throw_type(info.Env(), "rows", "table.lookupOnDevice()", "a constructor call");
  }
  rows_ = std::move(parts->rows);
  lane_ = std::move(parts->lane);
}

Napi::Value DeviceRowsObject::rows(const Napi::CallbackInfo& info) {
  return to_number(info.Env(), rows_ == nullptr ? 0 : rows_->rows());
}

// copyTo(out, fresh)
Napi::Value DeviceRowsObject::copy_to(const Napi::CallbackInfo& info) {
  if (rows_ == nullptr) throw_status(info.Env(), Status::closed("the rows have been released"));
  const size_t size = rows_->rows() * rows_->dim();
  expect_rows(info.Env(), "out", read_floats(info[0], "out").size(), rows_->rows(), rows_->dim());
  auto result = std::make_shared<FloatResult>(info[0], size, info[1]);
  return lane_->submit(
      info.This().As<Napi::Object>(),
      [rows = rows_, result] { return rows->copy_to(result->values()); },
      [result](Napi::Env env) { return result->resolve(env); });
}

Napi::Value DeviceRowsObject::release(const Napi::CallbackInfo& info) {
  rows_.reset();
  return info.Env().Undefined();
}

// lookupOnDevice(keys, found, missing, relaxed, maxAge)
Napi::Value TableObject::lookup_on_device(const Napi::CallbackInfo& info) {
  const auto keys = read_keys(info[0], "keys");
  LookupOptions options = read_lookup_options(wishes(info, 1), keys.size(), "found");
  auto found = std::make_shared<FoundResult>(info[1], options);
  auto buffers = lane_->take_buffers();
  buffers->keys.assign(keys.begin(), keys.end());
  return lane_->answer(
      info.This().As<Napi::Object>(),
      [table = table_, buffers, found, options] {
        return hotrow::lookup_on_device(*table, buffers->keys, options);
      },
      [lane = lane_, found](Napi::Env env, std::shared_ptr<DeviceRows>& rows) {
        found->check();
        const Napi::Value handle = DeviceRowsObject::make(env, std::move(rows), lane);
        found->fill();
        return handle;
      });
}

}  // namespace hotrow::bindings
