// Structs as JSON objects: each struct's fields stand once, in a function fields(archive, struct)
// beside it in this namespace, and a Writer puts them into text, a Reader takes them out.
//
// Enums are numbers, the last of which is last_value(Enum{}), found beside them.
//
// The Writer appends text, because the library's objects and arrays need memory to be destroyed,
// and end the process when there is none. The Reader throws what the library throws: whoever parses
// catches it.
#ifndef HOTROW_BASE_JSON_INL_H_
#define HOTROW_BASE_JSON_INL_H_

#include <cstdint>
#include <limits>
#include <nlohmann/json.hpp>
#include <stdexcept>
#include <string>
#include <type_traits>
#include <vector>

namespace hotrow::json {

using Json = nlohmann::json;

struct Writer {
  std::string& text;
  char before = '{';  // the next field
  template <class T>
  void operator()(const char* name, const T& value);
  template <class T>
  void optional(const char* name, const T& value) {
    (*this)(name, value);
  }
};

struct Reader {
  const Json& json;
  /// Fields that are left out keep what they have; else they are an error.
  bool lenient = false;
  template <class T>
  void operator()(const char* name, T& value) const;
  /// May be left out, as by those who wrote before there was such a field.
  template <class T>
  void optional(const char* name, T& value) const {
    if (json.contains(name)) (*this)(name, value);
  }
};

template <class T>
concept Described = requires(Writer& writer, const T& value) { fields(writer, value); };

template <class T>
void append(std::string& text, const T& value) {
  if constexpr (std::is_enum_v<T>) {
    text += std::to_string(static_cast<unsigned>(value));
  } else if constexpr (Described<T>) {
    Writer writer{text};
    fields(writer, value);
    text += '}';
  } else {
    // A name or cursor that is no UTF-8 is kept as near as JSON allows.
    text += Json(value).dump(-1, ' ', false, Json::error_handler_t::replace);
  }
}

template <class T>
void append(std::string& text, const std::vector<T>& values) {
  text += '[';
  for (const T& value : values) {
    if (&value != values.data()) text += ',';
    append(text, value);
  }
  text += ']';
}

/// Nothing is cut off: what does not fit is an error.
inline uint64_t read_unsigned(const Json& json, uint64_t last) {
  if (!json.is_number_unsigned() || json.get<uint64_t>() > last) {
    // Not the value itself: it may be as long and as deep as its sender likes.
    throw std::out_of_range("expected an integer from 0 to " + std::to_string(last) +
                            " but received " +
                            (json.is_number_unsigned() ? "a larger one" : json.type_name()));
  }
  return json.get<uint64_t>();
}

template <class T>
void read_json(const Json& json, T& value, bool lenient) {
  if constexpr (std::is_enum_v<T>) {
    const auto last = static_cast<uint64_t>(last_value(T{}));
    value = static_cast<T>(read_unsigned(json, last));
  } else if constexpr (std::is_unsigned_v<T> && !std::is_same_v<T, bool>) {
    value = static_cast<T>(read_unsigned(json, std::numeric_limits<T>::max()));
  } else if constexpr (Described<T>) {
    if (!json.is_object()) {
      throw std::invalid_argument(std::string("expected an object but received ") +
                                  json.type_name());
    }
    Reader reader{json, lenient};
    fields(reader, value);
  } else {
    json.get_to(value);
  }
}

template <class T>
void read_json(const Json& json, std::vector<T>& values, bool lenient) {
  values.clear();
  for (const Json& each : json.get_ref<const Json::array_t&>()) {
    read_json(each, values.emplace_back(), lenient);
  }
}

template <class T>
void Writer::operator()(const char* name, const T& value) {
  text += before;
  before = ',';
  text += '"';
  text += name;
  text += "\":";
  append(text, value);
}

template <class T>
void Reader::operator()(const char* name, T& value) const {
  if (lenient && !json.contains(name)) return;
  read_json(json.at(name), value, lenient);
}

}  // namespace hotrow::json

#endif  // HOTROW_BASE_JSON_INL_H_
