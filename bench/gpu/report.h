// Points as lines of CSV and of words.
#ifndef HOTROW_BENCH_GPU_REPORT_H_
#define HOTROW_BENCH_GPU_REPORT_H_

#include <cstdint>
#include <cstdio>
#include <string>
#include <vector>

#include "options.h"

namespace hotrow::bench {

/// Microseconds of one operation.
struct Times {
  double median_us = 0;
  double p95_us = 0;

  static Times of(std::vector<double> samples);
};

struct Point {
  std::string op;
  std::string impl = "hotrow";
  std::string layout = "key64x8";
  uint32_t dim = 0;
  std::string dtype = "f32";
  uint32_t row_bytes = 0;
  uint64_t capacity = 0;
  double load = 0;
  uint64_t batch = 0;
  std::string keys_kind = "uniform";
  double alpha = 0;
  double hit_rate = 0;
  bool dedup = false;
  Times times;
  double bytes = 0;       ///< that the algorithm must move
  double floor_frac = 0;  ///< of the ceiling measured in the same run; 0: there is none
  std::string checks = "not checked";
};

class Report {
 public:
  /// Ends the program when the file cannot be written.
  explicit Report(const Settings& settings);
  ~Report();
  Report(const Report&) = delete;
  Report& operator=(const Report&) = delete;

  void set_device(const std::string& name, const std::string& driver);
  void add(const Point& point);
  /// One line for people.
  void say(const std::string& words) const;
  /// Is the time over? Says so of `what`, which is then left out.
  bool late(const std::string& what);
  bool failed() const { return failed_; }
  size_t left_out() const { return left_out_; }

 private:
  const Settings& settings_;
  std::FILE* file_ = stdout;
  std::string device_ = "none";
  std::string driver_ = "none";
  bool failed_ = false;
  size_t left_out_ = 0;
};

/// printf into a string.
std::string words(const char* format, ...) __attribute__((format(printf, 1, 2)));

}  // namespace hotrow::bench

#endif  // HOTROW_BENCH_GPU_REPORT_H_
