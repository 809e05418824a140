// Every command with the CPU as the device: its rows are checked where there is no GPU.
#include "commands.h"
#include "cpu.h"
#include "misses.h"
#include "roofline.h"
#include "run.h"
#include "table.h"
#include "updates.h"

namespace hotrow::bench::on_host {

void run_roofline(const Settings& settings, Report& report) {
  with_bench(settings, report, [](Bench& bench) { roofline(bench); });
}
void run_table(const Settings& settings, Report& report) {
  with_bench(settings, report, [](Bench& bench) { TableFigures(bench).all(); });
}
void run_updates(const Settings& settings, Report& report) {
  with_bench(settings, report, [](Bench& bench) { UpdateFigures(bench).all(); });
}
void run_cpu(const Settings& settings, Report& report) {
  with_bench(settings, report, [](Bench& bench) { CpuFigures(bench).all(); });
}
void run_misses(const Settings& settings, Report& report) {
  with_bench(settings, report, [](Bench& bench) { MissFigures(bench).all(); });
}

}  // namespace hotrow::bench::on_host
