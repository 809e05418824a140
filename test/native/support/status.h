// Assertions on Status and Result, and `must` for what a test relies on but does not test.
#ifndef HOTROW_TEST_SUPPORT_STATUS_H_
#define HOTROW_TEST_SUPPORT_STATUS_H_

#include <gtest/gtest.h>

#include <limits>
#include <stdexcept>
#include <string>
#include <string_view>
#include <utility>

#include "hotrow/status.h"

namespace hotrow::test {

constexpr auto kInvalid = StatusCode::kInvalidArgument;
constexpr float kNan = std::numeric_limits<float>::quiet_NaN();

inline std::string describe(const Status& status) {
  return std::string(status_traits(status.code()).name) + " '" + status.message() + "'";
}

inline testing::AssertionResult ok(const Status& status) {
  if (status.ok()) return testing::AssertionSuccess();
  return testing::AssertionFailure() << describe(status);
}
template <class T>
testing::AssertionResult ok(const Result<T>& result) {
  return ok(result.status());
}

/// Does `status` carry `code`, and does its message name `part`?
inline testing::AssertionResult fails(const Status& status, StatusCode code,
                                      std::string_view part = "") {
  if (status.code() == code && status.message().find(part) != std::string::npos) {
    return testing::AssertionSuccess();
  }
  return testing::AssertionFailure() << "got " << describe(status) << ", expected "
                                     << status_traits(code).name << " with '" << part << "'";
}
template <class T>
testing::AssertionResult fails(const Result<T>& result, StatusCode code,
                               std::string_view part = "") {
  return fails(result.status(), code, part);
}

/// Ends the test when what it builds on failed.
inline void must(const Status& status) {
  if (!status.ok()) throw std::runtime_error(describe(status));
}
template <class T>
T must(Result<T> result) {
  must(result.status());
  return std::move(result).value();
}

}  // namespace hotrow::test

#endif  // HOTROW_TEST_SUPPORT_STATUS_H_
