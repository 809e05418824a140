#include "net/socket.h"

#include <fcntl.h>
#include <netdb.h>
#include <poll.h>
#include <sys/socket.h>
#include <sys/uio.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <climits>
#include <cstring>
#include <memory>
#include <string>
#include <system_error>

#include "net/tuning.h"

namespace hotrow::net {

namespace {

using Clock = std::chrono::steady_clock;

constexpr size_t kMostPieces = 64;

std::string reason(int error) { return std::generic_category().message(error); }

int milliseconds_until(Deadline deadline) {
  const auto left = std::chrono::ceil<std::chrono::milliseconds>(deadline - Clock::now()).count();
  return static_cast<int>(std::clamp<int64_t>(left, 0, INT_MAX));
}

uint32_t poll_once(int fd, uint32_t wanted, int timeout_ms) {
  pollfd polled{};
  polled.fd = fd;
  if ((wanted & Socket::kReadable) != 0) polled.events |= POLLIN;
  if ((wanted & Socket::kWritable) != 0) polled.events |= POLLOUT;
  if (::poll(&polled, 1, timeout_ms) <= 0) return Socket::kNone;
  uint32_t ready = Socket::kNone;
  // An error or an end is found out by the call that follows.
  if ((polled.revents & ~POLLOUT) != 0) ready |= Socket::kReadable;
  if ((polled.revents & ~POLLIN) != 0) ready |= Socket::kWritable;
  return ready & wanted;
}

}  // namespace

Socket& Socket::operator=(Socket&& other) noexcept {
  fabric_ = std::move(other.fabric_);
  if (fd_ >= 0) ::close(fd_);
  fd_ = std::exchange(other.fd_, -1);
  tls_ = std::move(other.tls_);
  return *this;
}

Socket::~Socket() {
  fabric_.reset();
  if (fd_ >= 0) ::close(fd_);
}

void Socket::shut() {
  if (fd_ < 0) return;
  if (fabric_ != nullptr) fabric_->shut();
  if (tls_ != nullptr) tls_->finish();
  ::shutdown(fd_, SHUT_RDWR);
}

Result<Socket> Socket::connect(const Address& address, Deadline deadline,
                               std::shared_ptr<const TlsContext> tls) {
  addrinfo hints{};
  hints.ai_socktype = SOCK_STREAM;
  addrinfo* found = nullptr;
  const std::string port = std::to_string(address.port);
  const auto unavailable = [&](const std::string& why) {
    return Status(StatusCode::kUnavailable, "no server at " + address.to_string() + ": " + why);
  };
  if (const int error = ::getaddrinfo(address.host.c_str(), port.c_str(), &hints, &found)) {
    return unavailable(gai_strerror(error));
  }
  const std::unique_ptr<addrinfo, decltype(&::freeaddrinfo)> all(found, ::freeaddrinfo);
  std::string why = "it has no address";
  for (const addrinfo* each = found; each != nullptr; each = each->ai_next) {
    Socket socket(::socket(each->ai_family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0));
    if (!socket.open()) {
      why = reason(errno);
      continue;
    }
    int error = ::connect(socket.fd_, each->ai_addr, each->ai_addrlen) == 0 ? 0 : errno;
    if (error == EINPROGRESS) {
      if (poll_once(socket.fd_, kWritable, milliseconds_until(deadline)) == kNone) {
        return unavailable("it does not answer");
      }
      socklen_t length = sizeof error;
      if (::getsockopt(socket.fd_, SOL_SOCKET, SO_ERROR, &error, &length) != 0) error = errno;
    }
    if (error == 0) {
      tune(socket.fd_, is_loopback(address.host));
      if (tls != nullptr) HOTROW_RETURN_IF_ERROR(socket.secure(address, deadline, std::move(tls)));
      return Result<Socket>(std::move(socket));
    }
    why = reason(error);
  }
  return unavailable(why);
}

Status Socket::secure(const Address& address, Deadline deadline,
                      std::shared_ptr<const TlsContext> tls) {
  const std::string at = address.to_string() + ": ";
  auto made = TlsStream::make(std::move(tls), fd_, address.host);
  if (!made.ok()) return made.status();
  while (true) {
    const auto need = made.value()->handshake();
    if (!need.ok()) return {need.status().code(), at + need.status().message()};
    if (need.value() == TlsStream::Need::kNothing) break;
    const uint32_t wanted = need.value() == TlsStream::Need::kToRead ? kReadable : kWritable;
    if (wait(wanted, deadline, {}) == kNone) {
      return {StatusCode::kUnavailable, at + "the server does not end the TLS handshake"};
    }
  }
  tls_ = std::move(made).value();
  return {};
}

// A server that refuses a client says so and is gone: why is to be read, not that writing failed.
Result<size_t> Socket::send_tls(std::span<const iovec> pieces) {
  auto sent = tls_->write(pieces);
  if (sent.ok()) return sent;
  std::array<std::byte, 1024> unread;
  const auto why = tls_->read(unread, {});
  return why.ok() ? sent : Result<size_t>(why.status());
}

Status Socket::enter(std::unique_ptr<FabricLink> link, std::string_view server_address,
                     std::string_view ticket, Deadline deadline) {
  // The server sends nothing here any more: whatever is not nothing is the end.
  auto ended = [fd = fd_, tls = tls_.get()] {
    std::array<std::byte, 64> unwanted;
    if (tls == nullptr) {
      const ssize_t came = ::recv(fd, unwanted.data(), unwanted.size(), 0);
      return came >= 0 || (errno != EAGAIN && errno != EINTR);
    }
    const auto came = tls->read(unwanted, {});
    return !came.ok() || came.value() > 0;
  };
  fabric_ = std::make_unique<FabricChannel>(std::move(link), fd_, std::move(ended));
  return fabric_->enter(server_address, ticket, deadline);
}

Result<size_t> Socket::send(std::span<const std::span<const std::byte>> pieces) {
  if (fabric_ != nullptr) return fabric_->send(pieces);
  std::array<iovec, kMostPieces> vectors;
  const size_t count = std::min(pieces.size(), kMostPieces);
  for (size_t i = 0; i < count; ++i) {
    vectors[i] = {const_cast<std::byte*>(pieces[i].data()), pieces[i].size()};
  }
  if (tls_ != nullptr) return send_tls(std::span(vectors).first(count));
  msghdr message{};
  message.msg_iov = vectors.data();
  message.msg_iovlen = count;
  while (true) {
    const ssize_t sent = ::sendmsg(fd_, &message, MSG_NOSIGNAL);
    if (sent >= 0) return static_cast<size_t>(sent);
    if (errno == EINTR) continue;
    if (errno == EAGAIN || errno == EWOULDBLOCK) return size_t{0};
    return Status(StatusCode::kUnavailable, "the connection is gone: " + reason(errno));
  }
}

Result<size_t> Socket::receive(std::span<std::byte> first, std::span<std::byte> second) {
  if (fabric_ != nullptr) return fabric_->receive(first, second);
  if (tls_ != nullptr) return tls_->read(first, second);
  std::array<iovec, 2> vectors{iovec{first.data(), first.size()},
                               iovec{second.data(), second.size()}};
  while (true) {
    const ssize_t came = ::readv(fd_, vectors.data(), second.empty() ? 1 : 2);
    if (came > 0) return static_cast<size_t>(came);
    if (came == 0) return Status(StatusCode::kUnavailable, "the server has ended the connection");
    if (errno == EINTR) continue;
    if (errno == EAGAIN || errno == EWOULDBLOCK) return size_t{0};
    return Status(StatusCode::kUnavailable, "the connection is gone: " + reason(errno));
  }
}

uint32_t Socket::wait(uint32_t wanted, Deadline deadline, std::chrono::microseconds spin) const {
  if (fabric_ != nullptr) {
    const bool reads = (wanted & kReadable) != 0;
    const bool writes = (wanted & kWritable) != 0;
    if (!fabric_->wait(reads, writes, deadline, spin)) return kNone;
    return (reads && fabric_->readable() ? uint32_t{kReadable} : uint32_t{kNone}) |
           (writes && fabric_->writable() ? uint32_t{kWritable} : uint32_t{kNone});
  }
  if (tls_ != nullptr && (wanted & kReadable) != 0) {
    // What OpenSSL has read ahead the system does not tell of.
    if (!tls_->drained()) return kReadable;
    if (tls_->read_need() == TlsStream::Need::kToWrite) {
      const uint32_t ready = wait_plain(kWritable, deadline, spin);
      return ready == kNone ? kNone : uint32_t{kReadable};
    }
  }
  return wait_plain(wanted, deadline, spin);
}

uint32_t Socket::wait_plain(uint32_t wanted, Deadline deadline,
                            std::chrono::microseconds spin) const {
  if (spin.count() > 0) {
    const auto end = std::min(deadline, Clock::now() + spin);
    do {
      if (const uint32_t ready = poll_once(fd_, wanted, 0); ready != kNone) return ready;
    } while (Clock::now() < end);
  }
  while (true) {
    const uint32_t ready = poll_once(fd_, wanted, milliseconds_until(deadline));
    if (ready != kNone || Clock::now() >= deadline) return ready;
  }
}

}  // namespace hotrow::net
