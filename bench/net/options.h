// What the command line of bench:net says.
#ifndef HOTROW_BENCH_NET_OPTIONS_H_
#define HOTROW_BENCH_NET_OPTIONS_H_

#include <cstdint>
#include <string>

namespace hotrow::bench {

struct NetSettings {
  uint64_t rows = uint64_t{1} << 22;  ///< of the large tables: 1 GiB at 256 bytes a row
  uint32_t rounds = 5;
  uint32_t turn_mib = 256;  ///< of rows that one turn moves
  uint32_t calls = 2000;    ///< that one turn of a figure about latency makes
  uint32_t spin_us = 200;   ///< of both sides, where they spin
  bool redis = true;
  std::string only;  ///< figures with this in their name; empty: all

  bool wants(const std::string& figure) const { return figure.find(only) != std::string::npos; }
};

/// Ends the program with 0 after --help, with 2 and one line on stderr when something is wrong.
NetSettings read_net_settings(int argc, char** argv);

}  // namespace hotrow::bench

#endif  // HOTROW_BENCH_NET_OPTIONS_H_
