// Work that stands behind the calls of users where cores are few.
#ifndef HOTROW_BASE_BACKGROUND_H_
#define HOTROW_BASE_BACKGROUND_H_

#include <functional>

#include "hotrow/status.h"

namespace hotrow {

/// Lowers the calling thread's priority. Linux lets no ordinary process raise it again: for threads
/// of one's own, and not while holding what calls wait for.
void yield_to_calls();

/// Does `work` on a thread of lower priority and waits for it; on the calling thread where there
/// are no threads left. ERR_CAPACITY when memory ran out.
Status behind_calls(const std::function<Status()>& work);

}  // namespace hotrow

#endif  // HOTROW_BASE_BACKGROUND_H_
