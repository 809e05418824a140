// Processes of the benchmark: each server is one of its own, on its own processor.
#ifndef HOTROW_BENCH_NET_PROCESS_H_
#define HOTROW_BENCH_NET_PROCESS_H_

#include <sys/types.h>

#include <cstdint>
#include <functional>

namespace hotrow::bench {

/// Which processor a side runs on: the first two that this process may use.
enum class Side : uint8_t { kClient, kServer };
/// The calling thread, and all that it starts.
void pin(Side side);
/// Are there two?
bool has_two_processors();

/// A child process on the server's processor; ends with the object.
class Child {
 public:
  using Ready = std::function<void(uint16_t port)>;

  /// Runs `serve` in the child, which lives on after it returns; comes back when `serve` has called
  /// ready(port). Ends the program when the child ends first. To be called while this process has
  /// one thread.
  explicit Child(const std::function<void(const Ready& ready)>& serve);
  ~Child();
  Child(const Child&) = delete;
  Child& operator=(const Child&) = delete;

  uint16_t port() const { return port_; }
  pid_t pid() const { return pid_; }
  /// Processor time of all its threads so far, user and system.
  double cpu_seconds() const;

 private:
  pid_t pid_ = -1;
  uint16_t port_ = 0;
};

/// Processor time of this process so far, user and system.
double own_cpu_seconds();

/// Runs `work` in a child on the client's processor and waits for it: servers and clients of a
/// figure are fresh ones. False when it failed.
bool run_apart(const std::function<void()>& work);

/// Ends the program: what it measures does not work.
[[noreturn]] void fail(const char* what);

}  // namespace hotrow::bench

#endif  // HOTROW_BENCH_NET_PROCESS_H_
