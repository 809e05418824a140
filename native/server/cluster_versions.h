// ClusterVersions: this server's part of the versions that several servers have together.
//
// A version of a cluster is a version of each of its servers, all under one id, which is written
// into each of them as it is made. The leader, one of the servers, decides. The steps:
//
//   begin     the leader: one version is made at a time
//   prepare   every server commits. What it had before is called `base/ID` as long as the outcome
//             is open
//   decide    the leader calls its part `open/ID`, then `cluster/ID`: with the replacement of one
//             file the version exists. The others follow and call theirs `cluster/ID`
//   close     the leader, when all have followed: `open/ID` goes
//
// A server whose newest version at its start is a part that it does not know to be decided is in
// doubt. The next client that connects asks the leader (resolve), who says what is so from then on,
// and settles it: the part stays, or the server goes back to what it had before.
//
// Threads: any number at once; one call at a time is done. in_doubt() never waits for one.
#ifndef HOTROW_SERVER_CLUSTER_VERSIONS_H_
#define HOTROW_SERVER_CLUSTER_VERSIONS_H_

#include <chrono>
#include <cstdint>
#include <deque>
#include <functional>
#include <string>
#include <string_view>
#include <vector>

#include "base/sync.h"
#include "hotrow/store.h"

namespace hotrow::server {

class ClusterVersions {
 public:
  /// Looks at what the store was opened on.
  void start(Store& store) HOTROW_EXCLUDES(doubt_mutex_);

  /// The id of a version that the server was started on and of which it does not know whether it
  /// exists; else empty.
  std::string in_doubt() const HOTROW_EXCLUDES(doubt_mutex_);

  /// Of the leader. ERR_BUSY while another version is being made: as long as its client, who said
  /// begin in the session `owner`, is `connected(owner)`, and for at most kBegunFor.
  Status begin(Store& store, const std::string& id, const std::string& owner,
               const std::function<bool(const std::string& owner)>& connected)
      HOTROW_EXCLUDES(mutex_);
  /// options.cluster.epoch: of the server's placement. `rollback_to`: the part is that version's
  /// rows instead of a commit; 0: none.
  Result<VersionInfo> prepare(Store& store, const std::string& id, const CommitOptions& options,
                              uint64_t rollback_to) HOTROW_EXCLUDES(mutex_);
  /// The prepared part is a version of the cluster; `leads`: this is the leader, who decides it.
  /// May be said again. ERR_NOT_FOUND when there is no such part, when it was given up, or when a
  /// later one is decided.
  Result<VersionInfo> decide(Store& store, const std::string& id, bool leads)
      HOTROW_EXCLUDES(mutex_);
  Status close(Store& store, const std::string& id) HOTROW_EXCLUDES(mutex_);
  /// Of the leader: ids that are decided, and of which not all servers may know it; one a line.
  Result<std::string> not_closed(Store& store) HOTROW_EXCLUDES(mutex_);
  /// Of the leader: was it decided? If not, it never will be.
  Result<bool> resolve(Store& store, const std::string& id) HOTROW_EXCLUDES(mutex_);
  /// What the leader has said. Where a server was started on what was not decided, it goes back.
  Status settle(Store& store, const std::string& id, bool decided) HOTROW_EXCLUDES(mutex_);

 private:
  static constexpr std::chrono::seconds kBegunFor{60};
  static constexpr size_t kMostGivenUp = 4096;

  /// What the store's versions say of an id.
  struct Part {
    VersionInfo info;  // version 0: there is none
    bool given_up = false;
    uint64_t newest_decided = 0;
    std::vector<std::string> settled_names;  // that a later decision makes needless
  };

  Result<Part> find_part(Store& store, const std::string& id) HOTROW_REQUIRES(mutex_);
  Result<VersionInfo> decide_part(Store& store, const std::string& id, bool leads)
      HOTROW_REQUIRES(mutex_);
  Status go_back(Store& store, const std::string& id) HOTROW_REQUIRES(mutex_);
  Status give_up(Store& store, const std::string& id, const Part& part) HOTROW_REQUIRES(mutex_);
  void release(const std::string& id) HOTROW_REQUIRES(mutex_);
  void no_doubt(const std::string& id) HOTROW_EXCLUDES(doubt_mutex_);

  Mutex mutex_;  // for as long as files are written
  std::string begun_ HOTROW_GUARDED_BY(mutex_);
  std::string begun_by_ HOTROW_GUARDED_BY(mutex_);
  std::chrono::steady_clock::time_point begun_at_ HOTROW_GUARDED_BY(mutex_);
  /// The newest of them. A prepare of one may still be on its way; what has come is in a name.
  std::deque<std::string> given_up_ HOTROW_GUARDED_BY(mutex_);
  mutable Mutex doubt_mutex_;
  std::string in_doubt_ HOTROW_GUARDED_BY(doubt_mutex_);
};

}  // namespace hotrow::server

#endif  // HOTROW_SERVER_CLUSTER_VERSIONS_H_
