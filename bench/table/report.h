// What was measured: printed as it comes, compared with the aims, written as JSON.
#ifndef HOTROW_BENCH_TABLE_REPORT_H_
#define HOTROW_BENCH_TABLE_REPORT_H_

#include <map>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "measure.h"
#include "options.h"

namespace hotrow::bench {

/// The JSON form that all benchmarks and examples of the project share.
struct Result {
  std::string name;
  /// Values are JSON already: numbers, or strings in quotes.
  std::vector<std::pair<std::string, std::string>> params;
  double value = 0;
  std::string unit;
  /// Against each peer or limit: higher is better, 1 is par.
  std::map<std::string, double> ratios;
};

using Params = std::vector<std::pair<std::string, std::string>>;

class Report {
 public:
  explicit Report(const Settings& settings) : settings_(settings) {}

  /// Should any of name, name/1t, name/2t … be measured?
  bool wants(const std::string& name) const;

  /// One figure for each thread count: name/1t, … with the ratios of all others to "hotrow".
  void add_race(const std::string& name, const Params& params, const std::vector<Samples>& samples);
  /// name: how many times as fast `who` is with two threads as with one.
  void add_scaling(const std::string& name, const Params& params,
                   const std::vector<Samples>& samples);
  void add(Result result);
  void note(const std::string& line);

  /// The aims that were measured, each beside its figure.
  void print_aims() const;
  /// False when the file cannot be written.
  bool write_json() const;

 private:
  const Result* find(const std::string& name) const;

  const Settings& settings_;
  std::vector<Result> results_;
};

std::string quoted(const std::string& text);
Params common_params(uint64_t rows, uint32_t dim, uint32_t rounds);

}  // namespace hotrow::bench

#endif  // HOTROW_BENCH_TABLE_REPORT_H_
