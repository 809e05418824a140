#include "table/row_codec.h"

#include <bit>
#include <cmath>
#include <cstring>
#include <limits>

namespace hotrow {

namespace {

enum class Fit : uint8_t { kExact, kScaleTooSmall, kScaleTooLarge, kNone };

/// How a decoded row lies to the one that is wanted.
Fit fit_of(const float* wanted, std::span<const float> decoded, float close) {
  bool less = false;
  bool more = false;
  for (size_t i = 0; i < decoded.size(); ++i) {
    less |= decoded[i] < wanted[i];
    more |= decoded[i] > wanted[i];
    if ((less && more) || std::abs(decoded[i] - wanted[i]) > close) return Fit::kNone;
  }
  if (less) return Fit::kScaleTooSmall;
  return more ? Fit::kScaleTooLarge : Fit::kExact;
}

}  // namespace

// Every decoded value rises with the scale, so the scales that give a wanted row lie side by side
// and are found by halving. Rows that were never rounded are told by their first few values.
void RowCodec::settle_scale(const float* in, std::byte* row, std::span<float> scratch) const {
  // Of a step: what rounding the scale can change in a value, and few others come near.
  constexpr float kClose = 1.0F / 64;
  constexpr float kReach = 1.0F / 128;
  std::byte* const place = row + padded_number_bytes(type_, dim_);
  float first = 0;
  std::memcpy(&first, place, sizeof first);
  if (!(first > 0)) return;
  auto scale = std::bit_cast<uint32_t>(first);
  auto low = std::bit_cast<uint32_t>(first - first * kReach);
  auto high = std::bit_cast<uint32_t>(first + first * kReach);
  // Asked of the first scale alone: those at the ends of the search may be a step off.
  float close = first * kClose;
  for (;;) {
    decode(row, scratch.data());
    const Fit fit = fit_of(in, scratch.first(dim_), close);
    close = std::numeric_limits<float>::infinity();
    if (fit == Fit::kExact) return;
    if (fit == Fit::kScaleTooSmall) low = scale + 1;
    if (fit == Fit::kScaleTooLarge) high = scale - 1;
    if (fit == Fit::kNone || low > high) break;
    scale = low + (high - low) / 2;
    std::memcpy(place, &scale, sizeof scale);
  }
  std::memcpy(place, &first, sizeof first);
}

}  // namespace hotrow
