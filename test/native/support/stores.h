// Short ways to make stores and tables and to read them.
#ifndef HOTROW_TEST_SUPPORT_STORES_H_
#define HOTROW_TEST_SUPPORT_STORES_H_

#include <cstdint>
#include <memory>
#include <numeric>
#include <string>
#include <string_view>
#include <vector>

#include "hotrow/store.h"
#include "support/status.h"

namespace hotrow::test {

inline constexpr uint64_t kMiB = uint64_t{1} << 20;

inline std::shared_ptr<Store> private_store(uint32_t threads = 1,
                                            uint64_t memory_bytes = 512 * kMiB) {
  return must(Store::open(":memory:", {.memory_bytes = memory_bytes, .threads = threads}));
}

inline OptimizerOptions optimizer(OptimizerKind kind, float learning_rate = 0.05F) {
  return {.kind = kind, .learning_rate = learning_rate};
}

inline InitializerOptions uniform(float limit) {
  return {.kind = InitializerKind::kUniform, .low = -limit, .high = limit};
}

/// Every rule in the order of the enum, with constants that are not the defaults.
std::vector<OptimizerOptions> every_optimizer();
/// The rule as it is and, where it may be, with weight decay, clipped values and a clipped norm.
std::vector<OptimizerOptions> every_preparation(const OptimizerOptions& options);
const char* name_of(OptimizerKind kind);
/// For traces: the rule and what is done to its gradient.
std::string describe(const OptimizerOptions& options);

inline TableOptions sum_table(uint32_t dim) {
  return {.dim = dim, .optimizer = {.kind = OptimizerKind::kSum}};
}

inline std::vector<float> lookup(Table& table, const std::vector<uint64_t>& keys) {
  std::vector<float> rows(keys.size() * table.options().dim, -77.0F);
  must(table.lookup(keys, rows));
  return rows;
}

inline TableStats stats_of(Table& table) { return must(table.stats()); }
inline StoreStats stats_of(Store& store) { return must(store.stats()); }

/// first, first + 1, … n keys
inline std::vector<uint64_t> range(uint64_t first, size_t n) {
  std::vector<uint64_t> keys(n);
  std::iota(keys.begin(), keys.end(), first);
  return keys;
}

}  // namespace hotrow::test

#endif  // HOTROW_TEST_SUPPORT_STORES_H_
