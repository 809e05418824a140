// A table without a store, whose clock the test moves.
#ifndef HOTROW_TEST_SUPPORT_TABLES_H_
#define HOTROW_TEST_SUPPORT_TABLES_H_

#include <algorithm>
#include <memory>
#include <unordered_set>
#include <vector>

#include "support/status.h"
#include "support/stores.h"
#include "table/table.h"

namespace hotrow::test {

struct LoneTable {
  explicit LoneTable(TableOptions options, uint32_t threads = 1, uint64_t memory = 512 * kMiB)
      : context(memory, threads) {
    if (options.seed == 0) options.seed = 7;
    must(options.validate());
    table = must(SparseTable::create("t", options, context));
  }
  ~LoneTable() { table->close(); }

  SparseTable& operator*() const { return *table; }
  SparseTable* operator->() const { return table.get(); }

  /// Pushes 1 to every value of the keys' rows.
  void push(const std::vector<uint64_t>& keys, float value = 1) const {
    must(table->push(keys, std::vector<float>(keys.size() * table->options().dim, value)));
  }
  /// Keys with rows, by scanning.
  std::unordered_set<uint64_t> keys() const {
    std::unordered_set<uint64_t> all;
    for (std::optional<uint64_t> at = 0; at;) {
      const ScanPage page = must(table->scan(*at, 1000));
      for (const uint64_t key : page.keys) EXPECT_TRUE(all.insert(key).second) << "twice: " << key;
      at = page.next;
    }
    return all;
  }
  bool has(uint64_t key) const {
    std::vector<float> row(table->options().dim);
    uint8_t found = 0;
    must(table->lookup({&key, 1}, row, {.found = {&found, 1}}));
    return found == 1;
  }
  /// How many of the keys have rows; no use in the eviction policy's eyes.
  size_t count(const std::vector<uint64_t>& wanted) const {
    const auto there = keys();
    return static_cast<size_t>(
        std::ranges::count_if(wanted, [&](uint64_t key) { return there.contains(key); }));
  }
  TableStats stats() const { return must(table->stats()); }
  void sweep_all() const { table->sweep_expired(IndexShards::kCount); }

  TableContext context;
  std::shared_ptr<SparseTable> table;
};

}  // namespace hotrow::test

#endif  // HOTROW_TEST_SUPPORT_TABLES_H_
