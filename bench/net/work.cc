#include "work.h"

#include <algorithm>
#include <string>

#include "workload.h"

namespace hotrow::bench {

std::vector<uint64_t> draw_keys(uint64_t rows, size_t n) {
  Random random(1);
  std::vector<uint64_t> keys(n);
  for (uint64_t& key : keys) key = key_of(random.below(rows));
  return keys;
}

void check_rows(std::span<const uint64_t> numbers, std::span<const float> rows, uint32_t dim,
                const char* who) {
  std::vector<float> expected(dim);
  for (size_t i = 0; i < numbers.size(); ++i) {
    fill_values(static_cast<uint32_t>(numbers[i]), expected);
    if (!std::ranges::equal(expected, rows.subspan(i * dim, dim))) {
      fail((std::string(who) + " gives other rows than expected").c_str());
    }
  }
}

Samples CpuTime::samples() const {
  Samples counted = samples_;
  counted.values.erase(counted.values.begin());
  return counted;
}

}  // namespace hotrow::bench
