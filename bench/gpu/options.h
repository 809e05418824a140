// What the command line says.
#ifndef HOTROW_BENCH_GPU_OPTIONS_H_
#define HOTROW_BENCH_GPU_OPTIONS_H_

#include <chrono>
#include <cstdint>
#include <string>
#include <vector>

namespace hotrow::bench {

struct Settings {
  std::string command;  ///< "roofline", "table", "cpu", "misses" or "steps"
  bool host = false;    ///< the CPU plays the device: checks, no timings
  int device = 0;
  double pool_gib = 8;
  double time_limit_s = 0;  ///< 0: none
  std::vector<uint32_t> dims = {16, 32, 64, 128};
  uint32_t repeats = 50;
  uint32_t threads = 0;  ///< of the CPU; 0: all
  std::string csv;
  std::string commit = "unknown";
  std::string date;
  std::string only;  ///< points whose op contains it

  bool has(const std::string& op) const { return op.find(only) != std::string::npos; }
  bool late() const {
    const std::chrono::duration<double> passed = std::chrono::steady_clock::now() - started;
    return time_limit_s > 0 && passed.count() > time_limit_s;
  }

  std::chrono::steady_clock::time_point started = std::chrono::steady_clock::now();
};

/// Ends the program with 0 after --help, with 2 and one line on stderr when something is wrong.
Settings read_settings(int argc, char** argv);

}  // namespace hotrow::bench

#endif  // HOTROW_BENCH_GPU_OPTIONS_H_
