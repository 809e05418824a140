// Cluster: the servers of one remote store, what is known of their placement, and how a batch is
// cut for them.
//
// A server keeps its position as long as the store is open, whether it is still in the placement or
// not: positions that a batch was cut by stay true while another placement comes.
#ifndef HOTROW_CLIENT_CLUSTER_H_
#define HOTROW_CLIENT_CLUSTER_H_

#include <algorithm>
#include <array>
#include <chrono>
#include <cstdint>
#include <functional>
#include <memory>
#include <ranges>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "base/sync.h"
#include "client/dense_copies.h"
#include "client/hedge.h"
#include "client/open_step.h"
#include "client/peer.h"
#include "client/placement.h"
#include "hotrow/batch.h"
#include "hotrow/connect.h"
#include "hotrow/stats.h"

namespace hotrow::client {

/// ERR_INVALID_ARGUMENT, about `field`, unless all are HOST:PORT where a client with such `tls` may
/// go.
Status check_servers(std::span<const std::string> servers, const ClientTls& tls,
                     std::string_view field = "servers");
/// ERR_INVALID_ARGUMENT unless these are servers of their own, each of one of the options' servers.
Status check_followers(const ConnectOptions& options);

/// Where keys are as far as is known at one moment.
struct View {
  uint32_t epoch;                 // of the slot map; 0: there is none, the list of servers holds
  uint64_t digest;                // of the slot map
  std::vector<uint32_t> members;  // positions of its servers, in its order
  size_t positions;               // all servers known then: members are below
  Placement placement;            // of slots at positions

  bool several() const { return members.size() > 1; }
  uint32_t only() const { return members.front(); }
};

class Cluster {
 public:
  /// `trace`: null, or where the client's requests are drawn.
  Cluster(const ConnectOptions& options, const std::vector<net::Address>& addresses,
          std::shared_ptr<const Credentials> credentials,
          std::shared_ptr<net::TraceFile> trace = nullptr);

  std::shared_ptr<const View> view() const HOTROW_EXCLUDES(mutex_);
  /// Positions of the servers that are in the placement now.
  std::vector<uint32_t> members() const { return view()->members; }
  Peer& peer(size_t i) { return *peers_[i]; }
  /// By which all clients know the server.
  const std::string& name(size_t i) const { return names_[i]; }
  const std::string& path() const { return path_; }

  /// Takes a slot map that is newer than what is known; an older one is passed over.
  /// ERR_INVALID_ARGUMENT when the text is none or names servers where the client may not go,
  /// ERR_CONFLICT for another map of the same epoch, ERR_CAPACITY when in all its time the client
  /// has known kMostServers servers.
  Status adopt(std::string_view text) HOTROW_EXCLUDES(mutex_);
  /// Connects to the servers and asks those that have a slot map for it.
  Status greet();
  /// Looks whether those followers that answer are followers. ERR_INVALID_ARGUMENT: one has another
  /// store's versions.
  Status meet_followers();
  /// Of a server of ConnectOptions that has followers; else null.
  Hedge* hedge(size_t server) const {
    return server < hedges_.size() ? hedges_[server].get() : nullptr;
  }
  /// Adds up what became of lookups that went to followers.
  void count_hedges(RemoteStats& stats) const;
  /// After `server`, whose placement had the epoch `its`, refused what the view of epoch `known`
  /// said is its: waits until another view may say more. False when the deadline has passed.
  bool catch_up(size_t server, uint32_t its, uint32_t known, Deadline deadline)
      HOTROW_EXCLUDES(mutex_);

  Deadline deadline() const { return std::chrono::steady_clock::now() + timeout_; }
  /// Of calls that write or read files.
  static Deadline long_deadline() {
    return std::chrono::steady_clock::now() + std::chrono::hours(1);
  }

  /// Takes the map that a server has. The status is that of asking, or adopt()'s.
  Status take_map_of(size_t server, Deadline deadline) HOTROW_EXCLUDES(mutex_);
  /// Takes the map of a server that has answered by a newer one than is known. Not of a batch:
  /// there catch_up() does.
  void heard(size_t server, uint32_t epoch) HOTROW_EXCLUDES(mutex_);
  /// For calls that are of all servers: the view after one of them was asked for its map, where
  /// there are maps.
  std::shared_ptr<const View> newest_view() HOTROW_EXCLUDES(mutex_);

  /// Ends the session with every server.
  void close() HOTROW_EXCLUDES(mutex_);

  /// A call in text, of one server; `generation` as Exchange has it.
  Result<std::string> call(size_t server, const wire::Call& call, Deadline deadline,
                           Effect effect = Effect::kOnce, uint64_t generation = 0);
  /// calls[i] of servers[i], all under way at once. The answers, or the first failure, when all
  /// have ended.
  Result<std::vector<std::string>> call_each(std::span<const uint32_t> servers,
                                             std::span<const wire::Call> calls, Deadline deadline,
                                             Effect effect);
  /// As call(), its answer read as a T.
  template <class T>
  Result<T> ask(size_t server, const wire::Call& call, Deadline deadline,
                Effect effect = Effect::kOnce) {
    auto text = this->call(server, call, deadline, effect);
    if (!text.ok()) return text.status();
    return wire::from_text<T>(text.value());
  }
  /// `wanted`, or half of the least that a server takes as a body.
  uint64_t most_piece_bytes(uint64_t wanted) const;
  /// Do all servers of the view know wire::Kind::kTimes?
  bool know_times(const View& view) const;
  /// What pushes belong to, where this client is a worker.
  OpenStep& open_step() { return open_step_; }
  Sight& sight() { return *sight_; }
  DenseCopies& dense_copies() { return dense_copies_; }

 private:
  using Versions = std::vector<VersionInfo>;
  static bool may_follow(const Versions& follower, const Versions& server);
  /// Servers that slots go to by the next view have what this client changed where they were.
  void inherit(const std::vector<uint16_t>& slots) HOTROW_REQUIRES(mutex_);
  /// The position of a server, which may be new.
  Result<uint32_t> position(const std::string& name) HOTROW_REQUIRES(mutex_);

  const ConnectOptions options_;
  const std::chrono::milliseconds timeout_;
  const std::shared_ptr<const Credentials> credentials_;
  const std::shared_ptr<Sight> sight_;
  std::string path_;
  OpenStep open_step_;
  DenseCopies dense_copies_;
  std::vector<std::unique_ptr<Hedge>> hedges_;  // by position of a server of options_

  mutable Mutex mutex_;
  CondVar changed_;
  // Of fixed place, so that those that are known are used without the lock. Whoever has a View has
  // seen those below its `positions` being set.
  std::array<std::unique_ptr<Peer>, kMostServers> peers_;
  std::array<std::string, kMostServers> names_;
  size_t positions_ HOTROW_GUARDED_BY(mutex_) = 0;
  std::shared_ptr<const View> view_ HOTROW_GUARDED_BY(mutex_);
};

/// A batch of keys cut by server: keys of one server in batch order, and where they came from.
struct Cut {
  struct Part {
    std::vector<uint64_t> keys;
    std::vector<uint32_t> from;  // position of each key in the batch
  };
  std::vector<Part> parts;  // one a position of a server
};

/// Batches of at most 2^32 keys. `some`: positions in the batch of those to be cut; null: all.
Cut cut(const View& view, KeyBatch keys, const std::vector<uint32_t>* some = nullptr);

/// The rows, `width` values each, at the given positions.
template <class Rows>
auto gather(const Rows& rows, size_t width, std::span<const uint32_t> from) {
  std::vector<std::ranges::range_value_t<Rows>> gathered(from.size() * width);
  for (size_t i = 0; i < from.size(); ++i) {
    std::copy_n(rows.data() + from[i] * width, width, gathered.data() + i * width);
  }
  return gathered;
}

/// A failure that is one of a server says which slot it is about: that of the first key.
Status about_slot(const View& view, KeyBatch keys, Status status);

}  // namespace hotrow::client

#endif  // HOTROW_CLIENT_CLUSTER_H_
