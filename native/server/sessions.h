// Sessions: what the server remembers of a client beyond its connection, so that a change that is
// sent again after a connection broke takes effect once.
//
// A client numbers what changes rows from 1 on. The server keeps the outcome of the last kWindow
// numbers: one of these that comes again gets the same answer and changes nothing. What is older is
// refused with ERR_SESSION_EXPIRED, never applied a second time.
#ifndef HOTROW_SERVER_SESSIONS_H_
#define HOTROW_SERVER_SESSIONS_H_

#include <atomic>
#include <chrono>
#include <cstdint>
#include <map>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "base/sync.h"
#include "hotrow/status.h"

namespace hotrow::server {

/// What became of a change: its status, and what it counted.
struct Outcome {
  Status status;
  uint64_t count = 0;
};

class SessionState {
 public:
  static constexpr uint64_t kWindow = 1024;

  SessionState(std::string id, std::string owner) : id_(std::move(id)), owner_(std::move(owner)) {}

  const std::string& id() const { return id_; }

  /// work() -> Outcome, unless `sequence` has been here before. One change of a session at a time:
  /// the old connection's may still be under way when the new one's comes. 0: not numbered.
  template <class Work>
  Outcome change(uint64_t sequence, std::atomic<uint64_t>& repeated, const Work& work)
      HOTROW_EXCLUDES(mutex_) {
    if (sequence == 0) return work();
    const MutexLock lock(mutex_);
    Outcome known;
    if (look_up(sequence, known)) {
      ++repeated;
      return known;
    }
    if (!known.status.ok()) return known;
    Outcome outcome = work();
    records_[sequence % kWindow] = {sequence, outcome};
    return outcome;
  }

 private:
  friend class Sessions;
  struct Record {
    uint64_t sequence = 0;
    Outcome outcome;
  };

  /// True: `known` is its outcome. Else `known` says whether it may be applied.
  bool look_up(uint64_t sequence, Outcome& known) HOTROW_REQUIRES(mutex_);

  const std::string id_;
  const std::string owner_;  // the identity that began it
  Mutex mutex_;
  std::vector<Record> records_ HOTROW_GUARDED_BY(mutex_);  // kWindow, once there was a change
  // Guarded by Sessions::mutex_.
  uint32_t connections_ = 0;
  std::chrono::steady_clock::time_point left_;
};

class Sessions {
 public:
  static constexpr size_t kMost = 4096;

  explicit Sessions(std::chrono::milliseconds kept) : kept_(kept) {}

  /// The session of that id when it is still known and the owner's, which `resumed` tells, else a
  /// new one. Where there are too many, the one that was left first goes; ERR_BUSY when all have
  /// connections.
  Result<std::shared_ptr<SessionState>> join(const std::string& id, const std::string& owner,
                                             bool& resumed) HOTROW_EXCLUDES(mutex_);
  /// A connection of the session has ended; `done`: the client will not come back.
  void leave(const std::shared_ptr<SessionState>& session, bool done) HOTROW_EXCLUDES(mutex_);
  uint64_t size() const HOTROW_EXCLUDES(mutex_);
  /// Has the session of that id a connection?
  bool connected(const std::string& id) const HOTROW_EXCLUDES(mutex_);

 private:
  void expire() HOTROW_REQUIRES(mutex_);
  bool drop_oldest() HOTROW_REQUIRES(mutex_);

  const std::chrono::milliseconds kept_;
  mutable Mutex mutex_;
  std::map<std::string, std::shared_ptr<SessionState>> all_ HOTROW_GUARDED_BY(mutex_);
};

}  // namespace hotrow::server

#endif  // HOTROW_SERVER_SESSIONS_H_
