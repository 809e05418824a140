#include "store/fill_queue.h"

#include <algorithm>
#include <exception>
#include <utility>

#include "base/sort_unique.h"

namespace hotrow {

void FillQueue::offer(KeyBatch keys) noexcept {
  const MutexLock lock(mutex_);
  size_t taken = 0;
  try {
    if (!stopping_) {
      if (!thread_.joinable()) thread_ = std::thread([this] { loop(); });
      const size_t room = std::min(keys.size(), kMost - waiting_.size());
      waiting_.insert(waiting_.end(), keys.begin(), keys.begin() + static_cast<ptrdiff_t>(room));
      taken = room;
    }
  } catch (const std::exception&) {
    // No memory, or no thread: they are dropped.
  }
  dropped_ += keys.size() - taken;
  if (taken > 0) wake_.notify_one();
}

void FillQueue::stop() {
  std::thread thread;
  {
    const MutexLock lock(mutex_);
    stopping_ = true;
    dropped_ += waiting_.size();
    waiting_.clear();
    thread.swap(thread_);
    wake_.notify_all();
  }
  if (thread.joinable()) thread.join();
}

FillQueue::Figures FillQueue::figures() const {
  const MutexLock lock(mutex_);
  return {.waiting = waiting_.size() + under_way_, .dropped = dropped_};
}

bool FillQueue::stopping() const {
  const MutexLock lock(mutex_);
  return stopping_;
}

bool FillQueue::take(std::vector<uint64_t>& batch) {
  const MutexLock lock(mutex_);
  under_way_ = 0;
  while (waiting_.empty() && !stopping_) wake_.wait(mutex_);
  batch.clear();
  batch.swap(waiting_);
  under_way_ = batch.size();
  return !stopping_;
}

void FillQueue::loop() {
  std::vector<uint64_t> batch;
  while (take(batch)) {
    sort_unique(batch);
    for (size_t first = 0; first < batch.size() && !stopping(); first += kAtOnce) {
      fill_(KeyBatch(batch).subspan(first, std::min(kAtOnce, batch.size() - first)));
    }
  }
}

}  // namespace hotrow
