// Hedge: when a lookup that its server has not answered is sent to one of the server's followers
// too, and to which; and when the server is left alone, because it answers nobody.
//
// A follower has the rows of a version, so this is done for lookups only that say how old rows may
// be. A follower that was asked in vain costs one of a budget, which replies of the server and time
// fill again; one that was first costs nothing.
//
// Threads: any number at once.
#ifndef HOTROW_CLIENT_HEDGE_H_
#define HOTROW_CLIENT_HEDGE_H_

#include <chrono>
#include <cstdint>
#include <optional>
#include <span>
#include <utility>
#include <vector>

#include "base/sync.h"

namespace hotrow::client {

class Hedge {
 public:
  using Clock = std::chrono::steady_clock;
  using Time = Clock::time_point;

  /// To reach a follower, or a server that has one, may take so long; a lookup waits meanwhile.
  static constexpr std::chrono::milliseconds kReach{100};

  /// Positions of the followers, of which there is one at least.
  explicit Hedge(std::vector<uint32_t> followers);

  const std::vector<uint32_t>& followers() const { return followers_; }
  /// For so long the server is waited for alone: of the replies that were waited for, 19 of 20 came
  /// sooner.
  std::chrono::nanoseconds patience() const HOTROW_EXCLUDES(mutex_);

  /// Is the server to be asked? Not while it is silent or gone, but now and then.
  bool try_server(Time now) HOTROW_EXCLUDES(mutex_);
  /// It has answered; so long after it was asked, where that was waited for.
  void came(std::optional<std::chrono::nanoseconds> after) HOTROW_EXCLUDES(mutex_);
  /// It could not be reached, or its connection broke.
  void gone(Time now) HOTROW_EXCLUDES(mutex_);

  /// The position of the follower to ask now, none of `asked`; nothing where none can be reached,
  /// or too many were asked in vain and the server may answer yet.
  std::optional<uint32_t> ask(Time now, bool server_may_answer, std::span<const uint32_t> asked)
      HOTROW_EXCLUDES(mutex_);
  /// The follower that was asked has answered first.
  void won(Time now) HOTROW_EXCLUDES(mutex_);
  /// It cannot be asked: not soon again.
  void unreachable(uint32_t follower, Time now) HOTROW_EXCLUDES(mutex_);

  /// Lookups sent to followers, and those of them that were answered there first.
  std::pair<uint64_t, uint64_t> sent_and_won() const HOTROW_EXCLUDES(mutex_);

 private:
  void leave_server(Time now) HOTROW_REQUIRES(mutex_);

  const std::vector<uint32_t> followers_;

  mutable Mutex mutex_;
  std::vector<Time> not_before_ HOTROW_GUARDED_BY(mutex_);  // of each follower
  size_t next_ HOTROW_GUARDED_BY(mutex_) = 0;
  double patience_ns_ HOTROW_GUARDED_BY(mutex_);
  double budget_ HOTROW_GUARDED_BY(mutex_);  // of followers to be asked in vain
  Time filled_ HOTROW_GUARDED_BY(mutex_);    // the budget, by time
  // Won since the server has answered last; from when on it is asked again, and after what pause.
  uint32_t silent_ HOTROW_GUARDED_BY(mutex_) = 0;
  Time server_not_before_ HOTROW_GUARDED_BY(mutex_);
  std::chrono::milliseconds pause_ HOTROW_GUARDED_BY(mutex_){0};
  uint64_t sent_ HOTROW_GUARDED_BY(mutex_) = 0;
  uint64_t won_ HOTROW_GUARDED_BY(mutex_) = 0;
};

}  // namespace hotrow::client

#endif  // HOTROW_CLIENT_HEDGE_H_
