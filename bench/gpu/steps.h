// `steps`, on either device; see steps.cc.
#ifndef HOTROW_BENCH_GPU_STEPS_H_
#define HOTROW_BENCH_GPU_STEPS_H_

#include "options.h"
#include "report.h"

namespace hotrow::bench {

void run_steps(const Settings& settings, Report& report);

}  // namespace hotrow::bench

#endif  // HOTROW_BENCH_GPU_STEPS_H_
