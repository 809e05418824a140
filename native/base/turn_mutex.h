// TurnMutex: a shared mutex whose writers are not starved by readers that never stop coming, as the
// system's are: while a writer waits, readers queue behind it.
#ifndef HOTROW_BASE_TURN_MUTEX_H_
#define HOTROW_BASE_TURN_MUTEX_H_

#include <atomic>
#include <cstdint>

#include "base/sync.h"

namespace hotrow {

class HOTROW_CAPABILITY("turn mutex") TurnMutex {
 public:
  TurnMutex() = default;
  TurnMutex(const TurnMutex&) = delete;
  TurnMutex& operator=(const TurnMutex&) = delete;

  void lock() HOTROW_ACQUIRE() HOTROW_NO_THREAD_SAFETY_ANALYSIS {
    waiting_.fetch_add(1, std::memory_order_relaxed);
    {
      const MutexLock turn(turn_);
      mutex_.lock();
    }
    waiting_.fetch_sub(1, std::memory_order_relaxed);
  }
  /// Waits for nobody; false when others hold the lock.
  [[nodiscard]] bool try_lock() HOTROW_TRY_ACQUIRE(true) HOTROW_NO_THREAD_SAFETY_ANALYSIS {
    return mutex_.try_lock();
  }
  void unlock() HOTROW_RELEASE() HOTROW_NO_THREAD_SAFETY_ANALYSIS { mutex_.unlock(); }
  /// Not twice by one thread: a writer between the two would wait for ever.
  void lock_shared() HOTROW_ACQUIRE_SHARED() HOTROW_NO_THREAD_SAFETY_ANALYSIS {
    if (waiting_.load(std::memory_order_relaxed) > 0) {
      const MutexLock behind(turn_);
      mutex_.lock_shared();
      return;
    }
    mutex_.lock_shared();
  }
  void unlock_shared() HOTROW_RELEASE_SHARED() HOTROW_NO_THREAD_SAFETY_ANALYSIS {
    mutex_.unlock_shared();
  }

 private:
  SharedMutex mutex_;
  Mutex turn_;
  std::atomic<uint32_t> waiting_{0};  // writers; a hint that publishes nothing
};

class HOTROW_SCOPED_CAPABILITY ReadTurn {
 public:
  explicit ReadTurn(TurnMutex& mutex) HOTROW_ACQUIRE_SHARED(mutex) : mutex_(mutex) {
    mutex_.lock_shared();
  }
  ~ReadTurn() HOTROW_RELEASE() { mutex_.unlock_shared(); }
  ReadTurn(const ReadTurn&) = delete;
  ReadTurn& operator=(const ReadTurn&) = delete;

 private:
  TurnMutex& mutex_;
};

class HOTROW_SCOPED_CAPABILITY WriteTurn {
 public:
  explicit WriteTurn(TurnMutex& mutex) HOTROW_ACQUIRE(mutex) : mutex_(mutex) { mutex_.lock(); }
  ~WriteTurn() HOTROW_RELEASE() { mutex_.unlock(); }
  WriteTurn(const WriteTurn&) = delete;
  WriteTurn& operator=(const WriteTurn&) = delete;

 private:
  TurnMutex& mutex_;
};

}  // namespace hotrow

#endif  // HOTROW_BASE_TURN_MUTEX_H_
