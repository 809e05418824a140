#include "model/plain_table.h"

#include <algorithm>
#include <cmath>

namespace hotrow::test {

namespace {

bool finite(const float* row, size_t dim) {
  return std::all_of(row, row + dim, [](float x) { return std::isfinite(x); });
}

float weight(const BagBatch& bags, size_t i) {
  return bags.weights.empty() ? 1.0F : bags.weights[i];
}

/// What each row of a bag is multiplied by, besides its weight.
float scale_of(const BagBatch& bags, size_t bag) {
  double divisor = 0;
  if (bags.pooling == Pooling::kSum) return 1.0F;
  for (size_t i = bags.offsets[bag]; i < bags.offsets[bag + 1]; ++i) {
    const double u = weight(bags, i);
    divisor += bags.pooling == Pooling::kMean ? u : u * u;
  }
  if (bags.pooling == Pooling::kSqrtn) divisor = std::sqrt(divisor);
  return divisor == 0 ? 0.0F : static_cast<float>(1.0 / divisor);
}

}  // namespace

std::vector<float> PlainTable::initial(uint64_t key) const {
  std::vector<float> row(options_.dim);
  initializer_.fill(key, row);
  return row;
}

std::vector<float> PlainTable::row_or_missing(uint64_t key) {
  ++stats_.lookups;
  const auto found = rows_.find(key);
  if (found == rows_.end()) {
    return options_.missing == Missing::kZeros ? std::vector<float>(options_.dim) : initial(key);
  }
  ++stats_.hits;
  return found->second.w;
}

PlainRow& PlainTable::row_or_new(uint64_t key) {
  const auto found = rows_.find(key);
  if (found != rows_.end()) return found->second;
  ++stats_.created;
  return rows_.emplace(key, optimizer_.fresh(initial(key))).first->second;
}

const OptimizerGroup* PlainTable::group_of(uint64_t key) const {
  for (const OptimizerGroup& group : options_.groups) {
    const uint64_t slot = key / (uint64_t{1} << 44);
    if (slot >= group.first_slot && slot <= group.last_slot) return &group;
  }
  return nullptr;
}

bool PlainTable::push_scaled(const std::vector<std::pair<uint64_t, float>>& keys,
                             const std::vector<const float*>& gradients,
                             const PushOptions& options) {
  const size_t dim = options_.dim;
  const bool skip = options_.non_finite == NonFinite::kSkip;
  std::map<uint64_t, std::vector<float>> sums;
  uint64_t skipped = 0;
  for (size_t i = 0; i < keys.size(); ++i) {
    const auto& [key, scale] = keys[i];
    if (!finite(gradients[i], dim)) {
      if (!skip) return false;
      ++skipped;
      continue;
    }
    const auto [sum, is_new] = sums.try_emplace(key, dim);
    for (size_t j = 0; j < dim; ++j) {
      const float scaled = scale * gradients[i][j];
      sum->second[j] = is_new ? scaled : sum->second[j] + scaled;
    }
  }
  if (!sums.empty()) ++steps_;  // a push of nothing is no step
  for (const auto& [key, sum] : sums) {
    optimizer_.step(row_or_new(key), sum, steps_, options.learning_rate, group_of(key));
  }
  stats_.pushes += keys.size() - skipped;
  stats_.skipped_gradients += skipped;
  return true;
}

bool PlainTable::rejects(ConstRowBatch rows) const {
  return options_.non_finite == NonFinite::kReject && !finite(rows.data(), rows.size());
}

bool PlainTable::push(KeyBatch keys, ConstRowBatch gradients, const PushOptions& options) {
  std::vector<std::pair<uint64_t, float>> scaled;
  std::vector<const float*> rows;
  for (size_t i = 0; i < keys.size(); ++i) {
    scaled.emplace_back(keys[i], 1.0F);
    rows.push_back(gradients.data() + i * options_.dim);
  }
  return push_scaled(scaled, rows, options);
}

bool PlainTable::push_pooled(const BagBatch& bags, ConstRowBatch bag_gradients,
                             const PushOptions& options) {
  std::vector<std::pair<uint64_t, float>> scaled;
  std::vector<const float*> rows;
  for (size_t bag = 0; bag + 1 < bags.offsets.size(); ++bag) {
    const float scale = scale_of(bags, bag);
    for (size_t i = bags.offsets[bag]; i < bags.offsets[bag + 1]; ++i) {
      scaled.emplace_back(bags.keys[i], scale * weight(bags, i));
      rows.push_back(bag_gradients.data() + bag * options_.dim);
    }
  }
  return push_scaled(scaled, rows, options);
}

bool PlainTable::update(KeyBatch keys, ConstRowBatch rows) {
  const size_t dim = options_.dim;
  uint64_t skipped = 0;
  for (size_t i = 0; i < keys.size(); ++i) skipped += finite(&rows[i * dim], dim) ? 0 : 1;
  if (skipped > 0 && options_.non_finite == NonFinite::kReject) return false;
  for (size_t i = 0; i < keys.size(); ++i) {
    const float* const row = rows.data() + i * dim;
    if (finite(row, dim)) row_or_new(keys[i]).w.assign(row, row + dim);
  }
  stats_.updates += keys.size() - skipped;
  stats_.skipped_gradients += skipped;
  return true;
}

uint64_t PlainTable::erase(KeyBatch keys) {
  uint64_t erased = 0;
  for (const uint64_t key : keys) erased += rows_.erase(key);
  stats_.erased += erased;
  return erased;
}

std::vector<float> PlainTable::lookup(KeyBatch keys) {
  std::vector<float> out;
  for (const uint64_t key : keys) {
    const std::vector<float> row = row_or_missing(key);
    out.insert(out.end(), row.begin(), row.end());
  }
  return out;
}

std::vector<float> PlainTable::lookup_pooled(const BagBatch& bags) {
  const size_t dim = options_.dim;
  std::vector<float> out((bags.offsets.size() - 1) * dim);
  for (size_t bag = 0; bag + 1 < bags.offsets.size(); ++bag) {
    float* const sum = out.data() + bag * dim;
    for (size_t i = bags.offsets[bag]; i < bags.offsets[bag + 1]; ++i) {
      const std::vector<float> row = row_or_missing(bags.keys[i]);
      for (size_t j = 0; j < dim; ++j) sum[j] += weight(bags, i) * row[j];
    }
    const float scale = scale_of(bags, bag);
    for (size_t j = 0; j < dim; ++j) sum[j] *= scale;
  }
  return out;
}

std::vector<uint64_t> PlainTable::keys() const {
  std::vector<uint64_t> keys;
  for (const auto& [key, row] : rows_) keys.push_back(key);
  return keys;
}

testing::AssertionResult same_counters(const TableStats& got, const PlainTable& plain) {
  const TableStats& expected = plain.stats();
  const std::pair<const char*, std::pair<uint64_t, uint64_t>> counters[] = {
      {"rows", {got.rows, plain.rows()}},
      {"lookups", {got.lookups, expected.lookups}},
      {"hits", {got.hits, expected.hits}},
      {"pushes", {got.pushes, expected.pushes}},
      {"updates", {got.updates, expected.updates}},
      {"created", {got.created, expected.created}},
      {"erased", {got.erased, expected.erased}},
      {"skipped_gradients", {got.skipped_gradients, expected.skipped_gradients}}};
  for (const auto& [name, values] : counters) {
    if (values.first == values.second) continue;
    return testing::AssertionFailure()
           << name << ": " << values.first << ", expected " << values.second;
  }
  return testing::AssertionSuccess();
}

}  // namespace hotrow::test
