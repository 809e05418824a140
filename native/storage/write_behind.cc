#include "storage/write_behind.h"

#include <fcntl.h>
#include <unistd.h>

#include <system_error>

namespace hotrow {

WriteBehind::~WriteBehind() {
  {
    const MutexLock lock(mutex_);
    stopping_ = true;
  }
  changed_.notify_all();
  if (thread_.joinable()) thread_.join();
}

void WriteBehind::ask() {
  unasked_ = 0;
  {
    const MutexLock lock(mutex_);
    asked_ = true;
  }
  if (thread_.joinable()) {
    changed_.notify_all();
    return;
  }
  try {
    thread_ = std::thread([this] { run(); });
  } catch (const std::system_error&) {
    // There are none left: all is written by the sync at the end.
  }
}

void WriteBehind::run() {
  const int file = ::open(path_.c_str(), O_WRONLY | O_CLOEXEC);
  if (file < 0) return;
  for (;;) {
    {
      const MutexLock lock(mutex_);
      while (!asked_ && !stopping_) changed_.wait(mutex_);
      if (stopping_) break;
      asked_ = false;
    }
    (void)::sync_file_range(file, 0, 0, SYNC_FILE_RANGE_WRITE);
  }
  ::close(file);
}

}  // namespace hotrow
