#include "report.h"

#include <algorithm>
#include <cstdio>

namespace hotrow::bench {

namespace {

constexpr int kNameColumns = 44;

void print_spread(const Samples& its, const std::string& unit) {
  // Columns, not bytes: all but the first byte of a character are 10xxxxxx.
  const auto more = std::ranges::count_if(its.name, [](char c) { return (c & 0xc0) == 0x80; });
  std::printf("  %-*s %9.2f  (%.2f to %.2f)%s", kNameColumns + static_cast<int>(more),
              its.name.c_str(), its.median(), its.lowest(), its.highest(), unit.c_str());
}

}  // namespace

void print_title(const std::string& title) { std::printf("%s\n", title.c_str()); }

void print_values(const Samples& samples, double scale, const std::string& unit) {
  Samples scaled = samples;
  for (double& value : scaled.values) value *= scale;
  print_spread(scaled, ' ' + unit);
  std::printf("\n");
}

void print_rates(const Samples& samples, double scale, const std::string& unit) {
  Samples rates = samples;
  for (double& value : rates.values) value = scale / value;
  print_spread(rates, ' ' + unit);
  std::printf("\n");
}

void print_ratio(const std::string& what, const Samples& a, const Samples& b, Aim aim) {
  Samples ratios{.name = what};
  for (size_t i = 0; i < a.values.size(); ++i) ratios.values.push_back(a.values[i] / b.values[i]);
  print_spread(ratios, "");
  std::printf("; of the best rounds %.2f", a.lowest() / b.lowest());
  if (aim.reach > 0) {
    const double reached = ratios.median();
    const bool good = aim.at_most ? reached <= aim.reach : reached >= aim.reach;
    std::printf("; aim %s%.2f: %s", aim.at_most ? "at most " : "", aim.reach,
                good ? "reached" : "NOT REACHED");
  }
  std::printf("\n");
  std::fflush(stdout);
}

}  // namespace hotrow::bench
