#include "mover_object.h"

#include <string>
#include <utility>

#include "arguments.h"
#include "errors.h"
#include "options.h"
#include "results.h"

namespace hotrow::bindings {

namespace {

Status closed() { return Status::closed("the mover is closed"); }

}  // namespace

Napi::Function MoverObject::define(Napi::Env env) {
  return DefineClass(
      env, "NativeMover",
      {InstanceMethod<&MoverObject::connect>("connect"), InstanceMethod<&MoverObject::held>("held"),
       InstanceMethod<&MoverObject::pause_versions>("pauseVersions"),
       InstanceMethod<&MoverObject::resume_versions>("resumeVersions"),
       InstanceMethod<&MoverObject::copy>("copy"), InstanceMethod<&MoverObject::freeze>("freeze"),
       InstanceMethod<&MoverObject::thaw>("thaw"), InstanceMethod<&MoverObject::tell>("tell"),
       InstanceMethod<&MoverObject::close>("close")});
}

MoverObject::MoverObject(const Napi::CallbackInfo& info)
    : Napi::ObjectWrap<MoverObject>(info),
      opened_(std::make_shared<Opened>()),
      lane_(std::make_shared<Lane>(info.Env())) {
  opened_->options = read_connect_options(info[0].As<Napi::Object>());
  opened_->lock = to_count(info[1]);
  expect_valid(info.Env(), opened_->options.validate());
}

Napi::Value MoverObject::step(const Napi::CallbackInfo& info,
                              std::function<Status(SlotMover&)> work) {
  return lane_->submit(
      info.This().As<Napi::Object>(),
      [opened = opened_, work = std::move(work)]() -> Status {
        return opened->mover ? work(*opened->mover) : closed();
      },
      [](Napi::Env env) { return env.Undefined(); });
}

// -> { rows, bytes }
Napi::Value MoverObject::count(const Napi::CallbackInfo& info,
                               std::function<Result<MovedRows>(SlotMover&)> work) {
  return lane_->answer(
      info.This().As<Napi::Object>(),
      [opened = opened_, work = std::move(work)]() -> Result<MovedRows> {
        if (!opened->mover) return closed();
        return work(*opened->mover);
      },
      [](Napi::Env env, const MovedRows& moved) -> Napi::Value {
        Napi::Object object = Napi::Object::New(env);
        object.Set("rows", to_number(env, moved.rows));
        object.Set("bytes", to_number(env, moved.bytes));
        return object;
      });
}

Napi::Value MoverObject::connect(const Napi::CallbackInfo& info) {
  return lane_->submit(
      info.This().As<Napi::Object>(),
      [opened = opened_]() -> Status {
        auto mover = SlotMover::connect(opened->options, opened->lock);
        if (!mover.ok()) return mover.status();
        opened->mover = std::move(mover).value();
        return {};
      },
      [](Napi::Env env) { return env.Undefined(); });
}

// held(server)
Napi::Value MoverObject::held(const Napi::CallbackInfo& info) {
  return count(info, [server = read_string(info[0], "server")](SlotMover& mover) {
    return mover.held(server);
  });
}

Napi::Value MoverObject::pause_versions(const Napi::CallbackInfo& info) {
  return step(info, [](SlotMover& mover) { return mover.pause_versions(); });
}

Napi::Value MoverObject::resume_versions(const Napi::CallbackInfo& info) {
  return step(info, [](SlotMover& mover) -> Status {
    mover.resume_versions();
    return {};
  });
}

// copy(from, to, slots)
Napi::Value MoverObject::copy(const Napi::CallbackInfo& info) {
  return count(info, [group = SlotGroup{.from = read_string(info[0], "from"),
                                        .to = read_string(info[1], "to"),
                                        .slots = read_string(info[2], "slots")}](SlotMover& mover) {
    return mover.copy(group);
  });
}

Napi::Value MoverObject::freeze(const Napi::CallbackInfo& info) {
  return count(info, [](SlotMover& mover) { return mover.freeze(); });
}

Napi::Value MoverObject::thaw(const Napi::CallbackInfo& info) {
  return step(info, [](SlotMover& mover) { return mover.thaw(); });
}

// tell(placement)
Napi::Value MoverObject::tell(const Napi::CallbackInfo& info) {
  return step(info, [text = read_string(info[0], "placement")](SlotMover& mover) {
    return mover.tell(text);
  });
}

Napi::Value MoverObject::close(const Napi::CallbackInfo& info) {
  return lane_->submit(
      info.This().As<Napi::Object>(),
      [opened = opened_]() -> Status {
        opened->mover.reset();
        return {};
      },
      [lane = lane_](Napi::Env env) {
        lane->retire();
        return env.Undefined();
      });
}

}  // namespace hotrow::bindings
