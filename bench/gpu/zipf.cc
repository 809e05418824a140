#include "zipf.h"

#include <algorithm>
#include <cmath>
#include <thread>

#include "base/hash.h"

namespace hotrow::bench {

namespace {

/// The integral of x^-alpha from 1 to x, and its inverse.
double area(double x, double alpha) {
  const double log_x = std::log(x);
  const double t = (1 - alpha) * log_x;
  return std::abs(t) > 1e-8 ? log_x * std::expm1(t) / t : log_x;
}
double area_inverse(double a, double alpha) {
  const double t = std::max(a * (1 - alpha), -1.0);
  return std::exp(std::abs(t) > 1e-8 ? a * std::log1p(t) / t : a);
}

class Ranks {
 public:
  Ranks(double alpha, uint64_t seed)
      : alpha_(alpha),
        state_(seed),
        least_(area(1.5, alpha) - 1),
        most_(area(static_cast<double>(kZipfIds) + 0.5, alpha)),
        sure_(2 - area_inverse(area(2.5, alpha) - std::pow(2, -alpha), alpha)) {}

  uint32_t next() {
    for (;;) {
      const double u = most_ + unit() * (least_ - most_);
      const double x = area_inverse(u, alpha_);
      const double k = std::clamp(std::floor(x + 0.5), 1.0, static_cast<double>(kZipfIds));
      if (k - x <= sure_ || u >= area(k + 0.5, alpha_) - std::pow(k, -alpha_)) {
        return static_cast<uint32_t>(k) - 1;
      }
    }
  }

 private:
  double unit() {
    return static_cast<double>(mix64(state_ += 0x9e3779b97f4a7c15U) >> 11) * 0x1p-53;
  }

  double alpha_;
  uint64_t state_;
  double least_;
  double most_;
  double sure_;
};

/// Sum of k^-alpha for k up to n: the first terms, then the integral.
double harmonic(uint64_t n, double alpha) {
  constexpr uint64_t kExact = 1000;
  double sum = 0;
  for (uint64_t k = 1; k <= std::min(n, kExact); ++k) {
    sum += std::pow(static_cast<double>(k), -alpha);
  }
  if (n <= kExact) return sum;
  return sum + area(static_cast<double>(n) + 0.5, alpha) - area(kExact + 0.5, alpha);
}

}  // namespace

std::vector<uint32_t> zipf_ranks(double alpha, uint64_t n, uint32_t threads) {
  std::vector<uint32_t> ranks(n);
  constexpr uint64_t kBlock = 4096;
  // A block has its own seed, so that the ranks do not depend on the number of threads.
  const auto part = [&](uint32_t thread) {
    for (uint64_t first = thread * kBlock; first < n; first += threads * kBlock) {
      Ranks source(alpha, mix64(first + 1));
      const uint64_t last = std::min(n, first + kBlock);
      for (uint64_t i = first; i < last; ++i) ranks[i] = source.next();
    }
  };
  std::vector<std::thread> workers;
  for (uint32_t t = 0; t < threads; ++t) workers.emplace_back(part, t);
  for (std::thread& worker : workers) worker.join();
  return ranks;
}

uint64_t zipf_cut(double alpha, double share) {
  const double wanted = share * harmonic(kZipfIds, alpha);
  uint64_t low = 1;
  uint64_t high = kZipfIds;
  while (low < high) {
    const uint64_t middle = (low + high) / 2;
    if (harmonic(middle, alpha) < wanted) {
      low = middle + 1;
    } else {
      high = middle;
    }
  }
  return low;
}

}  // namespace hotrow::bench
