// FrontRows: whoever keeps rows of a table in front of it, newer ones than the table's, takes part
// in the table's pushes: claims what of a push's keys it has, and is told the push's number.
//
// Threads: one push at a time; the caller of the push keeps the others out.
#ifndef HOTROW_TABLE_FRONT_ROWS_H_
#define HOTROW_TABLE_FRONT_ROWS_H_

#include "hotrow/status.h"

namespace hotrow {

struct PushPlan;

class FrontRows {
 public:
  virtual ~FrontRows() = default;
  /// Claims the keys of a collected plan that have a row in front (PushPart::claim). When it fails
  /// the push changes nothing.
  virtual Status claim(PushPlan& plan) = 0;
  /// Gives what was claimed to those rows. The table's own part is done, plan.number is the push's.
  virtual Status push_claimed(const PushPlan& plan) = 0;
};

}  // namespace hotrow

#endif  // HOTROW_TABLE_FRONT_ROWS_H_
