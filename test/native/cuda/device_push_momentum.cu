#include "cuda/device_push.h"

namespace hotrow::test {

using Kind = OptimizerKind;

bool push_momentum(const PushCall& call, Status& status) {
  return push_one_of<Kind::kSgd, Kind::kSum, Kind::kMomentum, Kind::kNesterov, Kind::kLars, Kind::kLion>(call, status);
}

}  // namespace hotrow::test
