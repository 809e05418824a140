#include "base/background.h"

#include <sys/resource.h>

#include <exception>
#include <system_error>
#include <thread>

namespace hotrow {

void stand_behind_calls() {
  // A tenth of what an ordinary thread has where both want the core, which is not nothing.
  constexpr int kNice = 10;
  // Of the calling thread alone, on Linux.
  (void)::setpriority(PRIO_PROCESS, 0, kNice);
}

Status behind_calls(const std::function<Status()>& work) {
  Status status;
  std::exception_ptr thrown;
  std::thread thread;
  try {
    thread = std::thread([&] {
      stand_behind_calls();
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
