#include "machine.h"

#include <cstdio>
#include <cstdlib>
#include <fstream>
#include <sstream>
#include <thread>

#include "simd/kernels.h"

namespace hotrow::bench {

namespace {

std::string first_line(const char* path) {
  std::ifstream file(path);
  std::string line;
  std::getline(file, line);
  return line;
}

/// The text behind "name :" in a file of such lines.
std::string field_of(const char* path, const std::string& name) {
  std::ifstream file(path);
  for (std::string line; std::getline(file, line);) {
    if (!line.starts_with(name)) continue;
    const size_t colon = line.find(':');
    const size_t start = line.find_first_not_of(" \t", colon + 1);
    if (start != std::string::npos) return line.substr(start);
  }
  return "";
}

}  // namespace

std::string machine_words() {
  std::ostringstream words;
  const double gib = std::atof(field_of("/proc/meminfo", "MemTotal").c_str()) / (1 << 20);
  words << std::thread::hardware_concurrency() << " × " << field_of("/proc/cpuinfo", "model name")
        << ", " << static_cast<int>(gib + 0.5) << " GiB, " << row_kernels().target;
  return words.str();
}

std::string commit_name() {
  std::FILE* const pipe = ::popen("git rev-parse HEAD 2> /dev/null", "r");
  if (pipe == nullptr) return "";
  char text[64] = {};
  const bool read = std::fgets(text, sizeof text, pipe) != nullptr;
  if (::pclose(pipe) != 0 || !read) return "";
  const std::string commit = text;
  return commit.substr(0, commit.find('\n'));
}

uint64_t available_bytes() {
  const std::string kib = field_of("/proc/meminfo", "MemAvailable");
  return kib.empty() ? UINT64_MAX : std::strtoull(kib.c_str(), nullptr, 10) * 1024;
}

uint64_t resident_bytes() {
  const std::string kib = field_of("/proc/self/status", "VmRSS");
  return std::strtoull(kib.c_str(), nullptr, 10) * 1024;
}

std::vector<std::string> warnings() {
  std::vector<std::string> found;
  const double load = std::atof(first_line("/proc/loadavg").c_str());
  if (load > std::thread::hardware_concurrency() / 4.0) {
    char text[96];
    std::snprintf(text, sizeof text, "Other programs are at work (load %.1f): expect noise.", load);
    found.emplace_back(text);
    if (first_line("/proc/sys/kernel/sched_autogroup_enabled") == "1") {
      found.emplace_back(
          "Processors are shared by group of processes (autogroup): beside other work, two threads "
          "may look no faster than one.");
    }
  }
  const std::string huge = first_line("/sys/kernel/mm/transparent_hugepage/enabled");
  if (huge.find("[never]") != std::string::npos || huge.empty()) {
    found.emplace_back("No huge pages on this system: everything is slower, limits included.");
  }
  return found;
}

}  // namespace hotrow::bench
