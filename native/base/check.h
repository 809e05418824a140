// How `validate()` words what is wrong: "field: expected X, received Y".
#ifndef HOTROW_BASE_CHECK_H_
#define HOTROW_BASE_CHECK_H_

#include <cmath>
#include <cstdint>
#include <string>

#include "hotrow/status.h"

namespace hotrow {

/// A number as messages write it, without the zeros at its end.
inline std::string number(double value) {
  std::string text = std::to_string(value);
  text.erase(text.find_last_not_of('0') + 1);
  if (text.back() == '.') text.pop_back();
  return text;
}

inline Status expect(bool holds, const std::string& field, const char* expected, double received) {
  if (holds) return {};
  return Status::invalid_argument(field + ": expected " + expected + ", received " +
                                  number(received));
}

inline Status expect_between(uint64_t x, const std::string& field, uint64_t least, uint64_t most) {
  const std::string expected =
      "an integer from " + std::to_string(least) + " to " + std::to_string(most);
  return expect(x >= least && x <= most, field, expected.c_str(), static_cast<double>(x));
}
inline Status expect_positive(float x, const std::string& field) {
  return expect(std::isfinite(x) && x > 0, field, "a finite number above 0", x);
}
inline Status expect_not_negative(float x, const std::string& field) {
  return expect(std::isfinite(x) && x >= 0, field, "a finite number of at least 0", x);
}
inline Status expect_fraction(float x, const std::string& field) {
  return expect(x >= 0 && x < 1, field, "a number from 0 to below 1", x);
}

}  // namespace hotrow

#endif  // HOTROW_BASE_CHECK_H_
