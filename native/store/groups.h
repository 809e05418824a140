// What makes a table's groups wrong.
#ifndef HOTROW_STORE_GROUPS_H_
#define HOTROW_STORE_GROUPS_H_

#include <vector>

#include "hotrow/options.h"

namespace hotrow {

/// Names the first group that is wrong; `optimizer` is valid.
Status validate_groups(const std::vector<OptimizerGroup>& groups,
                       const OptimizerOptions& optimizer);

}  // namespace hotrow

#endif  // HOTROW_STORE_GROUPS_H_
