#include "placements.h"

#include <algorithm>
#include <span>
#include <string>
#include <vector>

#include "arguments.h"
#include "errors.h"
#include "hotrow/placement.h"
#include "results.h"

namespace hotrow::bindings {

namespace {

std::vector<std::string> read_names(Napi::Value value) {
  const auto names = value.As<Napi::Array>();
  std::vector<std::string> servers;
  servers.reserve(names.Length());
  for (uint32_t i = 0; i < names.Length(); ++i) {
    servers.push_back(read_string(names.Get(i), "servers"));
  }
  return servers;
}

Napi::Value text_value(Napi::Env env, const Result<std::string>& text) {
  if (!text.ok()) throw_status(env, text.status());
  return Napi::String::New(env, text.value());
}

}  // namespace

Napi::Value make_placement(const Napi::CallbackInfo& info) {
  const auto numbers = info[2].As<Napi::Array>();
  std::vector<double> weights;
  weights.reserve(numbers.Length());
  for (uint32_t i = 0; i < numbers.Length(); ++i) {
    weights.push_back(numbers.Get(i).As<Napi::Number>().DoubleValue());
  }
  return text_value(info.Env(),
                    hotrow::make_placement(info[0].As<Napi::Number>().Uint32Value(),
                                           read_names(info[1]), std::span<const double>(weights)));
}

Napi::Value write_placement(const Napi::CallbackInfo& info) {
  const auto slots = info[2].As<Napi::Uint16Array>();
  return text_value(
      info.Env(),
      hotrow::make_placement(info[0].As<Napi::Number>().Uint32Value(), read_names(info[1]),
                             std::span<const uint16_t>(slots.Data(), slots.ElementLength())));
}

Napi::Value read_placement(const Napi::CallbackInfo& info) {
  const Napi::Env env = info.Env();
  const auto read = hotrow::read_placement(read_string(info[0], "placement"));
  if (!read.ok()) throw_status(env, read.status());
  const PlacementInfo& its = read.value();
  Napi::Object object = Napi::Object::New(env);
  Napi::Array servers = Napi::Array::New(env, its.servers.size());
  Napi::Array counts = Napi::Array::New(env, its.servers.size());
  for (uint32_t i = 0; i < its.servers.size(); ++i) {
    servers.Set(i, Napi::String::New(env, its.servers[i]));
    counts.Set(i, to_number(env, its.slot_counts[i]));
  }
  object.Set("epoch", to_number(env, its.epoch));
  object.Set("servers", servers);
  object.Set("slotCounts", counts);
  Napi::Uint16Array slots = Napi::Uint16Array::New(env, its.slots.size());
  std::ranges::copy(its.slots, slots.Data());
  object.Set("slots", slots);
  return object;
}

}  // namespace hotrow::bindings
