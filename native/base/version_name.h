// What a caller calls a version: by its number or by a name.
#ifndef HOTROW_BASE_VERSION_NAME_H_
#define HOTROW_BASE_VERSION_NAME_H_

#include <cstdint>
#include <string_view>

#include "hotrow/status.h"

namespace hotrow {

/// 1 to 255 bytes of UTF-8, not digits alone.
Status check_version_name(std::string_view name);
/// The number that a text of digits is, or 0.
uint64_t version_number(std::string_view text);

}  // namespace hotrow

#endif  // HOTROW_BASE_VERSION_NAME_H_
