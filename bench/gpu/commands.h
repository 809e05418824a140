// The commands on each executor. Each file of entries has its own, so that they compile side by
// side.
#ifndef HOTROW_BENCH_GPU_COMMANDS_H_
#define HOTROW_BENCH_GPU_COMMANDS_H_

#include "options.h"
#include "report.h"

namespace hotrow::bench {

namespace on_cuda {
/// False, with a reason, where there is no device.
bool find_device(const Settings& settings, Report& report, std::string& reason);
void run_roofline(const Settings& settings, Report& report);
void run_table(const Settings& settings, Report& report);
void run_updates(const Settings& settings, Report& report);
void run_cpu(const Settings& settings, Report& report);
void run_misses(const Settings& settings, Report& report);
}  // namespace on_cuda

namespace on_host {
void run_roofline(const Settings& settings, Report& report);
void run_table(const Settings& settings, Report& report);
void run_updates(const Settings& settings, Report& report);
void run_cpu(const Settings& settings, Report& report);
void run_misses(const Settings& settings, Report& report);
}  // namespace on_host

}  // namespace hotrow::bench

#endif  // HOTROW_BENCH_GPU_COMMANDS_H_
