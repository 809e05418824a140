#include "server/worker.h"

#include <utility>

namespace hotrow::server {

bool Worker::submit(std::function<void()> job) {
  const MutexLock lock(mutex_);
  if (stopping_ || jobs_.size() >= kMostJobs) return false;
  jobs_.push_back(std::move(job));
  if (!thread_.joinable()) thread_ = std::thread([this] { loop(); });
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
    job();
  }
}

}  // namespace hotrow::server
