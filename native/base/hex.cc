#include "base/hex.h"

#include <cstddef>
#include <cstdint>

namespace hotrow {

namespace {

constexpr std::string_view kDigits = "0123456789abcdef";

}  // namespace

void append_hex(std::string& to, uint64_t value, int digits) {
  for (int i = digits - 1; i >= 0; --i) to.push_back(kDigits[value >> (4 * i) & 15]);
}

int hex_digit(char c) {
  const size_t digit = kDigits.find(c);
  return digit == std::string_view::npos ? -1 : static_cast<int>(digit);
}

std::string to_hex(std::string_view bytes) {
  std::string text;
  text.reserve(2 * bytes.size());
  for (const char each : bytes) append_hex(text, static_cast<uint8_t>(each), 2);
  return text;
}

std::string from_hex(std::string_view text) {
  std::string bytes;
  if (text.size() % 2 != 0) return {};
  for (size_t i = 0; i < text.size(); i += 2) {
    const int high = hex_digit(text[i]);
    const int low = hex_digit(text[i + 1]);
    if (high < 0 || low < 0) return {};
    bytes += static_cast<char>(high << 4 | low);
  }
  return bytes;
}

}  // namespace hotrow
