#include "cuda/device_push.h"

namespace hotrow::test {

using Kind = OptimizerKind;

bool push_adagrad(const PushCall& call, Status& status) {
  return push_one_of<Kind::kAdagrad, Kind::kRowwiseAdagrad, Kind::kAdagradDecay, Kind::kRmsprop, Kind::kAdadelta>(call, status);
}

}  // namespace hotrow::test
