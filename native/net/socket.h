// The client's side of TCP: a socket whose calls wait for at most so long. No thread of its own.
//
// One thread may send while another receives; otherwise one at a time.
#ifndef HOTROW_NET_SOCKET_H_
#define HOTROW_NET_SOCKET_H_

#include <sys/uio.h>

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <span>
#include <string_view>
#include <utility>

#include "hotrow/status.h"
#include "net/address.h"
#include "net/fabric_channel.h"
#include "net/tls.h"

namespace hotrow::net {

using Deadline = std::chrono::steady_clock::time_point;

class Socket {
 public:
  Socket() = default;
  Socket(Socket&& other) noexcept
      : fd_(std::exchange(other.fd_, -1)),
        tls_(std::move(other.tls_)),
        fabric_(std::move(other.fabric_)) {}
  Socket& operator=(Socket&& other) noexcept;
  ~Socket();

  /// ERR_UNAVAILABLE when nobody answers at any of the host's addresses before the deadline. With
  /// `tls` what TlsStream::handshake() says, too.
  static Result<Socket> connect(const Address& address, Deadline deadline,
                                std::shared_ptr<const TlsContext> tls = nullptr);

  bool open() const { return fd_ >= 0; }
  /// Ends both directions, with TLS telling the peer: who waits in a call is woken. The number
  /// stays taken until destruction.
  void shut();

  /// Bytes that the system took of the pieces; 0: it takes none now. ERR_UNAVAILABLE when the
  /// connection is gone. With TLS the next call must begin with the bytes that were not taken.
  Result<size_t> send(std::span<const std::span<const std::byte>> pieces);
  /// Bytes that came, into `first`, then `second`; 0: there are none now. ERR_UNAVAILABLE when the
  /// connection is gone, or the peer has ended it.
  Result<size_t> receive(std::span<std::byte> first, std::span<std::byte> second);

  /// From now on all goes over the link, as the server has offered it; this connection only tells
  /// when one side goes. ERR_UNAVAILABLE when that cannot be, and then nothing goes any more.
  Status enter(std::unique_ptr<FabricLink> link, std::string_view server_address,
               std::string_view ticket, Deadline deadline);

  enum Ready : uint32_t { kNone = 0, kReadable = 1, kWritable = 2 };
  /// Waits until one of `wanted` holds; kNone: the deadline has passed. Looks without sleeping for
  /// `spin` first.
  uint32_t wait(uint32_t wanted, Deadline deadline, std::chrono::microseconds spin) const;

 private:
  explicit Socket(int fd) : fd_(fd) {}
  Status secure(const Address& address, Deadline deadline, std::shared_ptr<const TlsContext> tls);
  uint32_t wait_plain(uint32_t wanted, Deadline deadline, std::chrono::microseconds spin) const;
  Result<size_t> send_tls(std::span<const iovec> pieces);

  int fd_ = -1;
  std::unique_ptr<TlsStream> tls_;
  std::unique_ptr<FabricChannel> fabric_;
};

}  // namespace hotrow::net

#endif  // HOTROW_NET_SOCKET_H_
