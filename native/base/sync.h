// Locks, fences and pauses: the only file that names the standard library's mutexes.
//
// Every lock is annotated, so clang's thread-safety analysis can prove which fields it guards.
#ifndef HOTROW_BASE_SYNC_H_
#define HOTROW_BASE_SYNC_H_

#include <atomic>
#include <chrono>
#include <condition_variable>
#include <mutex>
#include <shared_mutex>
#include <thread>

#if defined(__clang__)
#define HOTROW_ATTRIBUTE(x) __attribute__((x))
#else
#define HOTROW_ATTRIBUTE(x)
#endif
#define HOTROW_CAPABILITY(x) HOTROW_ATTRIBUTE(capability(x))
#define HOTROW_SCOPED_CAPABILITY HOTROW_ATTRIBUTE(scoped_lockable)
#define HOTROW_GUARDED_BY(x) HOTROW_ATTRIBUTE(guarded_by(x))
#define HOTROW_REQUIRES(...) HOTROW_ATTRIBUTE(requires_capability(__VA_ARGS__))
#define HOTROW_REQUIRES_SHARED(...) HOTROW_ATTRIBUTE(requires_shared_capability(__VA_ARGS__))
#define HOTROW_EXCLUDES(...) HOTROW_ATTRIBUTE(locks_excluded(__VA_ARGS__))
#define HOTROW_ACQUIRE(...) HOTROW_ATTRIBUTE(acquire_capability(__VA_ARGS__))
#define HOTROW_ACQUIRE_SHARED(...) HOTROW_ATTRIBUTE(acquire_shared_capability(__VA_ARGS__))
#define HOTROW_TRY_ACQUIRE(...) HOTROW_ATTRIBUTE(try_acquire_capability(__VA_ARGS__))
#define HOTROW_RELEASE(...) HOTROW_ATTRIBUTE(release_capability(__VA_ARGS__))
#define HOTROW_RELEASE_SHARED(...) HOTROW_ATTRIBUTE(release_shared_capability(__VA_ARGS__))
#define HOTROW_NO_THREAD_SAFETY_ANALYSIS HOTROW_ATTRIBUTE(no_thread_safety_analysis)

#if defined(__SANITIZE_THREAD__)
#define HOTROW_TSAN 1
#elif defined(__has_feature)
#if __has_feature(thread_sanitizer)
#define HOTROW_TSAN 1
#endif
#endif

namespace hotrow {

class HOTROW_CAPABILITY("mutex") Mutex {
 public:
  Mutex() = default;
  Mutex(const Mutex&) = delete;
  Mutex& operator=(const Mutex&) = delete;

  void lock() HOTROW_ACQUIRE() { mutex_.lock(); }
  /// Waits for nobody; false when another thread holds the lock.
  [[nodiscard]] bool try_lock() HOTROW_TRY_ACQUIRE(true) { return mutex_.try_lock(); }
  void unlock() HOTROW_RELEASE() { mutex_.unlock(); }

 private:
  friend class CondVar;
  std::mutex mutex_;
};

class HOTROW_SCOPED_CAPABILITY MutexLock {
 public:
  explicit MutexLock(Mutex& mutex) HOTROW_ACQUIRE(mutex) : mutex_(mutex) { mutex_.lock(); }
  ~MutexLock() HOTROW_RELEASE() { mutex_.unlock(); }
  MutexLock(const MutexLock&) = delete;
  MutexLock& operator=(const MutexLock&) = delete;

 private:
  Mutex& mutex_;
};

/// Waits with a Mutex held, as std::condition_variable does.
class CondVar {
 public:
  /// Sleeps until notified; may wake without reason, so callers loop on their condition.
  void wait(Mutex& mutex) HOTROW_REQUIRES(mutex) HOTROW_NO_THREAD_SAFETY_ANALYSIS {
    std::unique_lock<std::mutex> lock(mutex.mutex_, std::adopt_lock);
    condition_.wait(lock);
    lock.release();
  }
  /// As wait(), for at most `duration`.
  template <class Duration>
  void wait_for(Mutex& mutex, const Duration& duration)
      HOTROW_REQUIRES(mutex) HOTROW_NO_THREAD_SAFETY_ANALYSIS {
    std::unique_lock<std::mutex> lock(mutex.mutex_, std::adopt_lock);
    condition_.wait_for(lock, duration);
    lock.release();
  }
  void notify_one() { condition_.notify_one(); }
  void notify_all() { condition_.notify_all(); }

 private:
  std::condition_variable condition_;
};

class HOTROW_CAPABILITY("shared mutex") SharedMutex {
 public:
  SharedMutex() = default;
  SharedMutex(const SharedMutex&) = delete;
  SharedMutex& operator=(const SharedMutex&) = delete;

  void lock() HOTROW_ACQUIRE() { mutex_.lock(); }
  void unlock() HOTROW_RELEASE() { mutex_.unlock(); }
  [[nodiscard]] bool try_lock() HOTROW_TRY_ACQUIRE(true) { return mutex_.try_lock(); }
  void lock_shared() HOTROW_ACQUIRE_SHARED() { mutex_.lock_shared(); }
  void unlock_shared() HOTROW_RELEASE_SHARED() { mutex_.unlock_shared(); }

 private:
  std::shared_mutex mutex_;
};

class HOTROW_SCOPED_CAPABILITY SharedLock {
 public:
  explicit SharedLock(SharedMutex& mutex) HOTROW_ACQUIRE_SHARED(mutex) : mutex_(mutex) {
    mutex_.lock_shared();
  }
  ~SharedLock() HOTROW_RELEASE() { mutex_.unlock_shared(); }
  SharedLock(const SharedLock&) = delete;
  SharedLock& operator=(const SharedLock&) = delete;

 private:
  SharedMutex& mutex_;
};

class HOTROW_SCOPED_CAPABILITY ExclusiveLock {
 public:
  explicit ExclusiveLock(SharedMutex& mutex) HOTROW_ACQUIRE(mutex) : mutex_(mutex) {
    mutex_.lock();
  }
  ~ExclusiveLock() HOTROW_RELEASE() { mutex_.unlock(); }
  ExclusiveLock(const ExclusiveLock&) = delete;
  ExclusiveLock& operator=(const ExclusiveLock&) = delete;

 private:
  SharedMutex& mutex_;
};

/// Between a reader's data loads and its second look at the sequence word. ThreadSanitizer does
/// not know fences; its builds rely on the acquire loads around the call.
inline void sequence_read_fence() {
#if defined(HOTROW_TSAN)
  std::atomic_signal_fence(std::memory_order_seq_cst);
#else
  std::atomic_thread_fence(std::memory_order_acquire);
#endif
}

/// Between a writer's locking of the sequence word and its data stores.
inline void sequence_write_fence() {
#if defined(HOTROW_TSAN)
  std::atomic_signal_fence(std::memory_order_seq_cst);
#else
  std::atomic_thread_fence(std::memory_order_release);
#endif
}

inline void cpu_pause() {
#if defined(__x86_64__)
  __builtin_ia32_pause();
#endif
}

/// Waits up to some 50 microseconds for `condition()` without sleeping, where what is waited for is
/// mostly that near: waking a sleeping thread costs both sides more. True when the condition came.
template <class Condition>
bool spin_briefly(const Condition& condition) {
  constexpr std::chrono::microseconds kLongest{50};
  constexpr int kPausesBetweenLooksAtTheClock = 32;
  const auto end = std::chrono::steady_clock::now() + kLongest;
  do {
    for (int i = 0; i < kPausesBetweenLooksAtTheClock; ++i) {
      if (condition()) return true;
      cpu_pause();
    }
  } while (std::chrono::steady_clock::now() < end);
  return false;
}

/// One step of a wait for another thread: a pause while it is likely running, then the processor
/// is given away, because on few cores the other thread may be waiting for it.
class Backoff {
 public:
  void pause() {
    if (++rounds_ < kSpins) {
      cpu_pause();
    } else {
      std::this_thread::yield();
    }
  }

 private:
  static constexpr int kSpins = 64;
  int rounds_ = 0;
};

}  // namespace hotrow

#endif  // HOTROW_BASE_SYNC_H_
