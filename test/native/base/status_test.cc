// Status and Result, and the numbers that must never change.
#include "hotrow/status.h"

#include <gtest/gtest.h>

#include <memory>
#include <set>
#include <string>

namespace hotrow::test {
namespace {

TEST(Status, NumbersAndNamesAreFixed) {
  const std::pair<StatusCode, std::pair<int, const char*>> codes[] = {
      {StatusCode::kOk, {0, "OK"}},
      {StatusCode::kInvalidArgument, {1, "ERR_INVALID_ARGUMENT"}},
      {StatusCode::kCapacity, {2, "ERR_CAPACITY"}},
      {StatusCode::kConflict, {3, "ERR_CONFLICT"}},
      {StatusCode::kNotFound, {4, "ERR_NOT_FOUND"}},
      {StatusCode::kUnsupported, {5, "ERR_UNSUPPORTED"}},
      {StatusCode::kInternal, {6, "ERR_INTERNAL"}},
      {StatusCode::kClosed, {7, "ERR_CLOSED"}}};
  std::set<std::string_view> names;
  for (const auto& [code, fixed] : codes) {
    EXPECT_EQ(static_cast<int>(code), fixed.first);
    EXPECT_EQ(status_traits(code).name, fixed.second);
    EXPECT_TRUE(names.insert(status_traits(code).name).second);
  }
}

TEST(Status, TraitsSayWhatAFailureLeavesBehind) {
  EXPECT_EQ(status_traits(StatusCode::kCapacity).outcome, "none");
  EXPECT_TRUE(status_traits(StatusCode::kCapacity).retryable);
  EXPECT_EQ(status_traits(StatusCode::kInternal).outcome, "unknown");
  EXPECT_EQ(status_traits(StatusCode::kClosed).scope, "store");
  EXPECT_FALSE(status_traits(StatusCode::kInvalidArgument).retryable);
}

TEST(Status, UnknownCodeReadsAsInternal) {
  EXPECT_EQ(status_traits(static_cast<StatusCode>(200)).name, "ERR_INTERNAL");
}

TEST(Status, DefaultIsOk) {
  const Status status;
  EXPECT_TRUE(status.ok());
  EXPECT_EQ(status.message(), "");
}

TEST(Status, FactoriesCarryCodeAndMessage) {
  EXPECT_EQ(Status::invalid_argument("a").code(), StatusCode::kInvalidArgument);
  EXPECT_EQ(Status::capacity("a").code(), StatusCode::kCapacity);
  EXPECT_EQ(Status::conflict("a").code(), StatusCode::kConflict);
  EXPECT_EQ(Status::not_found("a").code(), StatusCode::kNotFound);
  const Status closed = Status::closed("gone");
  EXPECT_EQ(closed.code(), StatusCode::kClosed);
  EXPECT_EQ(closed.message(), "gone");
  EXPECT_FALSE(closed.ok());
}

TEST(Result, HoldsAValueOrAStatus) {
  Result<std::unique_ptr<int>> value(std::make_unique<int>(7));
  ASSERT_TRUE(value.ok());
  EXPECT_TRUE(value.status().ok());
  const std::unique_ptr<int> moved = std::move(value).value();
  EXPECT_EQ(*moved, 7);

  const Result<std::string> failed(Status::not_found("no"));
  EXPECT_FALSE(failed.ok());
  EXPECT_EQ(failed.status().code(), StatusCode::kNotFound);
}

Status first_error(const Status& a, const Status& b) {
  HOTROW_RETURN_IF_ERROR(a);
  HOTROW_RETURN_IF_ERROR(b);
  return {};
}

TEST(Status, ReturnIfErrorReturnsTheFirst) {
  EXPECT_TRUE(first_error({}, {}).ok());
  EXPECT_EQ(first_error({}, Status::closed("b")).message(), "b");
  EXPECT_EQ(first_error(Status::capacity("a"), Status::closed("b")).message(), "a");
}

}  // namespace
}  // namespace hotrow::test
