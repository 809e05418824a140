// SyncWorker: one of the workers of a training job, and the clock that they share.
//
// A worker's clock is the number of steps that it has ended. What the clocks of a group bind is its
// ClockMode; the server of the store whose name comes first keeps them (docs/ARCHITECTURE.md).
//
// Threads: every method from any thread.
#ifndef HOTROW_SYNC_WORKER_H_
#define HOTROW_SYNC_WORKER_H_

#include <cstdint>
#include <string>
#include <vector>

#include "hotrow/status.h"

namespace hotrow {

/// What the workers of a group wait for.
enum class ClockMode : uint8_t {
  kAsync,    ///< nobody; clocks are only counted
  kBounded,  ///< a worker that is more than `staleness` steps ahead of the slowest waits for it
  /// All for all: the gradients of a step are kept at the servers until every live worker has ended
  /// it, summed in worker order and applied as one push.
  kBulk,
};

inline constexpr uint32_t kMostGroupWorkers = 1024;
inline constexpr uint64_t kMostStaleness = 1'000'000;

struct WorkerOptions {
  /// Whose clock it is: the same name, of 1 to 255 bytes, for all workers of a job.
  std::string group;
  uint32_t index = 0;  ///< of this worker, from 0 to below `of`; each once
  uint32_t of = 1;     ///< workers of the job, 1 to kMostGroupWorkers
  ClockMode mode = ClockMode::kAsync;
  uint64_t staleness = 0;  ///< of kBounded, at most kMostStaleness; else 0
  /// A worker that is not heard of for so long is dropped from the clock: nobody waits for it any
  /// more. From 50 to 3,600,000 ms. The client is heard of by itself, as long as its process runs.
  uint32_t lease_ms = 10'000;

  Status validate() const;
  bool operator==(const WorkerOptions&) const = default;
};

/// Where one worker is.
struct WorkerFigures {
  uint32_t index = 0;
  uint64_t clock = 0;  ///< steps that it has ended
  bool alive = false;  ///< it has come, has not left, and its lease has not run out
  /// For how long it has been behind the foremost worker; 0: it is not.
  uint64_t behind_ms = 0;
};

/// Where all of a group are, as one server knows it.
struct GroupFigures {
  std::string group;
  ClockMode mode = ClockMode::kAsync;
  uint64_t staleness = 0;
  /// The server keeps the group's clock. Others only keep gradients of kBulk: of them clocks are
  /// steps that were applied, and `alive` who has joined.
  bool leads = false;
  uint64_t slowest = 0;                ///< the least clock of those that are waited for
  uint64_t dropped = 0;                ///< workers whose lease ran out
  uint64_t held_bytes = 0;             ///< of gradients that wait for the end of their step
  std::vector<WorkerFigures> workers;  ///< all `of`, those too that have not come yet
};

/// Where everyone is, as a worker is told.
struct GroupClock {
  uint64_t mine = 0;
  uint64_t slowest = 0;
  std::vector<WorkerFigures> workers;
};

class SyncWorker {
 public:
  virtual ~SyncWorker() = default;

  virtual const WorkerOptions& options() const = 0;

  /// Ends this worker's step, then waits for as long as the group's mode says, but at most
  /// `wait_ms`: ERR_BUSY, which names whom it waits for; the step is ended, and the next call goes
  /// on waiting. Pushes must have returned before, and in kBounded and kBulk none may begin
  /// meanwhile (ERR_CONFLICT).
  ///
  /// In kBulk, when it returns, the step has been applied at every server. When it could not be
  /// (ERR_CAPACITY; ERR_INVALID_ARGUMENT: sums not finite, or something dropped), every worker's
  /// call fails so, nothing of it was applied at the server named (but its tables, where a dense
  /// parameter was dropped that moment), and the next step may begin.
  ///
  /// ERR_CLOSED: the worker is in the clock no more, because its lease ran out or it has left;
  /// ERR_NOT_FOUND: the server knows nothing of it, because it was started anew. Of kBulk, what it
  /// pushed in this step is applied nowhere or, where it had ended it in time, everywhere.
  /// ERR_CONFLICT: a push of this step failed at some servers; leave() and join again.
  virtual Status tick(uint32_t wait_ms) = 0;
  /// Waits for nobody.
  virtual Result<GroupClock> clock() = 0;
  /// Nobody waits for it from now on, its waiting tick ends, and what it pushed in an open step of
  /// kBulk is dropped whole. Then the store's pushes are its own again. Leaving twice is fine.
  virtual Status leave() = 0;
};

}  // namespace hotrow

#endif  // HOTROW_SYNC_WORKER_H_
