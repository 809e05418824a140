// The JavaScript object behind lib/worker.ts: a worker of a training job. Its calls have a lane of
// their own, so that the store's calls go on while it waits for others.
#ifndef HOTROW_BINDINGS_WORKER_OBJECT_H_
#define HOTROW_BINDINGS_WORKER_OBJECT_H_

#include <napi.h>

#include <memory>

#include "hotrow/store.h"
#include "lane.h"

namespace hotrow::bindings {

class WorkerObject : public Napi::ObjectWrap<WorkerObject> {
 public:
  static Napi::Function define(Napi::Env env);
  /// `store` stays open as long as the worker's object or a call on it.
  static Napi::Value make(Napi::Env env, std::shared_ptr<SyncWorker> worker,
                          std::shared_ptr<Store> store);
  explicit WorkerObject(const Napi::CallbackInfo& info);

 private:
  Napi::Value tick(const Napi::CallbackInfo& info);
  Napi::Value clock(const Napi::CallbackInfo& info);
  Napi::Value leave(const Napi::CallbackInfo& info);

  std::shared_ptr<SyncWorker> worker_;
  std::shared_ptr<Store> store_;
  std::shared_ptr<Lane> ticks_;
  std::shared_ptr<Lane> looks_;
};

}  // namespace hotrow::bindings

#endif  // HOTROW_BINDINGS_WORKER_OBJECT_H_
