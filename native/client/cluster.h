// Cluster: the servers of one remote store, and how a batch is cut for them.
#ifndef HOTROW_CLIENT_CLUSTER_H_
#define HOTROW_CLIENT_CLUSTER_H_

#include <chrono>
#include <cstdint>
#include <functional>
#include <memory>
#include <span>
#include <string>
#include <vector>

#include "client/open_step.h"
#include "client/peer.h"
#include "client/placement.h"
#include "hotrow/batch.h"
#include "hotrow/connect.h"

namespace hotrow::client {

class Cluster {
 public:
  Cluster(const ConnectOptions& options, const std::vector<net::Address>& addresses,
          const std::shared_ptr<const Credentials>& credentials);

  size_t size() const { return peers_.size(); }
  Peer& peer(size_t i) { return *peers_[i]; }
  /// By which all clients know the server.
  const std::string& name(size_t i) const { return names_[i]; }
  const Placement& placement() const { return placement_; }
  const std::string& path() const { return path_; }

  Deadline deadline() const { return std::chrono::steady_clock::now() + timeout_; }
  /// Of calls that write or read files.
  static Deadline long_deadline() {
    return std::chrono::steady_clock::now() + std::chrono::hours(1);
  }

  /// A call in text, of one server; `generation` as Exchange has it.
  Result<std::string> call(size_t server, const wire::Call& call, Deadline deadline,
                           Effect effect = Effect::kOnce, uint64_t generation = 0);
  /// calls[i] of server i, all under way at once. The answers, or the first failure, when all have
  /// ended.
  Result<std::vector<std::string>> call_each(std::span<const wire::Call> calls, Deadline deadline,
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
  /// What pushes belong to, where this client is a worker.
  OpenStep& open_step() { return open_step_; }

 private:
  std::vector<std::unique_ptr<Peer>> peers_;
  const std::vector<std::string> names_;
  const Placement placement_;
  const std::chrono::milliseconds timeout_;
  std::string path_;
  OpenStep open_step_;
};

/// A batch of keys cut by server: keys of one server in batch order, and where they came from.
struct Cut {
  struct Part {
    std::vector<uint64_t> keys;
    std::vector<uint32_t> from;  // position of each key in the batch
  };
  std::vector<Part> parts;  // one a server
};

/// Batches of at most 2^32 keys.
Cut cut(const Placement& placement, size_t servers, KeyBatch keys);

/// The rows, `width` values each, at the given positions.
std::vector<float> gather(std::span<const float> rows, size_t width,
                          std::span<const uint32_t> from);

}  // namespace hotrow::client

#endif  // HOTROW_CLIENT_CLUSTER_H_
