#include "base/version_name.h"

#include <charconv>
#include <memory>
#include <string>

#include "hotrow/options.h"

namespace hotrow {

uint64_t version_number(std::string_view text) {
  uint64_t number = 0;
  const auto read =
      std::from_chars(std::to_address(text.begin()), std::to_address(text.end()), number);
  return read.ec == std::errc() && read.ptr == std::to_address(text.end()) ? number : 0;
}

Status check_version_name(std::string_view name) {
  if (name.empty() || name.size() > kMaxNameBytes) {
    return Status::invalid_argument("name: expected 1 to 255 bytes of UTF-8, received " +
                                    std::to_string(name.size()));
  }
  if (name.find_first_not_of("0123456789") == std::string_view::npos) {
    return Status::invalid_argument("name: expected more than digits, received '" +
                                    std::string(name) + "'");
  }
  return {};
}

}  // namespace hotrow
