// How a figure is printed: each contestant's median, and ratios taken round by round.
#ifndef HOTROW_BENCH_NET_REPORT_H_
#define HOTROW_BENCH_NET_REPORT_H_

#include <string>
#include <vector>

#include "measure.h"

namespace hotrow::bench {

/// What a ratio is to reach.
struct Aim {
  double reach = 0;
  bool at_most = false;
};

void print_title(const std::string& title);
/// `name`: median (lowest to highest) of the values times `scale`, in `unit`.
void print_values(const Samples& samples, double scale, const std::string& unit);
/// As print_values of scale / value: a rate.
void print_rates(const Samples& samples, double scale, const std::string& unit);
/// The ratio a / b of each round: its median (lowest to highest); that of the lowest values, which
/// other work disturbs least; and the aim, where there is one.
void print_ratio(const std::string& what, const Samples& a, const Samples& b, Aim aim = {});

}  // namespace hotrow::bench

#endif  // HOTROW_BENCH_NET_REPORT_H_
