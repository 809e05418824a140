// `table` on a CUDA device.
#include "table.h"

#include "commands.h"
#include "run.h"

namespace hotrow::bench::on_cuda {

void run_table(const Settings& settings, Report& report) {
  with_bench(settings, report, [](Bench& bench) { TableFigures(bench).all(); });
}

}  // namespace hotrow::bench::on_cuda
