#include "net/tuning.h"

#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/socket.h>

#include <string_view>

namespace hotrow::net {

namespace {

constexpr int kKeepAliveSeconds = 15;
constexpr int kKeepAliveEvery = 5;
constexpr int kKeepAliveTries = 3;

void set(int socket, int level, int option, int value) {
  // What a system does not know it goes without.
  (void)setsockopt(socket, level, option, &value, sizeof value);
}

}  // namespace

void tune(int socket, bool loopback) {
  set(socket, IPPROTO_TCP, TCP_NODELAY, 1);
  set(socket, SOL_SOCKET, SO_KEEPALIVE, 1);
  set(socket, IPPROTO_TCP, TCP_KEEPIDLE, kKeepAliveSeconds);
  set(socket, IPPROTO_TCP, TCP_KEEPINTVL, kKeepAliveEvery);
  set(socket, IPPROTO_TCP, TCP_KEEPCNT, kKeepAliveTries);
  if (!loopback) return;
  for (const std::string_view name : {"cubic", "reno"}) {
    if (setsockopt(socket, IPPROTO_TCP, TCP_CONGESTION, name.data(), name.size()) == 0) break;
  }
}

}  // namespace hotrow::net
