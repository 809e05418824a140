// The device itself, and `roofline` on it.
#include "roofline.h"

#include "commands.h"
#include "run.h"

namespace hotrow::bench::on_cuda {

bool find_device(const Settings& settings, Report& report, std::string& reason) {
  // Short work is waited for without sleeping. Before anything starts the device; a wish only.
  if (cudaSetDeviceFlags(cudaDeviceScheduleSpin) != cudaSuccess) (void)cudaGetLastError();
  TierDevice found;
  const Status status = Device(settings.device).describe(found);
  if (!status.ok()) {
    reason = status.message();
    return false;
  }
  int runtime = 0;
  must(Device::check("runtime version", cudaRuntimeGetVersion(&runtime)));
  cudaDeviceProp properties{};
  must(Device::check("device properties", cudaGetDeviceProperties(&properties, settings.device)));
  char bus[32] = {};
  must(Device::check("bus", cudaDeviceGetPCIBusId(bus, sizeof bus, settings.device)));
  report.set_device(found.name, std::to_string(found.driver_version));
  report.say(
      words("%s, sm_%u%u, %u multiprocessors, %.1f GiB (%.1f free), L2 %d MiB, driver %u, "
            "runtime %d, bus %s, commit %s",
            found.name, found.compute_major, found.compute_minor, found.multiprocessors,
            static_cast<double>(found.memory_bytes) / 0x1p30,
            static_cast<double>(found.free_bytes) / 0x1p30, properties.l2CacheSize / (1 << 20),
            found.driver_version, runtime, bus, settings.commit.c_str()));
  return true;
}

void run_roofline(const Settings& settings, Report& report) {
  with_bench(settings, report, [](Bench& bench) { roofline(bench); });
}

}  // namespace hotrow::bench::on_cuda
