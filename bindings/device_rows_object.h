// Rows on a device as JavaScript holds them: opaque, copied to the host when asked.
#ifndef HOTROW_BINDINGS_DEVICE_ROWS_OBJECT_H_
#define HOTROW_BINDINGS_DEVICE_ROWS_OBJECT_H_

#include <napi.h>

#include <memory>

#include "hotrow/device_rows.h"
#include "lane.h"

namespace hotrow::bindings {

class DeviceRowsObject : public Napi::ObjectWrap<DeviceRowsObject> {
 public:
  static Napi::Function define(Napi::Env env);
  static Napi::Value make(Napi::Env env, std::shared_ptr<DeviceRows> rows,
                          std::shared_ptr<Lane> lane);
  explicit DeviceRowsObject(const Napi::CallbackInfo& info);

 private:
  Napi::Value rows(const Napi::CallbackInfo& info);
  Napi::Value copy_to(const Napi::CallbackInfo& info);
  Napi::Value release(const Napi::CallbackInfo& info);

  std::shared_ptr<DeviceRows> rows_;  // null: released
  std::shared_ptr<Lane> lane_;
};

}  // namespace hotrow::bindings

#endif  // HOTROW_BINDINGS_DEVICE_ROWS_OBJECT_H_
