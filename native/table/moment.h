// When a call happens, as the eviction policy counts.
#ifndef HOTROW_TABLE_MOMENT_H_
#define HOTROW_TABLE_MOMENT_H_

#include <cstdint>

namespace hotrow {

struct Moment {
  uint32_t clock = 0;  // HeatRule::clock()
  uint64_t step = 0;   // the trainer's, or the table's number of pushes
};

}  // namespace hotrow

#endif  // HOTROW_TABLE_MOMENT_H_
