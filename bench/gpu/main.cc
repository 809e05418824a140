// hotrow_bench_gpu: the cache on a device beside its limits; see --help and docs/PERFORMANCE.md.
#include <cstdio>

#include "commands.h"
#include "steps.h"

namespace {

using namespace hotrow::bench;  // NOLINT(google-build-using-namespace)

struct Command {
  const char* name;
  void (*on_device)(const Settings& settings, Report& report);
  void (*on_host)(const Settings& settings, Report& report);
};

constexpr Command kCommands[] = {
    {"roofline", on_cuda::run_roofline, on_host::run_roofline},
    {"table", on_cuda::run_table, on_host::run_table},
    {"table", on_cuda::run_updates, on_host::run_updates},
    {"cpu", on_cuda::run_cpu, on_host::run_cpu},
    {"misses", on_cuda::run_misses, on_host::run_misses},
    {"steps", run_steps, run_steps},
};

}  // namespace

int main(int argc, char** argv) {
  const Settings settings = read_settings(argc, argv);
  Report report(settings);
  if (settings.host) {
    report.set_device("host", "none");
    report.say("The CPU plays the device: rows are checked, nothing is timed.");
  } else {
    std::string reason;
    if (!on_cuda::find_device(settings, report, reason)) {
      std::fprintf(stderr, "gpu=skipped (%s)\n", reason.c_str());
      return 0;
    }
  }
  for (const Command& command : kCommands) {
    if (settings.command != command.name) continue;
    (settings.host ? command.on_host : command.on_device)(settings, report);
  }
  if (report.left_out() != 0) report.say(words("%zu figures left out", report.left_out()));
  if (!report.failed()) return 0;
  report.say("some rows were wrong");
  return 1;
}
