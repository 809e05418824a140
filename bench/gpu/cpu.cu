// `cpu` with a CUDA device.
#include "cpu.h"

#include "commands.h"
#include "run.h"

namespace hotrow::bench::on_cuda {

void run_cpu(const Settings& settings, Report& report) {
  with_bench(settings, report, [](Bench& bench) { CpuFigures(bench).all(); });
}

}  // namespace hotrow::bench::on_cuda
