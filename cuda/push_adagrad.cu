// The kernels of this family's rules; see push_cuda.h.
#include "cuda/push_cuda.h"

namespace hotrow::gpu {

HOTROW_PUSH_FAMILY(adagrad) {
  return push_one_of<OptimizerKind::kAdagrad, OptimizerKind::kRowwiseAdagrad,
                     OptimizerKind::kAdagradDecay, OptimizerKind::kRmsprop,
                     OptimizerKind::kAdadelta>(device, kind, type, rounding, task, stream);
}

}  // namespace hotrow::gpu
