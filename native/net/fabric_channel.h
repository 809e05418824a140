// FabricChannel: a client's link as its Socket uses it, by one thread that reads and others that
// send. It has no thread of its own: whoever waits does what there is to do.
#ifndef HOTROW_NET_FABRIC_CHANNEL_H_
#define HOTROW_NET_FABRIC_CHANNEL_H_

#include <chrono>
#include <cstdint>
#include <functional>
#include <memory>
#include <span>
#include <string_view>

#include "base/aligned_buffer.h"
#include "base/sync.h"
#include "hotrow/status.h"
#include "net/fabric.h"

namespace hotrow::net {

class FabricChannel {
 public:
  using Deadline = std::chrono::steady_clock::time_point;
  static constexpr uint64_t kMostQueuedBytes = uint64_t{8} << 20;

  /// Over a link that make() has made. `socket` is that of the connection over TCP, which the
  /// caller keeps open, and `ended` says whether it has ended, looked at when it is readable.
  FabricChannel(std::unique_ptr<FabricLink> link, int socket, std::function<bool()> ended);
  ~FabricChannel();
  FabricChannel(const FabricChannel&) = delete;
  FabricChannel& operator=(const FabricChannel&) = delete;

  /// Shows the ticket and waits until the server has opened the stream. ERR_UNAVAILABLE.
  Status enter(std::string_view server_address, std::string_view ticket, Deadline deadline)
      HOTROW_EXCLUDES(mutex_);

  // As Socket's.
  Result<size_t> send(std::span<const std::span<const std::byte>> pieces) HOTROW_EXCLUDES(mutex_);
  Result<size_t> receive(std::span<std::byte> first, std::span<std::byte> second)
      HOTROW_EXCLUDES(mutex_);
  /// Of one that reads at most one thread at a time.
  bool wait(bool to_read, bool to_write, Deadline deadline, std::chrono::microseconds spin)
      HOTROW_EXCLUDES(mutex_);
  bool readable() HOTROW_EXCLUDES(mutex_);
  bool writable() HOTROW_EXCLUDES(mutex_);
  void shut() HOTROW_EXCLUDES(mutex_);

 private:
  bool progress() HOTROW_REQUIRES(mutex_);
  bool arm() HOTROW_REQUIRES(mutex_);
  /// The link is gone, and with it whatever it would have written or read.
  void drop(const Status& why) HOTROW_REQUIRES(mutex_);
  bool ready(bool to_read, bool to_write) HOTROW_REQUIRES(mutex_);
  bool has_room() const HOTROW_REQUIRES(mutex_);
  Result<size_t> send_staged(std::span<const std::span<const std::byte>> pieces)
      HOTROW_REQUIRES(mutex_);
  Result<size_t> receive_some(std::span<std::byte> first, std::span<std::byte> second)
      HOTROW_REQUIRES(mutex_);
  AlignedBuffer staged(std::span<const std::span<const std::byte>> pieces, size_t bytes)
      HOTROW_REQUIRES(mutex_);
  void ring() const;
  void sleep(bool to_read, Deadline until) HOTROW_EXCLUDES(mutex_);

  const int socket_;
  const std::function<bool()> ended_;
  const int wake_fd_;
  const int bell_;  // wakes the thread that reads
  Mutex mutex_;
  std::unique_ptr<FabricLink> link_ HOTROW_GUARDED_BY(mutex_);
  Status gone_ HOTROW_GUARDED_BY(mutex_);
  bool shut_ HOTROW_GUARDED_BY(mutex_) = false;
  // The connection over TCP has: what has come by then is read still.
  bool at_end_ HOTROW_GUARDED_BY(mutex_) = false;
  uint64_t fetches_ HOTROW_GUARDED_BY(mutex_) = 0;  // of the link, as far as they were judged
  bool reader_waits_ HOTROW_GUARDED_BY(mutex_) = false;
};

}  // namespace hotrow::net

#endif  // HOTROW_NET_FABRIC_CHANNEL_H_
