// What makes the options of a store, a table and a dense parameter wrong. Field names as TypeScript
// spells them. The optimizer's: optimizer_options.cc.
#include "hotrow/options.h"

#include <cmath>
#include <string>

#include "store/check.h"
#include "store/groups.h"

namespace hotrow {

Status InitializerOptions::validate() const {
  for (const auto& [field, x] : {std::pair{"initializer.value", value},
                                 {"initializer.low", low},
                                 {"initializer.high", high},
                                 {"initializer.mean", mean}}) {
    HOTROW_RETURN_IF_ERROR(expect(std::isfinite(x), field, "a finite number", x));
  }
  HOTROW_RETURN_IF_ERROR(expect_not_negative(stddev, "initializer.stddev"));
  if (kind == InitializerKind::kUniform && !(low < high)) {
    return Status::invalid_argument("initializer: expected low below high, received low " +
                                    number(low) + " and high " + number(high));
  }
  return {};
}

Status TableOptions::validate() const {
  HOTROW_RETURN_IF_ERROR(
      expect(dim >= 1 && dim <= kMaxDim, "dim", "an integer from 1 to 8192", dim));
  HOTROW_RETURN_IF_ERROR(optimizer.validate());
  HOTROW_RETURN_IF_ERROR(initializer.validate());
  return validate_groups(groups, optimizer);
}

Status DenseOptions::validate() const {
  if (shape.empty() || shape.size() > kMaxDenseRank) {
    return expect(false, "shape", "1 to 8 dimensions", static_cast<double>(shape.size()));
  }
  uint64_t values = 1;
  for (const uint64_t n : shape) {
    HOTROW_RETURN_IF_ERROR(expect(n >= 1 && n <= kMaxDenseValues, "shape",
                                  "dimensions from 1 to 2^31", static_cast<double>(n)));
    values *= n;
    HOTROW_RETURN_IF_ERROR(expect(values <= kMaxDenseValues, "shape", "at most 2^31 values in all",
                                  static_cast<double>(values)));
  }
  HOTROW_RETURN_IF_ERROR(optimizer.validate());
  return initializer.validate();
}

Status StoreOptions::validate() const {
  constexpr uint64_t kLeast = uint64_t{16} << 20;
  constexpr uint64_t kMost = uint64_t{1} << 46;
  HOTROW_RETURN_IF_ERROR(expect(memory_bytes <= kMost, "memoryBytes",
                                "at most 70368744177664 (64 TiB)",
                                static_cast<double>(memory_bytes)));
  HOTROW_RETURN_IF_ERROR(expect(memory_bytes == 0 || memory_bytes >= kLeast, "memoryBytes",
                                "at least 16777216 (16 MiB)", static_cast<double>(memory_bytes)));
  return expect(threads <= kMaxThreads, "threads", "an integer from 1 to 256", threads);
}

}  // namespace hotrow
