#include "client/peer.h"

#include <algorithm>
#include <random>
#include <utility>

#include "base/guarded.h"

namespace hotrow::client {

namespace {

using Clock = std::chrono::steady_clock;
using std::chrono::milliseconds;

constexpr milliseconds kFirstPause{5};
constexpr milliseconds kLongestPause{500};

// Half of the pause to all of it: clients that lost one server do not come back at one instant.
milliseconds jittered(milliseconds pause) {
  thread_local std::minstd_rand random{std::random_device{}()};
  return pause / 2 + milliseconds(random() % (pause.count() / 2 + 1));
}

// The deadline as a request says it.
uint32_t milliseconds_left(Deadline deadline) {
  const auto left = std::chrono::ceil<milliseconds>(deadline - Clock::now()).count();
  return static_cast<uint32_t>(std::clamp<int64_t>(left, 1, UINT32_MAX));
}

}  // namespace

bool is_of_connection(const Status& status) { return status.code() == StatusCode::kUnavailable; }

Result<std::shared_ptr<const Credentials>> read_credentials(const ClientTls& tls) {
  auto made = std::make_shared<Credentials>();
  if (tls.used()) {
    auto context = net::TlsContext::client(tls);
    if (!context.ok()) return context.status();
    made->tls = std::move(context).value();
  }
  if (!tls.token_file.empty()) {
    auto token = net::read_token_file("tokenFile", tls.token_file);
    if (!token.ok()) return token.status();
    if (token.value().size() != 1) {
      return Status::invalid_argument("tokenFile: '" + tls.token_file +
                                      "' has several lines, a client one");
    }
    made->token = std::move(token).value();
  }
  return std::shared_ptr<const Credentials>(std::move(made));
}

Peer::~Peer() { close(); }

void Peer::close() {
  std::shared_ptr<Connection> last;
  {
    const MutexLock lock(mutex_);
    closed_ = true;
    last = std::exchange(connection_, nullptr);
    changed_.notify_all();
  }
  if (last == nullptr) return;
  last->say_goodbye();
  last->end({StatusCode::kClosed, "the store was closed"});
}

Result<wire::Welcome> Peer::welcome(Deadline deadline) {
  auto connection = connected(deadline);
  if (!connection.ok()) return connection.status();
  return connection.value()->welcome();
}

Result<std::shared_ptr<Connection>> Peer::connected(Deadline deadline) {
  const MutexLock lock(mutex_);
  if (closed_) return Status::closed("the store was closed");
  HOTROW_RETURN_IF_ERROR(lost_);
  if (connection_ == nullptr || !connection_->broken().ok()) {
    HOTROW_RETURN_IF_ERROR(connect(std::min(deadline, Clock::now() + timeout_)));
  }
  return connection_;
}

Result<std::shared_ptr<Connection>> Peer::attempt(Deadline deadline) {
  wire::Hello hello{.session = session_};
  for (const auto& [identity, token] : credentials_->token) {
    hello.identity = identity;
    hello.token = token.view();
  }
  connecting_ = true;
  mutex_.unlock();
  // What it throws is no memory for a connection.
  auto made = guarded([&] {
    return Connection::open(address_, hello, deadline, spin_, credentials_->tls, transport_);
  });
  mutex_.lock();
  connecting_ = false;
  changed_.notify_all();
  if (made.ok() && closed_) {
    made.value()->end({StatusCode::kClosed, "the store was closed"});
    return Status::closed("the store was closed");
  }
  return made;
}

// One tries at a time; the others wait for him, as long as they have time.
Status Peer::connect(Deadline deadline) {
  milliseconds pause = kFirstPause;
  while (true) {
    while (connecting_) {
      const auto now = Clock::now();
      if (now >= deadline) {
        return {StatusCode::kUnavailable, "no server at " + address_.to_string() + " yet"};
      }
      changed_.wait_for(mutex_, deadline - now);
    }
    // Somebody else may have been luckier meanwhile.
    if (closed_) return Status::closed("the store was closed");
    HOTROW_RETURN_IF_ERROR(lost_);
    if (connection_ != nullptr && connection_->broken().ok()) return {};
    auto made = attempt(deadline);
    if (made.ok()) {
      adopt(made.value());
      return lost_;
    }
    const bool again = is_of_connection(made.status()) || made.status().code() == StatusCode::kBusy;
    const auto wait = jittered(pause);
    if (!again || Clock::now() + wait >= deadline) {
      if (made.status().code() != StatusCode::kTimeout) return made.status();
      return {StatusCode::kUnavailable,
              "no server at " + address_.to_string() + ": it does not answer as one"};
    }
    changed_.wait_for(mutex_, wait);
    pause = std::min(pause * 2, kLongestPause);
  }
}

void Peer::adopt(const std::shared_ptr<Connection>& made) {
  const wire::Welcome& welcome = made->welcome();
  connection_ = made;
  session_ = welcome.session;
  changed_.notify_all();
  most_body_bytes_.store(welcome.most_body_bytes, std::memory_order_relaxed);
  features_.store(welcome.features, std::memory_order_relaxed);
  made->generation = generation_.load(std::memory_order_relaxed);
  if (run_ == welcome.run) return;
  const uint64_t acknowledged = acknowledged_.load(std::memory_order_acquire);
  if (!run_.empty() && !welcome.in_doubt.empty()) {
    lost_ = {StatusCode::kSessionExpired,
             "the server at " + address_.to_string() +
                 " was started anew and may have to go back to an older version; connect again"};
  }
  if (!run_.empty() && acknowledged > safe_) {
    lost_ = {StatusCode::kSessionExpired,
             "the server at " + address_.to_string() + " was started anew and is at version " +
                 std::to_string(welcome.store_version) + ": " +
                 std::to_string(acknowledged - safe_) +
                 " acknowledged changes since this client's last commit are lost; connect again"};
  }
  run_ = welcome.run;
  made->generation = generation_.fetch_add(1, std::memory_order_acq_rel) + 1;
}

// What is said of a call that has gone out and whose answer has not come.
Status Peer::unknown(const Exchange& exchange, const Status& status) const {
  const bool known = exchange.effect == Effect::kReads || exchange.connection == nullptr ||
                     status_traits(status.code()).outcome == "unknown";
  if (known) return status;
  return {StatusCode::kTimeout, "it is not known whether the call was done: " + status.message()};
}

// Of a change: it counts for the run that has answered.
void Peer::acknowledge(const Exchange& exchange) {
  const MutexLock lock(mutex_);
  acknowledged_.fetch_add(1, std::memory_order_acq_rel);
  if (exchange.connection->welcome().run != run_ && lost_.ok()) {
    lost_ = {StatusCode::kSessionExpired,
             "the server at " + address_.to_string() +
                 " was started anew right after it had acknowledged a change; connect again"};
  }
}

void Peer::committed(uint64_t acknowledged) {
  const MutexLock lock(mutex_);
  safe_ = std::max(safe_, acknowledged);
}

Status Peer::may_repeat(const Exchange& exchange, const Connection& connection) const {
  if (exchange.connection == nullptr || exchange.effect == Effect::kReads) return {};
  const wire::Welcome& before = exchange.connection->welcome();
  if (exchange.effect == Effect::kChanges && before.session == connection.welcome().session) {
    return {};
  }
  return {StatusCode::kSessionExpired, "the connection to " + address_.to_string() +
                                           " broke, and it is not known whether the call was done"};
}

Status Peer::begin(Exchange& exchange, Reply& reply, Deadline deadline, Deadline connect_by) {
  while (true) {
    auto connection = connected(connect_by);
    if (!connection.ok()) return connection.status();
    HOTROW_RETURN_IF_ERROR(may_repeat(exchange, *connection.value()));
    if (exchange.generation != 0 && exchange.generation != connection.value()->generation) {
      exchange.stale = true;
      return {StatusCode::kUnavailable, "the server at " + address_.to_string() +
                                            " was started anew meanwhile; nothing was done"};
    }
    const wire::Welcome& welcome = connection.value()->welcome();
    if (exchange.request.body_bytes() > welcome.most_body_bytes) {
      return Status::invalid_argument("a request of " +
                                      std::to_string(exchange.request.body_bytes()) +
                                      " bytes, the server at " + address_.to_string() + " takes " +
                                      std::to_string(welcome.most_body_bytes));
    }
    if (exchange.effect == Effect::kChanges && exchange.sequence == 0) {
      exchange.sequence = next_sequence_.fetch_add(1, std::memory_order_relaxed);
    }
    exchange.request.header().sequence = exchange.sequence;
    if (sight_->trace() != nullptr) exchange.request.header().request = Traced::next_request();
    exchange.request.header().code = milliseconds_left(deadline);
    const Status status = connection.value()->send(exchange.request, reply, deadline);
    if (status.ok()) {
      exchange.connection = connection.value();
      exchange.waiting = reply.request;
    }
    // Of a frame that is not whole the server does nothing.
    if (status.ok() || !is_of_connection(status) || Clock::now() >= connect_by) return status;
  }
}

Status Peer::end(Exchange& exchange, Reply& reply, Deadline deadline) {
  while (true) {
    const Status status = exchange.connection->wait(reply, deadline);
    exchange.waiting = 0;
    if (status.ok()) {
      const bool changed = reply.status.ok() && exchange.effect == Effect::kChanges;
      if (changed) acknowledge(exchange);
      sight_->done(exchange.request.header().verb, exchange.pair, reply, name_);
      return reply.status;
    }
    const bool again = is_of_connection(status) && exchange.effect != Effect::kOnce;
    if (!again || Clock::now() >= deadline) return unknown(exchange, status);
    const Status begun = begin(exchange, reply, deadline);
    if (!begun.ok()) return unknown(exchange, begun);
  }
}

}  // namespace hotrow::client
