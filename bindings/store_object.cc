// A store's calls but those over several tables (store_requests.cc). The store itself is opened by
// the lane's first job, so that no call here ever works on the JavaScript thread.
#include "store_object.h"

#include <optional>
#include <utility>

#include "arguments.h"
#include "environment.h"
#include "errors.h"
#include "options.h"
#include "results.h"

namespace hotrow::bindings {

namespace {

// Marks the objects made here: unwrapping anything else would read foreign memory.
constexpr napi_type_tag kStoreTag = {0x686f74726f77a002U, 0x51c0e9d3a7b84f21U};

Napi::Object to_object(Napi::Env env, const ParameterInfo& info) {
  Napi::Object object = Napi::Object::New(env);
  Napi::Array shape = Napi::Array::New(env, info.shape.size());
  for (uint32_t i = 0; i < info.shape.size(); ++i) shape.Set(i, to_number(env, info.shape[i]));
  object.Set("name", Napi::String::New(env, info.name));
  object.Set("kind",
             Napi::String::New(env, info.kind == ParameterKind::kTable ? "table" : "dense"));
  object.Set("shape", shape);
  object.Set("rows", to_number(env, info.rows));
  return object;
}

Napi::Object to_object(Napi::Env env, const StoreLatency& latency) {
  Napi::Object object = Napi::Object::New(env);
  object.Set("lookup", latency_object(env, latency.lookup));
  object.Set("lookupPooled", latency_object(env, latency.lookup_pooled));
  object.Set("push", latency_object(env, latency.push));
  object.Set("update", latency_object(env, latency.update));
  object.Set("erase", latency_object(env, latency.erase));
  return object;
}

Napi::Object to_object(Napi::Env env, const GpuTableStats& stats) {
  Napi::Object object = Napi::Object::New(env);
  object.Set("name", Napi::String::New(env, stats.name));
  object.Set("reason", Napi::String::New(env, stats.reason));
  object.Set("capacity", to_number(env, stats.capacity));
  object.Set("rows", to_number(env, stats.rows));
  object.Set("dirtyRows", to_number(env, stats.dirty_rows));
  object.Set("heldRows", to_number(env, stats.held_rows));
  object.Set("usedBytes", to_number(env, stats.used_bytes));
  object.Set("lookups", to_number(env, stats.lookups));
  object.Set("hits", to_number(env, stats.hits));
  object.Set("inserted", to_number(env, stats.inserted));
  object.Set("evicted", to_number(env, stats.evicted));
  object.Set("refused", to_number(env, stats.refused));
  object.Set("defaulted", to_number(env, stats.defaulted));
  object.Set("fillsWaiting", to_number(env, stats.fills_waiting));
  object.Set("fillsDropped", to_number(env, stats.fills_dropped));
  return object;
}

Napi::Value stats_value(Napi::Env env, const std::optional<RemoteStats>& stats) {
  if (!stats) return env.Null();
  Napi::Object object = Napi::Object::New(env);
  object.Set("hedged", to_number(env, stats->hedged));
  object.Set("hedgesWon", to_number(env, stats->hedges_won));
  set_latency(object, stats->latency);
  Napi::Array servers = Napi::Array::New(env, stats->servers.size());
  for (uint32_t i = 0; i < stats->servers.size(); ++i) {
    Napi::Object its = figures_object(env, stats->servers[i]);
    its.Set("server", Napi::String::New(env, stats->servers[i].server));
    servers.Set(i, its);
  }
  object.Set("servers", servers);
  return object;
}

Napi::Value stats_value(Napi::Env env, const std::optional<GpuStats>& stats) {
  if (!stats) return env.Null();
  Napi::Object object = Napi::Object::New(env);
  Napi::Array tables = Napi::Array::New(env, stats->tables.size());
  for (uint32_t i = 0; i < stats->tables.size(); ++i) {
    tables.Set(i, to_object(env, stats->tables[i]));
  }
  object.Set("available", Napi::Boolean::New(env, stats->available));
  object.Set("reason", Napi::String::New(env, stats->reason));
  object.Set("device", Napi::String::New(env, stats->device));
  object.Set("computeCapability", Napi::String::New(env, stats->compute_capability));
  object.Set("driver", Napi::String::New(env, stats->driver));
  object.Set("memoryBytes", to_number(env, stats->memory_bytes));
  object.Set("usedBytes", to_number(env, stats->used_bytes));
  object.Set("tables", tables);
  return object;
}

}  // namespace

Napi::Function StoreObject::define(Napi::Env env) {
  return DefineClass(env, "NativeStore",
                     {InstanceMethod<&StoreObject::open>("open"),
                      InstanceMethod<&StoreObject::table>("table"),
                      InstanceMethod<&StoreObject::dense>("dense"),
                      InstanceMethod<&StoreObject::existing_table>("existingTable"),
                      InstanceMethod<&StoreObject::existing_dense>("existingDense"),
                      InstanceMethod<&StoreObject::list>("list"),
                      InstanceMethod<&StoreObject::drop>("drop"),
                      InstanceMethod<&StoreObject::stats>("stats"),
                      InstanceMethod<&StoreObject::worker>("worker"),
                      InstanceMethod<&StoreObject::set_placement>("setPlacement"),
                      InstanceMethod<&StoreObject::settled>("settled"),
                      InstanceMethod<&StoreObject::commit>("commit"),
                      InstanceMethod<&StoreObject::version>("version"),
                      InstanceMethod<&StoreObject::versions>("versions"),
                      InstanceMethod<&StoreObject::rollback>("rollback"),
                      InstanceMethod<&StoreObject::name_version>("nameVersion"),
                      InstanceMethod<&StoreObject::pin_version>("pinVersion"),
                      InstanceMethod<&StoreObject::apply>("apply"),
                      InstanceMethod<&StoreObject::snapshot>("snapshot"),
                      InstanceMethod<&StoreObject::recovered>("recovered"),
                      InstanceMethod<&StoreObject::refresh>("refresh"),
                      InstanceMethod<&StoreObject::diff>("diff"),
                      InstanceMethod<&StoreObject::verify>("verify"),
                      InstanceMethod<&StoreObject::compact>("compact"),
                      InstanceMethod<&StoreObject::lookup_all>("lookupAll"),
                      InstanceMethod<&StoreObject::push_all>("pushAll"),
                      InstanceMethod<&StoreObject::lookup_concat>("lookupConcat"),
                      InstanceMethod<&StoreObject::lookup_concat_sync>("lookupConcatSync"),
                      InstanceMethod<&StoreObject::close>("close")});
}

StoreObject::StoreObject(const Napi::CallbackInfo& info)
    : Napi::ObjectWrap<StoreObject>(info),
      opened_(std::make_shared<Opened>()),
      lane_(std::make_shared<Lane>(info.Env())),
      commits_(std::make_shared<Lane>(info.Env())) {
  info.This().As<Napi::Object>().TypeTag(&kStoreTag);
  if (!info[2].IsUndefined()) {
    opened_->connect = read_connect_options(info[2].As<Napi::Object>());
    expect_valid(info.Env(), opened_->connect->validate());
    return;
  }
  opened_->path = read_string(info[0], "path");
  opened_->options = read_store_options(info[1].As<Napi::Object>());
  expect_valid(info.Env(), opened_->options.validate());
}

std::shared_ptr<Store> StoreObject::of(Napi::Value value, const char* argument) {
  if (!value.IsObject() || !value.As<Napi::Object>().CheckTypeTag(&kStoreTag)) {
    throw_type(value.Env(), argument, "a store of this package", describe(value));
  }
  auto store = Unwrap(value.As<Napi::Object>())->opened_->store;
  if (store == nullptr) throw_type(value.Env(), argument, "an open store", "one that is not open");
  return store;
}

// setPlacement(text): at once, because a call on the lane may be waiting for it.
Napi::Value StoreObject::set_placement(const Napi::CallbackInfo& info) {
  const auto store = opened_->store;
  if (store == nullptr) throw_status(info.Env(), Status::closed("the store is closed"));
  const Status status = store->set_placement(read_string(info[0], "placement"));
  if (!status.ok()) throw_status(info.Env(), status);
  return info.Env().Undefined();
}

Napi::Value StoreObject::open(const Napi::CallbackInfo& info) {
  return lane_->submit(
      info.This().As<Napi::Object>(),
      [opened = opened_]() -> Status {
        auto store = opened->connect ? connect(*opened->connect)
                                     : Store::open(opened->path, opened->options);
        if (!store.ok()) return store.status();
        opened->store = std::move(store).value();
        return {};
      },
      [opened = opened_](Napi::Env env) -> Napi::Value {
        return Napi::String::New(env, opened->store->path());
      });
}

Napi::Value StoreObject::table(const Napi::CallbackInfo& info) {
  const auto options = read_table_options(info[1].As<Napi::Object>());
  expect_valid(info.Env(), options.validate());
  return lane_->answer(
      info.This().As<Napi::Object>(),
      [opened = opened_, name = read_string(info[0], "name"), options] {
        return opened->store->table(name, options);
      },
      [opened = opened_, lane = lane_](Napi::Env env, const std::shared_ptr<Table>& table) {
        return TableObject::make(env, table, opened->store, lane);
      });
}

Napi::Value StoreObject::dense(const Napi::CallbackInfo& info) {
  const auto options = read_dense_options(info[1].As<Napi::Object>());
  expect_valid(info.Env(), options.validate());
  return lane_->answer(
      info.This().As<Napi::Object>(),
      [opened = opened_, name = read_string(info[0], "name"), options] {
        return opened->store->dense(name, options);
      },
      [opened = opened_, lane = lane_](Napi::Env env, const std::shared_ptr<Dense>& dense) {
        return DenseObject::make(env, dense, opened->store, lane);
      });
}

// existingTable(name)
Napi::Value StoreObject::existing_table(const Napi::CallbackInfo& info) {
  return lane_->answer(
      info.This().As<Napi::Object>(),
      [opened = opened_, name = read_string(info[0], "name")] {
        return opened->store->table(name);
      },
      [opened = opened_, lane = lane_](Napi::Env env, const std::shared_ptr<Table>& table) {
        return TableObject::make(env, table, opened->store, lane);
      });
}

// existingDense(name)
Napi::Value StoreObject::existing_dense(const Napi::CallbackInfo& info) {
  return lane_->answer(
      info.This().As<Napi::Object>(),
      [opened = opened_, name = read_string(info[0], "name")] {
        return opened->store->dense(name);
      },
      [opened = opened_, lane = lane_](Napi::Env env, const std::shared_ptr<Dense>& dense) {
        return DenseObject::make(env, dense, opened->store, lane);
      });
}

Napi::Value StoreObject::list(const Napi::CallbackInfo& info) {
  return lane_->answer(
      info.This().As<Napi::Object>(), [opened = opened_] { return opened->store->list(); },
      [](Napi::Env env, const std::vector<ParameterInfo>& infos) {
        Napi::Array array = Napi::Array::New(env, infos.size());
        for (uint32_t i = 0; i < infos.size(); ++i) array.Set(i, to_object(env, infos[i]));
        return array;
      });
}

Napi::Value StoreObject::drop(const Napi::CallbackInfo& info) {
  return lane_->submit(
      info.This().As<Napi::Object>(),
      [opened = opened_, name = read_string(info[0], "name")] { return opened->store->drop(name); },
      undefined);
}

Napi::Value StoreObject::stats(const Napi::CallbackInfo& info) {
  return lane_->answer(
      info.This().As<Napi::Object>(), [opened = opened_] { return opened->store->stats(); },
      [](Napi::Env env, const StoreStats& stats) {
        Napi::Object object = Napi::Object::New(env);
        object.Set("memoryBytes", to_number(env, stats.memory_bytes));
        object.Set("memoryUsedBytes", to_number(env, stats.memory_used_bytes));
        object.Set("rowMemoryBytes", to_number(env, stats.row_memory_bytes));
        object.Set("indexMemoryBytes", to_number(env, stats.index_memory_bytes));
        object.Set("filterMemoryBytes", to_number(env, stats.filter_memory_bytes));
        object.Set("hotKeysMemoryBytes", to_number(env, stats.hot_keys_memory_bytes));
        object.Set("denseMemoryBytes", to_number(env, stats.dense_memory_bytes));
        object.Set("tables", to_number(env, stats.tables));
        object.Set("dense", to_number(env, stats.dense));
        object.Set("rows", to_number(env, stats.rows));
        object.Set("threads", to_number(env, stats.threads));
        object.Set("latency", to_object(env, stats.latency));
        object.Set("gpu", stats_value(env, stats.gpu));
        object.Set("remote", stats_value(env, stats.remote));
        return object;
      });
}

Napi::Value StoreObject::close(const Napi::CallbackInfo& info) {
  return lane_->submit(
      info.This().As<Napi::Object>(),
      [opened = opened_]() -> Status {
        if (opened->store) opened->store->close();
        return {};
      },
      [lane = lane_, commits = commits_](Napi::Env env) {
        lane->retire();
        commits->retire();
        return env.Undefined();
      });
}

}  // namespace hotrow::bindings
