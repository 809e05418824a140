// A table as a std::map of rows, one call after the other: what SparseTable must equal bit for bit,
// counters included.
#ifndef HOTROW_TEST_MODEL_PLAIN_TABLE_H_
#define HOTROW_TEST_MODEL_PLAIN_TABLE_H_

#include <gtest/gtest.h>

#include <cstdint>
#include <map>
#include <utility>
#include <vector>

#include "hotrow/batch.h"
#include "hotrow/store.h"
#include "model/plain_optimizer.h"
#include "table/initializer.h"

namespace hotrow::test {

class PlainTable {
 public:
  /// `options` as Table::options() gives them: with the final seed.
  explicit PlainTable(const TableOptions& options)
      : options_(options),
        optimizer_(options.optimizer),
        initializer_(options.initializer, options.seed) {}

  /// False when the call is rejected for a non-finite row; nothing has changed then.
  [[nodiscard]] bool push(KeyBatch keys, ConstRowBatch gradients, const PushOptions& options = {});
  [[nodiscard]] bool push_pooled(const BagBatch& bags, ConstRowBatch bag_gradients,
                                 const PushOptions& options = {});
  [[nodiscard]] bool update(KeyBatch keys, ConstRowBatch rows);
  /// Would a call with these rows be rejected?
  bool rejects(ConstRowBatch rows) const;
  uint64_t erase(KeyBatch keys);
  std::vector<float> lookup(KeyBatch keys);
  std::vector<float> lookup_pooled(const BagBatch& bags);

  /// The counters that a caller's calls decide; the others are 0.
  const TableStats& stats() const { return stats_; }
  uint64_t rows() const { return rows_.size(); }
  std::vector<uint64_t> keys() const;

 private:
  std::vector<float> initial(uint64_t key) const;
  std::vector<float> row_or_missing(uint64_t key);
  PlainRow& row_or_new(uint64_t key);
  [[nodiscard]] bool push_scaled(const std::vector<std::pair<uint64_t, float>>& keys,
                                 const std::vector<const float*>& gradients,
                                 const PushOptions& options);
  /// The group that holds the key's slot, or null.
  const OptimizerGroup* group_of(uint64_t key) const;

  TableOptions options_;
  PlainOptimizer optimizer_;
  Initializer initializer_;
  std::map<uint64_t, PlainRow> rows_;
  uint64_t steps_ = 0;
  TableStats stats_;
};

/// Does the core's table hold these rows, these counters and nothing else?
testing::AssertionResult same_counters(const TableStats& got, const PlainTable& plain);

}  // namespace hotrow::test

#endif  // HOTROW_TEST_MODEL_PLAIN_TABLE_H_
