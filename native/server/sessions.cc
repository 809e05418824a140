#include "server/sessions.h"

#include "base/random_id.h"

namespace hotrow::server {

bool SessionState::look_up(uint64_t sequence, Outcome& known) {
  if (records_.empty()) records_.resize(kWindow);
  const Record& record = records_[sequence % kWindow];
  if (record.sequence == sequence) {
    known = record.outcome;
    return true;
  }
  if (record.sequence > sequence) {
    known.status = {StatusCode::kSessionExpired,
                    "a change came so late that nobody knows whether it was applied before"};
  }
  return false;
}

Result<std::shared_ptr<SessionState>> Sessions::join(const std::string& id,
                                                     const std::string& owner, bool& resumed) {
  const MutexLock lock(mutex_);
  expire();
  const auto known = all_.find(id);
  resumed = known != all_.end() && known->second->owner_ == owner;
  if (resumed) {
    ++known->second->connections_;
    return known->second;
  }
  if (all_.size() >= kMost && !drop_oldest()) {
    return Status(StatusCode::kBusy, "the server has " + std::to_string(kMost) + " sessions");
  }
  auto session = std::make_shared<SessionState>(random_id(), owner);
  session->connections_ = 1;
  all_.emplace(session->id(), session);
  return session;
}

void Sessions::leave(const std::shared_ptr<SessionState>& session, bool done) {
  const MutexLock lock(mutex_);
  session->left_ = std::chrono::steady_clock::now();
  if (--session->connections_ == 0 && done) all_.erase(session->id());
}

bool Sessions::connected(const std::string& id) const {
  const MutexLock lock(mutex_);
  const auto found = all_.find(id);
  return found != all_.end() && found->second->connections_ > 0;
}

uint64_t Sessions::size() const {
  const MutexLock lock(mutex_);
  return all_.size();
}

void Sessions::expire() {
  const auto oldest = std::chrono::steady_clock::now() - kept_;
  std::erase_if(all_, [&](const auto& each) {
    return each.second->connections_ == 0 && each.second->left_ < oldest;
  });
}

bool Sessions::drop_oldest() {
  auto oldest = all_.end();
  for (auto each = all_.begin(); each != all_.end(); ++each) {
    if (each->second->connections_ > 0) continue;
    if (oldest == all_.end() || each->second->left_ < oldest->second->left_) oldest = each;
  }
  if (oldest == all_.end()) return false;
  all_.erase(oldest);
  return true;
}

}  // namespace hotrow::server
