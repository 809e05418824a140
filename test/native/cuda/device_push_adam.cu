#include "cuda/device_push.h"

namespace hotrow::test {

using Kind = OptimizerKind;

bool push_adam(const PushCall& call, Status& status) {
  return push_one_of<Kind::kAdam, Kind::kAdamW, Kind::kAmsgrad, Kind::kAdamax, Kind::kRowwiseAdam, Kind::kLamb>(call, status);
}

}  // namespace hotrow::test
