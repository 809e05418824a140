// A store's calls over several tables.
#include <algorithm>
#include <utility>
#include <vector>

#include "arguments.h"
#include "errors.h"
#include "options.h"
#include "results.h"
#include "store_object.h"

namespace hotrow::bindings {

namespace {

std::string name_of(uint32_t index) { return "requests[" + std::to_string(index) + "]"; }

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
  const std::string name = name_of(index);
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

/// The requests of lookupConcat. Spans lie in JavaScript's memory.
struct Concat {
  std::vector<TableLookup> lookups;
  std::vector<std::shared_ptr<Table>> tables;  // of the lookups
  std::vector<Napi::Value> founds;             // of the lookups; undefined where not asked
};

// ([[table, keys, offset, repeat, found, missing, relaxed, maxAge], …], out, size, stride)
Concat read_concat(const Napi::CallbackInfo& info) {
  const auto array = info[0].As<Napi::Array>();
  const uint64_t size = to_count(info[2]);
  const uint64_t stride = to_count(info[3]);
  const std::span<float> out = read_floats(info[1], "out");
  Concat concat;
  for (uint32_t i = 0; i < array.Length(); ++i) {
    const std::string name = name_of(i);
    const auto request = array.Get(i).As<Napi::Array>();
    const auto at = [&](uint32_t place) -> Napi::Value { return request.Get(place); };
    const TableObject* const table = TableObject::of(at(0), name.c_str());
    const auto keys = read_keys(at(1), (name + " keys").c_str());
    const LookupArguments options{at(4), at(5), at(6), at(7)};
    // Without rows there is no memory behind any column.
    const size_t offset = std::min<size_t>(to_count(at(2)), out.size());
    const std::string found_name = name + " options.found";
    concat.lookups.push_back(
        {.table = table->table().get(),
         .keys = keys,
         .rows = out.subspan(offset),
         .stride = stride,
         .repeat = static_cast<uint32_t>(to_count(at(3))),
         .options = read_lookup_options(options, keys.size(), found_name.c_str())});
    expect_apart(info.Env(), name + " keys", keys, "out", out);
    expect_apart(info.Env(), found_name, concat.lookups.back().options.found, "out", out);
    concat.tables.push_back(table->table());
    concat.founds.push_back(options.found);
  }
  // After the keys: where those are detached, lib/ has counted none.
  expect_length(
      info.Env(), "out", out.size(), size,
      std::to_string(stride == 0 ? 0 : size / stride) + " rows x stride " + std::to_string(stride));
  return concat;
}

}  // namespace

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

// lookupConcat(…) of read_concat: `out` is lib's own, nobody else has it.
Napi::Value StoreObject::lookup_concat(const Napi::CallbackInfo& info) {
  struct Parts {
    Concat concat;
    std::vector<std::shared_ptr<Buffers>> buffers;
    std::vector<FoundResult> founds;
  };
  auto parts = std::make_shared<Parts>();
  parts->concat = read_concat(info);
  for (size_t i = 0; i < parts->concat.lookups.size(); ++i) {
    TableLookup& lookup = parts->concat.lookups[i];
    parts->buffers.push_back(lane_->take_buffers());
    std::vector<uint64_t>& keys = parts->buffers.back()->keys;
    keys.assign(lookup.keys.begin(), lookup.keys.end());
    lookup.keys = keys;
    parts->founds.emplace_back(parts->concat.founds[i], lookup.options);
  }
  parts->concat.founds.clear();  // handles of this call
  auto result = std::make_shared<FloatResult>(info[1], to_count(info[2]),
                                              Napi::Boolean::New(info.Env(), true));
  return lane_->submit(
      info.This().As<Napi::Object>(),
      [opened = opened_, parts] { return opened->store->lookup_all(parts->concat.lookups); },
      [parts, result](Napi::Env env) { return resolve_lookup(env, *result, parts->founds); });
}

// lookupConcatSync(…) of read_concat, on the calling thread.
Napi::Value StoreObject::lookup_concat_sync(const Napi::CallbackInfo& info) {
  const Concat concat = read_concat(info);
  const Status status = opened_->store->lookup_all(concat.lookups);
  if (!status.ok()) throw_status(info.Env(), status);
  return info[1];
}

}  // namespace hotrow::bindings
