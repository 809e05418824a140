// The kernels of this family's rules; see push_cuda.h.
#include "cuda/push_cuda.h"

namespace hotrow::gpu {

HOTROW_PUSH_FAMILY(momentum) {
  return push_one_of<OptimizerKind::kSgd, OptimizerKind::kSum, OptimizerKind::kMomentum,
                     OptimizerKind::kNesterov, OptimizerKind::kLars, OptimizerKind::kLion>(
      device, kind, type, rounding, task, stream);
}

}  // namespace hotrow::gpu
