// Texts of messages as structs, of which each has a function fields() (base/json-inl.h).
#ifndef HOTROW_WIRE_TEXT_INL_H_
#define HOTROW_WIRE_TEXT_INL_H_

#include <exception>
#include <stdexcept>
#include <string>
#include <string_view>
#include <utility>

#include "base/json-inl.h"
#include "hotrow/status.h"

namespace hotrow::wire {

template <class T>
std::string written(const T& value) {
  std::string text;
  json::append(text, value);
  return text;
}

/// ERR_PROTOCOL when the text is no JSON of that. Unknown fields are passed over.
template <class T>
Result<T> parsed(std::string_view text) {
  constexpr int kMostDepth = 32;
  T value{};
  try {
    // Depth costs memory many times its bytes.
    const auto shallow = [](int depth, json::Json::parse_event_t, json::Json&) {
      if (depth > kMostDepth) throw std::invalid_argument("it is too deep");
      return true;
    };
    json::read_json(json::Json::parse(text, shallow), value, true);
  } catch (const std::exception& error) {
    return Status(StatusCode::kProtocol, std::string("text: ") + error.what());
  }
  return Result<T>(std::move(value));
}

}  // namespace hotrow::wire

#endif  // HOTROW_WIRE_TEXT_INL_H_
