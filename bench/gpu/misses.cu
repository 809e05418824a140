// `misses` with a CUDA device.
#include "misses.h"

#include "commands.h"
#include "run.h"

namespace hotrow::bench::on_cuda {

void run_misses(const Settings& settings, Report& report) {
  with_bench(settings, report, [](Bench& bench) { MissFigures(bench).all(); });
}

}  // namespace hotrow::bench::on_cuda
