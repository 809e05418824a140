#include "server_object.h"

#include <utility>

#include "arguments.h"
#include "errors.h"
#include "options.h"
#include "results.h"
#include "store_object.h"

namespace hotrow::bindings {

Napi::Function ServerObject::define(Napi::Env env) {
  return DefineClass(
      env, "NativeServer",
      {InstanceMethod<&ServerObject::start>("start"), InstanceMethod<&ServerObject::stats>("stats"),
       InstanceMethod<&ServerObject::set_placement>("setPlacement"),
       InstanceMethod<&ServerObject::placement>("placement"),
       InstanceMethod<&ServerObject::believe_placement_for>("believePlacementFor"),
       InstanceMethod<&ServerObject::frozen_by>("frozenBy"),
       InstanceMethod<&ServerObject::thaw>("thaw"), InstanceMethod<&ServerObject::stop>("stop")});
}

ServerObject::ServerObject(const Napi::CallbackInfo& info)
    : Napi::ObjectWrap<ServerObject>(info),
      started_(std::make_shared<Started>()),
      lane_(std::make_shared<Lane>(info.Env())) {
  started_->store = StoreObject::of(info[0], "store");
  started_->options = read_server_options(info[1].As<Napi::Object>());
  expect_valid(info.Env(), started_->options.validate());
}

// start() -> its address
Napi::Value ServerObject::start(const Napi::CallbackInfo& info) {
  return lane_->submit(
      info.This().As<Napi::Object>(),
      [started = started_]() -> Status {
        auto server = Server::start(started->store, started->options);
        if (!server.ok()) return server.status();
        started->server = std::move(server).value();
        return {};
      },
      [started = started_](Napi::Env env) -> Napi::Value {
        return Napi::String::New(env, started->server->address());
      });
}

Napi::Value ServerObject::stats(const Napi::CallbackInfo& info) {
  const Napi::Env env = info.Env();
  const ServerStats stats = started_->server ? started_->server->stats() : ServerStats();
  Napi::Object object = figures_object(env, stats);
  object.Set("groups", groups_value(env, stats.groups));
  return object;
}

// setPlacement(text, self): on the lane, as it waits for requests that are under way.
Napi::Value ServerObject::set_placement(const Napi::CallbackInfo& info) {
  return lane_->submit(
      info.This().As<Napi::Object>(),
      // A copy, because a stop that came before lets the server go on the JavaScript thread.
      [server = started_->server, text = read_string(info[0], "placement"),
       self = read_string(info[1], "self")]() -> Status {
        if (!server) return Status::closed("the server is stopped");
        return server->set_placement(text, self);
      },
      [](Napi::Env env) { return env.Undefined(); });
}

// placement() -> its text; '' without one
Napi::Value ServerObject::placement(const Napi::CallbackInfo& info) {
  return Napi::String::New(info.Env(), started_->server ? started_->server->placement() : "");
}

// believePlacementFor(ms)
Napi::Value ServerObject::believe_placement_for(const Napi::CallbackInfo& info) {
  const auto time = std::chrono::milliseconds(info[0].As<Napi::Number>().Int64Value());
  if (started_->server) started_->server->believe_placement_for(time);
  return info.Env().Undefined();
}

// frozenBy() -> the mover's lock; 0: nothing is frozen
Napi::Value ServerObject::frozen_by(const Napi::CallbackInfo& info) {
  return to_number(info.Env(), started_->server ? started_->server->frozen_by() : 0);
}

// thaw(lock): on the lane, as it waits for requests that are under way.
Napi::Value ServerObject::thaw(const Napi::CallbackInfo& info) {
  return lane_->submit(
      info.This().As<Napi::Object>(),
      [server = started_->server, lock = to_count(info[0])]() -> Status {
        if (!server) return Status::closed("the server is stopped");
        server->thaw(lock);
        return {};
      },
      [](Napi::Env env) { return env.Undefined(); });
}

Napi::Value ServerObject::stop(const Napi::CallbackInfo& info) {
  return lane_->submit(
      info.This().As<Napi::Object>(),
      [started = started_]() -> Status {
        if (started->server) started->server->stop();
        return {};
      },
      [started = started_, lane = lane_](Napi::Env env) {
        started->server.reset();
        started->store.reset();
        lane->retire();
        return env.Undefined();
      });
}

}  // namespace hotrow::bindings
