// Calls in text: options and figures come back as they were, and what is none is refused.
#include "wire/call.h"

#include <gtest/gtest.h>

#include <string>
#include <vector>

#include "support/random.h"
#include "support/status.h"
#include "support/stores.h"

namespace hotrow::test {
namespace {

TEST(Call, OptionsComeBack) {
  wire::Call call{.call = "table", .name = "a \"table\"\n", .flag = true};
  for (const OptimizerOptions& rule : every_optimizer()) {
    call.table = {.dim = 64,
                  .value_type = ValueType::kBf16,
                  .rounding = Rounding::kStochastic,
                  .optimizer = rule,
                  .initializer = uniform(0.1F),
                  .eviction = {.policy = EvictionPolicy::kLru, .max_rows = 1'000'000'007},
                  .seed = ~uint64_t{0},
                  .groups = {{.first_slot = 3, .last_slot = 9, .frozen = true}}};
    call.dense = {.shape = {7, 11}, .optimizer = rule, .seed = 5};
    const wire::Call read = must(wire::from_text<wire::Call>(wire::to_text(call)));
    EXPECT_EQ(read.name, call.name);
    EXPECT_EQ(read.flag, true);
    EXPECT_TRUE(read.table == call.table);
    EXPECT_TRUE(read.dense == call.dense);
  }
}

TEST(Call, FieldsThatAreLeftOutAreTheDefaults) {
  const auto call = must(wire::from_text<wire::Call>(R"({"call":"list","new":[1,{"a":2}]})"));
  EXPECT_EQ(call.call, "list");
  EXPECT_TRUE(call.table == TableOptions());
  EXPECT_EQ(call.number, 0U);
}

TEST(Call, WhatIsNoCallIsRefused) {
  for (const char* const text :
       {"", "null", "[]", "{", R"({"call":7})", R"({"number":-1})", R"({"number":1.5})",
        R"({"number":18446744073709551616})", R"({"parameter":4294967296})",
        R"({"table":{"dim":4294967297}})", R"({"table":{"optimizer":{"kind":19}}})",
        R"({"table":{"valueType":256}})", R"({"table":{"groups":7}})", R"({"flag":1})"}) {
    EXPECT_TRUE(fails(wire::from_text<wire::Call>(text), StatusCode::kProtocol)) << text;
  }
}

TEST(Call, NoTextOfAnyBytesDoesHarm) {
  const std::string whole = wire::to_text(wire::Call{.call = "table", .name = "t"});
  Random random(4);
  for (uint64_t i = 0; i < 20'000; ++i) {
    std::string text = whole.substr(0, random.below(whole.size() + 1));
    for (uint64_t n = random.below(4); n > 0 && !text.empty(); --n) {
      text[random.below(text.size())] = static_cast<char>(random.below(256));
    }
    (void)wire::from_text<wire::Call>(text).ok();
  }
  const std::string deep(100'000, '[');
  EXPECT_TRUE(fails(wire::from_text<wire::Call>(deep), StatusCode::kProtocol));
}

TEST(Call, FiguresComeBack) {
  const TableStats stats{.rows = 1, .load = 0.5, .lookups = uint64_t{1} << 60, .grown_shards = 3};
  const auto read = must(wire::from_text<TableStats>(wire::to_text(stats)));
  EXPECT_EQ(read.rows, 1U);
  EXPECT_EQ(read.load, 0.5);
  EXPECT_EQ(read.lookups, uint64_t{1} << 60);
  EXPECT_EQ(read.grown_shards, 3U);
  const VersionInfo version{
      .version = 4, .cursor = "{\"step\":9}", .pinned = true, .names = {"prod", "a"}};
  const auto versions =
      must(wire::from_text<std::vector<VersionInfo>>(wire::to_text(std::vector{version})));
  ASSERT_EQ(versions.size(), 1U);
  EXPECT_EQ(versions[0].cursor, version.cursor);
  EXPECT_EQ(versions[0].names, version.names);
  EXPECT_TRUE(versions[0].pinned);
}

}  // namespace
}  // namespace hotrow::test
