// Listening on this machine, for tests that stand between a client and a server.
#ifndef HOTROW_TEST_SUPPORT_LOOPBACK_H_
#define HOTROW_TEST_SUPPORT_LOOPBACK_H_

#include <arpa/inet.h>
#include <netinet/in.h>
#include <sys/socket.h>

#include <cstdint>

namespace hotrow::test {

/// 127.0.0.1:port
inline sockaddr_in loopback(uint16_t port) {
  sockaddr_in address{};
  address.sin_family = AF_INET;
  address.sin_port = htons(port);
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  return address;
}

}  // namespace hotrow::test

#endif  // HOTROW_TEST_SUPPORT_LOOPBACK_H_
