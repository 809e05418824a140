#include "server/worker.h"

#include <exception>
#include <system_error>
#include <utility>

namespace hotrow::server {

bool Worker::submit(std::function<void()> job) {
  const MutexLock lock(mutex_);
  if (stopping_ || jobs_.size() >= kMostJobs) return false;
  try {
    if (!thread_.joinable()) thread_ = std::thread([this] { loop(); });
  } catch (const std::system_error&) {
    return false;  // no more threads
  }
  jobs_.push_back(std::move(job));
  wake_.notify_one();
  return true;
}

void Worker::stop() {
  {
    const MutexLock lock(mutex_);
    stopping_ = true;
    jobs_.clear();
    wake_.notify_one();
  }
  if (thread_.joinable()) thread_.join();
}

void Worker::loop() {
  while (true) {
    std::function<void()> job;
    {
      MutexLock lock(mutex_);
      while (jobs_.empty() && !stopping_) wake_.wait(mutex_);
      if (stopping_) return;
      job = std::move(jobs_.front());
      jobs_.pop_front();
    }
    try {
      job();
    } catch (const std::exception&) {
      // No memory for its answer: who waits for it hears nothing, and asks again.
    }
  }
}

}  // namespace hotrow::server
