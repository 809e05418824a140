// Tables whose rows are not all in memory: every call answers as if they were.
#include <gtest/gtest.h>

#include <chrono>
#include <map>
#include <thread>
#include <vector>

#include "base/hash.h"
#include "base/shards.h"
#include "support/random.h"
#include "support/scale.h"
#include "support/status.h"
#include "support/stores.h"
#include "table/hash_set.h"
#include "table/table.h"

namespace hotrow::test {
namespace {

/// Rows of dim values, all of them the key's number, in a map.
class MapRows final : public ColdRows {
 public:
  MapRows(size_t rows, size_t row_bytes, uint32_t dim) : row_bytes_(row_bytes) {
    for (uint64_t key = 0; key < rows; ++key) {
      std::vector<std::byte> row(row_bytes);
      const std::vector<float> values(dim, static_cast<float>(key));
      std::memcpy(row.data(), values.data(), dim * sizeof(float));
      rows_[mix64(key)] = row;
    }
  }

  Status read(std::span<const uint64_t> hashes, RowImages& images) override {
    ++reads;
    if (broken) return {StatusCode::kIoError, "the disk is gone"};
    for (const uint64_t hash : hashes) {
      const auto row = rows_.find(hash);
      if (row != rows_.end()) images.add(hash, row->second.data(), row_bytes_);
    }
    return {};
  }
  RowImages all() const {
    RowImages images;
    for (const auto& [hash, row] : rows_) images.add(hash, row.data(), row_bytes_);
    return images;
  }

  int reads = 0;
  bool broken = false;

 private:
  const size_t row_bytes_;
  std::map<uint64_t, std::vector<std::byte>> rows_;
};

constexpr uint32_t kDim = 3;
constexpr size_t kRows = 500;

class Cold : public ::testing::Test {
 protected:
  TableContext context_{256 * kMiB, 1};
  std::shared_ptr<SparseTable> table_;
  std::shared_ptr<MapRows> rows_;

  void SetUp() override {
    TableOptions options = sum_table(kDim);
    options.seed = 1;
    table_ = must(SparseTable::create("t", options, context_));
    must(table_->track_changes());
    table_->rows_for_versions().remember_gone(false);
    rows_ = std::make_shared<MapRows>(kRows, table_->rules().row_bytes(), kDim);
    must(table_->begin_cold(rows_, kRows));
  }
  void TearDown() override { table_->close(); }

  std::vector<float> values(const std::vector<uint64_t>& keys) { return lookup(*table_, keys); }
};

TEST_F(Cold, LookupsReadWhatTheyMiss) {
  EXPECT_EQ(values({5, 1000, 7, 5}), (std::vector<float>{5, 5, 5, 0, 0, 0, 7, 7, 7, 5, 5, 5}));
  std::vector<float> rows(3 * kDim);
  std::vector<uint8_t> found(1);
  const std::vector<uint64_t> keys = {1000, 3, 499};
  must(table_->lookup(keys, rows, {.found = found, .missing = -1.0F}));
  EXPECT_EQ(rows, (std::vector<float>{-1, -1, -1, 3, 3, 3, 499, 499, 499}));
  EXPECT_EQ(found[0], 0b110);
  EXPECT_EQ(stats_of(*table_).rows, kRows);
  EXPECT_EQ(stats_of(*table_).cold_rows, kRows);  // nothing came into memory
  EXPECT_EQ(stats_of(*table_).hits, 5U);
}

TEST_F(Cold, PushesAndUpdatesGoOnFromTheRowOutThere) {
  const std::vector<uint64_t> keys = {4, 4, 2000};
  must(table_->push(keys, std::vector<float>(9, 1.0F)));
  EXPECT_EQ(values({4, 2000}), (std::vector<float>{6, 6, 6, 1, 1, 1}));
  const std::vector<uint64_t> one = {9};
  must(table_->update(one, std::vector<float>(3, -1.0F)));
  EXPECT_EQ(values({9}), std::vector<float>(3, -1.0F));
  EXPECT_EQ(stats_of(*table_).rows, kRows + 1);
  EXPECT_EQ(stats_of(*table_).cold_rows, kRows - 2);
}

TEST_F(Cold, ErasedRowsStayGone) {
  EXPECT_EQ(must(table_->erase(std::vector<uint64_t>{8, 9, 5000})), 2U);
  EXPECT_EQ(values({8}), std::vector<float>(3, 0.0F));
  const std::vector<uint64_t> one = {9};
  must(table_->push(one, std::vector<float>(3, 1.0F)));
  EXPECT_EQ(values({9}), std::vector<float>(3, 1.0F));
  // Whoever brings all of them does not bring those back.
  ASSERT_TRUE(must(table_->fill(rows_->all())));
  table_->end_cold({});
  EXPECT_EQ(values({8, 9, 10}), (std::vector<float>{0, 0, 0, 1, 1, 1, 10, 10, 10}));
  EXPECT_EQ(stats_of(*table_).rows, kRows - 1);
  EXPECT_EQ(stats_of(*table_).cold_rows, 0U);
}

// Rows come from disk in the order of their hashes, many batches a shard in a large table. What is
// to come tells the shard its size: else each batch would crowd the first of its buckets.
TEST(ColdFill, AShardOfManyBatchesGrowsOnce) {
  constexpr size_t kInShard = 20'000;
  constexpr size_t kBatch = 500;
  const auto grown = [&](bool tells) {
    TableContext context(256 * kMiB, 1);
    const auto table = must(SparseTable::create("t", sum_table(1), context));
    must(table->track_changes());
    table->rows_for_versions().remember_gone(false);
    const size_t row_bytes = table->rules().row_bytes();
    must(table->begin_cold(std::make_shared<MapRows>(0, row_bytes, 1), kInShard));
    const std::vector<std::byte> row(row_bytes);
    for (size_t first = 0; first < kInShard; first += kBatch) {
      RowImages images;
      for (size_t i = first; i < first + kBatch; ++i) {
        images.add((UINT64_MAX >> IndexShards::kBits) / kInShard * i, row.data(), row_bytes);
      }
      EXPECT_TRUE(must(table->fill(images, tells ? kInShard - first - kBatch : 0)));
    }
    table->end_cold({});
    EXPECT_EQ(stats_of(*table).rows, kInShard);
    const uint64_t times = stats_of(*table).grown_shards;
    table->close();
    return times;
  };
  EXPECT_LE(grown(true), 2U);
  EXPECT_GT(grown(false), 4U);
}

TEST_F(Cold, PooledAndStateLookupsBringTheirRows) {
  const std::vector<uint64_t> keys = {1, 2, 3};
  const std::vector<uint32_t> offsets = {0, 2, 3};
  std::vector<float> pooled(2 * kDim);
  must(table_->lookup_pooled({keys, offsets, {}, Pooling::kSum}, pooled));
  EXPECT_EQ(pooled, (std::vector<float>{3, 3, 3, 3, 3, 3}));
  EXPECT_EQ(stats_of(*table_).cold_rows, kRows - 3);
}

TEST_F(Cold, AFailureOutThereFailsTheCallAndChangesNothing) {
  rows_->broken = true;
  std::vector<float> rows(kDim);
  const std::vector<uint64_t> keys = {3};
  EXPECT_TRUE(fails(table_->lookup(keys, rows), StatusCode::kIoError, "gone"));
  EXPECT_TRUE(fails(table_->push(keys, std::vector<float>(3, 1.0F)), StatusCode::kIoError));
  EXPECT_TRUE(fails(table_->erase(keys).status(), StatusCode::kIoError));
  rows_->broken = false;
  EXPECT_EQ(values({3}), std::vector<float>(3, 3.0F));
}

TEST_F(Cold, WhoNeedsEveryRowWaits) {
  std::thread warmer([&] {
    // The scan below waits by then.
    std::this_thread::sleep_for(std::chrono::milliseconds(50));
    (void)must(table_->fill(rows_->all()));
    table_->end_cold({});
  });
  EXPECT_EQ(must(table_->scan(0, 10 * kRows)).keys.size(), kRows);
  warmer.join();
  const int before = rows_->reads;
  (void)values({1, 2, 3000});
  EXPECT_EQ(rows_->reads, before);  // warm: nothing is asked for any more
}

// One thread brings the rows of both in, this one's last.
TEST_F(Cold, WhoWaitsForOneTableHoldsUpNoOther) {
  TableOptions options = sum_table(kDim);
  options.seed = 2;
  const auto other = must(SparseTable::create("u", options, context_));
  must(other->track_changes());
  other->rows_for_versions().remember_gone(false);
  (void)other->begin_cold(rows_, kRows);
  std::thread warmer([&] {
    std::this_thread::sleep_for(std::chrono::milliseconds(50));
    for (SparseTable* table : {other.get(), table_.get()}) {
      (void)must(table->fill(rows_->all()));
      table->end_cold({});
    }
  });
  EXPECT_EQ(must(table_->scan(0, 10 * kRows)).keys.size(), kRows);
  warmer.join();
  other->close();
}

TEST_F(Cold, WhoNeedsEveryRowIsToldWhyItDidNotCome) {
  table_->end_cold(Status::capacity("too many"));
  EXPECT_TRUE(fails(table_->scan(0, 10).status(), StatusCode::kCapacity, "too many"));
  EXPECT_EQ(values({3}), std::vector<float>(3, 3.0F));  // the others go on
}

// Calls at random while another thread brings the rows in, beside a plain map.
TEST_F(Cold, AnswersAsIfWarmWhileRowsComeIn) {
  std::map<uint64_t, float> model;
  for (uint64_t key = 0; key < kRows; ++key) model[key] = static_cast<float>(key);
  std::thread warmer([&] {
    const RowImages all = rows_->all();
    const size_t row_bytes = table_->rules().row_bytes();
    for (size_t i = 0; i < all.hashes.size(); ++i) {
      RowImages one;
      one.add(all.hashes[i], all.bytes.data() + i * row_bytes, row_bytes);
      ASSERT_TRUE(must(table_->fill(one)));
      if (i % 8 == 0) std::this_thread::yield();
    }
    table_->end_cold({});
  });
  Random random(11);
  for (uint64_t step = 0; step < scaled(3000); ++step) {
    const std::vector<uint64_t> keys = random.keys(5, kRows + 20);
    switch (random.between(0, 2)) {
      case 0:
        must(table_->push(keys, std::vector<float>(5 * kDim, 1.0F)));
        for (const uint64_t key : keys) ++model[key];
        break;
      case 1:
        must(table_->erase(std::span(keys).first(1)).status());
        model.erase(keys[0]);
        break;
      default:
        const std::vector<float> rows = values(keys);
        for (size_t i = 0; i < keys.size(); ++i) {
          const auto row = model.find(keys[i]);
          ASSERT_EQ(rows[i * kDim], row == model.end() ? 0.0F : row->second) << keys[i];
        }
    }
  }
  warmer.join();
  EXPECT_EQ(stats_of(*table_).rows, model.size());
  for (const auto& [key, value] : model) ASSERT_EQ(values({key})[0], value);
}

TEST(HashSet, HoldsWhatWasPutIn) {
  HashSet set;
  EXPECT_FALSE(set.contains(0));
  Random random(11);
  std::map<uint64_t, bool> model;
  for (int i = 0; i < 2000; ++i) {
    const uint64_t hash = random.between(0, 1) == 0 ? random.between(0, 50) << 60 : random.next();
    set.reserve(set.size() + 1);
    set.insert(hash);
    model[hash] = true;
    ASSERT_EQ(set.size(), model.size());
  }
  for (const auto& [hash, there] : model) EXPECT_TRUE(set.contains(hash));
  for (int i = 0; i < 2000; ++i) {
    const uint64_t hash = random.next();
    EXPECT_EQ(set.contains(hash), model.contains(hash));
  }
}

}  // namespace
}  // namespace hotrow::test
