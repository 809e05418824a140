// Work that stands behind the calls of users where cores are few.
#ifndef HOTROW_BASE_BACKGROUND_H_
#define HOTROW_BASE_BACKGROUND_H_

#include <cstdint>
#include <functional>

#include "hotrow/status.h"

namespace hotrow {

/// Whom a thread leaves the core to where both want it, as its niceness.
enum class Behind : uint8_t {
  kCalls = 17,    ///< lookups and pushes; what writes a version
  kCommits = 19,  ///< the writing of versions, too; what tidies up
};

/// Lowers the calling thread's priority for good: Linux lets no ordinary process raise it again.
/// For threads of one's own.
void stand_behind(Behind whom);

/// Does `work` on a thread of lower priority and waits for it; on the calling thread where there
/// are no threads left. What `work` throws is thrown here.
Status behind_calls(const std::function<Status()>& work);

}  // namespace hotrow

#endif  // HOTROW_BASE_BACKGROUND_H_
