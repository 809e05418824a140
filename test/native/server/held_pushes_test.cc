// Gradients that wait for their step: bounded by bytes, checked when they come, and summed in
// worker order whatever the order in which they came.
#include "server/held_pushes.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <limits>
#include <string>
#include <utility>
#include <vector>

#include "support/random.h"
#include "support/scale.h"
#include "support/stores.h"

namespace hotrow::test {
namespace {

using server::HeldPush;
using server::HeldPushes;

HeldPush push_of(const std::shared_ptr<Table>& table, std::vector<uint64_t> keys,
                 std::vector<float> gradients, float rate = 0) {
  HeldPush push;
  push.tables.push_back({.table = table,
                         .keys = std::move(keys),
                         .gradients = std::move(gradients),
                         .options = {.learning_rate = rate}});
  return push;
}

HeldPushes::Taken taken(HeldPushes& held, const std::string& id,
                        const std::vector<uint32_t>& members) {
  HeldPushes::Taken its;
  held.take(id, members, its);
  return its;
}

TEST(HeldPushes, AreBoundedByBytesAndGivenBack) {
  const auto store = private_store();
  const auto table = must(store->table("t", sum_table(1)));
  const uint64_t one = push_of(table, {1}, {1}).bytes();
  HeldPushes held(2 * one);
  must(held.hold("g", 0, push_of(table, {1}, {1})));
  must(held.hold("g", 1, push_of(table, {1}, {1})));
  const Status full = held.hold("h", 0, push_of(table, {1}, {1}));
  EXPECT_EQ(full.code(), StatusCode::kCapacity);
  EXPECT_NE(full.message().find("mostHeldBytes"), std::string::npos);
  held.drop("g", 0);
  EXPECT_EQ(held.bytes(), one);
  must(held.hold("h", 0, push_of(table, {1}, {1})));
  EXPECT_EQ(held.bytes("h"), one);
  EXPECT_EQ(taken(held, "g", {0}).pushes.size(), 0U) << "worker 1 is no member";
  EXPECT_EQ(held.bytes(), one);
  held.drop("h");
  EXPECT_EQ(held.bytes(), 0U);
  EXPECT_EQ(HeldPush::bytes_of_table(1, 1), one);
  must(held.room(2 * one));
  EXPECT_EQ(held.room(2 * one + 1).code(), StatusCode::kCapacity);
}

TEST(HeldPushes, CountUntilTheyAreApplied) {
  const auto store = private_store();
  const auto table = must(store->table("t", sum_table(1)));
  const uint64_t one = push_of(table, {1}, {1}).bytes();
  HeldPushes held(2 * one);
  must(held.hold("g", 0, push_of(table, {1}, {1})));
  must(held.hold("g", 1, push_of(table, {1}, {1})));
  const auto its = taken(held, "g", {0, 1});
  EXPECT_EQ(its.bytes, 2 * one);
  EXPECT_EQ(held.bytes("g"), 0U) << "it waits for no step any more";
  EXPECT_EQ(held.hold("h", 0, push_of(table, {1}, {1})).code(), StatusCode::kCapacity);
  held.release(its.bytes);
  must(held.hold("h", 0, push_of(table, {1}, {1})));
}

// Each gradient is finite, their sum is not: then the tables stay as they were, too.
TEST(HeldPushes, AreAppliedWholeOrNotAtAll) {
  const auto store = private_store();
  const auto table = must(store->table("t", sum_table(1)));
  const auto dense = must(
      store->dense("d", DenseOptions{.shape = {2}, .optimizer = {.kind = OptimizerKind::kSum}}));
  const auto step = [&](float gradient) {
    std::vector<HeldPush> pushes;
    for (int worker = 0; worker < 2; ++worker) {
      HeldPush& push = pushes.emplace_back(push_of(table, {1}, {1}));
      push.dense.push_back({.dense = dense, .gradient = {1, gradient}, .options = {}});
      must(push.check());
    }
    return HeldPushes::apply(*store, std::move(pushes));
  };
  EXPECT_EQ(step(std::numeric_limits<float>::max()).code(), StatusCode::kInvalidArgument);
  EXPECT_EQ(lookup(*table, {1}), std::vector<float>{0});
  must(step(1));
  EXPECT_EQ(lookup(*table, {1}), std::vector<float>{2});
  std::vector<float> values(2);
  must(dense->pull(values));
  EXPECT_EQ(values, (std::vector<float>{2, 2}));
  auto pushes = std::vector<HeldPush>(1);
  pushes[0] = push_of(table, {1}, {1});
  pushes[0].dense.push_back({.dense = dense, .gradient = {1, 1}, .options = {}});
  must(store->drop("d"));
  EXPECT_EQ(HeldPushes::apply(*store, std::move(pushes)).code(), StatusCode::kClosed);
  EXPECT_EQ(lookup(*table, {1}), std::vector<float>{2});
}

TEST(HeldPushes, AStepHasOneLearningRate) {
  const auto store = private_store();
  const auto table = must(store->table("t", sum_table(1)));
  HeldPushes held(1 << 20);
  must(held.hold("g", 0, push_of(table, {1}, {1}, 0.5F)));
  EXPECT_EQ(held.hold("g", 1, push_of(table, {1}, {1}, 0.25F)).code(), StatusCode::kConflict);
  must(held.hold("other", 1, push_of(table, {1}, {1}, 0.25F)));
  held.drop("g", 0);
  must(held.hold("g", 1, push_of(table, {1}, {1}, 0.25F)));
  (void)taken(held, "g", {1});
  must(held.hold("g", 0, push_of(table, {1}, {1}, 0.5F)));
}

TEST(HeldPushes, WhatIsWrongIsItsWorkersError) {
  const auto store = private_store();
  const auto table = must(store->table("t", sum_table(2)));
  const auto dense = must(
      store->dense("d", DenseOptions{.shape = {3}, .optimizer = {.kind = OptimizerKind::kSum}}));
  must(push_of(table, {1}, {1, 2}).check());
  EXPECT_EQ(push_of(table, {1}, {1}).check().code(), StatusCode::kInvalidArgument);
  EXPECT_EQ(push_of(table, {1}, {1, std::numeric_limits<float>::infinity()}).check().code(),
            StatusCode::kInvalidArgument);
  HeldPush of_dense;
  of_dense.dense.push_back({.dense = dense, .gradient = {1, 2}, .options = {}});
  EXPECT_EQ(of_dense.check().code(), StatusCode::kInvalidArgument);
  of_dense.dense[0].gradient = {1, 2, std::numeric_limits<float>::quiet_NaN()};
  EXPECT_EQ(of_dense.check().code(), StatusCode::kInvalidArgument);
  must(store->drop("t"));
  EXPECT_EQ(push_of(table, {1}, {1, 2}).check().code(), StatusCode::kClosed);
}

// f32 sums depend on their order: here most of them.
TEST(HeldPushes, AreSummedInWorkerOrder) {
  constexpr uint32_t kWorkers = 4;
  constexpr size_t kDim = 3;
  Random random(5);
  const TableOptions options{.dim = kDim, .optimizer = optimizer(OptimizerKind::kAdam)};
  const DenseOptions dense_options{.shape = {7}, .optimizer = optimizer(OptimizerKind::kAdam)};
  const auto a = private_store();
  const auto b = private_store();
  const auto of_a = must(a->table("t", options));
  const auto of_b = must(b->table("t", options));
  const auto dense_a = must(a->dense("d", dense_options));
  const auto dense_b = must(b->dense("d", dense_options));
  HeldPushes held(64 * kMiB);
  for (uint64_t step = 0; step < scaled(30); ++step) {
    std::vector<std::pair<uint32_t, HeldPush>> pushes;
    std::vector<uint64_t> keys;
    std::vector<float> gradients;
    std::vector<float> sum;
    for (uint32_t i = 0; i < kWorkers; ++i) {
      for (uint64_t n = random.below(3); n > 0; --n) {
        const auto its = random.keys(random.below(50), 20);
        const auto values = random.reals(its.size() * kDim, -1e4F, 1e4F);
        keys.insert(keys.end(), its.begin(), its.end());
        gradients.insert(gradients.end(), values.begin(), values.end());
        HeldPush& push = pushes.emplace_back(i, push_of(of_a, its, values)).second;
        const auto of_dense = random.reals(7, -1e4F, 1e4F);
        push.dense.push_back({.dense = dense_a, .gradient = of_dense, .options = {}});
        if (sum.empty()) sum.resize(7, -0.0F);
        for (size_t d = 0; d < 7; ++d) sum[d] += of_dense[d];
      }
    }
    // Workers come in any order; those of one stay in theirs.
    std::vector<uint32_t> order(kWorkers);
    for (uint32_t i = 0; i < kWorkers; ++i) order[i] = i;
    for (uint32_t i = kWorkers; i > 1; --i) std::swap(order[i - 1], order[random.below(i)]);
    for (const uint32_t i : order) {
      for (auto& [worker, push] : pushes) {
        if (worker == i) must(held.hold("g", worker, std::move(push)));
      }
    }
    auto its = taken(held, "g", {0, 1, 2, 3});
    held.release(its.bytes);
    must(HeldPushes::apply(*a, std::move(its.pushes)));
    must(of_b->push(keys, gradients));
    if (!sum.empty()) must(dense_b->push(sum));
    const auto all = range(0, 20);
    ASSERT_EQ(lookup(*of_a, all), lookup(*of_b, all));
    std::vector<float> values_a(7);
    std::vector<float> values_b(7);
    must(dense_a->pull(values_a));
    must(dense_b->pull(values_b));
    ASSERT_EQ(values_a, values_b);
  }
}

}  // namespace
}  // namespace hotrow::test
