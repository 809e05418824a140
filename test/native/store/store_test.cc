// Names, tables, drops and listings of one store.
#include <gtest/gtest.h>

#include <string>
#include <vector>

#include "base/hash.h"
#include "support/stores.h"

namespace hotrow::test {
namespace {

constexpr auto kConflict = StatusCode::kConflict;

TEST(Store, NamesOfEveryLength) {
  const auto store = private_store();
  EXPECT_TRUE(fails(store->table("", {.dim = 1}), kInvalid, "name"));
  EXPECT_TRUE(fails(store->dense("", {.shape = {1}}), kInvalid, "name"));
  EXPECT_TRUE(fails(store->table(std::string(256, 'n'), {.dim = 1}), kInvalid, "received 256"));
  EXPECT_TRUE(ok(store->table(std::string(255, 'n'), {.dim = 1})));
  EXPECT_TRUE(ok(store->table(std::string_view("a\0b", 3), {.dim = 1})));
  EXPECT_TRUE(ok(store->table("a", {.dim = 1})));
  EXPECT_TRUE(ok(store->table("wörter", {.dim = 1})));
  EXPECT_EQ(must(store->list()).size(), 4U);
}

TEST(Store, ATableIsOpenedAgainWithTheSameOptions) {
  const auto store = private_store();
  const TableOptions options{.dim = 2, .initializer = uniform(1)};
  const auto first = must(store->table("t", options));
  must(first->update(std::vector<uint64_t>{5}, std::vector<float>{1, 2}));
  const auto again = must(store->table("t", options));
  EXPECT_EQ(lookup(*again, {5}), (std::vector<float>{1, 2}));
  TableOptions with_seed = options;
  with_seed.seed = seed_of_name("t");
  EXPECT_TRUE(ok(store->table("t", with_seed))) << "the seed it would have made itself";
}

TEST(Store, OtherOptionsAreNamed) {
  const auto store = private_store();
  const TableOptions has{.dim = 2, .initializer = uniform(1), .seed = 9};
  must(store->table("t", has));
  const auto conflict = [&](const char* field, auto change) {
    TableOptions other = has;
    change(other);
    EXPECT_TRUE(fails(store->table("t", other), kConflict, field)) << field;
  };
  conflict("dim: it has 2, received 3", [](auto& o) { o.dim = 3; });
  conflict("valueType", [](auto& o) { o.value_type = ValueType::kBf16; });
  conflict("optimizer", [](auto& o) { o.optimizer.kind = OptimizerKind::kAdam; });
  conflict("optimizer", [](auto& o) { o.optimizer.learning_rate = 1; });
  conflict("optimizer", [](auto& o) { o.optimizer.beta1 = 0.5F; });
  conflict("initializer", [](auto& o) { o.initializer.low = -2; });
  conflict("missing", [](auto& o) { o.missing = Missing::kZeros; });
  conflict("nonFinite", [](auto& o) { o.non_finite = NonFinite::kSkip; });
  conflict("seed", [](auto& o) { o.seed = 10; });
  conflict("seed", [](auto& o) { o.seed = 0; });
  EXPECT_TRUE(ok(store->table("t", has)));
}

TEST(Store, TablesAndDenseShareOneSpaceOfNames) {
  const auto store = private_store();
  must(store->table("t", {.dim = 1}));
  must(store->dense("d", {.shape = {1}}));
  EXPECT_TRUE(fails(store->dense("t", {.shape = {1}}), kConflict, "'t'"));
  EXPECT_TRUE(fails(store->table("d", {.dim = 1}), kConflict, "'d'"));
}

TEST(Store, WrongOptionsMakeNothing) {
  const auto store = private_store();
  EXPECT_TRUE(fails(store->table("t", {.dim = 0}), kInvalid, "dim"));
  EXPECT_TRUE(fails(store->table("t", {.dim = kMaxDim + 1}), kInvalid, "dim"));
  EXPECT_TRUE(fails(store->dense("d", {.shape = {}}), kInvalid, "shape"));
  EXPECT_EQ(must(store->list()).size(), 0U);
  EXPECT_EQ(stats_of(*store).memory_used_bytes, 0U);
}

TEST(Store, ListsEverythingByName) {
  const auto store = private_store();
  const auto table = must(store->table("b", {.dim = 3}));
  must(table->push(std::vector<uint64_t>{1, 2}, std::vector<float>(6, 1.0F)));
  must(store->dense("c", {.shape = {4, 5}}));
  must(store->table("a", {.dim = 1}));
  const std::vector<ParameterInfo> all = must(store->list());
  ASSERT_EQ(all.size(), 3U);
  EXPECT_EQ(all[0].name, "a");
  EXPECT_EQ(all[1].name, "b");
  EXPECT_EQ(all[1].kind, ParameterKind::kTable);
  EXPECT_EQ(all[1].shape, std::vector<uint64_t>{3});
  EXPECT_EQ(all[1].rows, 2U);
  EXPECT_EQ(all[2].kind, ParameterKind::kDense);
  EXPECT_EQ(all[2].shape, (std::vector<uint64_t>{4, 5}));
  EXPECT_EQ(all[2].rows, 0U);
  const StoreStats stats = stats_of(*store);
  EXPECT_EQ(stats.tables, 2U);
  EXPECT_EQ(stats.dense, 1U);
  EXPECT_EQ(stats.rows, 2U);
}

TEST(Store, OpensWhatIsThereByItsName) {
  const auto store = private_store();
  const TableOptions options = {.dim = 3, .optimizer = optimizer(OptimizerKind::kAdam)};
  must(must(store->table("t", options))->push(std::vector<uint64_t>{1}, std::vector<float>(3, 1)));
  must(store->dense("d", {.shape = {2, 2}}));
  EXPECT_EQ(must(store->table("t"))->options().optimizer, options.optimizer);
  EXPECT_EQ(stats_of(*must(store->table("t"))).rows, 1U);
  EXPECT_EQ(must(store->dense("d"))->size(), 4U);
  EXPECT_TRUE(fails(store->table("d").status(), StatusCode::kConflict, "'d'"));
  EXPECT_TRUE(fails(store->dense("t").status(), StatusCode::kConflict, "'t'"));
  EXPECT_TRUE(fails(store->table("x").status(), StatusCode::kNotFound, "'x'"));
  EXPECT_TRUE(fails(store->dense("x").status(), StatusCode::kNotFound, "'x'"));
  EXPECT_EQ(must(store->list()).size(), 2U);
}

TEST(Store, DropFreesTheMemoryAndTheName) {
  const auto store = private_store();
  const auto table = must(store->table("t", {.dim = 64}));
  must(table->push(range(0, 10000), std::vector<float>(640000, 1.0F)));
  const auto dense = must(store->dense("d", {.shape = {1000, 1000}}));
  EXPECT_GT(stats_of(*store).memory_used_bytes, 4 * kMiB);
  must(store->drop("t"));
  must(store->drop("d"));
  EXPECT_EQ(stats_of(*store).memory_used_bytes, 0U);
  EXPECT_TRUE(fails(store->drop("t"), StatusCode::kNotFound, "'t'"));
  EXPECT_TRUE(fails(store->drop(""), StatusCode::kNotFound));
  std::vector<float> values(1000000);
  EXPECT_TRUE(fails(dense->pull(values), StatusCode::kClosed, "'d'"));
  const auto other = must(store->table("t", {.dim = 2}));
  EXPECT_EQ(stats_of(*other).rows, 0U);
  EXPECT_TRUE(fails(table->stats(), StatusCode::kClosed)) << "the old handle stays closed";
  EXPECT_TRUE(ok(other->stats()));
}

TEST(Store, ManyTables) {
  const auto store = private_store(1, 4096 * kMiB);
  std::vector<std::shared_ptr<Table>> tables;
  for (int i = 0; i < 80; ++i) {
    tables.push_back(must(store->table("t" + std::to_string(i), sum_table(1))));
    must(tables.back()->push(std::vector<uint64_t>{7}, std::vector<float>{float(i)}));
  }
  for (int i = 0; i < 80; ++i) EXPECT_EQ(lookup(*tables[i], {7})[0], float(i));
  EXPECT_EQ(stats_of(*store).rows, 80U);
}

}  // namespace
}  // namespace hotrow::test
