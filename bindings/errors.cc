#include "errors.h"

#include "environment.h"

namespace hotrow::bindings {

namespace {

std::string sentence(const std::string& argument, const std::string& expected,
                     const std::string& received) {
  return argument + ": expected " + expected + ", received " + received;
}

template <class ErrorType>
[[noreturn]] void throw_argument(Napi::Env env, const std::string& message) {
  ErrorType error = ErrorType::New(env, message);
  error.Set("code", Napi::String::New(env, "ERR_INVALID_ARGUMENT"));
  throw error;
}

}  // namespace

Napi::Value store_error(Napi::Env env, const Status& status) {
  const StatusTraits traits = status_traits(status.code());
  const auto text = [&](std::string_view s) { return Napi::String::New(env, std::string(s)); };
  Napi::Object fields = Napi::Object::New(env);
  fields.Set("scope", text(traits.scope));
  fields.Set("outcome", text(traits.outcome));
  fields.Set("retryable", Napi::Boolean::New(env, traits.retryable));
  return Environment::of(env).store_error.New({text(traits.name), text(status.message()), fields});
}

void throw_status(Napi::Env env, const Status& status) {
  throw Napi::Error(env, store_error(env, status));
}

void throw_type(Napi::Env env, const std::string& argument, const std::string& expected,
                const std::string& received) {
  throw_argument<Napi::TypeError>(env, sentence(argument, expected, received));
}

void throw_range(Napi::Env env, const std::string& sentence) {
  throw_argument<Napi::RangeError>(env, sentence);
}

void throw_range(Napi::Env env, const std::string& argument, const std::string& expected,
                 const std::string& received) {
  throw_argument<Napi::RangeError>(env, sentence(argument, expected, received));
}

void throw_shared(Napi::Env env, const std::string& argument, const std::string& other) {
  throw_range(env, argument, "memory apart from that of " + other, "an array that shares some");
}

}  // namespace hotrow::bindings
