#include "table/row_rules.h"

#include <algorithm>

#include "base/shards.h"
#include "memory/slab_pool.h"

namespace hotrow {

namespace {

// What a key takes of the index at most, growing shards and the holes they leave included.
constexpr uint64_t kIndexBytesPerKey = 28;
// Where buckets hold four keys and their heat.
constexpr uint64_t kHeatIndexBytesPerKey = 36;

bool counts_in_index(const AdmissionOptions& admission) {
  return admission.kind == AdmissionKind::kCount;
}

uint64_t limit_of(const TableOptions& table, uint64_t row_bytes) {
  const EvictionOptions& options = table.eviction;
  uint64_t limit = options.max_rows == 0 ? UINT64_MAX : options.max_rows;
  if (options.max_bytes != 0) {
    // Rows and index are held in whole huge pages.
    const uint64_t bytes = options.max_bytes - 2 * kHugePageBytes;
    // Beside each row may be a key that has none yet, and these come and go, which leaves holes.
    const uint64_t keys = counts_in_index(table.admission) ? 3 : 1;
    const uint64_t each =
        HeatRule::needed(options.policy) ? kHeatIndexBytesPerKey : kIndexBytesPerKey;
    limit = std::min(limit, bytes / (slab_stride(row_bytes) + keys * each));
  }
  return limit;
}

uint64_t shard_limit_of(const AdmissionOptions& admission, uint64_t rows) {
  if (rows == UINT64_MAX || !counts_in_index(admission)) return UINT64_MAX;
  // Small tables fill unevenly, and a few buckets are there anyhow.
  constexpr uint64_t kFew = 16;
  return 2 * (rows / IndexShards::kCount) + kFew;
}

uint64_t bytes_of(const RowCodec& codec, uint64_t state_values) {
  return codec.bytes() + state_values * sizeof(float);
}

}  // namespace

RowRules::RowRules(const TableOptions& options)
    : codec_(options.value_type, options.rounding, options.dim),
      optimizer_(options.optimizer, options.groups),
      initializer_(options.initializer, options.seed),
      state_values_(optimizer_.state_values(options.dim)),
      seed_(options.seed),
      missing_(options.missing),
      admission_(options.admission),
      eviction_(options.eviction),
      limit_rows_(limit_of(options, bytes_of(codec_, state_values_))),
      limit_shard_keys_(shard_limit_of(options.admission, limit_rows_)),
      heat_(options.eviction, limit_rows_ == UINT64_MAX ? 0 : limit_rows_) {}

void RowRules::fill_missing(uint64_t key, std::span<float> out) const {
  if (missing_ == Missing::kZeros) {
    std::fill(out.begin(), out.end(), 0.0F);
  } else {
    initializer_.fill(key, out);
  }
}

void RowRules::begin_row(uint64_t key, std::byte* row, Scratch& scratch) const {
  if (codec_.in_place()) {
    initializer_.fill(key, {reinterpret_cast<float*>(row), dim()});
  } else {
    initializer_.fill(key, scratch.values);
    codec_.encode(scratch.values.data(), row, 0);
  }
  optimizer_.fill_state({state_of(row), state_values_});
}

void RowRules::apply(std::byte* row, const float* gradient, const UpdateStep& step, uint64_t random,
                     Scratch& scratch) const {
  if (step.way == RowWay::kFrozen) return;
  float* const values = codec_.in_place() ? reinterpret_cast<float*>(row) : scratch.values.data();
  if (!codec_.in_place()) codec_.decode(row, values);
  optimizer_.apply(step, values, state_of(row), gradient, dim(), scratch.gradient.data());
  if (!codec_.in_place()) codec_.encode(values, row, random);
}

}  // namespace hotrow
