// A table's upkeep: room, eviction, scores, scans and figures. Limits of numbers are checked by
// lib/.
#include <utility>
#include <vector>

#include "arguments.h"
#include "options.h"
#include "results.h"
#include "store_object.h"

namespace hotrow::bindings {

namespace {

Napi::Object to_object(Napi::Env env, const TableStats& stats) {
  Napi::Object object = Napi::Object::New(env);
  const auto set = [&](const char* name, auto value) {
    object.Set(name, Napi::Number::New(env, static_cast<double>(value)));
  };
  set("rows", stats.rows);
  set("coldRows", stats.cold_rows);
  set("coldHits", stats.cold_hits);
  set("demoted", stats.demoted);
  set("promoted", stats.promoted);
  set("spilledRows", stats.spilled_rows);
  set("candidates", stats.candidates);
  set("rowBytes", stats.row_bytes);
  set("rowMemoryBytes", stats.row_memory_bytes);
  set("indexMemoryBytes", stats.index_memory_bytes);
  set("filterMemoryBytes", stats.filter_memory_bytes);
  set("hotKeysMemoryBytes", stats.hot_keys_memory_bytes);
  set("buckets", stats.buckets);
  set("bucketKeys", stats.bucket_keys);
  set("shards", stats.shards);
  set("load", stats.load);
  set("meanProbe", stats.mean_probe);
  set("longestProbe", stats.longest_probe);
  set("lookups", stats.lookups);
  set("hits", stats.hits);
  set("pushes", stats.pushes);
  set("updates", stats.updates);
  set("steps", stats.steps);
  set("created", stats.created);
  set("erased", stats.erased);
  set("skippedGradients", stats.skipped_gradients);
  set("notAdmitted", stats.not_admitted);
  set("evictedCapacity", stats.evicted_capacity);
  set("evictedExpired", stats.evicted_expired);
  set("evictedDemand", stats.evicted_demand);
  set("evictedShrink", stats.evicted_shrink);
  set("grownShards", stats.grown_shards);
  return object;
}

/// { keys, reasons }: the reasons as numbers, one a key.
Napi::Object to_object(Napi::Env env, const std::vector<EvictedKey>& evicted) {
  std::vector<uint64_t> keys;
  std::vector<uint8_t> reasons;
  keys.reserve(evicted.size());
  reasons.reserve(evicted.size());
  for (const auto& [key, reason] : evicted) {
    keys.push_back(key);
    reasons.push_back(static_cast<uint8_t>(reason));
  }
  Napi::Object object = Napi::Object::New(env);
  object.Set("keys", to_array(env, keys));
  object.Set("reasons", to_array(env, reasons));
  return object;
}

Napi::Object to_object(Napi::Env env, const HotKey& hot) {
  Napi::Object object = Napi::Object::New(env);
  object.Set("key", Napi::BigInt::New(env, hot.key));
  object.Set("count", to_number(env, hot.count));
  object.Set("error", to_number(env, hot.error));
  return object;
}

/// { keys, rows, state, next }: where the next page begins, or undefined.
Napi::Object to_object(Napi::Env env, const ScanPage& page) {
  Napi::Object object = Napi::Object::New(env);
  object.Set("keys", to_array(env, page.keys));
  object.Set("rows", to_array(env, page.rows));
  object.Set("state", to_array(env, page.state));
  object.Set("next", page.next ? Napi::BigInt::New(env, *page.next) : env.Undefined());
  return object;
}

}  // namespace

// prefetch(keys)
Napi::Value TableObject::prefetch(const Napi::CallbackInfo& info) {
  const auto keys = read_keys(info[0], "keys");
  auto buffers = lane_->take_buffers();
  buffers->keys.assign(keys.begin(), keys.end());
  return lane_->answer(
      info.This().As<Napi::Object>(),
      [table = table_, buffers] { return table->prefetch(buffers->keys); }, to_number);
}

Napi::Value TableObject::release_prefetched(const Napi::CallbackInfo& info) {
  return lane_->submit(
      info.This().As<Napi::Object>(), [table = table_] { return table->release_prefetched(); },
      undefined);
}

// reserve(rows)
Napi::Value TableObject::reserve(const Napi::CallbackInfo& info) {
  return lane_->submit(
      info.This().As<Napi::Object>(),
      [table = table_, rows = to_count(info[0])] { return table->reserve(rows); }, undefined);
}

// evict(rows)
Napi::Value TableObject::evict(const Napi::CallbackInfo& info) {
  return lane_->answer(
      info.This().As<Napi::Object>(),
      [table = table_, rows = to_count(info[0])] { return table->evict(rows); }, to_number);
}

// shrink({ unseenMs, belowUses, belowNorm })
Napi::Value TableObject::shrink(const Napi::CallbackInfo& info) {
  return lane_->answer(
      info.This().As<Napi::Object>(),
      [table = table_, options = read_shrink_options(info[0].As<Napi::Object>())] {
        return table->shrink(options);
      },
      to_number);
}

// decay(factor)
Napi::Value TableObject::decay(const Napi::CallbackInfo& info) {
  return lane_->submit(
      info.This().As<Napi::Object>(),
      [table = table_, factor = info[0].As<Napi::Number>().DoubleValue()] {
        return table->decay(factor);
      },
      undefined);
}

// setScores(keys, scores)
Napi::Value TableObject::set_scores(const Napi::CallbackInfo& info) {
  const auto keys = read_keys(info[0], "keys");
  const auto scores = read_floats(info[1], "scores");
  expect_length(info.Env(), "scores", scores.size(), keys.size(), "one a key");
  auto buffers = lane_->take_buffers();
  buffers->keys.assign(keys.begin(), keys.end());
  buffers->values.assign(scores.begin(), scores.end());
  return lane_->answer(
      info.This().As<Napi::Object>(),
      [table = table_, buffers] { return table->set_scores(buffers->keys, buffers->values); },
      to_number);
}

// takeEvicted(most)
Napi::Value TableObject::take_evicted(const Napi::CallbackInfo& info) {
  return lane_->answer(
      info.This().As<Napi::Object>(),
      [table = table_, most = to_count(info[0])] { return table->take_evicted(most); },
      [](Napi::Env env, const std::vector<EvictedKey>& evicted) {
        return to_object(env, evicted);
      });
}

// scan(from bigint, rows, state)
Napi::Value TableObject::scan(const Napi::CallbackInfo& info) {
  bool lossless = false;
  const uint64_t from = info[0].As<Napi::BigInt>().Uint64Value(&lossless);
  return lane_->answer(
      info.This().As<Napi::Object>(),
      [table = table_, from, rows = to_count(info[1]),
       options = ScanOptions{.state = info[2].As<Napi::Boolean>().Value()}] {
        return table->scan(from, rows, options);
      },
      [](Napi::Env env, const ScanPage& page) { return to_object(env, page); });
}

// hotKeys(most)
Napi::Value TableObject::hot_keys(const Napi::CallbackInfo& info) {
  return lane_->answer(
      info.This().As<Napi::Object>(),
      [table = table_, most = to_count(info[0])] { return table->hot_keys(most); },
      [](Napi::Env env, const std::vector<HotKey>& keys) {
        Napi::Array array = Napi::Array::New(env, keys.size());
        for (uint32_t i = 0; i < keys.size(); ++i) array.Set(i, to_object(env, keys[i]));
        return array;
      });
}

Napi::Value TableObject::stats(const Napi::CallbackInfo& info) {
  return lane_->answer(
      info.This().As<Napi::Object>(), [table = table_] { return table->stats(); },
      [](Napi::Env env, const TableStats& stats) { return to_object(env, stats); });
}

}  // namespace hotrow::bindings
