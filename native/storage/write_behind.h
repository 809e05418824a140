// WriteBehind: has the system write a growing file to disk while more of it is being made, so that
// the sync at its end finds little left to do.
//
// It asks through a descriptor of its own: what fails here is still reported to whoever syncs.
//
// Threads: wrote() by one; a thread of its own from the first few megabytes on.
#ifndef HOTROW_STORAGE_WRITE_BEHIND_H_
#define HOTROW_STORAGE_WRITE_BEHIND_H_

#include <cstdint>
#include <string>
#include <thread>

#include "base/sync.h"

namespace hotrow {

class WriteBehind {
 public:
  explicit WriteBehind(std::string path) : path_(std::move(path)) {}
  ~WriteBehind();
  WriteBehind(const WriteBehind&) = delete;
  WriteBehind& operator=(const WriteBehind&) = delete;

  /// So many more bytes are on their way into the file.
  void wrote(uint64_t bytes) HOTROW_EXCLUDES(mutex_) {
    unasked_ += bytes;
    if (unasked_ >= kStepBytes) ask();
  }

 private:
  // So much is worth a look of the thread.
  static constexpr uint64_t kStepBytes = uint64_t{4} << 20;

  void ask() HOTROW_EXCLUDES(mutex_);
  void run() HOTROW_EXCLUDES(mutex_);

  const std::string path_;
  uint64_t unasked_ = 0;
  std::thread thread_;
  Mutex mutex_;
  CondVar changed_;
  bool asked_ HOTROW_GUARDED_BY(mutex_) = false;
  bool stopping_ HOTROW_GUARDED_BY(mutex_) = false;
};

}  // namespace hotrow

#endif  // HOTROW_STORAGE_WRITE_BEHIND_H_
