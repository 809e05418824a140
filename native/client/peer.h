// Peer: one server as a client sees it, across connections: reconnects, sends again what was under
// way, and knows what a server that was started anew has lost.
//
// Threads: any number at once.
#ifndef HOTROW_CLIENT_PEER_H_
#define HOTROW_CLIENT_PEER_H_

#include <atomic>
#include <chrono>
#include <cstdint>
#include <memory>
#include <string>
#include <utility>

#include "base/sync.h"
#include "client/connection.h"
#include "client/exchange.h"
#include "client/sight.h"
#include "hotrow/connect.h"
#include "hotrow/server.h"
#include "net/address.h"

namespace hotrow::client {

/// What a request does, and so what may be done when its connection breaks.
enum class Effect : uint8_t {
  kReads,    ///< is sent again
  kChanges,  ///< is numbered and sent again: the server applies it once
  kOnce,     ///< is sent again only when it had not gone out
};

/// A request under way.
struct Exchange {
  Exchange(wire::Verb verb, Effect its_effect) : request(verb), effect(its_effect) {}

  static constexpr uint64_t kNoGeneration = UINT64_MAX;

  Request request;
  Effect effect;
  /// A reply that has not come is of no interest any more.
  ~Exchange() { forget(); }
  void forget() {
    if (waiting != 0) connection->forget(std::exchange(waiting, 0));
  }
  Exchange(const Exchange&) = delete;
  Exchange& operator=(const Exchange&) = delete;

  std::shared_ptr<Connection> connection;  // that it went out on; none: on none
  uint64_t waiting = 0;                    // the request whose reply is to come
  uint64_t sequence = 0;
  /// It names a number of this generation. Numbers of two are never right together.
  void names(uint64_t its) {
    generation = generation == 0 || generation == its ? its : kNoGeneration;
  }
  uint64_t generation = 0;  // of the numbers it names; 0: it names none
  bool stale = false;       // these were of a server that has been started anew; nothing was done
  ClientTimes::Pair* pair = nullptr;  // of the only table that it names
};

/// How a client proves who it is; of all its servers alike.
struct Credentials {
  std::shared_ptr<const net::TlsContext> tls;  ///< null: it speaks plainly
  net::Secrets token;                          ///< one at most
};

/// Is it that no connection carried the request or its reply?
bool is_of_connection(const Status& status);

/// ERR_INVALID_ARGUMENT when a file cannot be used.
Result<std::shared_ptr<const Credentials>> read_credentials(const ClientTls& tls);

class Peer {
 public:
  Peer(net::Address address, const ConnectOptions& options,
       std::shared_ptr<const Credentials> credentials, std::shared_ptr<Sight> sight)
      : address_(std::move(address)),
        name_(address_.to_string()),
        spin_(options.spin_us),
        timeout_(options.timeout_ms),
        transport_(options.transport),
        credentials_(std::move(credentials)),
        sight_(std::move(sight)) {}
  ~Peer();
  Peer(const Peer&) = delete;
  Peer& operator=(const Peer&) = delete;

  const net::Address& address() const { return address_; }

  /// What the server has said of itself; connects where there is no connection.
  Result<wire::Welcome> welcome(Deadline deadline) HOTROW_EXCLUDES(mutex_);
  /// Counts the server's starts as far as they are known: numbers of tables are of one.
  uint64_t generation() const { return generation_.load(std::memory_order_acquire); }

  /// Sends a request, so that others can be sent before its reply is waited for.
  Status begin(Exchange& exchange, Reply& reply, Deadline deadline) HOTROW_EXCLUDES(mutex_) {
    return begin(exchange, reply, deadline, deadline);
  }
  /// A connection is to be there by `connect_by`, which is not after the deadline.
  Status begin(Exchange& exchange, Reply& reply, Deadline deadline, Deadline connect_by)
      HOTROW_EXCLUDES(mutex_);
  /// Waits for the reply, sending the request again as its effect allows; the server's status.
  Status end(Exchange& exchange, Reply& reply, Deadline deadline) HOTROW_EXCLUDES(mutex_);
  Status run(Exchange& exchange, Reply& reply, Deadline deadline) {
    Status status = begin(exchange, reply, deadline);
    return status.ok() ? end(exchange, reply, deadline) : status;
  }

  /// Of a request or reply, as the server has said.
  uint64_t most_body_bytes() const { return most_body_bytes_.load(std::memory_order_relaxed); }

  /// As the server said last; before it has, no.
  bool knows(wire::Feature feature) const {
    return (features_.load(std::memory_order_relaxed) & feature) != 0;
  }

  /// Acknowledged changes so far.
  uint64_t acknowledged() const { return acknowledged_.load(std::memory_order_acquire); }
  /// Has it ever been sent a change, or taken over slots of one that was?
  bool changed() const {
    return next_sequence_.load(std::memory_order_acquire) > 1 || acknowledged() > 0;
  }
  /// Slots of a server that has acknowledged changes are this one's now: when it loses its rows
  /// before the next version, acknowledged changes are gone.
  void inherit() { acknowledged_.fetch_add(1, std::memory_order_acq_rel); }
  /// Those up to `acknowledged` are in a version.
  void committed(uint64_t acknowledged) HOTROW_EXCLUDES(mutex_);

  /// Ends the session.
  void close() HOTROW_EXCLUDES(mutex_);

 private:
  /// A connection that works. ERR_UNAVAILABLE, or what has become of the session.
  Result<std::shared_ptr<Connection>> connected(Deadline deadline) HOTROW_EXCLUDES(mutex_);
  Status connect(Deadline deadline) HOTROW_REQUIRES(mutex_);
  /// One attempt, without the mutex.
  Result<std::shared_ptr<Connection>> attempt(Deadline deadline) HOTROW_REQUIRES(mutex_);
  void adopt(const std::shared_ptr<Connection>& made) HOTROW_REQUIRES(mutex_);
  Status unknown(const Exchange& exchange, const Status& status) const;
  void acknowledge(const Exchange& exchange) HOTROW_EXCLUDES(mutex_);
  /// May the request go out on `connection`, after it went out on another?
  Status may_repeat(const Exchange& exchange, const Connection& connection) const;

  const net::Address address_;
  const std::string name_;
  const std::chrono::microseconds spin_;
  const std::chrono::milliseconds timeout_;  // of connecting, whatever the call's is
  const Transport transport_;
  const std::shared_ptr<const Credentials> credentials_;
  const std::shared_ptr<Sight> sight_;

  Mutex mutex_;
  CondVar changed_;
  std::shared_ptr<Connection> connection_ HOTROW_GUARDED_BY(mutex_);
  std::string session_ HOTROW_GUARDED_BY(mutex_);
  std::string run_ HOTROW_GUARDED_BY(mutex_);
  uint64_t safe_ HOTROW_GUARDED_BY(mutex_) = 0;  // acknowledged changes that are in a version
  Status lost_ HOTROW_GUARDED_BY(mutex_);        // once acknowledged changes are gone
  bool closed_ HOTROW_GUARDED_BY(mutex_) = false;
  bool connecting_ HOTROW_GUARDED_BY(mutex_) = false;  // somebody is, who notifies changed_
  std::atomic<uint64_t> generation_{0};  // publishes nothing: whoever sees an old one is refused
  std::atomic<uint64_t> acknowledged_{0};
  std::atomic<uint64_t> next_sequence_{1};
  std::atomic<uint64_t> most_body_bytes_{kMostFrameBytes};
  std::atomic<uint64_t> features_{0};  // of a server, before its generation: stale requests stay
};

}  // namespace hotrow::client

#endif  // HOTROW_CLIENT_PEER_H_
