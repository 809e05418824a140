// A store's calls. The store itself is opened by the lane's first job, so that no call here ever
// works on the JavaScript thread.
#include "store_object.h"

#include <utility>

#include "arguments.h"
#include "environment.h"
#include "errors.h"
#include "results.h"

namespace hotrow::bindings {

namespace {

Napi::Value undefined(Napi::Env env) { return env.Undefined(); }

Napi::Number number(Napi::Env env, uint64_t value) {
  return Napi::Number::New(env, static_cast<double>(value));
}

Napi::Object to_object(Napi::Env env, const ParameterInfo& info) {
  Napi::Object object = Napi::Object::New(env);
  Napi::Array shape = Napi::Array::New(env, info.shape.size());
  for (uint32_t i = 0; i < info.shape.size(); ++i) shape.Set(i, number(env, info.shape[i]));
  object.Set("name", Napi::String::New(env, info.name));
  object.Set("kind",
             Napi::String::New(env, info.kind == ParameterKind::kTable ? "table" : "dense"));
  object.Set("shape", shape);
  object.Set("rows", number(env, info.rows));
  return object;
}

/// One element of lookupAll's or pushAll's list.
struct Request {
  std::shared_ptr<Table> table;
  std::shared_ptr<Buffers> buffers;
  std::shared_ptr<FloatResult> result;  // lookups
  PushOptions options;                  // pushes
};

struct RequestArguments {
  TableObject* table;
  std::span<const uint64_t> keys;
  Napi::Value floats;
  std::string floats_name;
  Napi::Value last;  // lookups: is `out` fresh? pushes: the learning rate
};

RequestArguments read_request(Napi::Array requests, uint32_t index, const char* floats_name) {
  const std::string name = "requests[" + std::to_string(index) + "]";
  const auto request = requests.Get(index).As<Napi::Array>();
  RequestArguments arguments;
  arguments.table = TableObject::of(request.Get(uint32_t{0}), name.c_str());
  arguments.keys = read_keys(request.Get(uint32_t{1}), (name + " keys").c_str());
  arguments.floats = request.Get(uint32_t{2});
  arguments.last = request.Get(uint32_t{3});
  arguments.floats_name = name + " " + floats_name;
  return arguments;
}

void check_floats(Napi::Env env, const RequestArguments& arguments) {
  const char* const name = arguments.floats_name.c_str();
  expect_rows(env, name, read_floats(arguments.floats, name).size(), arguments.keys.size(),
              arguments.table->dim());
}

}  // namespace

Napi::Function StoreObject::define(Napi::Env env) {
  return DefineClass(
      env, "NativeStore",
      {InstanceMethod<&StoreObject::open>("open"), InstanceMethod<&StoreObject::table>("table"),
       InstanceMethod<&StoreObject::dense>("dense"), InstanceMethod<&StoreObject::list>("list"),
       InstanceMethod<&StoreObject::drop>("drop"), InstanceMethod<&StoreObject::stats>("stats"),
       InstanceMethod<&StoreObject::lookup_all>("lookupAll"),
       InstanceMethod<&StoreObject::push_all>("pushAll"),
       InstanceMethod<&StoreObject::close>("close")});
}

StoreObject::StoreObject(const Napi::CallbackInfo& info)
    : Napi::ObjectWrap<StoreObject>(info),
      opened_(std::make_shared<Opened>()),
      lane_(std::make_shared<Lane>(info.Env())) {
  opened_->path = read_string(info[0], "path");
  opened_->options = read_store_options(info[1].As<Napi::Object>());
  expect_valid(info.Env(), opened_->options.validate());
}

Napi::Value StoreObject::open(const Napi::CallbackInfo& info) {
  return lane_->submit(
      info.This().As<Napi::Object>(),
      [opened = opened_]() -> Status {
        auto store = Store::open(opened->path, opened->options);
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
  auto table = std::make_shared<std::shared_ptr<Table>>();
  return lane_->submit(
      info.This().As<Napi::Object>(),
      [opened = opened_, table, name = read_string(info[0], "name"), options]() -> Status {
        auto result = opened->store->table(name, options);
        if (!result.ok()) return result.status();
        *table = std::move(result).value();
        return {};
      },
      [table, opened = opened_, lane = lane_](Napi::Env env) {
        return TableObject::make(env, *table, opened->store, lane);
      });
}

Napi::Value StoreObject::dense(const Napi::CallbackInfo& info) {
  const auto options = read_dense_options(info[1].As<Napi::Object>());
  expect_valid(info.Env(), options.validate());
  auto dense = std::make_shared<std::shared_ptr<Dense>>();
  return lane_->submit(
      info.This().As<Napi::Object>(),
      [opened = opened_, dense, name = read_string(info[0], "name"), options]() -> Status {
        auto result = opened->store->dense(name, options);
        if (!result.ok()) return result.status();
        *dense = std::move(result).value();
        return {};
      },
      [dense, opened = opened_, lane = lane_](Napi::Env env) {
        return DenseObject::make(env, *dense, opened->store, lane);
      });
}

Napi::Value StoreObject::list(const Napi::CallbackInfo& info) {
  auto infos = std::make_shared<std::vector<ParameterInfo>>();
  return lane_->submit(
      info.This().As<Napi::Object>(),
      [opened = opened_, infos]() -> Status {
        auto result = opened->store->list();
        if (!result.ok()) return result.status();
        *infos = std::move(result).value();
        return {};
      },
      [infos](Napi::Env env) -> Napi::Value {
        Napi::Array array = Napi::Array::New(env, infos->size());
        for (uint32_t i = 0; i < infos->size(); ++i) array.Set(i, to_object(env, (*infos)[i]));
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
  auto stats = std::make_shared<StoreStats>();
  return lane_->submit(
      info.This().As<Napi::Object>(),
      [opened = opened_, stats]() -> Status {
        const auto result = opened->store->stats();
        if (!result.ok()) return result.status();
        *stats = result.value();
        return {};
      },
      [stats](Napi::Env env) -> Napi::Value {
        Napi::Object object = Napi::Object::New(env);
        object.Set("memoryBytes", number(env, stats->memory_bytes));
        object.Set("memoryUsedBytes", number(env, stats->memory_used_bytes));
        object.Set("tables", number(env, stats->tables));
        object.Set("dense", number(env, stats->dense));
        object.Set("rows", number(env, stats->rows));
        object.Set("threads", number(env, stats->threads));
        return object;
      });
}

// lookupAll([[table, keys, out, fresh], …])
Napi::Value StoreObject::lookup_all(const Napi::CallbackInfo& info) {
  const auto array = info[0].As<Napi::Array>();
  auto requests = std::make_shared<std::vector<Request>>();
  for (uint32_t i = 0; i < array.Length(); ++i) {
    const RequestArguments arguments = read_request(array, i, "out");
    check_floats(info.Env(), arguments);
    Request request{
        .table = arguments.table->table(),
        .buffers = lane_->take_buffers(),
        .result = std::make_shared<FloatResult>(
            arguments.floats, arguments.keys.size() * arguments.table->dim(), arguments.last),
        .options = {}};
    request.buffers->keys.assign(arguments.keys.begin(), arguments.keys.end());
    requests->push_back(std::move(request));
  }
  return lane_->submit(
      info.This().As<Napi::Object>(),
      [opened = opened_, requests] {
        std::vector<TableLookup> lookups;
        for (const Request& request : *requests) {
          lookups.push_back({request.table.get(), request.buffers->keys, request.result->values()});
        }
        return opened->store->lookup_all(lookups);
      },
      [requests](Napi::Env env) -> Napi::Value {
        Napi::Array results = Napi::Array::New(env, requests->size());
        for (uint32_t i = 0; i < requests->size(); ++i) {
          results.Set(i, (*requests)[i].result->resolve(env));
        }
        return results;
      });
}

// pushAll([[table, keys, gradients, learningRate], …])
Napi::Value StoreObject::push_all(const Napi::CallbackInfo& info) {
  const auto array = info[0].As<Napi::Array>();
  auto requests = std::make_shared<std::vector<Request>>();
  for (uint32_t i = 0; i < array.Length(); ++i) {
    const RequestArguments arguments = read_request(array, i, "gradients");
    check_floats(info.Env(), arguments);
    const auto gradients = read_floats(arguments.floats, "gradients");
    Request request{.table = arguments.table->table(),
                    .buffers = lane_->take_buffers(),
                    .result = nullptr,
                    .options = read_push_options(arguments.last)};
    request.buffers->keys.assign(arguments.keys.begin(), arguments.keys.end());
    request.buffers->values.assign(gradients.begin(), gradients.end());
    requests->push_back(std::move(request));
  }
  return lane_->submit(
      info.This().As<Napi::Object>(),
      [opened = opened_, requests] {
        std::vector<TablePush> pushes;
        for (const Request& request : *requests) {
          pushes.push_back({request.table.get(), request.buffers->keys, request.buffers->values,
                            request.options});
        }
        return opened->store->push_all(pushes);
      },
      undefined);
}

Napi::Value StoreObject::close(const Napi::CallbackInfo& info) {
  return lane_->submit(
      info.This().As<Napi::Object>(),
      [opened = opened_]() -> Status {
        if (opened->store) opened->store->close();
        return {};
      },
      [lane = lane_](Napi::Env env) {
        lane->retire();
        return env.Undefined();
      });
}

}  // namespace hotrow::bindings
