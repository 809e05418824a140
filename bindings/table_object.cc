// A table's lookups and pushes: arguments read, copied and handed to the lane. The rest of its
// calls: table_upkeep.cc.
#include <utility>

#include "arguments.h"
#include "environment.h"
#include "errors.h"
#include "options.h"
#include "results.h"
#include "store_object.h"

namespace hotrow::bindings {

struct TableParts {
  std::shared_ptr<Table> table;
  std::shared_ptr<Store> store;
  std::shared_ptr<Lane> lane;
};

namespace {

// Marks the objects made here: unwrapping anything else would read foreign memory.
constexpr napi_type_tag kTableTag = {0x686f74726f77a001U, 0x9d3c5b7e21f04a66U};

}  // namespace

Napi::Function TableObject::define(Napi::Env env) {
  return DefineClass(env, "NativeTable",
                     {InstanceMethod<&TableObject::lookup>("lookup"),
                      InstanceMethod<&TableObject::lookup_sync>("lookupSync"),
                      InstanceMethod<&TableObject::lookup_sync_with>("lookupSyncWith"),
                      InstanceMethod<&TableObject::lookup_state>("lookupState"),
                      InstanceMethod<&TableObject::state_values>("stateValues"),
                      InstanceMethod<&TableObject::options>("options"),
                      InstanceMethod<&TableObject::lookup_pooled>("lookupPooled"),
                      InstanceMethod<&TableObject::lookup_on_device>("lookupOnDevice"),
                      InstanceMethod<&TableObject::push>("push"),
                      InstanceMethod<&TableObject::push_pooled>("pushPooled"),
                      InstanceMethod<&TableObject::update>("update"),
                      InstanceMethod<&TableObject::erase>("erase"),
                      InstanceMethod<&TableObject::prefetch>("prefetch"),
                      InstanceMethod<&TableObject::release_prefetched>("releasePrefetched"),
                      InstanceMethod<&TableObject::reserve>("reserve"),
                      InstanceMethod<&TableObject::evict>("evict"),
                      InstanceMethod<&TableObject::shrink>("shrink"),
                      InstanceMethod<&TableObject::decay>("decay"),
                      InstanceMethod<&TableObject::set_scores>("setScores"),
                      InstanceMethod<&TableObject::take_evicted>("takeEvicted"),
                      InstanceMethod<&TableObject::scan>("scan"),
                      InstanceMethod<&TableObject::hot_keys>("hotKeys"),
                      InstanceMethod<&TableObject::stats>("stats")});
}

Napi::Value TableObject::make(Napi::Env env, std::shared_ptr<Table> table,
                              std::shared_ptr<Store> store, std::shared_ptr<Lane> lane) {
  TableParts parts{std::move(table), std::move(store), std::move(lane)};
  Environment& environment = Environment::of(env);
  environment.table_parts = &parts;
  try {
    return environment.table.New({});
  } catch (const Napi::Error&) {
    environment.table_parts = nullptr;
    throw;
  }
}

TableObject::TableObject(const Napi::CallbackInfo& info) : Napi::ObjectWrap<TableObject>(info) {
  auto* const parts = std::exchange(Environment::of(info.Env()).table_parts, nullptr);
  if (parts == nullptr) throw_type(info.Env(), "table", "store.table()", "a constructor call");
  table_ = std::move(parts->table);
  store_ = std::move(parts->store);
  lane_ = std::move(parts->lane);
  dim_ = table_->options().dim;
  info.This().As<Napi::Object>().TypeTag(&kTableTag);
}

TableObject* TableObject::of(Napi::Value value, const char* argument) {
  if (!value.IsObject() || !value.As<Napi::Object>().CheckTypeTag(&kTableTag)) {
    throw_type(value.Env(), argument, "a table of this package", describe(value));
  }
  return Unwrap(value.As<Napi::Object>());
}

// (found, missing, relaxed, maxAge) of a call, from argument `first` on.
LookupArguments TableObject::wishes(const Napi::CallbackInfo& info, size_t first) {
  return {info[first], info[first + 1], info[first + 2], info[first + 3]};
}

Napi::Value TableObject::look_up(const Napi::CallbackInfo& info, KeyBatch keys,
                                 std::span<float> out,
                                 Status (Table::*call)(KeyBatch, RowBatch, const LookupOptions&)) {
  LookupOptions options = read_lookup_options(wishes(info, 3), keys.size(), "found");
  expect_apart(info.Env(), "found", options.found, "out", out);
  struct Result {
    FloatResult rows;
    FoundResult found;
  };
  auto buffers = lane_->take_buffers();
  buffers->keys.assign(keys.begin(), keys.end());
  auto result = std::make_shared<Result>(FloatResult(info[1], out.size(), info[2]),
                                         FoundResult(info[3], options));
  return lane_->submit(
      info.This().As<Napi::Object>(),
      [table = table_, buffers, result, options, call] {
        return (table.get()->*call)(buffers->keys, result->rows.values(), options);
      },
      [result](Napi::Env env) { return resolve_lookup(env, result->rows, {&result->found, 1}); });
}

// lookup(keys, out, fresh, found, missing, relaxed, maxAge)
Napi::Value TableObject::lookup(const Napi::CallbackInfo& info) {
  const auto keys = read_keys(info[0], "keys");
  const auto out = read_floats(info[1], "out");
  expect_rows(info.Env(), "out", out.size(), keys.size(), dim_);
  return look_up(info, keys, out, &Table::lookup);
}

// lookupState(keys, out, fresh, found)
Napi::Value TableObject::lookup_state(const Napi::CallbackInfo& info) {
  const auto keys = read_keys(info[0], "keys");
  const auto out = read_floats(info[1], "out");
  const uint64_t state = table_->state_values();
  expect_length(
      info.Env(), "out", out.size(), keys.size() * state,
      std::to_string(keys.size()) + " keys x " + std::to_string(state) + " values of state");
  return look_up(info, keys, out, &Table::lookup_state);
}

// lookupSync(keys, out)
Napi::Value TableObject::lookup_sync(const Napi::CallbackInfo& info) {
  const auto keys = read_keys(info[0], "keys");
  const auto out = read_floats(info[1], "out");
  expect_rows(info.Env(), "out", out.size(), keys.size(), dim_);
  expect_apart(info.Env(), "keys", keys, "out", out);
  const Status status = table_->lookup(keys, out);
  if (!status.ok()) throw_status(info.Env(), status);
  return info[1];
}

// lookupSyncWith(keys, out, found, missing, relaxed, maxAge)
Napi::Value TableObject::lookup_sync_with(const Napi::CallbackInfo& info) {
  const auto keys = read_keys(info[0], "keys");
  const auto out = read_floats(info[1], "out");
  expect_rows(info.Env(), "out", out.size(), keys.size(), dim_);
  expect_apart(info.Env(), "keys", keys, "out", out);
  const LookupOptions options = read_lookup_options(wishes(info, 2), keys.size(), "found");
  expect_apart(info.Env(), "found", options.found, "out", out);
  const Status status = table_->lookup(keys, out, options);
  if (!status.ok()) throw_status(info.Env(), status);
  return info[1];
}

Napi::Value TableObject::state_values(const Napi::CallbackInfo& info) {
  return to_number(info.Env(), table_->state_values());
}

Napi::Value TableObject::options(const Napi::CallbackInfo& info) {
  return to_object(info.Env(), table_->options());
}

// (keys, offsets, floats, pooling, weights?) of lookupPooled and pushPooled, whose last argument is
// `fresh` or the learning rate.
struct TableObject::BagArguments {
  std::shared_ptr<Buffers> buffers;
  size_t bags = 0;
  Pooling pooling = Pooling::kSum;

  BagBatch batch() const { return {buffers->keys, buffers->offsets, buffers->weights, pooling}; }
};

TableObject::BagArguments TableObject::read_bags(const Napi::CallbackInfo& info) const {
  const auto keys = read_keys(info[0], "keys");
  const auto offsets = read_offsets(info[1], "offsets");
  const auto weights = read_optional_floats(info[4], "weights");
  expect_offsets(info.Env(), offsets, keys.size());
  if (!info[4].IsUndefined()) {
    expect_length(info.Env(), "weights", weights.size(), keys.size(), "one a key");
  }
  BagArguments arguments{.buffers = lane_->take_buffers(),
                         .bags = offsets.size() - 1,
                         .pooling = read_pooling(info[3])};
  arguments.buffers->keys.assign(keys.begin(), keys.end());
  arguments.buffers->offsets.assign(offsets.begin(), offsets.end());
  arguments.buffers->weights.assign(weights.begin(), weights.end());
  return arguments;
}

Napi::Value TableObject::lookup_pooled(const Napi::CallbackInfo& info) {
  const BagArguments bags = read_bags(info);
  const size_t size = bags.bags * dim_;
  expect_length(info.Env(), "out", read_floats(info[2], "out").size(), size,
                std::to_string(bags.bags) + " bags x dim " + std::to_string(dim_));
  auto result = std::make_shared<FloatResult>(info[2], size, info[5]);
  return lane_->submit(
      info.This().As<Napi::Object>(),
      [table = table_, bags, result] {
        return table->lookup_pooled(bags.batch(), result->values());
      },
      [result](Napi::Env env) { return result->resolve(env); });
}

Napi::Value TableObject::push_pooled(const Napi::CallbackInfo& info) {
  const BagArguments bags = read_bags(info);
  const auto gradients = read_floats(info[2], "gradients");
  expect_length(info.Env(), "gradients", gradients.size(), bags.bags * dim_,
                std::to_string(bags.bags) + " bags x dim " + std::to_string(dim_));
  bags.buffers->values.assign(gradients.begin(), gradients.end());
  return lane_->submit(
      info.This().As<Napi::Object>(),
      [table = table_, bags, options = read_push_options(info[5])] {
        return table->push_pooled(bags.batch(), bags.buffers->values, options);
      },
      undefined);
}

std::shared_ptr<Buffers> TableObject::read_rows(const Napi::CallbackInfo& info,
                                                const char* argument) const {
  const auto keys = read_keys(info[0], "keys");
  const auto rows = read_floats(info[1], argument);
  expect_rows(info.Env(), argument, rows.size(), keys.size(), dim_);
  auto buffers = lane_->take_buffers();
  buffers->keys.assign(keys.begin(), keys.end());
  buffers->values.assign(rows.begin(), rows.end());
  return buffers;
}

// push(keys, gradients, learningRate)
Napi::Value TableObject::push(const Napi::CallbackInfo& info) {
  return lane_->submit(
      info.This().As<Napi::Object>(),
      [table = table_, buffers = read_rows(info, "gradients"),
       options = read_push_options(info[2])] {
        return table->push(buffers->keys, buffers->values, options);
      },
      undefined);
}

// update(keys, rows, state?, steps)
Napi::Value TableObject::update(const Napi::CallbackInfo& info) {
  auto buffers = read_rows(info, "rows");
  const auto state = read_optional_floats(info[2], "state");
  if (!info[2].IsUndefined()) {
    const uint64_t width = table_->state_values();
    expect_length(info.Env(), "state", state.size(), buffers->keys.size() * width,
                  std::to_string(buffers->keys.size()) + " keys x " + std::to_string(width) +
                      " values of state");
  }
  buffers->weights.assign(state.begin(), state.end());
  return lane_->submit(
      info.This().As<Napi::Object>(),
      [table = table_, buffers, options = read_update_options(buffers->weights, info[3])] {
        return table->update(buffers->keys, buffers->values, options);
      },
      undefined);
}

Napi::Value TableObject::erase(const Napi::CallbackInfo& info) {
  const auto keys = read_keys(info[0], "keys");
  auto buffers = lane_->take_buffers();
  buffers->keys.assign(keys.begin(), keys.end());
  return lane_->answer(
      info.This().As<Napi::Object>(),
      [table = table_, buffers] { return table->erase(buffers->keys); }, to_number);
}

}  // namespace hotrow::bindings
