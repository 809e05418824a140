// Where shared memory or RDMA by UCX cannot be tried, tests of it are skipped and say why.
#ifndef HOTROW_TEST_SUPPORT_FABRIC_H_
#define HOTROW_TEST_SUPPORT_FABRIC_H_

#include <gtest/gtest.h>

#include <cstdlib>
#include <string>
#include <string_view>

#include "base/sync.h"
#include "net/fabric.h"

namespace hotrow::test {

/// What tests of links run over: shared memory, or with HOTROW_TEST_FABRIC=rdma RDMA.
inline Transport tested_transport() {
  const char* const name = std::getenv("HOTROW_TEST_FABRIC");
  return name != nullptr && std::string_view(name) == "rdma" ? Transport::kRdma : Transport::kShm;
}
inline std::string tested_transport_name() {
  return tested_transport() == Transport::kRdma ? "rdma" : "shm";
}

/// Empty: it can be tried.
inline std::string why_no_fabric() {
#ifdef HOTROW_TSAN
  return "libucp is not built for ThreadSanitizer, which sees nothing of how it orders its writes";
#else
  const auto link = net::FabricLink::make({.transport = tested_transport()});
  return link.ok() ? "" : link.status().message();
#endif
}

// A macro, since a test can be skipped by itself only.
#define HOTROW_NEEDS_FABRIC()                                                  \
  if (const std::string why = ::hotrow::test::why_no_fabric(); !why.empty()) { \
    GTEST_SKIP() << why;                                                       \
  }                                                                            \
  static_assert(true)

}  // namespace hotrow::test

#endif  // HOTROW_TEST_SUPPORT_FABRIC_H_
