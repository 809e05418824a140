// A server: a socket in front of a Store. The one process that has the store open serves it to
// others, which use it through connect() (hotrow/connect.h) as if it were theirs.
//
// Threads: every method from any thread.
#ifndef HOTROW_SERVER_H_
#define HOTROW_SERVER_H_

#include <chrono>
#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "hotrow/stats.h"
#include "hotrow/status.h"
#include "hotrow/store.h"
#include "hotrow/sync_worker.h"
#include "hotrow/tls.h"
#include "hotrow/transport.h"

namespace hotrow {

/// Bodies of a request or reply are at most so long, unless a server is told otherwise.
inline constexpr uint64_t kMostFrameBytes = uint64_t{64} << 20;

struct ServerOptions {
  /// HOST:PORT; port 0: of the system's choice. Without `tls` only hosts that are this machine:
  /// what leaves it would be neither encrypted nor authenticated.
  std::string listen = "127.0.0.1:0";
  uint32_t threads = 1;  ///< that serve connections, 1 to kMaxThreads
  /// How long an idle thread looks for work before it sleeps, in microseconds: latency for
  /// processor time. At most 1,000,000.
  uint32_t spin_us = 0;
  uint32_t most_connections = 1024;
  uint64_t most_body_bytes = kMostFrameBytes;  ///< of a request or reply, from 64 KiB to 1 GiB
  /// How long a session outlives its connection: whoever comes back within it has each push applied
  /// once.
  uint32_t session_ms = 60'000;
  /// Of gradients that wait for the end of their step (ClockMode::kBulk), of all groups: pushes
  /// beyond it are ERR_CAPACITY. What is being applied counts too; one step at a time is summed,
  /// and then up to twice as much is in use, beside what any push needs. From 64 KiB to 64 GiB.
  uint64_t most_held_bytes = uint64_t{1} << 30;
  /// Answers for no key before it was given a placement (Server::set_placement). Else it answers
  /// for all keys until then.
  bool placed = false;
  /// Whom the server lets in. None: whoever reaches it may do everything.
  ServerTls tls;
  /// What clients may have instead of TCP, over which they all begin. kAuto: whatever both sides
  /// can. kShm, kRdma: that or TCP; a server that cannot does not start, ERR_UNSUPPORTED.
  Transport transport = Transport::kTcp;
  /// A file to be made that shows each request's stages (docs/FORMATS.md, "Traces"), of at most 256
  /// MiB; empty: none.
  std::string trace;

  Status validate() const;
  bool operator==(const ServerOptions&) const = default;
};

struct ServerStats : ServerFigures {
  std::vector<GroupFigures> groups;  ///< of workers, by name
};

class Server {
 public:
  /// Serves `store`, which stays open until the server has stopped. ERR_INVALID_ARGUMENT for
  /// options that are not valid, files of `tls` that cannot be used and a `trace` that cannot be
  /// written; ERR_UNAVAILABLE when the address cannot be had.
  static Result<std::unique_ptr<Server>> start(std::shared_ptr<Store> store,
                                               const ServerOptions& options);
  /// As stop().
  virtual ~Server() = default;

  /// HOST:PORT as it is.
  virtual std::string address() const = 0;
  virtual ServerStats stats() const = 0;
  /// Says which keys are the server's from now on: the text of a slot map (docs/FORMATS.md), in
  /// which it is called `self`. Requests with other keys, and calls about dense parameters of
  /// others, are then refused with ERR_WRONG_OWNER and nothing of them is done. Returns when
  /// nothing is under way that the placement before it allowed.
  /// ERR_INVALID_ARGUMENT when the text is no map, or it was called otherwise before; ERR_CONFLICT
  /// when the map is older than the one it has, or another one of the same epoch.
  virtual Status set_placement(std::string_view text, const std::string& self) = 0;
  /// The text of the placement; empty: there is none.
  virtual std::string placement() const = 0;
  /// The lock of the mover that has frozen slots of this server (hotrow/slot_mover.h); 0: none are.
  virtual uint64_t frozen_by() const = 0;
  /// Ends the freeze of that lock. Only when its mover can change the placement no more, and after
  /// set_placement() with the one that holds.
  virtual void thaw(uint64_t lock) = 0;
  /// The placement may be believed for so long, from now on, and no longer: without another call
  /// all keys are refused then.
  virtual void believe_placement_for(std::chrono::milliseconds time) = 0;
  /// Lets nobody in, ends what is under way and closes the connections; commits nothing. Clients
  /// whose calls were not answered do not know what became of them. Stopping twice is fine.
  virtual void stop() = 0;
};

}  // namespace hotrow

#endif  // HOTROW_SERVER_H_
