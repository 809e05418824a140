// FillQueue: keys whose rows are to come to a device in the background, and the thread that brings
// them. The thread starts with the first key.
//
// Bounded: keys for which there is no room are dropped and counted; whoever asks for them again
// offers them again. A key may wait twice.
//
// Threads: any. stop() waits for what is under way, so its caller holds nothing that fill() takes.
#ifndef HOTROW_STORE_FILL_QUEUE_H_
#define HOTROW_STORE_FILL_QUEUE_H_

#include <cstdint>
#include <functional>
#include <thread>
#include <vector>

#include "base/sync.h"
#include "hotrow/batch.h"

namespace hotrow {

class FillQueue {
 public:
  /// Keys that wait at most: half a MiB, and twice that while some are being brought.
  static constexpr size_t kMost = size_t{1} << 16;
  /// Keys of one fill().
  static constexpr size_t kAtOnce = 2048;

  /// fill(keys) is called on the thread, with distinct keys; throws nothing.
  explicit FillQueue(std::function<void(KeyBatch keys)> fill) : fill_(std::move(fill)) {}
  ~FillQueue() { stop(); }
  FillQueue(const FillQueue&) = delete;
  FillQueue& operator=(const FillQueue&) = delete;

  /// Never fails: what cannot wait, for want of room, memory or a thread, is dropped.
  void offer(KeyBatch keys) noexcept HOTROW_EXCLUDES(mutex_);
  /// Ends the thread, after the fill() under way. What waits is dropped, and what is offered later.
  void stop() HOTROW_EXCLUDES(mutex_);

  struct Figures {
    uint64_t waiting;  // those being brought too
    uint64_t dropped;
  };
  Figures figures() const HOTROW_EXCLUDES(mutex_);

 private:
  void loop();
  /// Takes all that waits; false: it is over.
  bool take(std::vector<uint64_t>& batch) HOTROW_EXCLUDES(mutex_);
  bool stopping() const HOTROW_EXCLUDES(mutex_);

  const std::function<void(KeyBatch keys)> fill_;
  mutable Mutex mutex_;
  CondVar wake_;
  std::vector<uint64_t> waiting_ HOTROW_GUARDED_BY(mutex_);
  uint64_t under_way_ HOTROW_GUARDED_BY(mutex_) = 0;
  uint64_t dropped_ HOTROW_GUARDED_BY(mutex_) = 0;
  bool stopping_ HOTROW_GUARDED_BY(mutex_) = false;
  std::thread thread_ HOTROW_GUARDED_BY(mutex_);
};

}  // namespace hotrow

#endif  // HOTROW_STORE_FILL_QUEUE_H_
