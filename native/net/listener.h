// The server's side of TCP: a listener, its connections, and the few threads that serve them.
//
// Each thread runs one event loop; a connection belongs to one loop for its life, and everything
// about it happens on that thread. What the bytes mean is the Handler's business. Bounds of what
// strangers may cost: connections, bytes waiting to be sent, time.
#ifndef HOTROW_NET_LISTENER_H_
#define HOTROW_NET_LISTENER_H_

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <memory>
#include <span>
#include <string>
#include <vector>

#include "base/aligned_buffer.h"
#include "hotrow/status.h"
#include "hotrow/transport.h"
#include "net/address.h"
#include "net/tls.h"

namespace hotrow::net {

/// What is done with a connection's bytes. Called on its loop's thread only.
class Handler {
 public:
  virtual ~Handler() = default;
  /// Where the next bytes go; not empty.
  virtual std::span<std::byte> space() = 0;
  /// So many bytes of the space were filled; 0: go on with what came before. False: the connection
  /// is closed, after what was sent before has gone out.
  virtual bool received(size_t bytes) = 0;
  /// Has it stopped before the end of what came, because the connection is full()?
  virtual bool waiting() const = 0;
  /// The oldest frame of which this was not said yet has gone out: to the system, or to UCX.
  virtual void sent(std::chrono::steady_clock::time_point /*when*/) {}
  /// Is the peer too late with what it has begun? Asked now and then.
  virtual bool overdue(std::chrono::steady_clock::time_point now) = 0;
};

/// What a client needs to get its connection's other transport.
struct FabricOffer {
  std::string ticket;   ///< good once, for kTicketTime
  std::string address;  ///< bytes
};
inline constexpr std::chrono::milliseconds kTicketTime{5'000};

/// One connection of a listener. Lives as long as a shared pointer to it; methods without a word
/// about threads are for its loop's thread.
class Connection : public std::enable_shared_from_this<Connection> {
 public:
  virtual ~Connection() = default;
  /// Queues a frame; it goes out when the handler returns, as far as the peer takes it. Its first
  /// `head` bytes tell the peer where the others shall go.
  virtual void send(AlignedBuffer frame, size_t head = 0) = 0;
  /// So much waits to be sent that nothing more should be.
  virtual bool full() const = 0;
  /// Memory for a frame of so many bytes: that of one sent before, where it fits.
  virtual AlignedBuffer take(size_t bytes) = 0;
  /// Any thread: runs `work` on the loop's thread, unless the connection is closed by then.
  virtual void post(std::function<void(Handler&)> work) = 0;
  /// Who is at the other end.
  virtual const std::string& peer() const = 0;
  /// Who that is by its key or certificate (net/tls.h); empty: it has shown none.
  virtual const std::string& identity() const = 0;
  /// Lets the peer have another transport from now on, if it comes for it soon: what it sends and
  /// is sent then goes there, and this connection's end ends that. Once; ERR_UNSUPPORTED.
  virtual Result<FabricOffer> offer(Transport transport) = 0;
};

struct ListenOptions {
  Address address;
  uint32_t threads = 1;
  /// How long an idle thread looks for work before it sleeps, in microseconds.
  uint32_t spin_us = 0;
  uint32_t most_connections = 1024;
  /// Of one connection: while more wait to be sent, nothing is read from it.
  uint64_t most_queued_bytes = uint64_t{128} << 20;
  /// A peer that takes nothing of what waits for it for so long is gone.
  std::chrono::milliseconds write_timeout{30'000};
  /// Every connection is one of TLS then, and has a handler once its handshake is done.
  std::shared_ptr<const TlsContext> tls;
  /// A handshake must be done within it.
  std::chrono::milliseconds handshake_timeout{5'000};
  /// With TLS: what is answered, plainly, to whoever does not speak it.
  std::vector<std::byte> plain_answer;
};

class Listener {
 public:
  /// Makes the handler of a new connection, on its loop's thread.
  using Accept = std::function<std::unique_ptr<Handler>(Connection&)>;

  /// ERR_UNAVAILABLE when the address cannot be had.
  static Result<std::unique_ptr<Listener>> open(const ListenOptions& options, Accept accept);
  virtual ~Listener() = default;

  /// As it is: the port that the system chose.
  virtual const Address& address() const = 0;
  virtual uint64_t connections() const = 0;
  /// Of these, those that have another transport.
  virtual uint64_t fabric_connections() const = 0;
  /// Connections so far whose handshake failed or was late, and messages without a ticket.
  virtual uint64_t refused() const = 0;
  /// Nobody new is let in; connections go on.
  virtual void stop_accepting() = 0;
  /// Closes everything and joins the threads. The destructor does, too.
  virtual void stop() = 0;
};

}  // namespace hotrow::net

#endif  // HOTROW_NET_LISTENER_H_
