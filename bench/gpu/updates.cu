// The updates of `table` on a CUDA device.
#include "updates.h"

#include "commands.h"
#include "run.h"

namespace hotrow::bench::on_cuda {

void run_updates(const Settings& settings, Report& report) {
  with_bench(settings, report, [](Bench& bench) { UpdateFigures(bench).all(); });
}

}  // namespace hotrow::bench::on_cuda
