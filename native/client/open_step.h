// OpenStep: which step of a worker's the pushes of a store belong to.
//
// Threads: any number at once.
#ifndef HOTROW_CLIENT_OPEN_STEP_H_
#define HOTROW_CLIENT_OPEN_STEP_H_

#include <cstdint>
#include <string>
#include <utility>

#include "base/sync.h"
#include "hotrow/status.h"

namespace hotrow::client {

class OpenStep {
 public:
  /// Begins a push: what its requests say as their clock; 0: it belongs to no step. ERR_CONFLICT
  /// while the step ends. To be followed by end_push().
  Result<uint32_t> begin_push() HOTROW_EXCLUDES(mutex_) {
    const MutexLock lock(mutex_);
    if (closing_) {
      return Status::conflict(
          "a push after the worker's tick() and before its success: wait for that, or leave()");
    }
    ++pushes_;
    return held_ ? step_ : 0;
  }
  /// `status`: what became of it; `whole`: when it failed, it was held nowhere.
  void end_push(uint32_t step, const Status& status, bool whole) HOTROW_EXCLUDES(mutex_) {
    const MutexLock lock(mutex_);
    --pushes_;
    if (status.ok() || step == 0 || whole || !broken_.ok() || step != step_) return;
    broken_ = Status::conflict("a push of step " + std::to_string(step) +
                               " may have reached some servers only (" + status.message() +
                               "): leave() and join again");
  }

  /// `held`: pushes are kept until their step ends.
  void open(uint32_t step, bool held) HOTROW_EXCLUDES(mutex_) {
    const MutexLock lock(mutex_);
    step_ = step;
    held_ = held;
    closing_ = false;
    broken_ = {};
  }
  /// No push begins from now on. ERR_CONFLICT when some are under way, or when one may have been
  /// done in part.
  Status close() HOTROW_EXCLUDES(mutex_) {
    const MutexLock lock(mutex_);
    if (held_) HOTROW_RETURN_IF_ERROR(broken_);
    if (pushes_ > 0) {
      return Status::conflict("tick() while " + std::to_string(pushes_) +
                              " pushes are under way: wait for them first");
    }
    closing_ = true;
    return {};
  }
  /// Pushes belong to no step any more.
  void end() { open(0, false); }

 private:
  Mutex mutex_;
  uint32_t step_ HOTROW_GUARDED_BY(mutex_) = 0;
  uint32_t pushes_ HOTROW_GUARDED_BY(mutex_) = 0;
  bool held_ HOTROW_GUARDED_BY(mutex_) = false;
  bool closing_ HOTROW_GUARDED_BY(mutex_) = false;
  Status broken_ HOTROW_GUARDED_BY(mutex_);
};

/// A push under way in its step.
class PushOfStep {
 public:
  /// `servers` it may go to.
  PushOfStep(OpenStep& open, size_t servers) : open_(open), several_(servers > 1) {
    auto begun = open.begin_push();
    begun_ = begun.ok();
    if (begun_) clock_ = begun.value();
    status_ = begun.status();
  }
  ~PushOfStep() {
    if (begun_) open_.end_push(clock_, outcome_, !several_ && !unknown());
  }
  PushOfStep(const PushOfStep&) = delete;
  PushOfStep& operator=(const PushOfStep&) = delete;

  /// Why it may not begin.
  const Status& status() const { return status_; }
  /// Of its requests' headers.
  uint32_t clock() const { return clock_; }
  /// May it go to servers of a placement of this epoch? A step ends at the servers that its worker
  /// has joined, whoever has the keys by then.
  Status check(uint32_t epoch) const {
    if (clock_ == 0 || epoch == 0) return {};
    return Status::conflict("a push of step " + std::to_string(clock_) +
                            " after the servers were given a placement: leave() and join again");
  }
  /// What became of it.
  Status done(Status outcome) {
    outcome_ = outcome;
    return outcome;
  }

 private:
  bool unknown() const { return status_traits(outcome_.code()).outcome == "unknown"; }

  OpenStep& open_;
  const bool several_;
  bool begun_ = false;
  uint32_t clock_ = 0;
  Status status_;
  Status outcome_{StatusCode::kInternal, "it was interrupted"};
};

}  // namespace hotrow::client

#endif  // HOTROW_CLIENT_OPEN_STEP_H_
