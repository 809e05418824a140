// The gates of a call that makes or removes rows.
#ifndef HOTROW_TABLE_GATES_H_
#define HOTROW_TABLE_GATES_H_

#include "base/sync.h"
#include "table/context.h"

namespace hotrow {

/// Runs work() with the store's gate and the table's own held shared.
template <class Work>
auto with_gates(TableContext& context, SharedMutex& gate, const Work& work) {
  const SharedLock capacity(context.capacity_gate);
  const SharedLock own(gate);
  return work();
}

}  // namespace hotrow

#endif  // HOTROW_TABLE_GATES_H_
