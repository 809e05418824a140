// Lookups that a follower of their server may answer (hedge.h): each waits for its server and, once
// that is late or gone, for a follower, and takes the rows of the one that is first.
#include <algorithm>
#include <chrono>
#include <utility>

#include "client/flight.h"

namespace hotrow::client {

namespace {

using Settled = Connection::Settled;

// Server and follower are waited for in turn: a thread that waits reads, and it cannot read two
// connections at once.
constexpr std::chrono::milliseconds kTurn{1};
// Until a follower is asked who could not be when the time had come.
constexpr std::chrono::milliseconds kAgain{10};

}  // namespace

Status RemoteTable::begin_hedged(Flight& flight, const Round& round) {
  Peer& peer = cluster_->peer(flight.server);
  const auto now = Hedge::Clock::now();
  if (!flight.hedge->try_server(now)) return {};
  const Deadline soon = std::min(round.deadline, now + Hedge::kReach);
  Status status = peer.begin(flight.exchange, flight.reply, round.deadline, soon);
  if (!is_of_connection(status) || flight.exchange.stale) return status;
  flight.hedge->gone(now);
  return {};
}

std::unique_ptr<RemoteTable::Flight> RemoteTable::ask_follower(const Flight& flight,
                                                               const Round& round,
                                                               std::vector<uint32_t>& asked) {
  Hedge& hedge = *flight.hedge;
  const auto now = Hedge::Clock::now();
  const auto follower = hedge.ask(now, flight.exchange.waiting != 0, asked);
  if (!follower) return nullptr;
  asked.push_back(*follower);
  const Deadline soon = std::min(round.deadline, now + Hedge::kReach);
  // Its numbers are others once it was started anew.
  for (bool again = true; again;) {
    const auto number = numbers_.of(*follower, soon);
    if (!number.ok()) break;
    auto other = std::make_unique<Flight>(wire::Verb::kLookup);
    other->server = *follower;
    other->width = flight.width;
    other->own_rows.resize(flight.keys.size() * flight.width);
    other->rows = other->own_rows;
    other->landed_found.resize(flight.found.size());
    other->found = other->landed_found;
    other->exchange.generation = number.value().generation;
    other->exchange.request.add(0, number.value().number, wire::Kind::kKeys, flight.keys);
    other->exchange.request.add(0, number.value().number, flight.call);
    const Status begun =
        cluster_->peer(*follower).begin(other->exchange, other->reply, round.deadline, soon);
    if (begun.ok()) return other;
    again = other->exchange.stale && Hedge::Clock::now() < soon;
  }
  hedge.unreachable(*follower, Hedge::Clock::now());
  return nullptr;
}

bool RemoteTable::taken(Flight& other, Flight& flight, const Round& round) {
  Peer& peer = cluster_->peer(other.server);
  const Status status = peer.end(other.exchange, other.reply, round.deadline);
  if (!status.ok() || !other.whole) return false;
  // The server's rows do not come over these.
  flight.exchange.forget();
  flight.take(other);
  flight.hedge->won(Hedge::Clock::now());
  return true;
}

// Whoever is asked is waited for until the deadline; the server is asked again where it was gone.
Status RemoteTable::end_hedged(Flight& flight, const Round& round) {
  Hedge& hedge = *flight.hedge;
  Peer& peer = cluster_->peer(flight.server);
  std::vector<uint32_t> asked;
  std::unique_ptr<Flight> other;
  bool once_more = true;
  auto now = Hedge::Clock::now();
  const auto begun = now;
  auto ask_at = flight.exchange.waiting != 0
                    ? std::max(flight.reply.at[Reply::kSend] + hedge.patience(), now + kTurn)
                    : now;
  auto server_at = now + Hedge::kReach;
  for (; now < round.deadline; now = Hedge::Clock::now()) {
    if (flight.exchange.waiting != 0) {
      const auto until = other != nullptr ? now + kTurn : std::min(ask_at, round.deadline);
      switch (flight.exchange.connection->settled(flight.reply, until)) {
        case Settled::kDone: {
          // What was there before it was waited for says nothing.
          const auto there = flight.reply.at[Reply::kDecode];
          const auto sent = flight.reply.at[Reply::kSend];
          hedge.came(there >= begun ? std::optional(there - sent) : std::nullopt);
          return peer.end(flight.exchange, flight.reply, round.deadline);
        }
        case Settled::kBroken:
          flight.exchange.forget();
          hedge.gone(now);
          ask_at = now;
          break;
        case Settled::kLate:
          break;
      }
    }
    if (other == nullptr && Hedge::Clock::now() >= ask_at) {
      other = ask_follower(flight, round, asked);
      if (other == nullptr) ask_at = Hedge::Clock::now() + kAgain;
    }
    if (other != nullptr) {
      const auto soon = Hedge::Clock::now() + kTurn;
      const auto until = flight.exchange.waiting != 0 ? soon : std::max(soon, server_at);
      const auto its =
          other->exchange.connection->settled(other->reply, std::min(until, round.deadline));
      if (its == Settled::kDone && taken(*other, flight, round)) return {};
      // Whoever was started anew is asked once more, on a new connection.
      if (its == Settled::kBroken && std::exchange(once_more, false)) asked.pop_back();
      if (its != Settled::kLate) {
        other.reset();
        ask_at = Hedge::Clock::now();
      }
    }
    if (flight.exchange.waiting != 0) continue;
    // Without a follower on its way the server is all there is.
    if (other == nullptr && asked.size() == hedge.followers().size()) break;
    if (other != nullptr && Hedge::Clock::now() < server_at) continue;
    const Deadline soon = std::min(round.deadline, Hedge::Clock::now() + Hedge::kReach);
    const Status status = peer.begin(flight.exchange, flight.reply, round.deadline, soon);
    if (!status.ok() && (!is_of_connection(status) || flight.exchange.stale)) return status;
    server_at = Hedge::Clock::now() + Hedge::kReach;
  }
  return flight.exchange.waiting != 0 ? peer.end(flight.exchange, flight.reply, round.deadline)
                                      : peer.run(flight.exchange, flight.reply, round.deadline);
}

}  // namespace hotrow::client
