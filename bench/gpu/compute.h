// What stands in for a model's step on the device.
#ifndef HOTROW_BENCH_GPU_COMPUTE_H_
#define HOTROW_BENCH_GPU_COMPUTE_H_

#include <memory>

namespace hotrow::bench {

class Compute {
 public:
  virtual ~Compute() = default;
  /// Starts work of about so many milliseconds when nothing else runs, and returns.
  virtual void start(double ms) = 0;
  /// Returns when it is done.
  virtual void wait() = 0;
};

/// Multiplies and adds on all multiprocessors, in many short blocks, as the kernels of a model
/// come and go: others get their turn between them.
std::unique_ptr<Compute> cuda_compute(int device);

}  // namespace hotrow::bench

#endif  // HOTROW_BENCH_GPU_COMPUTE_H_
