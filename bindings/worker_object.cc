#include "worker_object.h"

#include <utility>

#include "arguments.h"
#include "environment.h"
#include "errors.h"
#include "options.h"
#include "results.h"
#include "store_object.h"

namespace hotrow::bindings {

struct WorkerParts {
  std::shared_ptr<SyncWorker> worker;
  std::shared_ptr<Store> store;
};

Napi::Function WorkerObject::define(Napi::Env env) {
  return DefineClass(
      env, "NativeWorker",
      {InstanceMethod<&WorkerObject::tick>("tick"), InstanceMethod<&WorkerObject::clock>("clock"),
       InstanceMethod<&WorkerObject::leave>("leave")});
}

Napi::Value WorkerObject::make(Napi::Env env, std::shared_ptr<SyncWorker> worker,
                               std::shared_ptr<Store> store) {
  WorkerParts parts{std::move(worker), std::move(store)};
  Environment& environment = Environment::of(env);
  environment.worker_parts = &parts;
  try {
    return environment.worker.New({});
  } catch (const Napi::Error&) {
    environment.worker_parts = nullptr;
    throw;
  }
}

WorkerObject::WorkerObject(const Napi::CallbackInfo& info) : Napi::ObjectWrap<WorkerObject>(info) {
  auto* const parts = std::exchange(Environment::of(info.Env()).worker_parts, nullptr);
  if (parts == nullptr) throw_type(info.Env(), "worker", "store.worker()", "a constructor call");
  worker_ = std::move(parts->worker);
  store_ = std::move(parts->store);
  ticks_ = std::make_shared<Lane>(info.Env());
  looks_ = std::make_shared<Lane>(info.Env());
}

// worker(options)
Napi::Value StoreObject::worker(const Napi::CallbackInfo& info) {
  const auto options = read_worker_options(info[0].As<Napi::Object>());
  expect_valid(info.Env(), options.validate());
  return lane_->answer(
      info.This().As<Napi::Object>(),
      [opened = opened_, options] { return opened->store->worker(options); },
      [opened = opened_](Napi::Env env, const std::shared_ptr<SyncWorker>& worker) {
        return WorkerObject::make(env, worker, opened->store);
      });
}

// tick(waitMs)
Napi::Value WorkerObject::tick(const Napi::CallbackInfo& info) {
  return ticks_->submit(
      info.This().As<Napi::Object>(),
      [worker = worker_, wait = static_cast<uint32_t>(to_count(info[0]))] {
        return worker->tick(wait);
      },
      undefined);
}

Napi::Value WorkerObject::clock(const Napi::CallbackInfo& info) {
  return looks_->answer(
      info.This().As<Napi::Object>(), [worker = worker_] { return worker->clock(); },
      [](Napi::Env env, const GroupClock& clock) {
        Napi::Object object = Napi::Object::New(env);
        object.Set("mine", to_number(env, clock.mine));
        object.Set("slowest", to_number(env, clock.slowest));
        object.Set("workers", workers_value(env, clock.workers));
        return object;
      });
}

Napi::Value WorkerObject::leave(const Napi::CallbackInfo& info) {
  return ticks_->submit(
      info.This().As<Napi::Object>(), [worker = worker_] { return worker->leave(); },
      [ticks = ticks_, looks = looks_](Napi::Env env) {
        ticks->retire();
        looks->retire();
        return env.Undefined();
      });
}

}  // namespace hotrow::bindings
