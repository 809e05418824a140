#include "client/hedge.h"

#include <algorithm>

namespace hotrow::client {

namespace {

using std::chrono::milliseconds;
using std::chrono::nanoseconds;

constexpr double kFirstNs = 10e6;
// Sooner a thread's wake-up says more than the server.
constexpr double kLeastNs = 1e6;
constexpr double kMostNs = 100e6;
// Of replies, that are not waited for alone.
constexpr double kLate = 0.05;
// Of what is believed, by which one reply may change it.
constexpr double kStep = 0.1;

constexpr double kBudget = 10;
constexpr double kPerReply = 0.1;
constexpr milliseconds kFill{100};  // one more

// A server that so many lookups have waited for in vain is asked now and then: requests that it
// does not read would fill its connection.
constexpr uint32_t kSilent = 3;
constexpr milliseconds kFirstProbe{100};
constexpr milliseconds kLongestProbe{2'000};

constexpr std::chrono::seconds kUnreachable{1};

}  // namespace

Hedge::Hedge(std::vector<uint32_t> followers)
    : followers_(std::move(followers)),
      not_before_(followers_.size()),
      patience_ns_(kFirstNs),
      budget_(kBudget),
      filled_(Clock::now()) {}

nanoseconds Hedge::patience() const {
  const MutexLock lock(mutex_);
  return nanoseconds(static_cast<int64_t>(patience_ns_));
}

bool Hedge::try_server(Time now) {
  const MutexLock lock(mutex_);
  if (pause_.count() == 0) return true;
  if (now < server_not_before_) return false;
  // One asks; the others see what becomes of it.
  leave_server(now);
  return true;
}

void Hedge::leave_server(Time now) {
  pause_ = std::clamp(pause_ * 2, kFirstProbe, kLongestProbe);
  server_not_before_ = now + pause_;
}

// Up by much or down by little: the two meet where one reply in twenty is later.
void Hedge::came(std::optional<nanoseconds> after) {
  const MutexLock lock(mutex_);
  silent_ = 0;
  pause_ = milliseconds(0);
  budget_ = std::min(budget_ + kPerReply, kBudget);
  if (!after) return;
  const bool late = static_cast<double>(after->count()) > patience_ns_;
  patience_ns_ *= 1 + kStep * (late ? 1 - kLate : -kLate);
  patience_ns_ = std::clamp(patience_ns_, kLeastNs, kMostNs);
}

void Hedge::gone(Time now) {
  const MutexLock lock(mutex_);
  if (pause_.count() == 0) leave_server(now);
}

std::optional<uint32_t> Hedge::ask(Time now, bool server_may_answer,
                                   std::span<const uint32_t> asked) {
  const MutexLock lock(mutex_);
  if (const auto filled = (now - filled_) / kFill; filled > 0) {
    budget_ = std::min(budget_ + static_cast<double>(filled), kBudget);
    filled_ = now;
  }
  if (server_may_answer && budget_ < 1) return std::nullopt;
  for (size_t i = 0; i < followers_.size(); ++i) {
    const size_t its = next_++ % followers_.size();
    const bool again = std::ranges::find(asked, followers_[its]) != asked.end();
    if (again || not_before_[its] > now) continue;
    budget_ = std::max(budget_ - 1, 0.0);
    ++sent_;
    return followers_[its];
  }
  return std::nullopt;
}

void Hedge::won(Time now) {
  const MutexLock lock(mutex_);
  ++won_;
  budget_ = std::min(budget_ + 1, kBudget);
  if (++silent_ >= kSilent && pause_.count() == 0) leave_server(now);
}

void Hedge::unreachable(uint32_t follower, Time now) {
  const MutexLock lock(mutex_);
  const auto its = std::ranges::find(followers_, follower) - followers_.begin();
  not_before_[static_cast<size_t>(its)] = now + kUnreachable;
  --sent_;
  budget_ = std::min(budget_ + 1, kBudget);
}

std::pair<uint64_t, uint64_t> Hedge::sent_and_won() const {
  const MutexLock lock(mutex_);
  return {sent_, won_};
}

}  // namespace hotrow::client
