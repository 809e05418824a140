// SlotMap: what a placement says, in text and back; texts that are none; shares by weight.
#include "base/slot_map.h"

#include <gtest/gtest.h>

#include <cmath>
#include <string>
#include <vector>

#include "support/random.h"
#include "support/scale.h"
#include "support/status.h"

namespace hotrow::test {
namespace {

std::vector<std::string> names(size_t n) {
  std::vector<std::string> all;
  for (size_t i = 0; i < n; ++i) all.push_back("10.0.0." + std::to_string(i) + ":7070");
  return all;
}

SlotMap map_of(size_t servers, uint32_t epoch = 1) {
  return {.epoch = epoch, .servers = names(servers), .slots = rendezvous(names(servers))};
}

std::string replaced(std::string text, const std::string& from, const std::string& to) {
  const size_t at = text.find(from);
  EXPECT_NE(at, std::string::npos) << from;
  return at == std::string::npos ? text : text.replace(at, from.size(), to);
}

void expect_refused(const std::string& text, const std::string& because) {
  const auto parsed = SlotMap::parse(text);
  EXPECT_EQ(parsed.status().code(), StatusCode::kInvalidArgument) << because;
  EXPECT_NE(parsed.status().message().find(because), std::string::npos)
      << parsed.status().message();
}

TEST(SlotMap, ComesBackFromItsText) {
  Random random(5);
  for (uint64_t round = 0; round < scaled(30); ++round) {
    SlotMap map = map_of(1 + random.below(40), static_cast<uint32_t>(1 + random.below(1000)));
    for (uint16_t& server : map.slots) {
      server = static_cast<uint16_t>(random.below(map.servers.size()));
    }
    EXPECT_EQ(must(SlotMap::parse(map.to_text())), map);
  }
  SlotMap most = map_of(kMostServers, UINT32_MAX);
  EXPECT_EQ(must(SlotMap::parse(most.to_text())), most);
}

TEST(SlotMap, TheDigestIsOfAllThatItSays) {
  const SlotMap map = map_of(3);
  SlotMap later = map;
  ++later.epoch;
  SlotMap moved = map;
  moved.slots[77] = static_cast<uint16_t>((moved.slots[77] + 1) % 3);
  SlotMap renamed = map;
  renamed.servers[1] = "10.0.0.9:7070";
  for (const SlotMap& other : {later, moved, renamed}) EXPECT_NE(other.digest(), map.digest());
  // Digest and rest of two maps.
  std::string text = map.to_text();
  const auto digest_of = [](const std::string& its) {
    return its.substr(its.find("\"digest\":\"") + 10, 16);
  };
  expect_refused(replaced(text, digest_of(text), digest_of(moved.to_text())), "digest");
}

TEST(SlotMap, RefusesWhatIsNone) {
  const SlotMap map = map_of(2);
  const std::string text = map.to_text();
  expect_refused("", "JSON object");
  expect_refused("[]", "JSON object");
  expect_refused(text.substr(0, text.size() / 2), "JSON object");
  expect_refused(std::string(3 << 20, ' '), "1 MiB");
  expect_refused(replaced(text, "\"epoch\":1", "\"epoch\":0"), "epoch");
  expect_refused(replaced(text, "\"epoch\":1", "\"epoch\":-1"), "epoch");
  expect_refused(replaced(text, "\"epoch\":1", "\"epoch\":4294967296"), "epoch");
  expect_refused(replaced(text, "\"epoch\":1", "\"epoch\":1.5"), "epoch");
  expect_refused(replaced(text, "\"10.0.0.1:7070\"", "7"), "servers");
  expect_refused(replaced(text, "10.0.0.1:7070", "10.0.0.0:7070"), "twice");
  expect_refused(replaced(text, "10.0.0.1:7070", ""), "servers");
  for (const char* name : {"a b", "a b:1", "x", ":7070", "x:", "x:0", "x:99999", "x:7a"}) {
    expect_refused(replaced(text, "10.0.0.1:7070", name), "servers");
  }
  expect_refused(replaced(text, "\"slots\":\"0", "\"slots\":\""), "slots");
  expect_refused(replaced(text, "\"slots\":\"0", "\"slots\":\"x"), "slot 0");
  expect_refused(replaced(text, "\"slots\":\"000", "\"slots\":\"002"), "slot 0");
  expect_refused(replaced(text, "\"slots\":\"", "\"slots\":\"000"), "slots");
  expect_refused(replaced(text, "\"digest\"", "\"digests\""), "digest");
  expect_refused(R"({"epoch":1,"servers":[],"slots":"","digest":""})", "slots");
}

TEST(SlotMap, AnyDamagedByteIsNoticed) {
  Random random(6);
  const SlotMap map = map_of(5);
  const std::string text = map.to_text();
  for (uint64_t round = 0; round < scaled(300); ++round) {
    std::string damaged = text;
    damaged[random.below(text.size())] ^= static_cast<char>(1 << random.below(7));
    const auto parsed = SlotMap::parse(damaged);
    if (parsed.ok()) {
      EXPECT_EQ(parsed.value(), map);
    }
  }
}

TEST(Rendezvous, EqualWeightsPlaceAsNone) {
  const std::vector<double> weights(4, 2.5);
  EXPECT_EQ(must(rendezvous(names(4), weights)), rendezvous(names(4)));
}

TEST(Rendezvous, SharesAreAsWeights) {
  const std::vector<double> weights = {1, 2, 0, 5};
  const auto slots = must(rendezvous(names(4), weights));
  std::vector<double> counts(4);
  for (const uint16_t server : slots) ++counts[server];
  EXPECT_EQ(counts[2], 0);
  for (size_t i = 0; i < 4; ++i) {
    const double expected = kSlots * weights[i] / 8;
    EXPECT_NEAR(counts[i], expected, expected * 0.12) << i;
  }
}

TEST(Rendezvous, AHeavierServerTakesFromOthersOnly) {
  const auto before = must(rendezvous(names(4), std::vector<double>{1, 1, 1, 2}));
  const auto after = must(rendezvous(names(4), std::vector<double>{1, 1, 1, 3}));
  for (uint32_t slot = 0; slot < kSlots; ++slot) {
    if (before[slot] != after[slot]) {
      EXPECT_EQ(after[slot], 3);
    }
  }
}

TEST(Rendezvous, RefusesWeightsThatAreNone) {
  const auto code = [](const std::vector<double>& weights) {
    return rendezvous(names(2), weights).status().code();
  };
  EXPECT_EQ(code({1}), StatusCode::kInvalidArgument);
  EXPECT_EQ(code({0, 0}), StatusCode::kInvalidArgument);
  EXPECT_EQ(code({1, -1}), StatusCode::kInvalidArgument);
  EXPECT_EQ(code({1, std::nan("")}), StatusCode::kInvalidArgument);
  EXPECT_EQ(code({1, 2e6}), StatusCode::kInvalidArgument);
}

}  // namespace
}  // namespace hotrow::test
