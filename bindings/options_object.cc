// Options on their way to JavaScript: what options.cc reads, the other way round.
#include "options.h"

namespace hotrow::bindings {

namespace {

/// An object under construction.
class Fields {
 public:
  explicit Fields(Napi::Env env) : env_(env), object_(Napi::Object::New(env)) {}

  template <class Number>
  Fields& number(const char* name, Number value) {
    object_.Set(name, Napi::Number::New(env_, static_cast<double>(value)));
    return *this;
  }
  Fields& flag(const char* name, bool value) {
    object_.Set(name, Napi::Boolean::New(env_, value));
    return *this;
  }
  Fields& object(const char* name, Napi::Object value) {
    object_.Set(name, value);
    return *this;
  }
  Fields& seed(uint64_t value) {
    object_.Set("seed", Napi::BigInt::New(env_, value));
    return *this;
  }
  Napi::Object done() const { return object_; }

 private:
  Napi::Env env_;
  Napi::Object object_;
};

Napi::Object to_object(Napi::Env env, const OptimizerOptions& options) {
  return Fields(env)
      .number("kind", options.kind)
      .number("learningRate", options.learning_rate)
      .number("initialAccumulator", options.initial_accumulator)
      .number("epsilon", options.epsilon)
      .number("beta1", options.beta1)
      .number("beta2", options.beta2)
      .number("beta", options.beta)
      .number("l1", options.l1)
      .number("l2", options.l2)
      .number("l21", options.l21)
      .number("momentum", options.momentum)
      .number("rho", options.rho)
      .number("decayRate", options.decay_rate)
      .number("decaySteps", options.decay_steps)
      .number("trust", options.trust)
      .number("weightDecay", options.weight_decay)
      .number("clipValue", options.clip_value)
      .number("clipNorm", options.clip_norm)
      .done();
}

Napi::Object to_object(Napi::Env env, const InitializerOptions& options) {
  return Fields(env)
      .number("kind", options.kind)
      .number("value", options.value)
      .number("low", options.low)
      .number("high", options.high)
      .number("mean", options.mean)
      .number("stddev", options.stddev)
      .done();
}

Napi::Object to_object(Napi::Env env, const OptimizerGroup& group) {
  return Fields(env)
      .number("firstSlot", group.first_slot)
      .number("lastSlot", group.last_slot)
      .number("rateScale", group.rate_scale)
      .number("weightDecay", group.weight_decay)
      .flag("frozen", group.frozen)
      .done();
}

Napi::Object to_object(Napi::Env env, const AdmissionOptions& options) {
  return Fields(env)
      .number("kind", options.kind)
      .number("minCount", options.min_count)
      .number("probability", options.probability)
      .number("capacity", options.capacity)
      .done();
}

Napi::Object to_object(Napi::Env env, const EvictionOptions& options) {
  return Fields(env)
      .number("policy", options.policy)
      .number("maxRows", options.max_rows)
      .number("maxBytes", options.max_bytes)
      .number("ttlMs", options.ttl_ms)
      .number("halfLife", options.half_life)
      .flag("demote", options.demote)
      .flag("background", options.background)
      .number("log", options.log)
      .done();
}

}  // namespace

Napi::Object to_object(Napi::Env env, const TableOptions& options) {
  Napi::Array groups = Napi::Array::New(env, options.groups.size());
  for (uint32_t i = 0; i < options.groups.size(); ++i) {
    groups.Set(i, to_object(env, options.groups[i]));
  }
  return Fields(env)
      .number("dim", options.dim)
      .number("valueType", options.value_type)
      .number("rounding", options.rounding)
      .object("optimizer", to_object(env, options.optimizer))
      .object("initializer", to_object(env, options.initializer))
      .number("missing", options.missing)
      .number("nonFinite", options.non_finite)
      .object("admission", to_object(env, options.admission))
      .object("eviction", to_object(env, options.eviction))
      .number("hotKeys", options.hot_keys)
      .seed(options.seed)
      .object("groups", groups)
      .number("gpu", options.gpu)
      .done();
}

Napi::Object to_object(Napi::Env env, const DenseOptions& options) {
  Napi::Array shape = Napi::Array::New(env, options.shape.size());
  for (uint32_t i = 0; i < options.shape.size(); ++i) {
    shape.Set(i, Napi::Number::New(env, static_cast<double>(options.shape[i])));
  }
  return Fields(env)
      .object("shape", shape)
      .object("optimizer", to_object(env, options.optimizer))
      .object("initializer", to_object(env, options.initializer))
      .number("nonFinite", options.non_finite)
      .seed(options.seed)
      .done();
}

}  // namespace hotrow::bindings
