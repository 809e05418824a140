// What makes the arrays of a call wrong, whoever has the rows: their lengths, and where they lie.
// Each gives ERR_INVALID_ARGUMENT that names the argument as callers spell it.
#ifndef HOTROW_BASE_BATCH_CHECK_H_
#define HOTROW_BASE_BATCH_CHECK_H_

#include <cstddef>
#include <cstdint>
#include <span>

#include "hotrow/batch.h"
#include "hotrow/status.h"
#include "hotrow/store.h"

namespace hotrow {

/// Most keys of one call.
inline constexpr uint64_t kMostBatchKeys = uint64_t{1} << 28;

/// Most rows of one page of a scan.
inline constexpr uint64_t kMostPageRows = uint64_t{1} << 20;

Status check_keys(KeyBatch keys);
Status check_page_rows(size_t rows);
/// One row of `dim` values a key in an argument of so many values.
Status check_rows(const char* name, KeyBatch keys, size_t values, size_t dim);
/// How often each key counts: once a key, from 1 on, and no more than a call may have keys; or
/// none.
Status check_times(std::span<const uint32_t> times, KeyBatch keys);
/// Keys with every one as often as it counts.
uint64_t all_times(std::span<const uint32_t> times, KeyBatch keys);
Status check_found(const LookupOptions& options, size_t keys);
/// Everything of one table's part but how old its rows may be.
Status check_lookup(const TableLookup& lookup, size_t dim);
bool all_finite(std::span<const float> values);
/// Outputs that lie in one array do not overlap.
Status check_apart(std::span<const TableLookup> lookups);
/// `values` of the argument `name` are one row of `dim` values a bag.
Status check_bags(const BagBatch& bags, const char* name, size_t values, size_t dim);

}  // namespace hotrow

#endif  // HOTROW_BASE_BATCH_CHECK_H_
