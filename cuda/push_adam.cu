// The kernels of this family's rules; see push_cuda.h.
#include "cuda/push_cuda.h"

namespace hotrow::gpu {

HOTROW_PUSH_FAMILY(adam) {
  return push_one_of<OptimizerKind::kAdam, OptimizerKind::kAdamW, OptimizerKind::kAmsgrad,
                     OptimizerKind::kAdamax, OptimizerKind::kRowwiseAdam, OptimizerKind::kLamb>(
      device, kind, type, rounding, task, stream);
}

}  // namespace hotrow::gpu
