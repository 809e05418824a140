// A table of the core and its plain twin, driven by the same calls and compared after each.
#ifndef HOTROW_TEST_MODEL_TWIN_H_
#define HOTROW_TEST_MODEL_TWIN_H_

#include <gtest/gtest.h>

#include <memory>
#include <utility>
#include <vector>

#include "model/plain_table.h"
#include "support/bits.h"
#include "support/stores.h"

namespace hotrow::test {

/// A bag batch that owns its arrays.
struct Bags {
  std::vector<uint64_t> keys;
  std::vector<uint32_t> offsets;
  std::vector<float> weights;
  Pooling pooling = Pooling::kSum;

  BagBatch batch() const { return {keys, offsets, weights, pooling}; }
  size_t count() const { return offsets.size() - 1; }
};

class Twin {
 public:
  explicit Twin(std::shared_ptr<Table> table)
      : table_(std::move(table)), plain_(table_->options()) {}
  Twin(Store& store, const TableOptions& options, std::string_view name = "t")
      : Twin(must(store.table(name, options))) {}

  Table& table() { return *table_; }
  PlainTable& plain() { return plain_; }
  uint32_t dim() const { return table_->options().dim; }

  void push(const std::vector<uint64_t>& keys, const std::vector<float>& gradients,
            const PushOptions& options = {}) {
    expect_same(table_->push(keys, gradients, options), plain_.push(keys, gradients, options));
  }
  void push_pooled(const Bags& bags, const std::vector<float>& gradients,
                   const PushOptions& options = {}) {
    expect_same(table_->push_pooled(bags.batch(), gradients, options),
                plain_.push_pooled(bags.batch(), gradients, options));
  }
  void update(const std::vector<uint64_t>& keys, const std::vector<float>& rows) {
    expect_same(table_->update(keys, rows), plain_.update(keys, rows));
  }
  void erase(const std::vector<uint64_t>& keys) {
    EXPECT_EQ(must(table_->erase(keys)), plain_.erase(keys));
  }
  void lookup(const std::vector<uint64_t>& keys) {
    EXPECT_TRUE(same_bits(test::lookup(*table_, keys), plain_.lookup(keys)));
  }
  void lookup_pooled(const Bags& bags) {
    std::vector<float> out(bags.count() * dim(), -77.0F);
    EXPECT_TRUE(ok(table_->lookup_pooled(bags.batch(), out)));
    EXPECT_TRUE(same_bits(out, plain_.lookup_pooled(bags.batch())));
  }
  /// Rows and counters; the keys that are there, and `others` besides.
  void compare(const std::vector<uint64_t>& others = {}) {
    std::vector<uint64_t> keys = plain_.keys();
    keys.insert(keys.end(), others.begin(), others.end());
    lookup(keys);
    EXPECT_TRUE(same_counters(stats_of(*table_), plain_));
  }
  /// As compare(), optimizer state included: one more push shows it.
  void compare_state(const std::vector<uint64_t>& others = {}) {
    compare(others);
    const std::vector<uint64_t> keys = plain_.keys();
    push(keys, std::vector<float>(keys.size() * dim(), 0.5F));
    compare(others);
  }

 private:
  static void expect_same(const Status& got, bool accepted) {
    if (accepted) {
      EXPECT_TRUE(ok(got));
    } else {
      EXPECT_TRUE(fails(got, StatusCode::kInvalidArgument));
    }
  }

  std::shared_ptr<Table> table_;
  PlainTable plain_;
};

}  // namespace hotrow::test

#endif  // HOTROW_TEST_MODEL_TWIN_H_
