// Bags: pooled lookups, and the push of their gradients.
#include <array>

#include "table/collect-inl.h"
#include "table/table.h"

#include "base/bags.h"
#include "base/batch_check.h"

namespace hotrow {

namespace {

// Keys looked up at once; their rows pass through a buffer that stays in the second cache.
constexpr size_t kChunk = 256;

}  // namespace

Status SparseTable::check_bags(const BagBatch& bags, const char* name, size_t values) const {
  return hotrow::check_bags(bags, name, values, options_.dim);
}

template <class RowOf>
void SparseTable::pool_bags(const BagBatch& bags, size_t first, size_t last, const RowOf& row_of,
                            float* out) const {
  const size_t dim = options_.dim;
  const RowKernels& kernels = row_kernels();
  for (size_t bag = first; bag < last; ++bag, out += dim) {
    const size_t begin = bags.offsets[bag];
    const size_t end = bags.offsets[bag + 1];
    std::fill_n(out, dim, 0.0F);
    for (size_t i = begin; i < end; ++i) {
      const float* const row = row_of(i);
      if (!bags.weights.empty()) {
        kernels.add_scaled(out, row, bags.weights[i], dim);
      } else if (dim == 1) {
        out[0] += row[0];
      } else {
        kernels.add(out, row, dim);
      }
    }
    const float scale = bag_scale(bags, begin, end);
    if (scale != 1.0F) kernels.scale(out, out, scale, dim);
  }
}

uint64_t SparseTable::pool_directly(const BagBatch& bags, size_t first, size_t last, float* out) {
  const size_t dim = options_.dim;
  const size_t end = bags.offsets[last];
  std::vector<float> rows(std::min(kChunk, end - bags.offsets[first]) * dim);
  const Moment now = moment();
  uint64_t hits = 0;
  size_t loaded = bags.offsets[first];  // positions [loaded, next) are in `rows`
  size_t next = loaded;
  const auto row_of = [&](size_t i) {
    if (i == next) {
      loaded = i;
      next = std::min(i + kChunk, end);
      hits += rows_->gather({.keys = bags.keys.subspan(i, next - i),
                             .rows = rows.data(),
                             .stride = dim,
                             .moment = now});
    }
    return rows.data() + (i - loaded) * dim;
  };
  pool_bags(bags, first, last, row_of, out);
  return hits;
}

// After gather_distinct(): reads the rows that it did not find; counts the positions that have one.
Status SparseTable::gather_cold_parts(BatchIndex& batch, Moment now, uint64_t& hits) {
  hits = 0;
  for (uint32_t number = 0; number < batch.parts(); ++number) {
    BatchIndex::Part& part = batch.part(number);
    const auto read = gather_cold({.keys = part.keys,
                                   .rows = part.rows.data(),
                                   .stride = options_.dim,
                                   .found = part.found.data(),
                                   .moment = now});
    if (!read.ok()) return read.status();
    batch.each(number, [&](size_t, uint32_t id) { hits += part.found[id]; });
  }
  return {};
}

Result<uint64_t> SparseTable::pool_repeated(const BagBatch& bags, uint32_t parts, float* out) {
  std::unique_ptr<BatchIndex> batch = take_batch();
  const Moment now = moment();
  uint64_t hits = gather_distinct(*batch, {.keys = bags.keys, .moment = now});
  // Of a table that demotes: rows that are not in memory need not come there.
  if (demotes()) HOTROW_RETURN_IF_ERROR(gather_cold_parts(*batch, now, hits));
  const size_t dim = options_.dim;
  const size_t count = bags.offsets.size() - 1;
  std::array<const float*, BatchIndex::kMaxParts> rows = {};
  for (uint32_t i = 0; i < batch->parts(); ++i) rows[i] = batch->part(i).rows.data();
  const uint32_t* const places = batch->places().data();
  const auto row_of = [&](size_t i) {
    return rows[BatchIndex::part_of_place(places[i])] +
           size_t{BatchIndex::id_of_place(places[i])} * dim;
  };
  context_.pool.run(parts, [&](uint32_t part) {
    const size_t first = count * part / parts;
    pool_bags(bags, first, count * (part + 1) / parts, row_of, out + first * dim);
  });
  return_batch(std::move(batch));
  return hits;
}

Status SparseTable::lookup_pooled(const BagBatch& bags, RowBatch out) {
  return call([&]() -> Status {
    const CallTimer timer(context_.latencies.lookup_pooled, bags.keys.size());
    HOTROW_RETURN_IF_ERROR(check_bags(bags, "out", out.size()));
    if (!demotes()) HOTROW_RETURN_IF_ERROR(bring(bags.keys));
    const size_t count = bags.offsets.size() - 1;
    const auto parts = static_cast<uint32_t>(
        std::min<size_t>(context_.parts_for(bags.keys.size()), std::max<size_t>(count, 1)));
    if (demotes() || expects_repetition(bags.keys.size())) {
      const Result<uint64_t> hits = pool_repeated(bags, parts, out.data());
      if (!hits.ok()) return hits.status();
      count_lookups(bags.keys, {}, hits.value());
      return {};
    }
    std::atomic<uint64_t> hits{0};
    context_.pool.run(parts, [&](uint32_t part) {
      const size_t first = count * part / parts;
      hits.fetch_add(
          pool_directly(bags, first, count * (part + 1) / parts, out.data() + first * options_.dim),
          std::memory_order_relaxed);
    });
    count_lookups(bags.keys, {}, hits.load(std::memory_order_relaxed));
    return {};
  });
}

Status SparseTable::push_pooled(const BagBatch& bags, ConstRowBatch bag_gradients,
                                const PushOptions& options) {
  return push_pooled_with(bags, bag_gradients, options, nullptr);
}

Status SparseTable::push_pooled_with(const BagBatch& bags, ConstRowBatch bag_gradients,
                                     const PushOptions& options, FrontRows* front) {
  return change([&]() -> Status {
    const CallTimer timer(context_.latencies.push, bags.keys.size());
    HOTROW_RETURN_IF_ERROR(check_learns());
    HOTROW_RETURN_IF_ERROR(check_bags(bags, "gradients", bag_gradients.size()));
    if (!row_kernels().all_finite(bags.weights.data(), bags.weights.size())) {
      return Status::invalid_argument("weights: expected finite values, received NaN or infinity");
    }
    HOTROW_RETURN_IF_ERROR(rules_.optimizer().check(options));
    std::unique_ptr<PushPlan> plan = take_plan();
    plan->options = options;
    plan->front = front;
    const Status status = collect(*plan, bags.keys, PushKind::kGradient, [&] {
      return BagGradients(bags, bag_gradients.data(), options_.dim);
    });
    return run(std::move(plan), status);
  });
}

}  // namespace hotrow
