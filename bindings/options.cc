#include "options.h"

#include <algorithm>
#include <vector>

#include "arguments.h"

namespace hotrow::bindings {

namespace {

template <class Enum>
Enum read_enum(Napi::Object object, const char* field) {
  return static_cast<Enum>(object.Get(field).As<Napi::Number>().Uint32Value());
}

float read_float(Napi::Object object, const char* field) {
  return object.Get(field).As<Napi::Number>().FloatValue();
}

double read_double(Napi::Object object, const char* field) {
  return object.Get(field).As<Napi::Number>().DoubleValue();
}

uint64_t read_count(Napi::Object object, const char* field) { return to_count(object.Get(field)); }

bool read_flag(Napi::Object object, const char* field) {
  return object.Get(field).As<Napi::Boolean>().Value();
}

uint64_t read_seed(Napi::Object object) {
  bool lossless = false;
  return object.Get("seed").As<Napi::BigInt>().Uint64Value(&lossless);
}

OptimizerOptions read_optimizer(Napi::Object object) {
  return {.kind = read_enum<OptimizerKind>(object, "kind"),
          .learning_rate = read_float(object, "learningRate"),
          .initial_accumulator = read_float(object, "initialAccumulator"),
          .epsilon = read_float(object, "epsilon"),
          .beta1 = read_float(object, "beta1"),
          .beta2 = read_float(object, "beta2"),
          .beta = read_float(object, "beta"),
          .l1 = read_float(object, "l1"),
          .l2 = read_float(object, "l2"),
          .l21 = read_float(object, "l21"),
          .momentum = read_float(object, "momentum"),
          .rho = read_float(object, "rho"),
          .decay_rate = read_float(object, "decayRate"),
          .decay_steps = static_cast<uint32_t>(read_count(object, "decaySteps")),
          .trust = read_float(object, "trust"),
          .weight_decay = read_float(object, "weightDecay"),
          .clip_value = read_float(object, "clipValue"),
          .clip_norm = read_float(object, "clipNorm")};
}

InitializerOptions read_initializer(Napi::Object object) {
  return {.kind = read_enum<InitializerKind>(object, "kind"),
          .value = read_float(object, "value"),
          .low = read_float(object, "low"),
          .high = read_float(object, "high"),
          .mean = read_float(object, "mean"),
          .stddev = read_float(object, "stddev")};
}

std::vector<OptimizerGroup> read_groups(Napi::Array array) {
  std::vector<OptimizerGroup> groups;
  for (uint32_t i = 0; i < array.Length(); ++i) {
    const auto object = array.Get(i).As<Napi::Object>();
    groups.push_back({.first_slot = static_cast<uint32_t>(read_count(object, "firstSlot")),
                      .last_slot = static_cast<uint32_t>(read_count(object, "lastSlot")),
                      .rate_scale = read_float(object, "rateScale"),
                      .weight_decay = read_float(object, "weightDecay"),
                      .frozen = read_flag(object, "frozen")});
  }
  return groups;
}

AdmissionOptions read_admission(Napi::Object object) {
  return {.kind = read_enum<AdmissionKind>(object, "kind"),
          .min_count = static_cast<uint32_t>(read_count(object, "minCount")),
          .probability = read_float(object, "probability"),
          .capacity = read_count(object, "capacity")};
}

EvictionOptions read_eviction(Napi::Object object) {
  return {.policy = read_enum<EvictionPolicy>(object, "policy"),
          .max_rows = read_count(object, "maxRows"),
          .max_bytes = read_count(object, "maxBytes"),
          .ttl_ms = read_count(object, "ttlMs"),
          .half_life = read_count(object, "halfLife"),
          .demote = read_flag(object, "demote"),
          .background = read_flag(object, "background"),
          .log = static_cast<uint32_t>(read_count(object, "log"))};
}

GpuOptions read_gpu(Napi::Object object) {
  return {.device = static_cast<uint32_t>(read_count(object, "device")),
          .bytes = read_count(object, "bytes"),
          .policy = read_enum<GpuPolicy>(object, "policy"),
          .promotion = read_enum<GpuPromotion>(object, "promotion"),
          .fill_above = read_double(object, "fillAbove")};
}

// A field of tls, empty where it was not given.
std::string read_tls(Napi::Object object, const char* field) {
  return read_string(object.Get("tls").As<Napi::Object>().Get(field), field);
}

}  // namespace

StoreOptions read_store_options(Napi::Object object) {
  return {.memory_bytes = read_count(object, "memoryBytes"),
          .threads = static_cast<uint32_t>(read_count(object, "threads")),
          .background_share = read_float(object, "backgroundShare"),
          .read_only = read_flag(object, "readOnly"),
          .version = read_string(object.Get("version"), "version"),
          .keep_versions = static_cast<uint32_t>(read_count(object, "keepVersions")),
          .keep_ms = read_count(object, "keepMs"),
          .sync = read_enum<SyncMode>(object, "sync"),
          .recover = read_enum<RecoverMode>(object, "recover"),
          .durable = read_enum<Durability>(object, "durable"),
          .gpu = read_gpu(object.Get("gpu").As<Napi::Object>())};
}

ConnectOptions read_connect_options(Napi::Object object) {
  ConnectOptions options{.timeout_ms = static_cast<uint32_t>(read_count(object, "timeoutMs")),
                         .spin_us = static_cast<uint32_t>(read_count(object, "spinUs")),
                         .tls = {.ca_file = read_tls(object, "caFile"),
                                 .cert_file = read_tls(object, "certFile"),
                                 .key_file = read_tls(object, "keyFile"),
                                 .psk_file = read_tls(object, "pskFile"),
                                 .token_file = read_tls(object, "tokenFile"),
                                 .server_name = read_tls(object, "serverName")},
                         .transport = read_enum<Transport>(object, "transport"),
                         .trace = read_string(object.Get("trace"), "trace")};
  options.placement = read_string(object.Get("placement"), "placement");
  const auto servers = object.Get("servers").As<Napi::Array>();
  for (uint32_t i = 0; i < servers.Length(); ++i) {
    options.servers.push_back(read_string(servers.Get(i), "servers"));
  }
  const auto followers = object.Get("followers").As<Napi::Array>();
  for (uint32_t i = 0; i < followers.Length(); ++i) {
    const auto pair = followers.Get(i).As<Napi::Array>();
    Followers& its = options.followers.emplace_back();
    its.of = read_string(pair.Get(0U), "followers");
    for (uint32_t j = 1; j < pair.Length(); ++j) {
      its.servers.push_back(read_string(pair.Get(j), "followers"));
    }
  }
  return options;
}

ServerOptions read_server_options(Napi::Object object) {
  return {.listen = read_string(object.Get("listen"), "listen"),
          .threads = static_cast<uint32_t>(read_count(object, "threads")),
          .spin_us = static_cast<uint32_t>(read_count(object, "spinUs")),
          .most_connections = static_cast<uint32_t>(read_count(object, "mostConnections")),
          .most_body_bytes = read_count(object, "mostBodyBytes"),
          .session_ms = static_cast<uint32_t>(read_count(object, "sessionMs")),
          .most_held_bytes = read_count(object, "mostHeldBytes"),
          .placed = object.Get("placed").ToBoolean().Value(),
          .tls = {.cert_file = read_tls(object, "certFile"),
                  .key_file = read_tls(object, "keyFile"),
                  .ca_file = read_tls(object, "caFile"),
                  .psk_file = read_tls(object, "pskFile"),
                  .token_file = read_tls(object, "tokenFile"),
                  .access_file = read_tls(object, "accessFile")},
          .transport = read_enum<Transport>(object, "transport"),
          .trace = read_string(object.Get("trace"), "trace")};
}

WorkerOptions read_worker_options(Napi::Object object) {
  return {.group = read_string(object.Get("group"), "group"),
          .index = static_cast<uint32_t>(read_count(object, "index")),
          .of = static_cast<uint32_t>(read_count(object, "of")),
          .mode = read_enum<ClockMode>(object, "mode"),
          .staleness = read_count(object, "staleness"),
          .lease_ms = static_cast<uint32_t>(read_count(object, "leaseMs"))};
}

TableOptions read_table_options(Napi::Object object) {
  return {.dim = static_cast<uint32_t>(std::min<uint64_t>(read_count(object, "dim"), UINT32_MAX)),
          .value_type = read_enum<ValueType>(object, "valueType"),
          .rounding = read_enum<Rounding>(object, "rounding"),
          .optimizer = read_optimizer(object.Get("optimizer").As<Napi::Object>()),
          .initializer = read_initializer(object.Get("initializer").As<Napi::Object>()),
          .missing = read_enum<Missing>(object, "missing"),
          .non_finite = read_enum<NonFinite>(object, "nonFinite"),
          .admission = read_admission(object.Get("admission").As<Napi::Object>()),
          .eviction = read_eviction(object.Get("eviction").As<Napi::Object>()),
          .hot_keys = static_cast<uint32_t>(read_count(object, "hotKeys")),
          .seed = read_seed(object),
          .groups = read_groups(object.Get("groups").As<Napi::Array>()),
          .gpu = read_float(object, "gpu")};
}

DenseOptions read_dense_options(Napi::Object object) {
  DenseOptions options{
      .shape = {},
      .optimizer = read_optimizer(object.Get("optimizer").As<Napi::Object>()),
      .initializer = read_initializer(object.Get("initializer").As<Napi::Object>()),
      .non_finite = read_enum<NonFinite>(object, "nonFinite"),
      .seed = read_seed(object)};
  const auto shape = object.Get("shape").As<Napi::Array>();
  for (uint32_t i = 0; i < shape.Length(); ++i) {
    options.shape.push_back(static_cast<uint64_t>(shape.Get(i).As<Napi::Number>().DoubleValue()));
  }
  return options;
}

PushOptions read_push_options(Napi::Value learning_rate) {
  return {.learning_rate = learning_rate.As<Napi::Number>().FloatValue()};
}

ShrinkOptions read_shrink_options(Napi::Object object) {
  return {.unseen_ms = read_count(object, "unseenMs"),
          .below_uses = read_double(object, "belowUses"),
          .below_norm = read_double(object, "belowNorm")};
}

UpdateOptions read_update_options(std::span<const float> state, Napi::Value steps) {
  return {.state = state, .steps = to_count(steps)};
}

Pooling read_pooling(Napi::Value value) {
  return static_cast<Pooling>(value.As<Napi::Number>().Uint32Value());
}

}  // namespace hotrow::bindings
