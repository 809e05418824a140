// What the command line says.
#ifndef HOTROW_BENCH_TABLE_OPTIONS_H_
#define HOTROW_BENCH_TABLE_OPTIONS_H_

#include <cstdint>
#include <string>
#include <vector>

namespace hotrow::bench {

struct Settings {
  uint64_t rows = uint64_t{1} << 24;
  std::vector<uint32_t> dims = {16, 32, 64, 128};
  std::vector<uint32_t> threads = {1, 2};
  uint32_t rounds = 5;
  uint64_t memory_gib = 18;
  std::string peers = "all";  ///< "all", "none", or names with commas between
  std::string only;
  std::string json;

  uint32_t most_threads() const;
  bool has_peer(const std::string& name) const;
};

/// Ends the program with 0 after --help, with 2 and one line on stderr when something is wrong.
Settings read_settings(int argc, char** argv);

}  // namespace hotrow::bench

#endif  // HOTROW_BENCH_TABLE_OPTIONS_H_
