// ClockDesk: the workers of training jobs at one server. Takes their calls and pushes, answers them
// when their clock says so (clocks.h), and applies steps (held_pushes.h).
//
// Who waits is a function to be called and a time: no thread waits for a worker. One thread of the
// desk sleeps until the next lease or wait is over; another applies steps. Both are started by the
// first worker.
//
// Threads: any number at once. Answers are given on any thread, with no lock held.
#ifndef HOTROW_SERVER_CLOCK_DESK_H_
#define HOTROW_SERVER_CLOCK_DESK_H_

#include <chrono>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <thread>
#include <vector>

#include "base/sync.h"
#include "hotrow/store.h"
#include "server/access.h"
#include "server/clocks.h"
#include "server/held_pushes.h"
#include "server/worker.h"
#include "wire/clock_call.h"

namespace hotrow::server {

class ClockDesk {
 public:
  /// Called once.
  using Answer = std::function<void(Result<std::string>)>;

  ClockDesk(std::shared_ptr<Store> store, uint64_t most_held_bytes)
      : store_(std::move(store)), held_(most_held_bytes) {}
  ~ClockDesk() { stop(); }
  ClockDesk(const ClockDesk&) = delete;
  ClockDesk& operator=(const ClockDesk&) = delete;

  /// Is a call of that name for this desk?
  static bool knows(std::string_view call);
  /// Of a client, the session `owner`, who may do what `grant` says.
  void answer(const Grant& grant, const std::string& owner, const wire::ClockCall& call,
              Answer answer) HOTROW_EXCLUDES(mutex_);
  /// Would hold() take a push of so many bytes? As it says.
  Status may_hold(const std::string& owner, uint32_t step, uint64_t bytes) const
      HOTROW_EXCLUDES(mutex_);
  /// A push of step `step` of the session's worker, held until the step is decided.
  Status hold(const std::string& owner, uint32_t step, HeldPush push) HOTROW_EXCLUDES(mutex_);
  std::vector<GroupFigures> figures() const HOTROW_EXCLUDES(mutex_);
  /// Answers nobody any more.
  void stop() HOTROW_EXCLUDES(mutex_);

 private:
  using Time = Clocks::Time;
  using Text = Result<std::string>;

  /// A worker that waits for its tick's end, or who told of a step that is being applied.
  struct Waiter {
    std::string owner;
    std::string group;
    uint64_t step = 0;
    bool tells = false;
    Time until;
    Answer answer;
  };
  struct Said {
    Answer answer;
    Text text;
  };

  Text join(const std::string& owner, const wire::ClockCall& call) HOTROW_REQUIRES(mutex_);
  Text leave(const std::string& owner, const wire::ClockCall& call) HOTROW_REQUIRES(mutex_);
  Text look(const wire::ClockCall& call) HOTROW_REQUIRES(mutex_);
  /// None: it waits, or `answer` is with a waiter.
  std::optional<Text> tick(const std::string& owner, const wire::ClockCall& call)
      HOTROW_REQUIRES(mutex_);
  std::optional<Text> apply_step(const std::string& owner, const wire::ClockCall& call)
      HOTROW_REQUIRES(mutex_);
  std::optional<Text> dispatch(const std::string& owner, const wire::ClockCall& call)
      HOTROW_REQUIRES(mutex_);
  void wait(const std::string& owner, const wire::ClockCall& call, const Answer& answer,
            std::vector<Said>& said) HOTROW_REQUIRES(mutex_);
  /// What a waiter is told, when it waits no more.
  std::optional<Text> end_of(const Waiter& waiter, Time now) const HOTROW_REQUIRES(mutex_);
  /// The answer of a step that is over.
  Text over(const std::string& group, bool done) const HOTROW_REQUIRES(mutex_);
  /// Everything that has become possible.
  void advance(std::vector<Said>& said) HOTROW_REQUIRES(mutex_);
  /// Where a push of step `step` of the session's worker is held.
  Result<Clocks::Place> open_place(const std::string& owner, uint32_t step) const
      HOTROW_REQUIRES(mutex_);
  void begin_apply(const Clocks::Decision& decision) HOTROW_REQUIRES(mutex_);
  void apply(const Clocks::Decision& decision, HeldPushes::Taken taken) HOTROW_EXCLUDES(mutex_);
  void forget(const std::vector<std::string>& ids) HOTROW_REQUIRES(mutex_);
  Status start() HOTROW_REQUIRES(mutex_);
  void watch() HOTROW_EXCLUDES(mutex_);
  /// Sleeps until something is due, and does it. False: the desk has stopped.
  bool watch_once(bool& forgave, std::vector<Said>& said) HOTROW_EXCLUDES(mutex_);
  static void say(std::vector<Said> said);
  /// What its workers are told of a step that was not applied.
  static Status not_applied(const Clocks::Decision& decision, const Status& why);

  const std::shared_ptr<Store> store_;
  mutable Mutex mutex_;
  CondVar changed_;
  Clocks clocks_ HOTROW_GUARDED_BY(mutex_);
  HeldPushes held_ HOTROW_GUARDED_BY(mutex_);
  std::vector<Waiter> waiters_ HOTROW_GUARDED_BY(mutex_);
  bool stopping_ HOTROW_GUARDED_BY(mutex_) = false;
  std::thread watching_;  // started and joined by start() and stop()
  Worker applying_;
};

}  // namespace hotrow::server

#endif  // HOTROW_SERVER_CLOCK_DESK_H_
