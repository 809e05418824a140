#include "arguments.h"

namespace hotrow::bindings {

namespace {

template <class T>
struct ArrayTraits;
template <>
struct ArrayTraits<uint64_t> {
  static constexpr napi_typedarray_type kType = napi_biguint64_array;
  static constexpr const char* kName = "BigUint64Array";
};
template <>
struct ArrayTraits<uint32_t> {
  static constexpr napi_typedarray_type kType = napi_uint32_array;
  static constexpr const char* kName = "Uint32Array";
};
template <>
struct ArrayTraits<uint8_t> {
  static constexpr napi_typedarray_type kType = napi_uint8_array;
  static constexpr const char* kName = "Uint8Array";
};
template <>
struct ArrayTraits<float> {
  static constexpr napi_typedarray_type kType = napi_float32_array;
  static constexpr const char* kName = "Float32Array";
};

template <class T>
std::span<T> read_array(Napi::Value value, const char* argument) {
  const Napi::Env env = value.Env();
  const char* const name = ArrayTraits<T>::kName;
  napi_typedarray_type type{};
  size_t length = 0;
  void* data = nullptr;
  napi_value buffer = nullptr;
  bool is_array = false;
  napi_is_typedarray(env, value, &is_array);
  if (!is_array ||
      napi_get_typedarray_info(env, value, &type, &length, &data, &buffer, nullptr) != napi_ok ||
      type != ArrayTraits<T>::kType) {
    throw_type(env, argument, name, describe(value));
  }
  bool is_private = false;
  napi_is_arraybuffer(env, buffer, &is_private);
  if (!is_private) {
    throw_type(env, argument, std::string(name) + " over an ArrayBuffer",
               "one over a SharedArrayBuffer, which other threads may be writing");
  }
  if (length == 0) {
    bool detached = false;
    napi_is_detached_arraybuffer(env, buffer, &detached);
    if (detached) throw_type(env, argument, name, "one whose buffer is detached");
  }
  // Typed arrays are aligned to their elements by definition; only the data of an empty one may
  // be null.
  return {static_cast<T*>(data), length};
}

}  // namespace

std::span<const uint64_t> read_keys(Napi::Value value, const char* argument) {
  return read_array<uint64_t>(value, argument);
}

std::span<const uint32_t> read_offsets(Napi::Value value, const char* argument) {
  return read_array<uint32_t>(value, argument);
}

std::span<uint8_t> read_bytes(Napi::Value value, const char* argument) {
  return read_array<uint8_t>(value, argument);
}

std::span<float> read_floats(Napi::Value value, const char* argument) {
  return read_array<float>(value, argument);
}

std::span<float> read_optional_floats(Napi::Value value, const char* argument) {
  if (value.IsUndefined()) return {};
  return read_array<float>(value, argument);
}

void expect_length(Napi::Env env, const char* argument, size_t received, size_t expected,
                   const std::string& meaning) {
  if (received == expected) return;
  throw_range(env, argument, std::to_string(expected) + " values (" + meaning + ")",
              std::to_string(received));
}

void expect_rows(Napi::Env env, const char* argument, size_t values, size_t keys, uint32_t dim) {
  if (values == keys * dim) return;
  expect_length(env, argument, values, keys * dim,
                std::to_string(keys) + " keys x dim " + std::to_string(dim));
}

LookupOptions read_lookup_options(const LookupArguments& arguments, size_t keys,
                                  const char* found_name) {
  LookupOptions options;
  if (!arguments.found.IsUndefined()) {
    options.found = read_bytes(arguments.found, found_name);
    const size_t bytes = (keys + 7) / 8;
    if (options.found.size() != bytes) {
      throw_range(
          arguments.found.Env(), found_name,
          std::to_string(bytes) + " bytes (a bit for each of " + std::to_string(keys) + " keys)",
          std::to_string(options.found.size()));
    }
  }
  if (!arguments.missing.IsUndefined()) {
    options.missing = arguments.missing.As<Napi::Number>().FloatValue();
  }
  options.relaxed = arguments.relaxed.ToBoolean();
  if (!arguments.max_age.IsUndefined()) options.max_age_ms = to_count(arguments.max_age);
  return options;
}

void expect_offsets(Napi::Env env, std::span<const uint32_t> offsets, size_t keys) {
  const char* const name = "offsets";
  if (offsets.empty())
    throw_range(env, name, "bags + 1 values, from 0 to the number of keys", "none");
  if (offsets.front() != 0) throw_range(env, name, "0 first", std::to_string(offsets.front()));
  for (size_t i = 1; i < offsets.size(); ++i) {
    if (offsets[i] >= offsets[i - 1]) continue;
    throw_range(env, name, "rising values",
                std::to_string(offsets[i]) + " after " + std::to_string(offsets[i - 1]) + " at " +
                    std::to_string(i));
  }
  if (offsets.back() != keys) {
    throw_range(env, name, "the number of keys, " + std::to_string(keys) + ", last",
                std::to_string(offsets.back()));
  }
}

std::string read_string(Napi::Value value, const char* argument) {
  if (!value.IsString()) throw_type(value.Env(), argument, "a string", describe(value));
  return value.As<Napi::String>().Utf8Value();
}

uint64_t to_count(Napi::Value value) {
  return static_cast<uint64_t>(value.As<Napi::Number>().DoubleValue());
}

void expect_valid(Napi::Env env, const Status& status) {
  if (!status.ok()) throw_range(env, status.message());
}

std::string describe(Napi::Value value) {
  switch (value.Type()) {
    case napi_string:
    case napi_symbol:
    case napi_function:
    case napi_external:
      return value.IsString() ? "a string" : value.IsFunction() ? "a function" : "a symbol";
    case napi_object: {
      // A caller's object may answer anything here, or throw.
      try {
        const Napi::Value constructor = value.As<Napi::Object>().Get("constructor");
        if (!constructor.IsFunction()) return "an object";
        const Napi::Value name = constructor.As<Napi::Object>().Get("name");
        return name.IsString() ? name.As<Napi::String>().Utf8Value() : "an object";
      } catch (const Napi::Error&) {
        return "an object";
      }
    }
    default:
      return value.ToString().Utf8Value();
  }
}

}  // namespace hotrow::bindings
