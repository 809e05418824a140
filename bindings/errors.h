// The only place that turns a Status into JavaScript.
#ifndef HOTROW_BINDINGS_ERRORS_H_
#define HOTROW_BINDINGS_ERRORS_H_

#include <napi.h>

#include <string>

#include "hotrow/status.h"

namespace hotrow::bindings {

/// A StoreError (the class lib/errors.ts gave to initialize()) for a failed status.
Napi::Value store_error(Napi::Env env, const Status& status);

/// Throws what store_error() makes.
[[noreturn]] void throw_status(Napi::Env env, const Status& status);

/// Throws a TypeError or RangeError "argument: expected X, received Y", code
/// ERR_INVALID_ARGUMENT.
[[noreturn]] void throw_type(Napi::Env env, const std::string& argument,
                             const std::string& expected, const std::string& received);
/// `sentence` is all of the message.
[[noreturn]] void throw_range(Napi::Env env, const std::string& sentence);
[[noreturn]] void throw_range(Napi::Env env, const std::string& argument,
                              const std::string& expected, const std::string& received);

/// Throws a RangeError for an argument that lies in the memory of another.
[[noreturn]] void throw_shared(Napi::Env env, const std::string& argument,
                               const std::string& other);

}  // namespace hotrow::bindings

#endif  // HOTROW_BINDINGS_ERRORS_H_
