#include "base/background.h"

#include <sys/resource.h>

#include <exception>
#include <system_error>
#include <thread>

namespace hotrow {

// A core that an ordinary thread wants too it leaves these for a fiftieth and less, which is not
// nothing. A turn is most of a millisecond, for which a call on that core waits: at nice 10 three
// threads of a commit and a compaction had so many turns that they made the p99 of pushes.
void stand_behind(Behind whom) {
  // Of the calling thread alone, on Linux.
  (void)::setpriority(PRIO_PROCESS, 0, static_cast<int>(whom));
}

Status behind_calls(const std::function<Status()>& work) {
  Status status;
  std::exception_ptr thrown;
  std::thread thread;
  try {
    thread = std::thread([&] {
      stand_behind(Behind::kCalls);
      try {
        status = work();
      } catch (...) {
        thrown = std::current_exception();
      }
    });
  } catch (const std::system_error&) {
    return work();
  }
  thread.join();
  if (thrown) std::rethrow_exception(thrown);
  return status;
}

}  // namespace hotrow
