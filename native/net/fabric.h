// Fabric: the bytes of a connection over shared memory or RDMA instead of TCP, by UCX.
//
// The TCP connection stays: over it both sides have learnt who the other is, the server hands out a
// ticket of one use there, and its end is the end of both. A link is one side's half: a byte stream
// as TCP is one, so that frames, limits and answers are the same.
//
// libucp is loaded when the first link is made, and stays (native/net/ucx_library.h). A build
// without its headers has no links: FabricLink::make() says so.
#ifndef HOTROW_NET_FABRIC_H_
#define HOTROW_NET_FABRIC_H_

#include <cstddef>
#include <cstdint>
#include <memory>
#include <span>
#include <string>
#include <string_view>

#include "base/aligned_buffer.h"
#include "hotrow/status.h"
#include "hotrow/transport.h"

namespace hotrow::net {

/// One side of one stream. Threads: one call at a time, but for wake_fd().
class FabricLink {
 public:
  /// Larger pieces of a stream are not copied by the sender: the receiver fetches them.
  static constexpr size_t kEagerBytes = size_t{8} << 10;
  /// Of one piece.
  static constexpr size_t kMostPieceBytes = size_t{4} << 20;
  /// Pieces that the other side has not read yet.
  static constexpr uint64_t kWindow = 64;

  struct Options {
    Transport transport = Transport::kShm;
    /// receive() puts large pieces where its caller wants them, without another copy. Then these
    /// places must stay until it has given them, or the link is gone.
    bool direct = false;
  };
  /// Makes no connection yet. ERR_UNSUPPORTED, which says why, where there is no such transport.
  static Result<std::unique_ptr<FabricLink>> make(const Options& options);
  /// From then on nothing touches what send() or receive() were given. It waits for what is under
  /// way, for 2 s at most since settle() was first called.
  virtual ~FabricLink() = default;
  /// Gives the link up: it fails, and what is under way is looked at. True: its destructor waits
  /// for nothing. Who cannot wait calls this until then.
  virtual bool settle() = 0;

  /// What the other side needs to reach this one: bytes.
  virtual const std::string& address() const = 0;
  /// Becomes readable when something may have come since arm() was true.
  virtual int wake_fd() const = 0;

  /// A server's: whoever shows this ticket first is the peer.
  virtual void expect(std::string ticket) = 0;
  /// A client's: asks the server for a stream. open() once it has answered.
  virtual Status ask(std::string_view server_address, std::string_view ticket) = 0;
  virtual bool open() const = 0;
  /// Why it is of no use any more; ok while it is.
  virtual const Status& failed() const = 0;
  /// Messages of strangers: without the ticket, with a used one, without the stream's key.
  virtual uint64_t refused() const = 0;

  /// Does what there is to do; true: it did something.
  virtual bool progress() = 0;
  /// True: wake_fd() will tell. False: something has come, for progress() to deal with.
  virtual bool arm() = 0;
  /// Counts what has come, been sent and failed: when it stays, nothing has.
  virtual uint64_t changes() const = 0;

  /// Queues bytes, which the link keeps until they are sent. The first `head` of them go ahead of
  /// the others, so that the other side knows where these shall go. Any length.
  virtual void send(AlignedBuffer bytes, size_t head) = 0;
  /// Of what send() was given, not yet fetched.
  virtual uint64_t queued_bytes() const = 0;
  /// Memory for so many bytes: that of some sent before, where it fits.
  virtual AlignedBuffer take(size_t bytes) = 0;

  /// Is there something that receive() would give or begin to fetch?
  virtual bool readable() const = 0;
  /// Is a large piece being fetched, or fetched and not received yet? Then the next receive() must
  /// be given the same place.
  virtual bool fetching() const = 0;
  /// Would receive() give bytes that nobody has to fetch?
  virtual bool at_hand() const = 0;
  /// Pieces that were fetched: they are what the other side meant only if it had not gone by then.
  virtual uint64_t fetches() const = 0;
  /// Bytes that came, into `first`, then `second`; 0: there are none now. failed() when there will
  /// be none.
  virtual Result<size_t> receive(std::span<std::byte> first, std::span<std::byte> second) = 0;
};

}  // namespace hotrow::net

#endif  // HOTROW_NET_FABRIC_H_
