#include "base/background.h"

#include <sys/resource.h>

#include <system_error>
#include <thread>

#include "base/guarded.h"

namespace hotrow {

void yield_to_calls() {
  // A tenth of what an ordinary thread has where both want the core, which is not nothing.
  constexpr int kNice = 10;
  // Of the calling thread alone, on Linux.
  (void)::setpriority(PRIO_PROCESS, 0, kNice);
}

Status behind_calls(const std::function<Status()>& work) {
  Status status;
  try {
    std::thread thread([&] {
      yield_to_calls();
      status = guarded(work);
    });
    thread.join();
  } catch (const std::system_error&) {
    status = guarded(work);
  }
  return status;
}

}  // namespace hotrow
