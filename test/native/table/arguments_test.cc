// Wrong arguments: each is named, and nothing changes.
#include <gtest/gtest.h>

#include <vector>

#include "model/twin.h"
#include "support/random.h"
#include "support/stores.h"

namespace hotrow::test {
namespace {

class Arguments : public testing::Test {
 protected:
  Arguments() : store_(private_store()), twin_(*store_, {.dim = 3, .initializer = uniform(1)}) {
    twin_.push({1, 2}, {1, 2, 3, 4, 5, 6});
  }
  ~Arguments() override { twin_.compare_state({3, 4, 5}); }

  Table& table() { return twin_.table(); }
  /// The status of a pooled lookup and that of a push, which must agree.
  Status pooled(const Bags& bags, size_t values) {
    std::vector<float> out(values, 1.0F);
    const Status read = table().lookup_pooled(bags.batch(), out);
    const Status write = table().push_pooled(bags.batch(), out);
    EXPECT_EQ(read.code(), write.code());
    EXPECT_EQ(std::vector<float>(values, 1.0F), out) << "nothing is written";
    return read;
  }

  std::shared_ptr<Store> store_;
  Twin twin_;
};

TEST_F(Arguments, WrongSizesOfRows) {
  const std::vector<uint64_t> keys = {3, 4};
  for (const size_t values : {0U, 1U, 3U, 5U, 7U, 12U}) {
    std::vector<float> rows(values, 1.0F);
    EXPECT_TRUE(fails(table().lookup(keys, rows), kInvalid, "rows: expected 6 values"));
    EXPECT_TRUE(fails(table().push(keys, rows), kInvalid, "gradients: expected 6 values"));
    EXPECT_TRUE(fails(table().update(keys, rows), kInvalid, "rows: expected 6 values"));
    EXPECT_EQ(rows, std::vector<float>(values, 1.0F));
  }
  std::vector<float> some(3);
  EXPECT_TRUE(fails(table().lookup({}, some), kInvalid, "received 3"));
}

TEST_F(Arguments, TooManyKeys) {
  // The spans are never read: their size alone is wrong.
  const uint64_t key = 0;
  const KeyBatch keys(&key, (size_t{1} << 30) + 1);
  std::vector<float> rows(3);
  EXPECT_TRUE(fails(table().lookup(keys, rows), kInvalid, "keys"));
  EXPECT_TRUE(fails(table().push(keys, rows), kInvalid, "keys"));
}

TEST_F(Arguments, OffsetsWrongInEveryWay) {
  EXPECT_TRUE(fails(pooled({{3, 4}, {}, {}, Pooling::kSum}, 0), kInvalid, "offsets"));
  EXPECT_TRUE(fails(pooled({{3, 4}, {1, 2}, {}, Pooling::kSum}, 3), kInvalid, "expected 0 first"));
  EXPECT_TRUE(fails(pooled({{3, 4}, {0, 1}, {}, Pooling::kSum}, 3), kInvalid, "last"));
  EXPECT_TRUE(fails(pooled({{3, 4}, {0, 3}, {}, Pooling::kSum}, 3), kInvalid, "last"));
  EXPECT_TRUE(fails(pooled({{3, 4}, {0, 2, 1, 2}, {}, Pooling::kSum}, 9), kInvalid, "rising"));
  EXPECT_TRUE(
      fails(pooled({{3, 4}, {0, UINT32_MAX, 2}, {}, Pooling::kSum}, 6), kInvalid, "rising"));
  EXPECT_TRUE(fails(pooled({{3, 4}, {0}, {}, Pooling::kSum}, 0), kInvalid, "last"));
  EXPECT_TRUE(fails(pooled({{}, {0, 1}, {}, Pooling::kSum}, 3), kInvalid, "last"));
}

TEST_F(Arguments, WeightsAndOutOfTheWrongSize) {
  EXPECT_TRUE(fails(pooled({{3, 4}, {0, 2}, {1}, Pooling::kSum}, 3), kInvalid, "weights"));
  EXPECT_TRUE(fails(pooled({{3, 4}, {0, 2}, {1, 1, 1}, Pooling::kSum}, 3), kInvalid, "weights"));
  for (const size_t values : {0U, 2U, 4U, 6U}) {
    EXPECT_TRUE(fails(pooled({{3, 4}, {0, 2}, {}, Pooling::kSum}, values), kInvalid,
                      "expected 3 values (1 bags x dim 3)"));
  }
}

TEST_F(Arguments, AClosedTableAnswersClosed) {
  const auto gone = must(store_->table("gone", {.dim = 2}));
  must(gone->push(std::vector<uint64_t>{1}, std::vector<float>{1, 1}));
  must(store_->drop("gone"));
  std::vector<float> rows(2);
  const std::vector<uint64_t> keys = {1};
  const Bags bags{{1}, {0, 1}, {}, Pooling::kSum};
  constexpr auto kClosed = StatusCode::kClosed;
  EXPECT_TRUE(fails(gone->lookup(keys, rows), kClosed, "gone"));
  EXPECT_TRUE(fails(gone->push(keys, rows), kClosed));
  EXPECT_TRUE(fails(gone->update(keys, rows), kClosed));
  EXPECT_TRUE(fails(gone->erase(keys), kClosed));
  EXPECT_TRUE(fails(gone->stats(), kClosed));
  EXPECT_TRUE(fails(gone->lookup_pooled(bags.batch(), rows), kClosed));
  EXPECT_TRUE(fails(gone->push_pooled(bags.batch(), rows), kClosed));
  EXPECT_EQ(gone->name(), "gone");
  EXPECT_EQ(gone->options().dim, 2U);
}

}  // namespace
}  // namespace hotrow::test
