#include "cuda/device_push.h"

namespace hotrow::test {

using Kind = OptimizerKind;

bool push_ftrl(const PushCall& call, Status& status) {
  return push_one_of<Kind::kFtrl, Kind::kGroupFtrl>(call, status);
}

}  // namespace hotrow::test
