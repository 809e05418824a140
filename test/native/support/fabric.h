// Where shared memory by UCX cannot be tried, tests of it are skipped and say why.
#ifndef HOTROW_TEST_SUPPORT_FABRIC_H_
#define HOTROW_TEST_SUPPORT_FABRIC_H_

#include <gtest/gtest.h>

#include <string>

#include "base/sync.h"
#include "net/fabric.h"

namespace hotrow::test {

/// Empty: it can be tried.
inline std::string why_no_shared_memory() {
#ifdef HOTROW_TSAN
  return "libucp is not built for ThreadSanitizer, which sees nothing of how it orders its writes";
#else
  const auto link = net::FabricLink::make({.transport = Transport::kShm});
  return link.ok() ? "" : link.status().message();
#endif
}

// A macro, since a test can be skipped by itself only.
#define HOTROW_NEEDS_SHARED_MEMORY()                                                  \
  if (const std::string why = ::hotrow::test::why_no_shared_memory(); !why.empty()) { \
    GTEST_SKIP() << why;                                                              \
  }                                                                                   \
  static_assert(true)

}  // namespace hotrow::test

#endif  // HOTROW_TEST_SUPPORT_FABRIC_H_
