// Ranks of Zipf's law over many ids, by rejection-inversion (Hoermann, Derflinger 1996): no table
// of all ranks.
#ifndef HOTROW_BENCH_GPU_ZIPF_H_
#define HOTROW_BENCH_GPU_ZIPF_H_

#include <cstdint>
#include <vector>

namespace hotrow::bench {

inline constexpr uint64_t kZipfIds = 100'000'000;

/// n ranks below kZipfIds, 0 the most frequent; the same for the same arguments.
std::vector<uint32_t> zipf_ranks(double alpha, uint64_t n, uint32_t threads);

/// How many of the most frequent ids make that share of all uses.
uint64_t zipf_cut(double alpha, double share);

}  // namespace hotrow::bench

#endif  // HOTROW_BENCH_GPU_ZIPF_H_
