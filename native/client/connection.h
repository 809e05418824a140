// Connection: one TCP connection to one server, used by any number of threads at once.
//
// It has no thread of its own. Whoever waits for a reply reads, while nobody else does: frames that
// belong to others are put where these want them. So an answer wakes nobody but the one thread that
// waits for it, and the first to wait is served by its own thread.
#ifndef HOTROW_CLIENT_CONNECTION_H_
#define HOTROW_CLIENT_CONNECTION_H_

#include <chrono>
#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <span>
#include <vector>

#include "base/aligned_buffer.h"
#include "base/hash.h"
#include "base/sync.h"
#include "client/exchange.h"
#include "net/socket.h"
#include "wire/call.h"

namespace hotrow::client {

using net::Deadline;

class Connection {
 public:
  /// Connects and says hello. ERR_UNAVAILABLE as Socket::connect(); the server's refusal;
  /// ERR_UNSUPPORTED where there is no such transport.
  static Result<std::shared_ptr<Connection>> open(
      const net::Address& address, const wire::Hello& hello, Deadline deadline,
      std::chrono::microseconds spin, std::shared_ptr<const net::TlsContext> tls = nullptr,
      Transport transport = Transport::kTcp);

  const wire::Welcome& welcome() const { return welcome_; }

  /// Sends a request, whose reply is waited for by wait() with the same Reply, which must live
  /// until then. ERR_UNAVAILABLE: the connection is gone, or the deadline has passed before the
  /// request was out, which ends the connection.
  Status send(Request& request, Reply& reply, Deadline deadline) HOTROW_EXCLUDES(mutex_, sending_);
  /// Waits for the reply, which then is done. ERR_TIMEOUT: it did not come by the deadline;
  /// ERR_UNAVAILABLE: the connection is gone. Nothing refers to the reply from then on.
  Status wait(Reply& reply, Deadline deadline) HOTROW_EXCLUDES(mutex_);

  enum class Settled : uint8_t { kDone, kBroken, kLate };
  /// Waits for the reply until then. kBroken: it does not come any more, the connection is gone;
  /// unless it is kDone, the reply must still live until wait() or forget().
  Settled settled(Reply& reply, Deadline until) HOTROW_EXCLUDES(mutex_);

  /// Nothing refers to the reply of that request from then on.
  void forget(uint64_t request) HOTROW_EXCLUDES(mutex_);

  /// Of the server's process, as its peer counts them: numbers of tables are of one.
  uint64_t generation = 0;

  /// Why it is of no use any more; ok while it is.
  Status broken() const HOTROW_EXCLUDES(mutex_);
  /// Whoever waits gets ERR_UNAVAILABLE.
  void end(const Status& why) HOTROW_EXCLUDES(mutex_);
  /// Tells the server that its session may end.
  void say_goodbye() HOTROW_EXCLUDES(mutex_, sending_);

 private:
  struct Opening;
  static Result<std::shared_ptr<Connection>> greet(const Opening& opening,
                                                   std::unique_ptr<net::FabricLink> link);

  explicit Connection(net::Socket socket, std::chrono::microseconds spin)
      : socket_(std::move(socket)), spin_(spin), buffer_(kBufferBytes) {}

  static constexpr size_t kBufferBytes = size_t{64} << 10;
  static constexpr uint64_t kMostReplyBytes = uint64_t{2} << 30;

  enum class Turn : uint8_t { kDone, kLead, kLate };
  /// Waits for the reply or for the right to read. kLate: without `keep` nothing refers to the
  /// reply any more.
  Turn turn(Reply& reply, Deadline deadline, bool keep = false) HOTROW_EXCLUDES(mutex_);
  bool try_lead() HOTROW_EXCLUDES(mutex_);
  /// Gives the right to read back. What was read: ERR_TIMEOUT is nothing, other failures end the
  /// connection.
  void leave(const Status& status) HOTROW_EXCLUDES(mutex_);

  // The reading thread's.
  /// ERR_TIMEOUT: no frame had begun until then. What has begun has until `deadline`, the call's.
  Status read_frame(Deadline until, Deadline deadline) HOTROW_EXCLUDES(mutex_);
  Status read_begun_frame(Deadline until, Deadline deadline) HOTROW_EXCLUDES(mutex_);
  Status read_body(const wire::FrameHeader& header, Reply* reply, Deadline deadline);
  Result<size_t> receive(std::span<std::byte> first, std::span<std::byte> second,
                         Deadline deadline);
  Status need(size_t bytes, Deadline deadline);
  /// Gets bytes of a body piece by piece, from `at` of those that were asked for on.
  using Sink = std::function<void(size_t at, std::span<const std::byte> bytes)>;
  /// Moves the next bytes of a body into `target`, or, when it has no memory, to `sink`, or away.
  Status take(std::span<std::byte> target, size_t bytes, Xxh3& sum, Deadline deadline,
              const Sink& sink = nullptr);
  Reply* arriving(const wire::FrameHeader& header) HOTROW_EXCLUDES(mutex_);
  void forget_locked(uint64_t request) HOTROW_REQUIRES(mutex_);
  void arrived(Reply* reply, const Status& status) HOTROW_EXCLUDES(mutex_);

  net::Socket socket_;
  const std::chrono::microseconds spin_;
  wire::Welcome welcome_;

  Mutex sending_;  // held while a frame goes out
  uint64_t next_request_ HOTROW_GUARDED_BY(sending_) = 1;
  mutable Mutex mutex_;
  CondVar changed_;
  Status broken_ HOTROW_GUARDED_BY(mutex_);
  bool reading_ HOTROW_GUARDED_BY(mutex_) = false;
  std::map<uint64_t, Reply*> pending_ HOTROW_GUARDED_BY(mutex_);

  // Of the reading thread.
  AlignedBuffer buffer_;
  size_t begin_ = 0;
  size_t end_ = 0;
  std::vector<wire::Section> sections_;
};

}  // namespace hotrow::client

#endif  // HOTROW_CLIENT_CONNECTION_H_
