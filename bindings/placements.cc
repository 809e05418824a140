#include "placements.h"

#include <string>
#include <vector>

#include "arguments.h"
#include "errors.h"
#include "hotrow/placement.h"
#include "results.h"

namespace hotrow::bindings {

Napi::Value make_placement(const Napi::CallbackInfo& info) {
  const auto names = info[1].As<Napi::Array>();
  const auto numbers = info[2].As<Napi::Array>();
  std::vector<std::string> servers;
  std::vector<double> weights;
  servers.reserve(names.Length());
  weights.reserve(numbers.Length());
  for (uint32_t i = 0; i < names.Length(); ++i) {
    servers.push_back(read_string(names.Get(i), "servers"));
  }
  for (uint32_t i = 0; i < numbers.Length(); ++i) {
    weights.push_back(numbers.Get(i).As<Napi::Number>().DoubleValue());
  }
  const auto text =
      hotrow::make_placement(info[0].As<Napi::Number>().Uint32Value(), servers, weights);
  if (!text.ok()) throw_status(info.Env(), text.status());
  return Napi::String::New(info.Env(), text.value());
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
  return object;
}

}  // namespace hotrow::bindings
