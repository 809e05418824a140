// Bags: pooled lookups, and the push of their gradients.
#include <array>
#include <cmath>

#include "memory/epoch.h"
#include "table/collect-inl.h"
#include "table/table.h"

namespace hotrow {

namespace {

// Keys looked up at once; their rows pass through a buffer that stays in the second cache.
constexpr size_t kChunk = 256;

float weight_of(const BagBatch& bags, size_t i) {
  return bags.weights.empty() ? 1.0F : bags.weights[i];
}

/// 1 over the bag's divisor, or 0 when that is zero. Summed in f64, in the order of the keys.
float bag_scale(const BagBatch& bags, size_t first, size_t last) {
  if (bags.pooling == Pooling::kSum) return 1.0F;
  double sum = 0;
  for (size_t i = first; i < last; ++i) {
    const double u = weight_of(bags, i);
    sum += bags.pooling == Pooling::kMean ? u : u * u;
  }
  if (bags.pooling == Pooling::kSqrtn) sum = std::sqrt(sum);
  return sum == 0 ? 0.0F : static_cast<float>(1.0 / sum);
}

}  // namespace

Status SparseTable::check_bags(const BagBatch& bags, const char* name, size_t values) const {
  const auto wrong = [](std::string text) { return Status::invalid_argument(std::move(text)); };
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
      return wrong("offsets: expected rising values, received " +
                   std::to_string(bags.offsets[i]) + " after " +
                   std::to_string(bags.offsets[i - 1]) + " at " + std::to_string(i));
    }
  }
  if (!bags.weights.empty() && bags.weights.size() != bags.keys.size()) {
    return wrong("weights: expected " + n + " values, one a key, received " +
                 std::to_string(bags.weights.size()));
  }
  const size_t expected = (bags.offsets.size() - 1) * layout_.dim;
  if (values != expected) {
    return wrong(std::string(name) + ": expected " + std::to_string(expected) + " values (" +
                 std::to_string(bags.offsets.size() - 1) + " bags x dim " +
                 std::to_string(layout_.dim) + "), received " + std::to_string(values));
  }
  return {};
}

uint64_t SparseTable::pool_bags(const BagBatch& bags, size_t first, size_t last, float* out) {
  const size_t dim = layout_.dim;
  const RowKernels& kernels = row_kernels();
  std::vector<float> rows(std::min(kChunk, bags.keys.size()) * dim);
  std::fill(out, out + (last - first) * dim, 0.0F);
  uint64_t hits = 0;
  size_t loaded_first = bags.offsets[first];
  size_t loaded_last = loaded_first;
  for (size_t bag = first; bag < last; ++bag, out += dim) {
    const size_t begin = bags.offsets[bag];
    const size_t end = bags.offsets[bag + 1];
    for (size_t i = begin; i < end; ++i) {
      if (i == loaded_last) {
        loaded_first = i;
        loaded_last = std::min<size_t>(i + kChunk, bags.offsets[last]);
        hits += gather(bags.keys.subspan(i, loaded_last - i), rows.data());
      }
      const float* const row = rows.data() + (i - loaded_first) * dim;
      if (dim == 1 && bags.weights.empty()) {
        out[0] += row[0];
      } else if (bags.weights.empty()) {
        kernels.add(out, row, dim);
      } else {
        kernels.add_scaled(out, row, bags.weights[i], dim);
      }
    }
    const float scale = bag_scale(bags, begin, end);
    if (scale != 1.0F) kernels.scale(out, out, scale, dim);
  }
  return hits;
}

Status SparseTable::lookup_pooled(const BagBatch& bags, RowBatch out) {
  const EpochGuard guard;
  if (closed()) return closed_status();
  HOTROW_RETURN_IF_ERROR(check_bags(bags, "out", out.size()));
  const size_t count = bags.offsets.size() - 1;
  const auto parts = static_cast<uint32_t>(
      std::min<size_t>(context_.parts_for(bags.keys.size()), std::max<size_t>(count, 1)));
  std::atomic<uint64_t> hits{0};
  context_.pool.run(parts, [&](uint32_t part) {
    const size_t first = count * part / parts;
    const size_t last = count * (part + 1) / parts;
    hits.fetch_add(pool_bags(bags, first, last, out.data() + first * layout_.dim),
                   std::memory_order_relaxed);
  });
  counters_.lookups.fetch_add(bags.keys.size(), std::memory_order_relaxed);
  counters_.hits.fetch_add(hits.load(std::memory_order_relaxed), std::memory_order_relaxed);
  return {};
}

Status SparseTable::push_pooled(const BagBatch& bags, ConstRowBatch bag_gradients) {
  const EpochGuard guard;
  if (closed()) return closed_status();
  HOTROW_RETURN_IF_ERROR(check_bags(bags, "gradients", bag_gradients.size()));
  if (!row_kernels().all_finite(bags.weights.data(), bags.weights.size())) {
    return Status::invalid_argument("weights: expected finite values, received NaN or infinity");
  }
  std::unique_ptr<PushPlan> plan = take_plan();
  const size_t count = bags.offsets.size() - 1;
  const Status status =
      collect(*plan, bags.keys.size(), PushKind::kGradient, [&](const auto& visit) {
        const float* row = bag_gradients.data();
        for (size_t bag = 0; bag < count; ++bag, row += layout_.dim) {
          const size_t end = bags.offsets[bag + 1];
          const float scale = bag_scale(bags, bags.offsets[bag], end);
          for (size_t i = bags.offsets[bag]; i < end; ++i) {
            visit(bags.keys[i], row, bags.weights.empty() ? scale : scale * bags.weights[i]);
          }
        }
      });
  if (!status.ok()) {
    return_plan(std::move(plan));
    return status;
  }
  return run(std::move(plan));
}

}  // namespace hotrow
