// The JavaScript object behind lib/serve.ts: a server, and the lane on which it starts and stops.
#ifndef HOTROW_BINDINGS_SERVER_OBJECT_H_
#define HOTROW_BINDINGS_SERVER_OBJECT_H_

#include <napi.h>

#include <memory>

#include "hotrow/server.h"
#include "lane.h"

namespace hotrow::bindings {

class ServerObject : public Napi::ObjectWrap<ServerObject> {
 public:
  static Napi::Function define(Napi::Env env);
  /// new NativeServer(store, options)
  explicit ServerObject(const Napi::CallbackInfo& info);

 private:
  Napi::Value start(const Napi::CallbackInfo& info);
  Napi::Value stats(const Napi::CallbackInfo& info);
  Napi::Value set_placement(const Napi::CallbackInfo& info);
  Napi::Value placement(const Napi::CallbackInfo& info);
  Napi::Value believe_placement_for(const Napi::CallbackInfo& info);
  Napi::Value frozen_by(const Napi::CallbackInfo& info);
  Napi::Value thaw(const Napi::CallbackInfo& info);
  Napi::Value stop(const Napi::CallbackInfo& info);

  // Shared with jobs, which may outlive a garbage-collected object by a moment.
  struct Started {
    std::shared_ptr<Store> store;
    ServerOptions options;
    std::shared_ptr<Server> server;  // set by the job of start(), before any later job runs
  };
  std::shared_ptr<Started> started_;
  std::shared_ptr<Lane> lane_;
};

}  // namespace hotrow::bindings

#endif  // HOTROW_BINDINGS_SERVER_OBJECT_H_
