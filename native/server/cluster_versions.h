// ClusterVersions: this server's part of the versions that several servers have together.
//
// A version of a cluster is a version of each of its servers, all under one id. It is made in two
// steps, each kept in the names that a store has for its versions:
//
//   prepare   every server commits, under the name `prepared/ID LEADER`; the version that it had
//             before is `parent/ID` as long as the outcome is open
//   decide    the leader names its part `cluster/ID`: with the one replacement of one file the
//             version exists. The others follow and do the same
//
// A server that is started on a version that was prepared and not decided is in doubt. The next
// client that connects asks the leader, who says what is so from then on, and settles it: the part
// stays, or the server goes back to what it had before.
//
// Threads: any number at once; one call at a time is done. in_doubt() never waits for one.
#ifndef HOTROW_SERVER_CLUSTER_VERSIONS_H_
#define HOTROW_SERVER_CLUSTER_VERSIONS_H_

#include <cstdint>
#include <set>
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

  /// `ID LEADER` of a version that the server was started on and of which it does not know whether
  /// it exists; else empty.
  std::string in_doubt() const HOTROW_EXCLUDES(doubt_mutex_);

  /// `id`: 32 hexadecimal digits and the leader's address, with a space between. `rollback_to`: the
  /// part is that version's rows instead of a commit; 0: none.
  Result<VersionInfo> prepare(Store& store, const std::string& id, const CommitOptions& options,
                              uint64_t rollback_to) HOTROW_EXCLUDES(mutex_);
  /// The prepared part is a version of the cluster. May be said again. ERR_NOT_FOUND when there is
  /// no such part, or when it was given up.
  Result<VersionInfo> decide(Store& store, const std::string& id) HOTROW_EXCLUDES(mutex_);
  /// Of the leader: was it decided? If not, it never will be.
  Result<bool> resolve(Store& store, const std::string& id) HOTROW_EXCLUDES(mutex_);
  /// What the leader has said. A server that is not in doubt about it only forgets its part of what
  /// was not decided; its rows stay.
  Status settle(Store& store, const std::string& id, bool decided) HOTROW_EXCLUDES(mutex_);

 private:
  static constexpr size_t kMostGivenUp = 4096;

  Result<VersionInfo> decide_part(Store& store, const std::string& id) HOTROW_REQUIRES(mutex_);
  Status go_back(Store& store, const std::string& id) HOTROW_REQUIRES(mutex_);

  void no_doubt(const std::string& id) HOTROW_EXCLUDES(doubt_mutex_);

  Mutex mutex_;  // for as long as files are written
  /// Not decided when they were asked for; the prepare of one may still be on its way.
  std::set<std::string> given_up_ HOTROW_GUARDED_BY(mutex_);
  mutable Mutex doubt_mutex_;
  std::string in_doubt_ HOTROW_GUARDED_BY(doubt_mutex_);
};

}  // namespace hotrow::server

#endif  // HOTROW_SERVER_CLUSTER_VERSIONS_H_
