// The GPU library: found, tried in a child process, opened. Once per device and process.
//
// It is the file that HOTROW_GPU_LIBRARY in the environment names, or libhotrow_cuda.so beside the
// addon, or beside the program. A child (hotrow-gpu-probe, which lies there too) has to show that
// it loads and that the device answers before this process opens it.
#ifndef HOTROW_STORE_TIER_LIBRARY_H_
#define HOTROW_STORE_TIER_LIBRARY_H_

#include <cstdint>
#include <string>

#include "store/tier.h"

namespace hotrow {

struct TierLibrary {
  const TierApi* api = nullptr;  // null: see the reason
  TierDevice device = {};
  std::string reason;
};

/// The library for a device. From any thread; the first call takes as long as the child, at most
/// some 20 seconds, and others wait for it.
TierLibrary tier_library(uint32_t device);

/// For tests: what tier_library() gives from now on, or null: the real one. Not beside other calls.
void replace_tier_library(const TierApi* api);

}  // namespace hotrow

#endif  // HOTROW_STORE_TIER_LIBRARY_H_
