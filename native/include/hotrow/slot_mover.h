// SlotMover: brings slots of a placement from one live server to another, while clients go on
// reading and changing them (docs/ARCHITECTURE.md, "Slots that move").
//
// Whoever calls it changes the placement, in between, where all servers of the cluster will find
// it, and sees to it that there is one mover at a time.
#ifndef HOTROW_SLOT_MOVER_H_
#define HOTROW_SLOT_MOVER_H_

#include <cstdint>
#include <memory>
#include <string>
#include <string_view>

#include "hotrow/connect.h"
#include "hotrow/status.h"

namespace hotrow {

/// Slots of one server that go to another together.
struct SlotGroup {
  std::string from;   ///< HOST:PORT, as the placement calls it
  std::string to;     ///< as `from`
  std::string slots;  ///< "0-5,9"; all of them are `from`'s
};

/// What was brought.
struct MovedRows {
  uint64_t rows = 0;   ///< that came, changed or went
  uint64_t bytes = 0;  ///< of values and optimizer state
};

/// The steps for one group, one after the other:
///
///   copy     while everything goes on, and once more whenever freeze() says ERR_BUSY
///   freeze   changes of the group wait from here on, and reads from its end on
///   tell     after the placement was changed; or thaw(), when it was not and never will be
///
/// Threads: one at a time.
class SlotMover {
 public:
  /// Connects to options.servers, which are all servers of the placement that has just been read.
  /// `lock`: a number that is above that of every earlier mover; servers refuse what those still
  /// say. Errors as connect(); it needs the role admin.
  static Result<std::unique_ptr<SlotMover>> connect(const ConnectOptions& options, uint64_t lock);
  virtual ~SlotMover() = default;

  /// Rows with optimizer state of all tables on that server, which size groups.
  virtual Result<MovedRows> held(std::string_view server) = 0;

  /// Keeps versions of the servers from being made until resume(), or until this mover's end. Waits
  /// for one that is being made; ERR_BUSY after 75 s.
  virtual Status pause_versions() = 0;
  virtual void resume_versions() = 0;

  /// Copies all rows of the group's slots, with optimizer state, and commits them on the new server
  /// with its cursor as it is: what the old one has in a version is in one of the new one, too.
  /// Erases what the new server has of those slots from before. ERR_CAPACITY when it has no room.
  virtual Result<MovedRows> copy(const SlotGroup& group) = 0;
  /// Of the group that was copied: from now on the old server refuses changes of it; what has
  /// changed since the copy, and its dense parameters, are brought; then reads are refused, too.
  /// ERR_BUSY, and nothing is frozen, when the old server has made a version since the copy began.
  /// After any other error the group may be frozen.
  virtual Result<MovedRows> freeze() = 0;
  /// Ends the freeze of the group. Only when no placement that gives the group away can come any
  /// more.
  virtual Status thaw() = 0;
  /// Gives both servers the placement. They would find it themselves: an error
  /// means that it takes longer.
  virtual Status tell(std::string_view placement) = 0;
};

}  // namespace hotrow

#endif  // HOTROW_SLOT_MOVER_H_
