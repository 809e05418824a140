#include "report.h"

#include <algorithm>
#include <cstdarg>
#include <cstdlib>

namespace hotrow::bench {

Times Times::of(std::vector<double> samples) {
  if (samples.empty()) return {};
  std::sort(samples.begin(), samples.end());
  const size_t n = samples.size();
  return {samples[n / 2], samples[std::min(n - 1, n * 95 / 100)]};
}

Report::Report(const Settings& settings) : settings_(settings) {
  if (!settings.csv.empty()) {
    file_ = std::fopen(settings.csv.c_str(), "a");
    if (file_ == nullptr) {
      std::fprintf(stderr, "hotrow_bench_gpu: cannot write %s\n", settings.csv.c_str());
      std::exit(1);
    }
    std::fseek(file_, 0, SEEK_END);
  }
  if (file_ == stdout || std::ftell(file_) == 0) {
    std::fprintf(file_,
                 "date,device,driver,impl,version,op,layout,dim,dtype,row_bytes,capacity,load,"
                 "batch,keys_kind,alpha,hit_rate,dedup,locks,median_us,p95_us,gkeys_s,gb_s_algo,"
                 "floor_frac,checks_ok,commit\n");
  }
}

Report::~Report() {
  std::fflush(file_);
  if (file_ != stdout) std::fclose(file_);
}

void Report::set_device(const std::string& name, const std::string& driver) {
  device_ = name;
  driver_ = driver;
}

void Report::add(const Point& p) {
  if (p.checks == "wrong") failed_ = true;
  const double us = p.times.median_us;
  const double gkeys = us > 0 ? static_cast<double>(p.batch) / us * 1e-3 : 0;
  const double gbytes = us > 0 ? p.bytes / us * 1e-3 : 0;
  std::fprintf(file_,
               "%s,%s,%s,%s,0,%s,%s,%u,%s,%u,%lu,%.3f,%lu,%s,%.2f,%.4f,%d,none,%.3f,%.3f,%.4f,%.1f,"
               "%.4f,%s,%s\n",
               settings_.date.c_str(), device_.c_str(), driver_.c_str(), p.impl.c_str(),
               p.op.c_str(), p.layout.c_str(), p.dim, p.dtype.c_str(), p.row_bytes, p.capacity,
               p.load, p.batch, p.keys_kind.c_str(), p.alpha, p.hit_rate, p.dedup ? 1 : 0, us,
               p.times.p95_us, gkeys, gbytes, p.floor_frac, p.checks.c_str(),
               settings_.commit.c_str());
  std::fflush(file_);
  std::fprintf(stderr,
               "%-26s dim %3u %-7s R %3u load %.2f batch %7lu %s%s hit %5.1f%%: %9.2f us p95 %9.2f"
               " %7.3f Gkeys/s %7.1f GB/s",
               p.op.c_str(), p.dim, p.dtype.c_str(), p.row_bytes, p.load, p.batch,
               p.keys_kind.c_str(), p.alpha > 0 ? words(" %.2f", p.alpha).c_str() : "",
               100 * p.hit_rate, us, p.times.p95_us, gkeys, gbytes);
  if (p.floor_frac > 0) std::fprintf(stderr, "  %.3f of ceiling", p.floor_frac);
  std::fprintf(stderr, "%s\n", p.checks == "wrong" ? "  WRONG ROWS" : "");
}

void Report::say(const std::string& words) const { std::fprintf(stderr, "%s\n", words.c_str()); }

bool Report::late(const std::string& what) {
  if (!settings_.late()) return false;
  ++left_out_;
  std::fprintf(stderr, "left out, the time is over: %s\n", what.c_str());
  return true;
}

std::string words(const char* format, ...) {
  char text[512];
  va_list arguments;
  va_start(arguments, format);
  std::vsnprintf(text, sizeof text, format, arguments);
  va_end(arguments);
  return text;
}

}  // namespace hotrow::bench
