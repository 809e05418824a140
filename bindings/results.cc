#include "results.h"

#include <algorithm>

#include "arguments.h"
#include "environment.h"
#include "errors.h"

namespace hotrow::bindings {

FloatResult::FloatResult(Napi::Value out, size_t size, Napi::Value fresh)
    : array_(Napi::Persistent(out.As<Napi::Object>())) {
  if (fresh.ToBoolean()) {
    values_ = read_floats(out, "out");
  } else {
    memory_ = std::make_unique_for_overwrite<float[]>(size);
    values_ = {memory_.get(), size};
  }
}

Napi::Value FloatResult::resolve(Napi::Env env) {
  const Napi::Object array = array_.Value();
  if (memory_) {
    const std::span<float> target = read_floats(array, "out");
    expect_length(env, "out", target.size(), values_.size(), "as when the call was made");
    std::copy(values_.begin(), values_.end(), target.begin());
  }
  return array;
}

FoundResult::FoundResult(Napi::Value found, LookupOptions& options) {
  if (found.IsUndefined()) return;
  array_ = Napi::Persistent(found.As<Napi::Object>());
  memory_.resize(options.found.size());
  options.found = memory_;
}

void FoundResult::check() {
  if (array_.IsEmpty()) return;
  const size_t size = read_bytes(array_.Value(), "found").size();
  if (size == memory_.size()) return;
  throw_range(array_.Env(), "found",
              std::to_string(memory_.size()) + " bytes (as when the call was made)",
              std::to_string(size));
}

void FoundResult::fill() {
  if (array_.IsEmpty()) return;
  std::copy(memory_.begin(), memory_.end(), read_bytes(array_.Value(), "found").begin());
}

Napi::Value resolve_lookup(Napi::Env env, FloatResult& rows, std::span<FoundResult> founds) {
  for (FoundResult& found : founds) found.check();
  const Napi::Value array = rows.resolve(env);
  for (FoundResult& found : founds) found.fill();
  return array;
}

Napi::Value to_number(Napi::Env env, uint64_t value) {
  return Napi::Number::New(env, static_cast<double>(value));
}

Napi::Value to_array(Napi::Env env, std::span<const uint64_t> keys) {
  const Napi::Value array = Environment::of(env).new_keys.Call({to_number(env, keys.size())});
  std::copy(keys.begin(), keys.end(), array.As<Napi::BigUint64Array>().Data());
  return array;
}

Napi::Value to_array(Napi::Env env, std::span<const uint8_t> bytes) {
  const Napi::Value array = Environment::of(env).new_bytes.Call({to_number(env, bytes.size())});
  std::copy(bytes.begin(), bytes.end(), array.As<Napi::Uint8Array>().Data());
  return array;
}

Napi::Value to_array(Napi::Env env, std::span<const float> values) {
  const Napi::Value array = Environment::of(env).new_floats.Call(
      {to_number(env, values.size()), Napi::Number::New(env, 1)});
  std::copy(values.begin(), values.end(), array.As<Napi::Float32Array>().Data());
  return array;
}

Napi::Object latency_object(Napi::Env env, const LatencySummary& summary) {
  Napi::Object object = Napi::Object::New(env);
  object.Set("count", to_number(env, summary.count));
  object.Set("meanNs", Napi::Number::New(env, summary.mean_ns));
  object.Set("p50Ns", to_number(env, summary.p50_ns));
  object.Set("p90Ns", to_number(env, summary.p90_ns));
  object.Set("p99Ns", to_number(env, summary.p99_ns));
  object.Set("p999Ns", to_number(env, summary.p999_ns));
  object.Set("maxNs", to_number(env, summary.max_ns));
  return object;
}

void set_latency(Napi::Object object, const std::vector<RequestTimes>& all) {
  const Napi::Env env = object.Env();
  Napi::Object verbs = Napi::Object::New(env);
  Napi::Array tables = Napi::Array::New(env);
  for (const RequestTimes& its : all) {
    Napi::Object stages = Napi::Object::New(env);
    if (!its.table.empty()) {
      stages.Set("table", Napi::String::New(env, its.table));
      stages.Set("verb", Napi::String::New(env, its.verb));
    }
    for (const StageTime& each : its.stages) stages.Set(each.stage, latency_object(env, each.time));
    if (its.table.empty()) {
      verbs.Set(its.verb, stages);
    } else {
      tables.Set(tables.Length(), stages);
    }
  }
  object.Set("latency", verbs);
  object.Set("tableLatency", tables);
}

Napi::Object figures_object(Napi::Env env, const ServerFigures& figures) {
  Napi::Object object = Napi::Object::New(env);
  object.Set("connections", to_number(env, figures.connections));
  object.Set("fabric", to_number(env, figures.fabric));
  object.Set("sessions", to_number(env, figures.sessions));
  object.Set("requests", to_number(env, figures.requests));
  object.Set("failures", to_number(env, figures.failures));
  object.Set("repeated", to_number(env, figures.repeated));
  object.Set("refused", to_number(env, figures.refused));
  set_latency(object, figures.latency);
  return object;
}

Napi::Value workers_value(Napi::Env env, const std::vector<WorkerFigures>& workers) {
  Napi::Array array = Napi::Array::New(env, workers.size());
  for (uint32_t i = 0; i < workers.size(); ++i) {
    Napi::Object object = Napi::Object::New(env);
    object.Set("index", to_number(env, workers[i].index));
    object.Set("clock", to_number(env, workers[i].clock));
    object.Set("alive", Napi::Boolean::New(env, workers[i].alive));
    object.Set("behindMs", to_number(env, workers[i].behind_ms));
    array.Set(i, object);
  }
  return array;
}

Napi::Value groups_value(Napi::Env env, const std::vector<GroupFigures>& groups) {
  constexpr const char* kModes[] = {"async", "bounded", "bulk"};
  Napi::Array array = Napi::Array::New(env, groups.size());
  for (uint32_t i = 0; i < groups.size(); ++i) {
    const GroupFigures& its = groups[i];
    Napi::Object object = Napi::Object::New(env);
    object.Set("group", Napi::String::New(env, its.group));
    object.Set("mode", Napi::String::New(env, kModes[static_cast<size_t>(its.mode)]));
    object.Set("staleness", to_number(env, its.staleness));
    object.Set("leads", Napi::Boolean::New(env, its.leads));
    object.Set("slowest", to_number(env, its.slowest));
    object.Set("dropped", to_number(env, its.dropped));
    object.Set("heldBytes", to_number(env, its.held_bytes));
    object.Set("workers", workers_value(env, its.workers));
    array.Set(i, object);
  }
  return array;
}

}  // namespace hotrow::bindings
