// Lookups: which way a batch takes, and how it is split over threads. The way of a key: gather.cc.
#include <algorithm>
#include <cmath>

#include "table/table.h"

#include "base/batch_check.h"

namespace hotrow {

namespace {

/// Byte flags as bits, lowest first.
void pack_bits(const std::vector<uint8_t>& flags, std::span<uint8_t> bits) {
  std::fill(bits.begin(), bits.end(), uint8_t{0});
  for (size_t i = 0; i < flags.size(); ++i) {
    bits[i / 8] = static_cast<uint8_t>(bits[i / 8] | flags[i] << (i % 8));
  }
}

}  // namespace

void spread_rows(const TableLookup& lookup, size_t dim) {
  if (lookup.repeat == 1) return;
  const size_t stride = lookup.stride == 0 ? dim : lookup.stride;
  float* const rows = lookup.rows.data();
  for (size_t i = lookup.keys.size(); i-- > 0;) {
    const float* const from = rows + i * stride;
    for (size_t copy = lookup.repeat; copy-- > 0;) {
      float* const to = rows + (i * lookup.repeat + copy) * stride;
      if (to != from) std::copy_n(from, dim, to);
    }
  }
}

uint64_t SparseTable::gather_part(GatherRequest request, size_t first, size_t last) {
  request.keys = request.keys.subspan(first, last - first);
  request.rows += first * request.stride;
  if (request.found != nullptr) request.found += first;
  return rows_->gather(request);
}

uint64_t SparseTable::gather_parallel(const GatherRequest& request) {
  const size_t n = request.keys.size();
  const uint32_t parts = context_.parts_for(n);
  if (parts == 1) return gather_part(request, 0, n);
  std::atomic<uint64_t> hits{0};
  context_.pool.run(parts, [&](uint32_t part) {
    const uint64_t found = gather_part(request, n * part / parts, n * (part + 1) / parts);
    hits.fetch_add(found, std::memory_order_relaxed);
  });
  return hits.load(std::memory_order_relaxed);
}

void SparseTable::count_lookups(KeyBatch keys, std::span<const uint32_t> times, uint64_t hits) {
  counters_.lookups.fetch_add(all_times(times, keys), std::memory_order_relaxed);
  counters_.hits.fetch_add(hits, std::memory_order_relaxed);
  if (hot_keys_) hot_keys_->offer(keys, times);
}

Status SparseTable::check_wishes(KeyBatch keys, const LookupOptions& options) const {
  if (closed()) return closed_status();
  HOTROW_RETURN_IF_ERROR(check_keys(keys));
  HOTROW_RETURN_IF_ERROR(check_found(options, keys.size()));
  HOTROW_RETURN_IF_ERROR(check_age(options));
  if (options.missing && !std::isfinite(*options.missing)) {
    return Status::invalid_argument("missing: expected a finite number, received NaN or infinity");
  }
  return {};
}

Status SparseTable::check_lookup(const TableLookup& lookup) const {
  if (closed()) return closed_status();
  HOTROW_RETURN_IF_ERROR(check_age(lookup.options));
  return hotrow::check_lookup(lookup, options_.dim);
}

Status SparseTable::check_age(const LookupOptions& options) const {
  if (options.max_age_ms == 0 || !context_.read_only) return {};
  const uint64_t made = context_.version_time_ms.load(std::memory_order_relaxed);
  const uint64_t now = context_.clock.now_ms();
  if (now <= made || now - made <= options.max_age_ms) return {};
  return {StatusCode::kStale, "table '" + name_ + "': its version was committed " +
                                  std::to_string(now - made) + " ms ago, asked for at most " +
                                  std::to_string(options.max_age_ms)};
}

Status SparseTable::look_up(const TableLookup& lookup) {
  const Result<uint64_t> hits = look_up_quietly(lookup);
  if (!hits.ok()) return hits.status();
  count_lookups(lookup.keys, lookup.times, hits.value());
  spread_rows(lookup, options_.dim);
  return {};
}

Result<uint64_t> SparseTable::look_up_quietly(const TableLookup& lookup) {
  const size_t n = lookup.keys.size();
  const size_t stride = lookup.stride == 0 ? options_.dim : lookup.stride;
  const bool is_cold = cold();
  const bool flags = !lookup.options.found.empty() || is_cold || !lookup.times.empty();
  std::vector<uint8_t> found(flags ? n : 0);
  std::vector<float> missing;
  if (lookup.options.missing) missing.assign(options_.dim, *lookup.options.missing);
  const GatherRequest request{.keys = lookup.keys,
                              .rows = lookup.rows.data(),
                              .stride = stride,
                              .found = found.empty() ? nullptr : found.data(),
                              .missing = missing.empty() ? nullptr : missing.data(),
                              .relaxed = lookup.options.relaxed,
                              .moment = moment()};
  uint64_t hits = expects_repetition(n) ? gather_repeated(request) : gather_parallel(request);
  if (is_cold) {
    const Result<uint64_t> read = gather_cold(request);
    if (!read.ok()) return read.status();
    hits += read.value();
  }
  if (!lookup.options.found.empty()) pack_bits(found, lookup.options.found);
  if (!lookup.times.empty()) {
    hits = 0;
    for (size_t i = 0; i < n; ++i) hits += uint64_t{found[i]} * lookup.times[i];
  }
  return hits;
}

Status SparseTable::lookup_into(const TableLookup& lookup) {
  return call([&]() -> Status {
    HOTROW_RETURN_IF_ERROR(check_lookup(lookup));
    const CallTimer timer(context_.latencies.lookup, lookup.keys.size());
    return look_up(lookup);
  });
}

Status SparseTable::lookup(KeyBatch keys, RowBatch rows, const LookupOptions& options) {
  return lookup_into({.keys = keys, .rows = rows, .options = options});
}

Status SparseTable::lookup_state(KeyBatch keys, std::span<float> state,
                                 const LookupOptions& options) {
  return call([&]() -> Status {
    HOTROW_RETURN_IF_ERROR(check_keys(keys));
    HOTROW_RETURN_IF_ERROR(check_found(options, keys.size()));
    HOTROW_RETURN_IF_ERROR(check_age(options));
    if (!demotes()) HOTROW_RETURN_IF_ERROR(bring(keys));
    const uint64_t expected = keys.size() * rules_.state_values();
    if (state.size() != expected) {
      return Status::invalid_argument(
          "state: expected " + std::to_string(expected) + " values (" +
          std::to_string(keys.size()) + " keys x " + std::to_string(rules_.state_values()) +
          " values of state), received " + std::to_string(state.size()));
    }
    std::vector<uint8_t> found(options.found.empty() && !demotes() ? 0 : keys.size());
    const GatherRequest request{.keys = keys,
                                .rows = state.data(),
                                .stride = rules_.state_values(),
                                .found = found.empty() ? nullptr : found.data(),
                                .counts = false};
    (void)rows_->gather_state(request);
    if (demotes()) HOTROW_RETURN_IF_ERROR(gather_cold_state(request).status());
    if (!options.found.empty()) pack_bits(found, options.found);
    return {};
  });
}

}  // namespace hotrow
