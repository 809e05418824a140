#include "base/batch_check.h"

#include <algorithm>
#include <cmath>
#include <functional>
#include <numeric>
#include <string>
#include <utility>
#include <vector>

namespace hotrow {

namespace {

/// Where one lookup writes: `dim` values every `stride`.
struct Output {
  const float* begin = nullptr;
  const float* end = nullptr;
  size_t stride = 0;
  size_t dim = 0;
};

Output output_of(const TableLookup& lookup) {
  const size_t dim = lookup.table->options().dim;
  const size_t stride = lookup.stride == 0 ? dim : lookup.stride;
  const size_t rows = lookup.keys.size() * lookup.repeat;
  const float* const begin = lookup.rows.data();
  return {begin, rows == 0 ? begin : begin + (rows - 1) * stride + dim, stride, dim};
}

/// Does any value belong to both? Where strides differ, whatever lies between counts as well.
bool overlap(const Output& a, const Output& b) {
  const std::less<> before;
  if (a.begin == a.end || b.begin == b.end) return false;
  if (!before(a.begin, b.end) || !before(b.begin, a.end)) return false;
  if (a.stride != b.stride) return true;
  const auto between = reinterpret_cast<intptr_t>(b.begin) - reinterpret_cast<intptr_t>(a.begin);
  const auto stride = static_cast<intptr_t>(a.stride);
  const intptr_t values = between / static_cast<intptr_t>(sizeof(float));
  const auto column = static_cast<size_t>((values % stride + stride) % stride);
  return column < a.dim || column + b.dim > a.stride;
}

}  // namespace

bool all_finite(std::span<const float> values) {
  return std::ranges::all_of(values, [](float value) { return std::isfinite(value); });
}

Status check_page_rows(size_t rows) {
  if (rows > 0 && rows <= kMostPageRows) return {};
  return Status::invalid_argument("rows: expected 1 to " + std::to_string(kMostPageRows) +
                                  " rows a page, received " + std::to_string(rows));
}

Status check_keys(KeyBatch keys) {
  if (keys.size() <= kMostBatchKeys) return {};
  return Status::invalid_argument("keys: expected at most 2^28 keys in one call, received " +
                                  std::to_string(keys.size()));
}

Status check_rows(const char* name, KeyBatch keys, size_t values, size_t dim) {
  HOTROW_RETURN_IF_ERROR(check_keys(keys));
  if (values != keys.size() * dim) {
    return Status::invalid_argument(std::string(name) + ": expected " +
                                    std::to_string(keys.size() * dim) + " values (" +
                                    std::to_string(keys.size()) + " keys x dim " +
                                    std::to_string(dim) + "), received " + std::to_string(values));
  }
  return {};
}

uint64_t all_times(std::span<const uint32_t> times, KeyBatch keys) {
  if (times.empty()) return keys.size();
  return std::accumulate(times.begin(), times.end(), uint64_t{0});
}

Status check_times(std::span<const uint32_t> times, KeyBatch keys) {
  if (times.empty()) return {};
  if (times.size() != keys.size()) {
    return Status::invalid_argument("times: expected " + std::to_string(keys.size()) +
                                    " values, one a key, received " + std::to_string(times.size()));
  }
  const auto none = std::ranges::find(times, 0U);
  if (none != times.end()) {
    return Status::invalid_argument("times: expected values from 1 on, received 0 at " +
                                    std::to_string(none - times.begin()));
  }
  const uint64_t sum = all_times(times, keys);
  if (sum <= kMostBatchKeys) return {};
  return Status::invalid_argument("times: expected a sum of at most 2^28, received " +
                                  std::to_string(sum));
}

Status check_found(const LookupOptions& options, size_t keys) {
  const size_t bytes = (keys + 7) / 8;
  if (options.found.empty() || options.found.size() == bytes) return {};
  return Status::invalid_argument("found: expected " + std::to_string(bytes) +
                                  " bytes, a bit for each of " + std::to_string(keys) +
                                  " keys, received " + std::to_string(options.found.size()));
}

Status check_lookup(const TableLookup& lookup, size_t dim) {
  const auto wrong = [](std::string text) { return Status::invalid_argument(std::move(text)); };
  HOTROW_RETURN_IF_ERROR(check_keys(lookup.keys));
  HOTROW_RETURN_IF_ERROR(check_times(lookup.times, lookup.keys));
  HOTROW_RETURN_IF_ERROR(check_found(lookup.options, lookup.keys.size()));
  const size_t stride = lookup.stride == 0 ? dim : lookup.stride;
  if (stride < dim) {
    return wrong("stride: expected at least dim " + std::to_string(dim) +
                 ", so that rows do not overlap, received " + std::to_string(stride));
  }
  if (lookup.repeat == 0) return wrong("repeat: expected at least 1, received 0");
  if (lookup.options.missing && !std::isfinite(*lookup.options.missing)) {
    return wrong("missing: expected a finite number, received NaN or infinity");
  }
  const size_t rows = lookup.keys.size() * lookup.repeat;
  const bool exact = stride == dim && lookup.repeat == 1;
  if (!exact && rows > 1 && stride > lookup.rows.size() / (rows - 1)) {
    return wrong("rows: expected room for " + std::to_string(rows) + " rows of stride " +
                 std::to_string(stride) + ", received " + std::to_string(lookup.rows.size()) +
                 " values");
  }
  // The last row may end where the output does.
  const size_t least = rows == 0 ? 0 : (rows - 1) * stride + dim;
  if (exact ? lookup.rows.size() != rows * dim : lookup.rows.size() < least) {
    return wrong("rows: expected " + std::string(exact ? "" : "at least ") +
                 std::to_string(exact ? rows * dim : least) + " values (" + std::to_string(rows) +
                 " rows x " + (exact ? "dim " : "stride ") + std::to_string(stride) +
                 "), received " + std::to_string(lookup.rows.size()));
  }
  return {};
}

Status check_apart(std::span<const TableLookup> lookups) {
  std::vector<Output> outputs;
  for (size_t i = 0; i < lookups.size(); ++i) {
    outputs.push_back(output_of(lookups[i]));
    for (size_t j = 0; j < i; ++j) {
      if (!overlap(outputs[j], outputs[i])) continue;
      return Status::invalid_argument("requests[" + std::to_string(i) +
                                      "]: expected rows and stride that do not overlap the output "
                                      "of requests[" +
                                      std::to_string(j) + "]");
    }
  }
  return {};
}

Status check_bags(const BagBatch& bags, const char* name, size_t values, size_t dim) {
  const auto wrong = [](std::string text) { return Status::invalid_argument(std::move(text)); };
  HOTROW_RETURN_IF_ERROR(check_keys(bags.keys));
  const std::string n = std::to_string(bags.keys.size());
  if (bags.offsets.empty()) return wrong("offsets: expected bags + 1 values, received none");
  if (bags.offsets.front() != 0) {
    return wrong("offsets: expected 0 first, received " + std::to_string(bags.offsets.front()));
  }
  if (bags.offsets.back() != bags.keys.size()) {
    return wrong("offsets: expected the number of keys, " + n + ", last, received " +
                 std::to_string(bags.offsets.back()));
  }
  for (size_t i = 1; i < bags.offsets.size(); ++i) {
    if (bags.offsets[i] < bags.offsets[i - 1]) {
      return wrong("offsets: expected rising values, received " + std::to_string(bags.offsets[i]) +
                   " after " + std::to_string(bags.offsets[i - 1]) + " at " + std::to_string(i));
    }
  }
  if (!bags.weights.empty() && bags.weights.size() != bags.keys.size()) {
    return wrong("weights: expected " + n + " values, one a key, received " +
                 std::to_string(bags.weights.size()));
  }
  const size_t expected = (bags.offsets.size() - 1) * dim;
  if (values != expected) {
    return wrong(std::string(name) + ": expected " + std::to_string(expected) + " values (" +
                 std::to_string(bags.offsets.size() - 1) + " bags x dim " + std::to_string(dim) +
                 "), received " + std::to_string(values));
  }
  return {};
}

}  // namespace hotrow
