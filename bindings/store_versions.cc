// A store's calls about its versions. Those that write or read files go in a lane of their own, so
// that lookups and pushes do not wait for them; those that change rows go with the others, in
// order.
#include <utility>

#include "arguments.h"
#include "results.h"
#include "store_object.h"

namespace hotrow::bindings {

namespace {

Napi::Object to_object(Napi::Env env, const VersionInfo& info) {
  Napi::Object object = Napi::Object::New(env);
  object.Set("version", to_number(env, info.version));
  object.Set("parent", to_number(env, info.parent));
  object.Set("timeMs", to_number(env, info.time_ms));
  object.Set("cursor", Napi::String::New(env, info.cursor));
  object.Set("bytes", to_number(env, info.bytes));
  object.Set("rows", to_number(env, info.rows));
  object.Set("rolledBackTo", to_number(env, info.rolled_back_to));
  object.Set("kept", Napi::Boolean::New(env, info.kept));
  object.Set("pinned", Napi::Boolean::New(env, info.pinned));
  Napi::Array names = Napi::Array::New(env, info.names.size());
  for (uint32_t i = 0; i < info.names.size(); ++i) {
    names.Set(i, Napi::String::New(env, info.names[i]));
  }
  object.Set("names", names);
  return object;
}

Napi::Value to_value(Napi::Env env, const VersionInfo& info) { return to_object(env, info); }

}  // namespace

// settled(): resolves when the calls made before have ended
Napi::Value StoreObject::settled(const Napi::CallbackInfo& info) {
  return lane_->submit(info.This().As<Napi::Object>(), [] { return Status(); }, undefined);
}

// commit(cursor, name); cursor undefined: as it was
Napi::Value StoreObject::commit(const Napi::CallbackInfo& info) {
  const bool keep = info[0].IsUndefined();
  return commits_->answer(
      info.This().As<Napi::Object>(),
      [opened = opened_, keep, cursor = keep ? std::string() : read_string(info[0], "cursor"),
       name = read_string(info[1], "name")] {
        return opened->store->commit({.cursor = cursor, .name = name, .keep_cursor = keep});
      },
      to_value);
}

Napi::Value StoreObject::version(const Napi::CallbackInfo& info) {
  return lane_->answer(
      info.This().As<Napi::Object>(), [opened = opened_] { return opened->store->version(); },
      to_value);
}

Napi::Value StoreObject::versions(const Napi::CallbackInfo& info) {
  return commits_->answer(
      info.This().As<Napi::Object>(), [opened = opened_] { return opened->store->versions(); },
      [](Napi::Env env, const std::vector<VersionInfo>& infos) {
        Napi::Array array = Napi::Array::New(env, infos.size());
        for (uint32_t i = 0; i < infos.size(); ++i) array.Set(i, to_object(env, infos[i]));
        return array;
      });
}

// rollback(version)
Napi::Value StoreObject::rollback(const Napi::CallbackInfo& info) {
  return lane_->answer(
      info.This().As<Napi::Object>(),
      [opened = opened_, version = read_string(info[0], "version")] {
        return opened->store->rollback(version);
      },
      to_value);
}

// nameVersion(name, version)
Napi::Value StoreObject::name_version(const Napi::CallbackInfo& info) {
  return commits_->submit(
      info.This().As<Napi::Object>(),
      [opened = opened_, name = read_string(info[0], "name"), version = to_count(info[1])] {
        return opened->store->name_version(name, version);
      },
      undefined);
}

// pinVersion(version, pinned)
Napi::Value StoreObject::pin_version(const Napi::CallbackInfo& info) {
  return commits_->submit(
      info.This().As<Napi::Object>(),
      [opened = opened_, version = to_count(info[0]), pinned = info[1].ToBoolean().Value()] {
        return opened->store->pin_version(version, pinned);
      },
      undefined);
}

// apply(folder)
Napi::Value StoreObject::apply(const Napi::CallbackInfo& info) {
  return lane_->answer(
      info.This().As<Napi::Object>(),
      [opened = opened_, folder = read_string(info[0], "folder")] {
        return opened->store->apply(folder);
      },
      to_value);
}

// snapshot(version, folder)
Napi::Value StoreObject::snapshot(const Napi::CallbackInfo& info) {
  return commits_->submit(
      info.This().As<Napi::Object>(),
      [opened = opened_, version = read_string(info[0], "version"),
       folder = read_string(info[1], "folder")] {
        return opened->store->snapshot(version, folder);
      },
      undefined);
}

Napi::Value StoreObject::recovered(const Napi::CallbackInfo& info) {
  return lane_->answer(
      info.This().As<Napi::Object>(), [opened = opened_] { return opened->store->recovered(); },
      [](Napi::Env env, const Recovery& recovery) {
        Napi::Object object = Napi::Object::New(env);
        object.Set("from", to_number(env, recovery.from));
        object.Set("to", to_number(env, recovery.to));
        object.Set("reason", Napi::String::New(env, recovery.reason));
        return object;
      });
}

Napi::Value StoreObject::refresh(const Napi::CallbackInfo& info) {
  return commits_->answer(
      info.This().As<Napi::Object>(), [opened = opened_] { return opened->store->refresh(); },
      to_value);
}

// diff(from, to)
Napi::Value StoreObject::diff(const Napi::CallbackInfo& info) {
  return commits_->answer(
      info.This().As<Napi::Object>(),
      [opened = opened_, from = read_string(info[0], "from"), to = read_string(info[1], "to")] {
        return opened->store->diff(from, to);
      },
      [](Napi::Env env, const std::vector<TableDiff>& diffs) {
        Napi::Array array = Napi::Array::New(env, diffs.size());
        for (uint32_t i = 0; i < diffs.size(); ++i) {
          Napi::Object object = Napi::Object::New(env);
          object.Set("name", Napi::String::New(env, diffs[i].name));
          object.Set("added", to_number(env, diffs[i].added));
          object.Set("removed", to_number(env, diffs[i].removed));
          object.Set("changed", to_number(env, diffs[i].changed));
          array.Set(i, object);
        }
        return array;
      });
}

Napi::Value StoreObject::verify(const Napi::CallbackInfo& info) {
  return commits_->submit(
      info.This().As<Napi::Object>(), [opened = opened_] { return opened->store->verify(); },
      undefined);
}

Napi::Value StoreObject::compact(const Napi::CallbackInfo& info) {
  return commits_->submit(
      info.This().As<Napi::Object>(), [opened = opened_] { return opened->store->compact(); },
      undefined);
}

}  // namespace hotrow::bindings
