#include "client/hedge.h"

#include <algorithm>

namespace hotrow::client {

namespace {

using std::chrono::nanoseconds;

constexpr double kFirstNs = 10e6;
// Sooner a thread's wake-up says more than the server.
constexpr double kLeastNs = 0.5e6;
constexpr double kMostNs = 100e6;
// Of replies, that are not waited for alone.
constexpr double kLate = 0.05;
// Of what is believed, by which one reply may change it.
constexpr double kStep = 0.1;

constexpr double kBudget = 10;
constexpr double kPerReply = 0.1;

constexpr std::chrono::seconds kUnreachable{1};

}  // namespace

Hedge::Hedge(std::vector<uint32_t> followers)
    : followers_(std::move(followers)),
      not_before_(followers_.size()),
      patience_ns_(kFirstNs),
      budget_(kBudget) {}

nanoseconds Hedge::patience() const {
  const MutexLock lock(mutex_);
  return nanoseconds(static_cast<int64_t>(patience_ns_));
}

// Up by much or down by little: the two meet where one reply in twenty is later.
void Hedge::came(nanoseconds after) {
  const MutexLock lock(mutex_);
  const bool late = static_cast<double>(after.count()) > patience_ns_;
  patience_ns_ *= 1 + kStep * (late ? 1 - kLate : -kLate);
  patience_ns_ = std::clamp(patience_ns_, kLeastNs, kMostNs);
  budget_ = std::min(budget_ + kPerReply, kBudget);
}

std::optional<uint32_t> Hedge::ask(Clock::time_point now) {
  const MutexLock lock(mutex_);
  if (budget_ < 1) return std::nullopt;
  for (size_t i = 0; i < followers_.size(); ++i) {
    const size_t its = next_++ % followers_.size();
    if (not_before_[its] > now) continue;
    budget_ -= 1;
    ++sent_;
    return followers_[its];
  }
  return std::nullopt;
}

void Hedge::won() {
  const MutexLock lock(mutex_);
  ++won_;
  budget_ = std::min(budget_ + 1, kBudget);
}

void Hedge::unreachable(uint32_t follower, Clock::time_point now) {
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
