// Failpoints: places with a name, at which a test lets the process die or stand still.
//
// Outside tests a failpoint is one relaxed load; they stand where versions are written, never in
// the way of a batch.
#ifndef HOTROW_BASE_FAILPOINT_H_
#define HOTROW_BASE_FAILPOINT_H_

#include <atomic>

namespace hotrow {

using FailpointHook = void (*)(const char* name);

/// Set by a test before any thread comes to a failpoint.
inline std::atomic<FailpointHook> failpoint_hook{nullptr};

/// Names are listed in test/native/faults/kill_test.cc, which visits every one; those of recovery
/// in recovery_test.cc.
inline void failpoint(const char* name) {
  const FailpointHook hook = failpoint_hook.load(std::memory_order_relaxed);
  if (hook != nullptr) [[unlikely]] {
    hook(name);
  }
}

}  // namespace hotrow

#endif  // HOTROW_BASE_FAILPOINT_H_
