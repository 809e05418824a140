// The fields of the options, by the names that TypeScript has for them: how manifests and the wire
// write them. See json-inl.h.
#ifndef HOTROW_BASE_OPTIONS_FIELDS_INL_H_
#define HOTROW_BASE_OPTIONS_FIELDS_INL_H_

#include <type_traits>

#include "hotrow/options.h"

namespace hotrow {

constexpr OptimizerKind last_value(OptimizerKind) { return OptimizerKind::kLion; }
constexpr InitializerKind last_value(InitializerKind) { return InitializerKind::kTruncatedNormal; }
constexpr Missing last_value(Missing) { return Missing::kZeros; }
constexpr NonFinite last_value(NonFinite) { return NonFinite::kSkip; }
constexpr AdmissionKind last_value(AdmissionKind) { return AdmissionKind::kProbability; }
constexpr EvictionPolicy last_value(EvictionPolicy) { return EvictionPolicy::kRandom; }
constexpr ValueType last_value(ValueType) { return ValueType::kI4; }
constexpr Rounding last_value(Rounding) { return Rounding::kStochastic; }

template <class Archive, class Options>
void fields(Archive& a, Options& o)
  requires std::is_same_v<std::remove_const_t<Options>, OptimizerOptions>
{
  a("kind", o.kind);
  a("learningRate", o.learning_rate);
  a("initialAccumulator", o.initial_accumulator);
  a("epsilon", o.epsilon);
  a("beta1", o.beta1);
  a("beta2", o.beta2);
  a("beta", o.beta);
  a("l1", o.l1);
  a("l2", o.l2);
  a("l21", o.l21);
  a("momentum", o.momentum);
  a("rho", o.rho);
  a("decayRate", o.decay_rate);
  a("decaySteps", o.decay_steps);
  a("trust", o.trust);
  a("weightDecay", o.weight_decay);
  a("clipValue", o.clip_value);
  a("clipNorm", o.clip_norm);
}

template <class Archive, class Options>
void fields(Archive& a, Options& o)
  requires std::is_same_v<std::remove_const_t<Options>, OptimizerGroup>
{
  a("firstSlot", o.first_slot);
  a("lastSlot", o.last_slot);
  a("rateScale", o.rate_scale);
  a("weightDecay", o.weight_decay);
  a("frozen", o.frozen);
}

template <class Archive, class Options>
void fields(Archive& a, Options& o)
  requires std::is_same_v<std::remove_const_t<Options>, InitializerOptions>
{
  a("kind", o.kind);
  a("value", o.value);
  a("low", o.low);
  a("high", o.high);
  a("mean", o.mean);
  a("stddev", o.stddev);
}

template <class Archive, class Options>
void fields(Archive& a, Options& o)
  requires std::is_same_v<std::remove_const_t<Options>, AdmissionOptions>
{
  a("kind", o.kind);
  a("minCount", o.min_count);
  a("probability", o.probability);
  a("capacity", o.capacity);
}

template <class Archive, class Options>
void fields(Archive& a, Options& o)
  requires std::is_same_v<std::remove_const_t<Options>, EvictionOptions>
{
  a("policy", o.policy);
  a("maxRows", o.max_rows);
  a("maxBytes", o.max_bytes);
  a("ttlMs", o.ttl_ms);
  a("halfLife", o.half_life);
  a("demote", o.demote);
  a("background", o.background);
  a("log", o.log);
}

template <class Archive, class Options>
void fields(Archive& a, Options& o)
  requires std::is_same_v<std::remove_const_t<Options>, TableOptions>
{
  a("dim", o.dim);
  a("valueType", o.value_type);
  a("rounding", o.rounding);
  a("optimizer", o.optimizer);
  a("initializer", o.initializer);
  a("missing", o.missing);
  a("nonFinite", o.non_finite);
  a("admission", o.admission);
  a("eviction", o.eviction);
  a("hotKeys", o.hot_keys);
  a("seed", o.seed);
  a("groups", o.groups);
}

template <class Archive, class Options>
void fields(Archive& a, Options& o)
  requires std::is_same_v<std::remove_const_t<Options>, DenseChunk>
{
  a("shape", o.shape);
  a("count", o.count);
  a("pieces", o.pieces);
  a("index", o.index);
  a("slot", o.slot);
  a("slots", o.slots);
}

template <class Archive, class Options>
void fields(Archive& a, Options& o)
  requires std::is_same_v<std::remove_const_t<Options>, DenseOptions>
{
  a("shape", o.shape);
  a("optimizer", o.optimizer);
  a("initializer", o.initializer);
  a("nonFinite", o.non_finite);
  a("seed", o.seed);
  if (o.chunk.used() || !std::is_const_v<Options>) a.optional("chunk", o.chunk);
}

}  // namespace hotrow

#endif  // HOTROW_BASE_OPTIONS_FIELDS_INL_H_
