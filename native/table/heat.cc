#include "table/heat.h"

#include <algorithm>
#include <array>
#include <bit>
#include <cmath>

namespace hotrow {

namespace {

// Up to here a log count is exact; beyond, so many steps double it.
constexpr uint32_t kExact = 16;

/// 2^(i / 16), correctly rounded constants: the same on every machine.
constexpr std::array<double, 16> kRoots = {
    1.0,
    1.0442737824274138,
    1.0905077326652577,
    1.1387886347566916,
    1.189207115002721,
    1.241857812073484,
    1.2968395546510096,
    1.3542555469368927,
    1.4142135623730951,
    1.4768261459394993,
    1.5422108254079407,
    1.6104903319492543,
    1.681792830507429,
    1.7562521603732995,
    1.8340080864093424,
    1.9152065613971474,
};

// Whoever asks may hold a clock from before the use that it asks about: a sixteenth of what a clock
// counts is taken as the future, and that has no age.
constexpr uint16_t age16(uint32_t clock, uint16_t then) {
  constexpr uint16_t kFuture = UINT16_MAX - UINT16_MAX / 16;
  const auto age = static_cast<uint16_t>(clock - then);
  return age < kFuture ? age : 0;
}
constexpr uint32_t age24(uint32_t clock, Heat then) {
  constexpr uint32_t kFuture = Heat::kMost - Heat::kMost / 16;
  const uint32_t age = (clock - then.bits()) & Heat::kMost;
  return age < kFuture ? age : 0;
}
/// The later of two clocks.
constexpr uint16_t later16(uint32_t clock, uint16_t then) {
  return age16(clock, then) == 0 ? then : static_cast<uint16_t>(clock);
}

}  // namespace

double LogCount::uses(uint8_t count) {
  if (count <= kExact) return count;
  const uint32_t steps = count - kExact;
  return kExact * static_cast<double>(1U << steps / 16) * kRoots[steps % 16];
}

uint8_t LogCount::next(uint8_t count, uint64_t random) {
  if (count == UINT8_MAX) return count;
  if (count < kExact) return static_cast<uint8_t>(count + 1);
  // A step is due once in as many uses as it stands for.
  const double width = uses(static_cast<uint8_t>(count + 1)) - uses(count);
  const double draw = static_cast<double>(random >> 11) * 0x1.0p-53;
  return draw * width < 1.0 ? static_cast<uint8_t>(count + 1) : count;
}

uint8_t LogCount::halved(uint8_t count, uint32_t times) {
  for (; times > 0 && count > 0; --times) {
    count = count >= kExact * 2 ? static_cast<uint8_t>(count - 16) : of(uses(count) / 2);
  }
  return count;
}

uint8_t LogCount::of(double wanted) {
  uint8_t count = 0;
  while (count < UINT8_MAX && uses(static_cast<uint8_t>(count + 1)) <= wanted) ++count;
  return count;
}

bool HeatRule::needed(EvictionPolicy policy) {
  switch (policy) {
    case EvictionPolicy::kLru:
    case EvictionPolicy::kLfu:
    case EvictionPolicy::kAgeingLfu:
    case EvictionPolicy::kTtl:
    case EvictionPolicy::kOldestStep:
    case EvictionPolicy::kLowestScore:
      return true;
    default:
      return false;
  }
}

HeatRule::HeatRule(const EvictionOptions& options, uint64_t most_rows)
    : policy_(options.policy), ttl_ms_(options.ttl_ms) {
  // Rows of a table of which nobody knows how large it will be.
  constexpr uint64_t kManyRows = uint64_t{1} << 24;
  const uint64_t rows = most_rows == 0 ? kManyRows : most_rows;
  by_time_ = ttl_ms_ != 0;
  counts_lookups_ = true;
  switch (policy_) {
    case EvictionPolicy::kLfu:
      form_ = by_time_ ? Form::kLogCount : Form::kCount;
      // Sixteen lifetimes until the clock has gone round.
      if (by_time_) tick_ = std::max<uint64_t>(ttl_ms_ >> 12, 1);
      return;
    case EvictionPolicy::kAgeingLfu:
      form_ = Form::kLogCount;
      tick_ = options.half_life != 0 ? options.half_life : 8 * rows;
      return;
    case EvictionPolicy::kOldestStep:
      form_ = Form::kStep;
      counts_lookups_ = false;
      return;
    case EvictionPolicy::kLowestScore:
      form_ = Form::kScore;
      counts_lookups_ = false;
      return;
    default:
      form_ = Form::kClock;
      tick_ = std::max<uint64_t>(by_time_ ? ttl_ms_ >> 16 : rows >> 14, 1);
  }
}

Heat HeatRule::fresh(uint32_t clock, uint64_t step) const {
  switch (form_) {
    case Form::kClock:
      return Heat(clock);
    case Form::kCount:
      return Heat(1);
    case Form::kLogCount:
      return {1, static_cast<uint16_t>(clock)};
    case Form::kStep:
      return Heat(static_cast<uint32_t>(step));
    case Form::kScore:
      return scored(0.0F);
  }
  return {};
}

Heat HeatRule::seen(uint32_t clock, uint32_t uses) const {
  if (form_ == Form::kCount) return Heat(uses);
  if (form_ == Form::kLogCount) return {LogCount::of(uses), static_cast<uint16_t>(clock)};
  return fresh(clock, 0);
}

Heat HeatRule::used(Heat heat, uint32_t clock, uint64_t hash) const {
  switch (form_) {
    case Form::kClock:
      return Heat(clock);
    case Form::kCount:
      return Heat(std::min(heat.bits() + 1, Heat::kMost));
    case Form::kLogCount: {
      // Without a TTL a tick is a half-life.
      const uint8_t count =
          by_time_ ? heat.upper() : LogCount::halved(heat.upper(), age16(clock, heat.lower()));
      const uint64_t random = mix64(hash ^ (uint64_t{clock} << 32) ^ heat.bits());
      return {LogCount::next(count, random), later16(clock, heat.lower())};
    }
    default:
      return heat;
  }
}

Heat HeatRule::scored(float score) {
  // Negative floats fall as their bits rise.
  const auto bits = std::bit_cast<uint32_t>(score);
  return Heat(((bits & 0x80000000U) != 0 ? ~bits : bits | 0x80000000U) >> 8);
}

Heat HeatRule::moved(Heat heat, uint32_t theirs, uint32_t ours) const {
  if (form_ == Form::kClock) return Heat(ours - age24(theirs, heat));
  if (form_ != Form::kLogCount) return heat;
  return {heat.upper(), static_cast<uint16_t>(ours - age16(theirs, heat.lower()))};
}

uint32_t HeatRule::rank(Heat heat, uint32_t clock, uint64_t step) const {
  switch (form_) {
    case Form::kClock:
      return Heat::kMost - age24(clock, heat);
    case Form::kCount:
    case Form::kScore:
      return heat.bits();
    case Form::kLogCount: {
      const uint16_t age = age16(clock, heat.lower());
      const uint8_t count = by_time_ ? heat.upper() : LogCount::halved(heat.upper(), age);
      return uint32_t{count} << 16 | static_cast<uint16_t>(~age);
    }
    case Form::kStep:
      return Heat::kMost - age24(static_cast<uint32_t>(step), heat);
  }
  return 0;
}

uint64_t HeatRule::unseen_ms(Heat heat, uint32_t clock) const {
  if (!by_time_) return 0;
  const uint64_t ticks = form_ == Form::kLogCount ? age16(clock, heat.lower()) : age24(clock, heat);
  return ticks * tick_;
}

double HeatRule::uses(Heat heat, uint32_t clock) const {
  if (form_ == Form::kCount) return heat.bits();
  if (form_ != Form::kLogCount) return 0;
  const uint16_t age = age16(clock, heat.lower());
  return LogCount::uses(by_time_ ? heat.upper() : LogCount::halved(heat.upper(), age));
}

Heat HeatRule::decayed(Heat heat, uint32_t clock, double factor) const {
  if (form_ == Form::kCount) {
    return Heat(static_cast<uint32_t>(static_cast<double>(heat.bits()) * factor));
  }
  if (form_ != Form::kLogCount) return heat;
  return {LogCount::of(uses(heat, clock) * factor),
          by_time_ ? heat.lower() : later16(clock, heat.lower())};
}

}  // namespace hotrow
