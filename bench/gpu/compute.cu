#include "compute.h"

#include <algorithm>

#include "executor.h"

namespace hotrow::bench {

namespace {

using on_cuda::Device;
using on_cuda::must;

constexpr int kThreads = 256;
/// Of a block: some twenty microseconds.
constexpr uint32_t kRounds = 4096;

__global__ void multiply_and_add(float* out, uint32_t rounds) {
  float a = static_cast<float>(threadIdx.x);
  float b = static_cast<float>(blockIdx.x);
  for (uint32_t i = 0; i < rounds; ++i) {
    a = a * 0.999F + 0.5F;
    b = b * 0.998F + a;
  }
  // Never, but the compiler does not know.
  if (a == -1.0F && b == -1.0F) *out = a;
}

class CudaCompute final : public Compute {
 public:
  explicit CudaCompute(int number) : device_(number), stream_(must(device_.stream())) {
    run(kCalibrated);
    must(device_.wait(stream_));
    float best = 0;
    for (int i = 0; i < 5; ++i) {
      const auto from = std::chrono::steady_clock::now();
      run(kCalibrated);
      must(device_.wait(stream_));
      const std::chrono::duration<float, std::milli> took = std::chrono::steady_clock::now() - from;
      best = best == 0 ? took.count() : std::min(best, took.count());
    }
    blocks_per_ms_ = kCalibrated / std::max(best, 1e-3F);
  }
  ~CudaCompute() override { device_.end(stream_); }

  void start(double ms) override { run(std::max(1.0, ms * blocks_per_ms_)); }
  void wait() override { must(device_.wait(stream_)); }

 private:
  static constexpr double kCalibrated = 200'000;

  void run(double blocks) {
    multiply_and_add<<<static_cast<unsigned>(blocks), kThreads, 0, stream_>>>(nullptr, kRounds);
    must(Device::check("the stand-in for a model", cudaGetLastError()));
  }

  Device device_;
  on_cuda::Stream stream_;
  double blocks_per_ms_ = 1;
};

}  // namespace

std::unique_ptr<Compute> cuda_compute(int device) { return std::make_unique<CudaCompute>(device); }

}  // namespace hotrow::bench
