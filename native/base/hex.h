// Lower-case hexadecimal digits.
#ifndef HOTROW_BASE_HEX_H_
#define HOTROW_BASE_HEX_H_

#include <cstdint>
#include <string>
#include <string_view>

namespace hotrow {

/// The lowest `digits` digits of a number.
void append_hex(std::string& to, uint64_t value, int digits);
/// Its value, or -1.
int hex_digit(char c);
/// Bytes as digits, and back; nothing for what is no such text.
std::string to_hex(std::string_view bytes);
std::string from_hex(std::string_view text);

}  // namespace hotrow

#endif  // HOTROW_BASE_HEX_H_
