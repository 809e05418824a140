// Arguments from JavaScript, checked: whatever a caller passes, what comes out of here is safe to
// use, or a TypeError or RangeError that names the argument has been thrown.
//
// A view points into JavaScript's memory and is good until the next call into JavaScript: use it
// at once (synchronous calls) or copy it (everything that leaves the thread).
#ifndef HOTROW_BINDINGS_ARGUMENTS_H_
#define HOTROW_BINDINGS_ARGUMENTS_H_

#include <napi.h>

#include <cstdint>
#include <functional>
#include <span>
#include <string>

#include "errors.h"
#include "hotrow/batch.h"
#include "hotrow/status.h"

namespace hotrow::bindings {

/// Typed arrays of exactly one class, not shared and not detached.
std::span<const uint64_t> read_keys(Napi::Value value, const char* argument);
std::span<const uint32_t> read_offsets(Napi::Value value, const char* argument);
std::span<uint8_t> read_bytes(Napi::Value value, const char* argument);
std::span<float> read_floats(Napi::Value value, const char* argument);
/// An empty span for undefined.
std::span<float> read_optional_floats(Napi::Value value, const char* argument);

/// Throws a RangeError unless the array has `expected` values, which `meaning` explains.
void expect_length(Napi::Env env, const char* argument, size_t received, size_t expected,
                   const std::string& meaning);
/// Throws unless `values` is one row of `dim` values a key.
void expect_rows(Napi::Env env, const char* argument, size_t values, size_t keys, uint32_t dim);

/// Throws a RangeError when two arrays of one call share memory: one would spoil the other.
template <class A, class B>
void expect_apart(Napi::Env env, const std::string& argument, std::span<A> values,
                  const char* other, std::span<B> others) {
  const auto a = std::as_bytes(values);
  const auto b = std::as_bytes(others);
  const std::less<> before;
  const bool apart = a.empty() || b.empty() || !before(a.data(), b.data() + b.size()) ||
                     !before(b.data(), a.data() + a.size());
  if (!apart) throw_shared(env, argument, other);
}

/// Throws unless the offsets rise from 0 to the number of keys.
void expect_offsets(Napi::Env env, std::span<const uint32_t> offsets, size_t keys);

/// What lib/ hands on of a lookup's options: each may be undefined.
struct LookupArguments {
  Napi::Value found;    ///< checked here
  Napi::Value missing;  ///< a number
  Napi::Value relaxed;  ///< a boolean
  Napi::Value max_age;  ///< an integer from 0 on
};
/// The options of a lookup of `keys` keys; `found` points into JavaScript's memory.
LookupOptions read_lookup_options(const LookupArguments& arguments, size_t keys,
                                  const char* found_name);

std::string read_string(Napi::Value value, const char* argument);

/// An integer from 0 on, as lib/ gives it.
uint64_t to_count(Napi::Value value);

/// Throws a RangeError when options, or what else `validate()` said, are wrong.
void expect_valid(Napi::Env env, const Status& status);

/// How an error names a value: its class, or its type and value.
std::string describe(Napi::Value value);

}  // namespace hotrow::bindings

#endif  // HOTROW_BINDINGS_ARGUMENTS_H_
