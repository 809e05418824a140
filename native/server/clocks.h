// Clocks: which workers a training job has, which steps they have ended, and who may go on. A state
// machine: time is passed in, nothing waits, nothing is sent. clock_desk.h has the rest.
//
// A group is led by one server, that of its job whose name comes first: there workers have leases,
// and there a step of ClockMode::kBulk is decided, that is, whose gradients are in it:
//
//   gathering   workers have not all come once: those that have not are waited for
//   open        step applied + 1: live workers end it, each when it likes
//   decided     all live workers have ended it. Its members are these; gradients of others are
//               dropped. It is applied here
//   applied     ticks of it are answered, with the members, whom the workers tell the other servers
//
// A server that follows knows of a group what it needs to hold gradients and to apply a decided
// step once: who its workers are, and which step was applied last. Leases bind nothing there; they
// only say which groups nobody is in any more.
//
// Threads: one at a time.
#ifndef HOTROW_SERVER_CLOCKS_H_
#define HOTROW_SERVER_CLOCKS_H_

#include <chrono>
#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <vector>

#include "hotrow/status.h"
#include "hotrow/sync_worker.h"

namespace hotrow::server {

class Clocks {
 public:
  using Time = std::chrono::steady_clock::time_point;
  static constexpr size_t kMostGroups = 64;
  static constexpr size_t kMostIdBytes = 64;
  /// Steps are counted in 32 bits of a frame's header.
  static constexpr uint64_t kMostSteps = UINT32_MAX - 1;

  /// A step and whose gradients are in it.
  struct Decision {
    std::string id;
    uint64_t step = 0;
    std::vector<uint32_t> members;  // rising
  };
  struct Joined {
    std::string id;
    uint64_t clock = 0;
    Decision last;                       // of kBulk; step 0: none yet
    std::vector<std::string> forgotten;  // ids of groups that made room
  };
  /// A worker that may push or tick.
  struct Place {
    std::string id;
    uint32_t index = 0;
    uint64_t clock = 0;
    uint64_t floor = 0;  // the group's: of kBulk, the step that was applied last
    ClockMode mode = ClockMode::kAsync;
  };
  struct Left {
    Place place;
    Decision last;
    bool over = false;  // nobody is in the group any more, and it is forgotten
  };
  struct Dropped {
    std::string id;
    uint32_t index = 0;
  };

  /// `owner`, a session, becomes a worker. `id` empty: of a group that this server leads, else the
  /// group's id and the clock to begin at, as its leader has said; where the group's life is
  /// another one here, it begins anew. Said again, the worker begins again, with nothing pushed.
  /// ERR_BUSY while a step is applied. An id is one group's (ERR_CONFLICT).
  Result<Joined> join(const std::string& owner, const WorkerOptions& options, const std::string& id,
                      uint64_t clock, Time now);
  /// ERR_NOT_FOUND: it is no worker of that group; ERR_CLOSED: it is one no more.
  Result<Place> place(const std::string& owner, const std::string& group) const;
  /// Of any group. None: it is no worker.
  std::optional<Place> place(const std::string& owner) const;
  Status renew(const std::string& owner, const std::string& group, Time now);
  Result<Left> leave(const std::string& owner, const std::string& group, Time now);

  /// Its step ends; said again, nothing happens. Of the leader.
  Status end_step(const std::string& owner, const std::string& group, uint64_t step, Time now);
  /// May a worker that has ended `step` go on? Errors as place().
  Result<bool> passes(const std::string& owner, const std::string& group, uint64_t step) const;
  /// For whom it waits.
  std::string waits_for(const std::string& group) const;
  /// The step that was decided or applied last.
  Decision last_decision(const std::string& group) const;
  /// The group's floor: of kBulk, the step that was applied last.
  Result<uint64_t> applied(const std::string& group) const;
  /// What became of the step that was applied last.
  Status outcome(const std::string& group) const;

  /// A step of kBulk whose live workers have all ended it: decided by this call, to be applied and
  /// then be finish()ed.
  std::optional<Decision> decide();
  /// A follower is told of a decision, by whoever knows the group's id: one who comes back may have
  /// to tell what was decided without it. True: it is to be applied and finish()ed; false: it is
  /// being applied or was. ERR_CLOSED when another step is next.
  Result<bool> told(const std::string& group, const Decision& decision);
  void finish(const Decision& decision, const Status& outcome);

  /// Drops workers whose lease has run out, of groups that this server leads.
  std::vector<Dropped> expire(Time now);
  /// When the next lease runs out.
  std::optional<Time> next_expiry() const;
  /// The server did not run for so long: its time is nobody's lease.
  void extend_leases(Time::duration by);
  /// Forgets groups that nobody is in; their ids.
  std::vector<std::string> forget_idle(Time now);

  /// Held bytes are not known here.
  Result<GroupFigures> look(const std::string& group, Time now) const;
  std::vector<std::string> names() const;
  /// The id of a group that is there.
  std::string id_of(const std::string& group) const;

 private:
  enum class Presence : uint8_t { kAwaited, kLive, kGone };
  struct Member {
    Presence presence = Presence::kAwaited;
    bool expired = false;  // why it is gone
    std::string owner;
    uint64_t clock = 0;
    Time expires;
    std::optional<Time> behind_since;
  };
  struct Group {
    std::string id;
    bool leads = true;
    WorkerOptions rules;  // of its first worker; index does not count
    std::vector<Member> members;
    uint64_t floor = 0;  // the slowest's clock, also when nobody is there; applied steps of kBulk
    bool applying = false;
    Decision last;
    Status outcome;
    uint64_t dropped = 0;
  };
  struct Owned {
    std::string group;
    uint32_t index = 0;
  };

  static bool live(const Group& group);
  static bool awaits(const Group& group);
  static bool in_use(const Group& group, Time now);
  static void settle_floor(Group& group);
  static void settle_behind(Group& group, Time now);
  static Status same_rules(const WorkerOptions& its, const WorkerOptions& given);
  Status conflict_of_owner(const std::string& owner, const WorkerOptions& options) const;
  Result<Group*> group_to_join(const WorkerOptions& options, const std::string& id, uint64_t clock,
                               Time now, Joined& joined);
  void forget(std::map<std::string, Group>::iterator group);
  const Group* find(const std::string& name) const;
  Result<Group*> group_of(const std::string& owner, const std::string& group);

  std::map<std::string, Group> groups_;
  std::map<std::string, Owned> owners_;  // those that are gone by their lease too
};

}  // namespace hotrow::server

#endif  // HOTROW_SERVER_CLOCKS_H_
