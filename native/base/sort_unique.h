// Hashes in rising order, each once.
#ifndef HOTROW_BASE_SORT_UNIQUE_H_
#define HOTROW_BASE_SORT_UNIQUE_H_

#include <algorithm>
#include <cstdint>
#include <vector>

namespace hotrow {

inline void sort_unique(std::vector<uint64_t>& hashes) {
  std::ranges::sort(hashes);
  hashes.erase(std::ranges::unique(hashes).begin(), hashes.end());
}

}  // namespace hotrow

#endif  // HOTROW_BASE_SORT_UNIQUE_H_
