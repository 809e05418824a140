// connect(): the Store of other processes, used as if it were this one's.
#ifndef HOTROW_CONNECT_H_
#define HOTROW_CONNECT_H_

#include <cstdint>
#include <memory>
#include <span>
#include <string>
#include <vector>

#include "hotrow/status.h"
#include "hotrow/store.h"
#include "hotrow/tls.h"
#include "hotrow/transport.h"

namespace hotrow {

/// Servers that follow one of a client's (`hotrow serve --follow`): they have its rows, as of one
/// of its last versions.
struct Followers {
  std::string of;                    ///< one of ConnectOptions::servers, as it is spelt there
  std::vector<std::string> servers;  ///< HOST:PORT
  bool operator==(const Followers&) const = default;
};

struct ConnectOptions {
  /// HOST:PORT of each server. Several share the keys of every table: all clients must name the
  /// same ones, in any order and in the same spelling.
  std::vector<std::string> servers;
  /// The text of a slot map (docs/FORMATS.md), which says which of the servers has which keys;
  /// empty: that of the servers, where they have one, else a fixed one by the servers' names.
  std::string placement;
  /// A call that is not answered for so long fails; 1 to 86,400,000 ms. Calls that write or read
  /// files (commit, rollback, verify, compact, diff) may take an hour.
  uint32_t timeout_ms = 10'000;
  /// How long a waiting call looks for its answer before it sleeps, in microseconds: latency for
  /// processor time. At most 1,000,000.
  uint32_t spin_us = 0;
  /// How the client proves who it is, and knows its servers. Without it servers may only be on
  /// addresses of this machine.
  ClientTls tls;
  /// What carries requests and replies. kShm, kRdma: that or no connection, ERR_UNSUPPORTED where
  /// one of the two sides cannot.
  Transport transport = Transport::kTcp;
  /// A lookup of one table with LookupOptions::max_age_ms goes to a follower too where its server
  /// does not answer as soon as it answers 19 of 20, and takes the rows that come first, all of one
  /// server. None are asked where the servers have a placement, which moves keys. Over TCP only.
  std::vector<Followers> followers;
  /// A file to be made that shows each call's way to the servers and back (docs/FORMATS.md,
  /// "Traces"), of at most 256 MiB; empty: none.
  std::string trace;

  Status validate() const;
  bool operator==(const ConnectOptions&) const = default;
};

/// Connects to servers (hotrow/server.h).
///
/// What it gives behaves as a Store of this process, with these differences:
/// - Calls also fail with ERR_UNAVAILABLE (no server answers; nothing was done), ERR_TIMEOUT (it is
///   not known whether it was done), ERR_BUSY, ERR_PROTOCOL, and ERR_DENIED (this client may not do
///   it; nothing was done).
/// - A broken connection is made again, and what was under way sent again, until the call's
///   deadline. A change takes effect once all the same. Where that cannot be known any more,
///   ERR_SESSION_EXPIRED.
/// - When a server was started anew and has lost acknowledged changes of this client, every later
///   call fails with ERR_SESSION_EXPIRED, which names the version that it is at: nothing is lost
///   silently.
/// - With several servers a call on a table is one request to each that has some of its keys; a
///   push that fails may have been applied on some of them. A version is one of all servers or of
///   none, whoever dies meanwhile. It has every push that was acknowledged before commit() was
///   called, and of those made during the call perhaps a part. Its number is that of one server's.
///   A rollback() that fails may have been done by some servers.
/// - apply() and snapshot() are about folders of the server's machine: ERR_UNSUPPORTED.
///
/// ERR_UNAVAILABLE when a server does not answer within the timeout (a follower need not);
/// ERR_DENIED when one of the two does not accept the other; ERR_INVALID_ARGUMENT for files of
/// `tls` that cannot be used, a `trace` that cannot be written and a follower whose newest version
/// is none of its server's.
Result<std::shared_ptr<Store>> connect(const ConnectOptions& options);

}  // namespace hotrow

#endif  // HOTROW_CONNECT_H_
