// Addresses as people write them: "127.0.0.1:7070", "ps-3:7070", "[::1]:7070".
#ifndef HOTROW_NET_ADDRESS_H_
#define HOTROW_NET_ADDRESS_H_

#include <cstdint>
#include <string>
#include <string_view>

#include "hotrow/status.h"

namespace hotrow::net {

struct Address {
  std::string host;
  uint16_t port = 0;  ///< 0: of the system's choice, for listeners

  std::string to_string() const;
};

/// ERR_INVALID_ARGUMENT when it is not HOST:PORT.
Result<Address> parse_address(std::string_view text);

/// Does the host name only this machine: 127.0.0.0/8, ::1 or localhost?
bool is_loopback(std::string_view host);

}  // namespace hotrow::net

#endif  // HOTROW_NET_ADDRESS_H_
