// A command from its beginning to its end: a stream and a clock around it.
#ifndef HOTROW_BENCH_GPU_RUN_H_
#define HOTROW_BENCH_GPU_RUN_H_

#include "executor.h"

namespace hotrow::bench::HOTROW_EXECUTOR {

template <class F>
void with_bench(const Settings& settings, Report& report, const F& f) {
#ifdef __CUDACC__
  Device device(settings.device);
#else
  Device device(2);
#endif
  const Stream stream = must(device.stream());
  {
    Clock clock(stream);
    Bench bench{settings, report, device, stream, clock};
    f(bench);
    must(device.wait(stream));
  }
  device.end(stream);
}

}  // namespace hotrow::bench::HOTROW_EXECUTOR

#endif  // HOTROW_BENCH_GPU_RUN_H_
