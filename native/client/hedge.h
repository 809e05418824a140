// Hedge: when a lookup that its server has not answered is sent to one of the server's followers
// too, and to which.
//
// A follower has the rows of a version, so this is done for lookups only that say how old rows may
// be. One that was asked in vain costs a tenth of the lookups' budget; one that was first, nothing:
// where all servers are slow, hedging ends by itself.
//
// Threads: any number at once.
#ifndef HOTROW_CLIENT_HEDGE_H_
#define HOTROW_CLIENT_HEDGE_H_

#include <chrono>
#include <cstdint>
#include <optional>
#include <utility>
#include <vector>

#include "base/sync.h"

namespace hotrow::client {

class Hedge {
 public:
  using Clock = std::chrono::steady_clock;

  /// To reach a follower, and a server that has one, may take so long; a lookup waits meanwhile.
  static constexpr std::chrono::milliseconds kReach{100};

  /// Positions of the followers, of which there is one at least.
  explicit Hedge(std::vector<uint32_t> followers);

  const std::vector<uint32_t>& followers() const { return followers_; }
  /// For so long the server is waited for alone: of its replies 19 of 20 came sooner.
  std::chrono::nanoseconds patience() const HOTROW_EXCLUDES(mutex_);
  /// The server's reply has come, so long after it was asked.
  void came(std::chrono::nanoseconds after) HOTROW_EXCLUDES(mutex_);

  /// The position of the follower to ask now; nothing where too many were asked in vain or none can
  /// be reached.
  std::optional<uint32_t> ask(Clock::time_point now) HOTROW_EXCLUDES(mutex_);
  /// The follower that was asked has answered first.
  void won() HOTROW_EXCLUDES(mutex_);
  /// It cannot be asked: not soon again.
  void unreachable(uint32_t follower, Clock::time_point now) HOTROW_EXCLUDES(mutex_);

  /// Lookups sent to followers, and those of them that were answered there first.
  std::pair<uint64_t, uint64_t> sent_and_won() const HOTROW_EXCLUDES(mutex_);

 private:
  const std::vector<uint32_t> followers_;

  mutable Mutex mutex_;
  std::vector<Clock::time_point> not_before_ HOTROW_GUARDED_BY(mutex_);  // of each follower
  size_t next_ HOTROW_GUARDED_BY(mutex_) = 0;
  double patience_ns_ HOTROW_GUARDED_BY(mutex_);
  double budget_ HOTROW_GUARDED_BY(mutex_);  // of followers to be asked in vain
  uint64_t sent_ HOTROW_GUARDED_BY(mutex_) = 0;
  uint64_t won_ HOTROW_GUARDED_BY(mutex_) = 0;
};

}  // namespace hotrow::client

#endif  // HOTROW_CLIENT_HEDGE_H_
