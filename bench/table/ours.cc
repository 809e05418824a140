#include "ours.h"

#include <algorithm>
#include <cstdio>
#include <cstdlib>

namespace hotrow::bench {

namespace {

void must(const Status& status) {
  if (status.ok()) return;
  std::fprintf(stderr, "bench:table: %s\n", status.message().c_str());
  std::exit(1);
}

}  // namespace

Ours::Ours(const Shape& shape) : dim_(shape.dim) {
  auto store = Store::open(":memory:", {.memory_bytes = shape.memory_bytes, .threads = 1});
  must(store.status());
  store_ = store.value();
  auto table = store_->table(
      "rows", {.dim = shape.dim, .value_type = shape.value_type, .optimizer = shape.optimizer});
  must(table.status());
  table_ = table.value();
}

void Ours::load(uint64_t rows) {
  constexpr uint64_t kBatch = 4096;
  const Buffer values(kBatch * dim_);
  std::vector<uint64_t> keys;
  for (uint64_t first = 0; first < rows; first += kBatch) {
    const uint64_t n = std::min(kBatch, rows - first);
    keys.resize(n);
    for (uint64_t i = 0; i < n; ++i) {
      keys[i] = key_of(first + i);
      fill_values(static_cast<uint32_t>(first + i), {values.data() + i * dim_, dim_});
    }
    update(keys, values.data());
  }
}

void Ours::lookup(KeyBatch keys, float* out) const {
  must(table_->lookup(keys, {out, keys.size() * dim_}));
}

void Ours::push(KeyBatch keys, const float* gradients) const {
  must(table_->push(keys, {gradients, keys.size() * dim_}));
}

void Ours::update(KeyBatch keys, const float* rows) const {
  must(table_->update(keys, {rows, keys.size() * dim_}));
}

TableStats Ours::stats() const {
  auto stats = table_->stats();
  must(stats.status());
  return stats.value();
}

}  // namespace hotrow::bench
