// The JavaScript object behind lib/cluster/mover.ts: a SlotMover and the lane that does its steps.
#ifndef HOTROW_BINDINGS_MOVER_OBJECT_H_
#define HOTROW_BINDINGS_MOVER_OBJECT_H_

#include <napi.h>

#include <functional>
#include <memory>

#include "hotrow/slot_mover.h"
#include "lane.h"

namespace hotrow::bindings {

class MoverObject : public Napi::ObjectWrap<MoverObject> {
 public:
  static Napi::Function define(Napi::Env env);
  /// new NativeMover(connect options, lock)
  explicit MoverObject(const Napi::CallbackInfo& info);

 private:
  // Shared with jobs, which may outlive a garbage-collected object by a moment.
  struct Opened {
    ConnectOptions options;
    uint64_t lock = 0;
    std::shared_ptr<SlotMover> mover;  // set by the job of connect(), used by later jobs only
  };

  Napi::Value connect(const Napi::CallbackInfo& info);
  Napi::Value held(const Napi::CallbackInfo& info);
  Napi::Value pause_versions(const Napi::CallbackInfo& info);
  Napi::Value resume_versions(const Napi::CallbackInfo& info);
  Napi::Value copy(const Napi::CallbackInfo& info);
  Napi::Value freeze(const Napi::CallbackInfo& info);
  Napi::Value thaw(const Napi::CallbackInfo& info);
  Napi::Value tell(const Napi::CallbackInfo& info);
  Napi::Value close(const Napi::CallbackInfo& info);

  /// work(mover) on the lane.
  Napi::Value step(const Napi::CallbackInfo& info, std::function<Status(SlotMover&)> work);
  Napi::Value count(const Napi::CallbackInfo& info,
                    std::function<Result<MovedRows>(SlotMover&)> work);

  std::shared_ptr<Opened> opened_;
  std::shared_ptr<Lane> lane_;
};

}  // namespace hotrow::bindings

#endif  // HOTROW_BINDINGS_MOVER_OBJECT_H_
