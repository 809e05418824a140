// How much work a test does: counts are written for an ordinary run in CI; HOTROW_TEST_SCALE
// multiplies them (a nightly run sets 10), and sanitizer builds divide them by what they slow down.
#ifndef HOTROW_TEST_SUPPORT_SCALE_H_
#define HOTROW_TEST_SUPPORT_SCALE_H_

#include <algorithm>
#include <cstdint>
#include <cstdlib>

#include "base/sync.h"

namespace hotrow::test {

#if defined(HOTROW_TSAN)
inline constexpr bool kThreadSanitizer = true;
inline constexpr double kSlowdown = 8;
#elif defined(__SANITIZE_ADDRESS__)
inline constexpr bool kThreadSanitizer = false;
inline constexpr double kSlowdown = 5;
#else
inline constexpr bool kThreadSanitizer = false;
inline constexpr double kSlowdown = 1;
#endif

inline double test_scale() {
  const char* const text = std::getenv("HOTROW_TEST_SCALE");
  const double scale = text == nullptr ? 1.0 : std::strtod(text, nullptr);
  return scale > 0 ? scale : 1.0;
}

/// `n`, scaled; at least 1.
inline uint64_t scaled(uint64_t n) {
  const double count = static_cast<double>(n) * test_scale() / kSlowdown;
  return std::max<uint64_t>(1, static_cast<uint64_t>(count));
}

}  // namespace hotrow::test

#endif  // HOTROW_TEST_SUPPORT_SCALE_H_
