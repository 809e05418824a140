// Status and Result: how every call of the core reports failure.
//
// The core throws nothing across its API. A Status is either ok or carries a code from
// status_codes.def and a sentence for people; the code is the contract, the sentence is not.
// Both types are values without shared state and may be used from any thread.
#ifndef HOTROW_STATUS_H_
#define HOTROW_STATUS_H_

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <utility>

namespace hotrow {

enum class StatusCode : uint8_t {
  kOk = 0,
#define HOTROW_STATUS(number, Name, code, scope, outcome, retryable) k##Name = number,
#include "hotrow/status_codes.def"
#undef HOTROW_STATUS
};

/// What status_codes.def says of a code; all strings are literals.
struct StatusTraits {
  std::string_view name;     ///< "ERR_CAPACITY"
  std::string_view scope;    ///< "call" or "store"
  std::string_view outcome;  ///< "none" or "unknown"
  bool retryable = false;
};

/// Traits of `code`; `{"OK", "", "none", false}` for kOk. Cost: a switch.
StatusTraits status_traits(StatusCode code);

class [[nodiscard]] Status {
 public:
  /// The ok status.
  Status() = default;
  Status(StatusCode code, std::string message) : code_(code), message_(std::move(message)) {}

  static Status invalid_argument(std::string message) {
    return {StatusCode::kInvalidArgument, std::move(message)};
  }
  static Status capacity(std::string message) {
    return {StatusCode::kCapacity, std::move(message)};
  }
  static Status conflict(std::string message) {
    return {StatusCode::kConflict, std::move(message)};
  }
  static Status not_found(std::string message) {
    return {StatusCode::kNotFound, std::move(message)};
  }
  static Status closed(std::string message) { return {StatusCode::kClosed, std::move(message)}; }

  bool ok() const { return code_ == StatusCode::kOk; }
  StatusCode code() const { return code_; }
  const std::string& message() const { return message_; }

 private:
  StatusCode code_ = StatusCode::kOk;
  std::string message_;
};

/// A value, or the Status that says why there is none. Reading the value of a failed Result is a
/// programming error (std::optional's rules).
template <class T>
class [[nodiscard]] Result {
 public:
  Result(T value) : value_(std::move(value)) {}          // NOLINT(google-explicit-constructor)
  Result(Status status) : status_(std::move(status)) {}  // NOLINT(google-explicit-constructor)

  bool ok() const { return value_.has_value(); }
  const Status& status() const { return status_; }
  T& value() & { return *value_; }
  const T& value() const& { return *value_; }
  T&& value() && { return std::move(*value_); }

 private:
  std::optional<T> value_;
  Status status_;
};

}  // namespace hotrow

/// Returns from the calling function when `expression` is a failed Status.
#define HOTROW_RETURN_IF_ERROR(expression)                                      \
  do {                                                                          \
    if (::hotrow::Status status_ = (expression); !status_.ok()) return status_; \
  } while (false)

#endif  // HOTROW_STATUS_H_
