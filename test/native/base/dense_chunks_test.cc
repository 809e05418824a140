// How dense parameters are cut and spread: every value is in one chunk, servers have the same bytes
// within a tenth, and what says of a chunk what cannot be is refused.
#include "base/dense_chunks.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <string>
#include <vector>

#include "base/slot_map.h"
#include "support/random.h"
#include "support/status.h"
#include "support/stores.h"

namespace hotrow::test {
namespace {

using Shape = std::vector<uint64_t>;

std::vector<uint16_t> owners_of(size_t servers) {
  std::vector<std::string> names;
  for (size_t i = 0; i < servers; ++i) names.push_back("server-" + std::to_string(i) + ":7460");
  return rendezvous(names);
}

DenseOptions options(Shape shape, OptimizerKind kind = OptimizerKind::kAdam) {
  return {.shape = std::move(shape), .optimizer = optimizer(kind)};
}

// Bytes of each server; the chunks are looked at on the way.
std::vector<uint64_t> spread_of(const DenseOptions& whole, size_t servers,
                                const std::string& name) {
  const DenseCut cut = cut_for(whole, servers);
  const auto owners = owners_of(servers);
  const auto slots = spread(name, whole.shape, cut, owners);
  EXPECT_EQ(slots, spread(name, whole.shape, cut, owners));
  EXPECT_EQ(slots.size(), cut.count);
  EXPECT_EQ(slots[0], slot_of_name(name));
  EXPECT_LE(cut.count, kMaxDenseChunks);
  const uint64_t columns = whole.shape.back();
  std::vector<uint64_t> bytes(servers);
  uint64_t next = 0;
  for (uint32_t i = 0; i < cut.count; ++i) {
    const ValueRange range = range_of(whole.shape, cut, i);
    EXPECT_EQ(range.first, next);
    EXPECT_GT(range.count, 0U);
    next += range.count;
    if (cut.pieces == 0) {
      EXPECT_EQ(range.count % columns, 0U);
    } else {
      EXPECT_EQ(range.first / columns, (next - 1) / columns);
    }
    const bool one_row = cut.pieces == 0 && range.count == columns;
    EXPECT_TRUE(one_row || range.count * sizeof(float) <= kDenseChunkValueBytes);
    bytes[owners[slots[i]]] += range.count * sizeof(float);
    if (cut.count == 1) continue;
    const DenseOptions chunk = chunk_options(whole, cut, i, slots);
    EXPECT_TRUE(ok(chunk.validate()));
    EXPECT_EQ(values_of(chunk.shape), range.count);
    EXPECT_EQ(whole_options(chunk), whole);
    if (i == 0) {
      EXPECT_EQ(slots_of(chunk.chunk), slots);
    }
  }
  EXPECT_EQ(next, values_of(whole.shape));
  return bytes;
}

double unevenness(const std::vector<uint64_t>& bytes) {
  const auto [least, most] = std::ranges::minmax(bytes);
  return static_cast<double>(most) / static_cast<double>(least);
}

TEST(DenseChunks, ServersHaveTheSameBytesWithinATenth) {
  const std::vector<Shape> shapes = {
      {262'145},     {300'000},     {1'000'003},   {50'000'017}, {2, 200'000},  {3, 7, 40'961},
      {31, 250'000}, {100, 65'536}, {1'000, 1024}, {4097, 64},   {300'000, 1},  {40, 100'000},
      {89, 3000},    {120, 2200},   {19, 900'000}, {7, 400'001}, {20'000, 512},
  };
  for (const Shape& shape : shapes) {
    for (const size_t servers : {1, 2, 3, 4, 5, 6, 7, 8, 13, 24, 64}) {
      SCOPED_TRACE(testing::Message() << testing::PrintToString(shape) << " over " << servers);
      EXPECT_LE(unevenness(spread_of(options(shape), servers, "w")), 1.1);
    }
  }
}

TEST(DenseChunks, AnyShapeOverAnyServers) {
  Random random(11);
  for (int i = 0; i < 150; ++i) {
    const size_t servers = 1 + random.below(40);
    const uint64_t rows = 1 + random.below(random.one_in(2) ? 40 : 4000);
    const uint64_t columns = 300'000 / rows + 1 + random.below(3'000'000 / rows + 1);
    SCOPED_TRACE(testing::Message() << rows << " x " << columns << " over " << servers);
    EXPECT_LE(unevenness(spread_of(options({rows, columns}), servers, std::to_string(i))), 1.1);
  }
}

// Whole rows can be as even as rows allow: a tenth where each server has ten.
TEST(DenseChunks, RulesThatLookAtARowGetWholeRows) {
  OptimizerOptions clipped = optimizer(OptimizerKind::kSgd);
  clipped.clip_norm = 1;
  std::vector<OptimizerOptions> by_row = {clipped};
  for (const OptimizerKind kind :
       {OptimizerKind::kRowwiseAdagrad, OptimizerKind::kRowwiseAdam, OptimizerKind::kAdagradDecay,
        OptimizerKind::kGroupFtrl, OptimizerKind::kLamb, OptimizerKind::kLars}) {
    by_row.push_back(optimizer(kind));
  }
  for (const OptimizerOptions& rule : by_row) {
    DenseOptions whole{.shape = {1, 1'000'000}, .optimizer = rule};
    EXPECT_EQ(cut_for(whole, 3).count, 1U);
    whole.shape = {5, 400'000};
    EXPECT_EQ(cut_for(whole, 3).count, 5U);
    EXPECT_EQ(cut_for(whole, 3).pieces, 0U);
    spread_of(whole, 3, "w");
    whole.shape = {45, 20'000};
    EXPECT_LE(unevenness(spread_of(whole, 4, "w")), 1.1);
  }
}

TEST(DenseChunks, SmallParametersAreWhole) {
  EXPECT_EQ(cut_for(options({262'144}), 8).count, 1U);
  EXPECT_EQ(cut_for(options({512, 512}), 8).count, 1U);
  EXPECT_GT(cut_for(options({512, 513}), 8).count, 1U);
}

// Some servers of a placement have no slots.
TEST(DenseChunks, AServerWithoutSlotsGetsNone) {
  std::vector<uint16_t> owners(kSlots, 4);
  std::fill(owners.begin(), owners.begin() + 3, uint16_t{2});
  const DenseOptions whole = options({1000, 1000});
  const DenseCut cut = cut_for(whole, 2);
  std::vector<uint64_t> chunks(5);
  for (const uint16_t slot : spread("w", whole.shape, cut, owners)) ++chunks[owners[slot]];
  EXPECT_EQ(chunks, (std::vector<uint64_t>{0, 0, cut.count / 2, 0, cut.count / 2}));
}

TEST(DenseChunks, NamesOfChunks) {
  EXPECT_EQ(chunk_name("w", 0), "w");
  EXPECT_EQ(chunk_name("w", 12),
            "w\x1f"
            "12");
  EXPECT_EQ(whole_name(chunk_name("w", 12)), "w");
  for (const std::string name : {"w", "w12", "w\x1f", "12",
                                 "\x1f"
                                 "x",
                                 "w\x1f"
                                 "1x"}) {
    EXPECT_EQ(whole_name(name), name);
  }
}

TEST(DenseChunks, WhatCannotBeIsRefused) {
  const DenseOptions whole = options({3, 200'000});
  const DenseCut cut = cut_for(whole, 3);
  const auto slots = spread("w", whole.shape, cut, owners_of(3));
  const DenseOptions first = chunk_options(whole, cut, 0, slots);
  ASSERT_TRUE(ok(first.validate()));
  const auto refused = [](DenseOptions its, const auto& change, const char* part) {
    change(its);
    EXPECT_TRUE(fails(its.validate(), kInvalid, part));
  };
  refused(first, [](auto& its) { its.chunk.count = 0; }, "chunk: expected a count");
  refused(first, [](auto& its) { its.chunk.count = 1; }, "not cut into 1");
  refused(first, [](auto& its) { its.chunk.count += 1; }, "not cut into");
  refused(first, [](auto& its) { its.chunk.count = UINT32_MAX; }, "not cut into");
  refused(first, [](auto& its) { its.chunk.pieces = UINT32_MAX; }, "not cut into");
  refused(first, [&](auto& its) { its.chunk.index = its.chunk.count; }, "expected an index below");
  refused(first, [](auto& its) { its.chunk.shape = {}; }, "shape");
  refused(first, [](auto& its) { its.chunk.shape = {1ULL << 31, 1ULL << 31}; }, "shape");
  refused(first, [](auto& its) { its.shape = {its.shape[0] + 1}; }, "expected the shape");
  refused(first, [](auto& its) { its.chunk.slot = kSlots; }, "slot");
  refused(first, [](auto& its) { its.chunk.slots.pop_back(); }, "slots");
  refused(first, [](auto& its) { its.chunk.slots.back() = 'g'; }, "slots");
  refused(first, [](auto& its) { its.chunk.slots.back() = '\xff'; }, "slots");
  refused(first, [](auto& its) { its.chunk.slots.replace(4, 4, "ffff"); }, "slots");
  refused(first, [](auto& its) { its.chunk.slots.replace(0, 4, "0000"); }, "slots");
  refused(first, [](auto& its) { its.optimizer.kind = OptimizerKind::kLamb; }, "not cut into");
  refused(
      chunk_options(whole, cut, 1, slots), [](auto& its) { its.chunk.slots = "0000"; }, "slots");
  // Of rows.
  const DenseOptions rows = options({1000, 1000});
  const DenseCut by_rows = cut_for(rows, 2);
  const auto its_slots = spread("w", rows.shape, by_rows, owners_of(2));
  const DenseOptions of_rows = chunk_options(rows, by_rows, 1, its_slots);
  ASSERT_TRUE(ok(of_rows.validate()));
  refused(of_rows, [](auto& its) { its.chunk.count = 1001; }, "not cut into 1001");
  refused(of_rows, [](auto& its) { its.chunk.index = 0; }, "slots");
}

}  // namespace
}  // namespace hotrow::test
