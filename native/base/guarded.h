// The edge where exceptions end: the core throws nothing across its API.
//
// The only exception the core meets is std::bad_alloc from a container. Public methods run inside
// guarded(), and everything that allocates does so before anything is changed.
#ifndef HOTROW_BASE_GUARDED_H_
#define HOTROW_BASE_GUARDED_H_

#include <new>
#include <utility>

#include "hotrow/status.h"

namespace hotrow {

/// work(), whose result can be made of a Status; ERR_CAPACITY when memory ran out.
template <class Work>
auto guarded(Work&& work) -> decltype(work()) {
  try {
    return std::forward<Work>(work)();
  } catch (const std::bad_alloc&) {
    return Status::capacity("out of memory");  // short enough to need none
  }
}

}  // namespace hotrow

#endif  // HOTROW_BASE_GUARDED_H_
