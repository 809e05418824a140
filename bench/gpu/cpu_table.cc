#include "cpu_table.h"

#include <algorithm>
#include <cstdio>
#include <cstdlib>

#include "table/table.h"

namespace hotrow::bench {

namespace {

/// Below this a lookup stays on its caller's thread (table/context.h).
constexpr size_t kCallKeys = 4096;

void must(const Status& status) {
  if (status.ok()) return;
  std::fprintf(stderr, "hotrow_bench_gpu: %s\n", status.message().c_str());
  std::exit(1);
}

TableOptions options_of(uint32_t dim) {
  TableOptions options;
  options.dim = dim;
  options.optimizer.kind = OptimizerKind::kSgd;
  options.seed = 7;
  return options;
}

/// With room for the index and for pools that grow.
uint64_t memory_for(uint32_t dim, uint64_t rows) {
  return rows * (dim * sizeof(float) + 64) * 3 / 2 + (uint64_t{1} << 28);
}

}  // namespace

struct CpuTable::Impl {
  Impl(uint32_t rows_dim, uint64_t rows, uint32_t threads)
      : dim(rows_dim), context(memory_for(rows_dim, rows), threads), callers(threads) {
    auto created = SparseTable::create("rows", options_of(dim), context);
    must(created.status());
    table = created.value();
  }
  ~Impl() { table->close(); }

  void lookup(std::span<const uint64_t> keys, float* out) const {
    must(table->lookup(keys, {out, keys.size() * dim}, LookupOptions{}));
  }

  uint32_t dim;
  TableContext context;
  ThreadPool callers;
  std::shared_ptr<SparseTable> table;
};

CpuTable::CpuTable(uint32_t dim, uint64_t rows, uint32_t threads)
    : impl_(std::make_unique<Impl>(dim, rows, threads)) {}
CpuTable::~CpuTable() = default;

void CpuTable::put(std::span<const uint64_t> keys, const float* rows) {
  constexpr size_t kBatch = 1 << 16;
  for (size_t first = 0; first < keys.size(); first += kBatch) {
    const size_t n = std::min(kBatch, keys.size() - first);
    must(impl_->table->update(keys.subspan(first, n), {rows + first * impl_->dim, n * impl_->dim}));
  }
}

void CpuTable::lookup(std::span<const uint64_t> keys, float* out) { impl_->lookup(keys, out); }

void CpuTable::lookup_by_callers(std::span<const uint64_t> keys, float* out) {
  const auto calls = static_cast<uint32_t>((keys.size() + kCallKeys - 1) / kCallKeys);
  impl_->callers.run(calls, [&](uint32_t call) {
    const size_t first = call * kCallKeys;
    impl_->lookup(keys.subspan(first, std::min(kCallKeys, keys.size() - first)),
                  out + first * impl_->dim);
  });
}

void CpuTable::lookup_alone(std::span<const uint64_t> keys, float* out) {
  for (size_t first = 0; first < keys.size(); first += kCallKeys) {
    impl_->lookup(keys.subspan(first, std::min(kCallKeys, keys.size() - first)),
                  out + first * impl_->dim);
  }
}

void CpuTable::run(uint32_t parts, const std::function<void(uint32_t)>& work) {
  impl_->callers.run(parts, work);
}

}  // namespace hotrow::bench
