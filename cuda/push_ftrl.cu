// The kernels of this family's rules; see push_cuda.h.
#include "cuda/push_cuda.h"

namespace hotrow::gpu {

HOTROW_PUSH_FAMILY(ftrl) {
  return push_one_of<OptimizerKind::kFtrl, OptimizerKind::kGroupFtrl>(device, kind, type, rounding,
                                                                      task, stream);
}

}  // namespace hotrow::gpu
