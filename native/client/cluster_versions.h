// ClusterVersions: what a client does about the versions of several servers, which it makes one of
// all or none (server/cluster_versions.h has the steps and what becomes of a server that dies
// between them). The leader is the server whose name comes first, in whatever order they are given.
//
// A version's number is that of the leader's part. Its rows are those that each server had when it
// committed: pushes that were acknowledged before the call are in it on every server; those made
// during the call may be in it on one server and not on another.
//
// Threads: any number at once. One version is made after the other.
#ifndef HOTROW_CLIENT_CLUSTER_VERSIONS_H_
#define HOTROW_CLIENT_CLUSTER_VERSIONS_H_

#include <cstdint>
#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "client/cluster.h"
#include "hotrow/store.h"

namespace hotrow::client {

class ClusterVersions {
 public:
  explicit ClusterVersions(std::shared_ptr<Cluster> cluster) : cluster_(std::move(cluster)) {}

  /// Settles what servers do not know of versions: those that they were started on, and those that
  /// were decided and that not all may have heard of. A client that may only read leaves it.
  Status settle();

  Result<VersionInfo> commit(const CommitOptions& options);
  /// Makes a new version, as a commit does. One that fails may have been done by some servers.
  Result<VersionInfo> rollback(std::string_view version);
  /// The newest; all 0 when there is none.
  Result<VersionInfo> version();
  /// Those that all servers keep, oldest first.
  Result<std::vector<VersionInfo>> versions();
  Status name_version(std::string_view name, uint64_t version);
  Status pin_version(uint64_t version, bool pinned);
  Result<std::vector<TableDiff>> diff(std::string_view from, std::string_view to);

 private:
  using Servers = std::vector<uint32_t>;  // positions
  using Parts = std::vector<uint64_t>;    // numbers of versions, one a server

  /// Of those, the server whose name comes first.
  uint32_t leader(const Servers& servers) const;
  /// A version of the cluster, and the number of each server's part.
  struct Whole {
    VersionInfo info;
    Servers servers;
    Parts parts;
    uint32_t epoch = 0;  // of the placement by which its parts were made
  };

  Result<std::vector<Whole>> whole_versions();
  /// By number or name.
  Result<Whole> find(std::string_view version);
  Status settle_doubts(const Servers& servers);
  Status finish_open(const Servers& servers);
  Status begin(uint32_t leads, const std::string& id, Deadline deadline);
  /// prepare of each server, then the decision. `rollback_to`: each server's version; empty: none.
  /// `moved`: ERR_BUSY was because slots have moved, which another try may find done.
  Result<VersionInfo> make(const Servers& servers, wire::Call prepare, const Parts& rollback_to,
                           bool& moved);
  /// What is wrong with the parts of a version, as the servers have answered prepare.
  Status check_parts(const Servers& servers, std::span<const std::string> parts) const;
  Status undecided(const Servers& servers, uint32_t leads, const std::string& id,
                   const Status& status);
  Status make_known(const Servers& servers, uint32_t leads, const std::string& id);
  void give_up(const Servers& servers, uint32_t leads, const std::string& id);
  /// A call of each server about its part of a version, the leader's last.
  Status tell_parts(const Servers& servers, const Parts& parts, const wire::Call& call);

  const std::shared_ptr<Cluster> cluster_;
};

}  // namespace hotrow::client

#endif  // HOTROW_CLIENT_CLUSTER_VERSIONS_H_
