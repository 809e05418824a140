#include "sockets.h"

#include <arpa/inet.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>

#include "net/tuning.h"
#include "process.h"

namespace hotrow::bench {

namespace {

constexpr int kTries = 500;
constexpr useconds_t kTryEveryUs = 10'000;
constexpr int kMostDescriptors = 64;

sockaddr_in loopback(uint16_t port) {
  sockaddr_in address{};
  address.sin_family = AF_INET;
  address.sin_port = htons(port);
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  return address;
}

void wait_for(int socket, short what) {
  pollfd polled{socket, what, 0};
  while (::poll(&polled, 1, -1) < 0 && errno == EINTR) {
  }
}

bool is_later(int error) { return error == EAGAIN || error == EWOULDBLOCK || error == EINTR; }

/// What is left of the pieces once `bytes` have gone.
std::span<iovec> rest_of(std::span<iovec> pieces, size_t bytes) {
  while (!pieces.empty() && bytes >= pieces.front().iov_len) {
    bytes -= pieces.front().iov_len;
    pieces = pieces.subspan(1);
  }
  if (bytes > 0) {
    pieces.front().iov_base = static_cast<std::byte*>(pieces.front().iov_base) + bytes;
    pieces.front().iov_len -= bytes;
  }
  return pieces;
}

}  // namespace

int listen_on_loopback(uint16_t& port) {
  const int listener = ::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
  sockaddr_in address = loopback(0);
  socklen_t length = sizeof address;
  auto* const plain = reinterpret_cast<sockaddr*>(&address);
  if (listener < 0 || ::bind(listener, plain, sizeof address) != 0 || ::listen(listener, 16) != 0 ||
      ::getsockname(listener, plain, &length) != 0) {
    fail("no port of loopback can be had");
  }
  net::tune(listener, true);
  port = ntohs(address.sin_port);
  return listener;
}

int connect_to_loopback(uint16_t port) {
  const sockaddr_in address = loopback(port);
  for (int i = 0; i < kTries; ++i) {
    const int socket = ::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (::connect(socket, reinterpret_cast<const sockaddr*>(&address), sizeof address) == 0) {
      ::fcntl(socket, F_SETFL, O_NONBLOCK);
      net::tune(socket, true);
      return socket;
    }
    ::close(socket);
    ::usleep(kTryEveryUs);
  }
  fail("a server does not answer");
}

std::string congestion_control(int socket) {
  char name[16] = {};
  socklen_t length = sizeof name;
  if (::getsockopt(socket, IPPROTO_TCP, TCP_CONGESTION, name, &length) != 0) return "unknown";
  return std::string(name, ::strnlen(name, length));
}

bool tune_listener_of(pid_t pid) {
  const auto process = static_cast<int>(::syscall(SYS_pidfd_open, pid, 0));
  bool found = false;
  for (int i = 3; process >= 0 && i < kMostDescriptors; ++i) {
    const auto copy = static_cast<int>(::syscall(SYS_pidfd_getfd, process, i, 0));
    if (copy < 0) continue;
    int listens = 0;
    socklen_t length = sizeof listens;
    if (::getsockopt(copy, SOL_SOCKET, SO_ACCEPTCONN, &listens, &length) == 0 && listens != 0) {
      net::tune(copy, true);
      found = true;
    }
    ::close(copy);
  }
  if (process >= 0) ::close(process);
  return found;
}

void send_all(int socket, std::span<iovec> pieces) {
  while (!pieces.empty()) {
    const ssize_t sent = ::writev(socket, pieces.data(), static_cast<int>(pieces.size()));
    if (sent >= 0) {
      pieces = rest_of(pieces, static_cast<size_t>(sent));
    } else if (is_later(errno)) {
      wait_for(socket, POLLOUT);
    } else {
      fail("a server is gone");
    }
  }
}

void receive_all(int socket, std::span<iovec> pieces, Wait wait) {
  while (!pieces.empty()) {
    const ssize_t came = ::readv(socket, pieces.data(), static_cast<int>(pieces.size()));
    if (came > 0) {
      pieces = rest_of(pieces, static_cast<size_t>(came));
    } else if (came == 0 || !is_later(errno)) {
      fail("a server is gone");
    } else if (wait == Wait::kSleeps) {
      wait_for(socket, POLLIN);
    }
  }
}

size_t receive_some(int socket, std::span<std::byte> space) {
  while (true) {
    const ssize_t came = ::read(socket, space.data(), space.size());
    if (came > 0) return static_cast<size_t>(came);
    if (came == 0 || !is_later(errno)) fail("a server is gone");
    wait_for(socket, POLLIN);
  }
}

}  // namespace hotrow::bench
