// The targets without a search: the inputs that are kept, then mutations of them that are the same
// in every run. What would not hold ends the process.
#include <gtest/gtest.h>

#include <algorithm>
#include <fstream>
#include <string>

#include "support/random.h"
#include "support/scale.h"
#include "test/fuzz/corpus.h"

namespace hotrow::fuzz {
namespace {

using test::Random;

constexpr size_t kMostBytes = size_t{64} << 10;

void set_some_bytes(Input& input, Random& random) {
  const size_t at = random.below(input.size());
  switch (random.below(4)) {
    case 0:
      input[at] ^= static_cast<uint8_t>(1U << random.below(8));
      return;
    case 1:
      input[at] = static_cast<uint8_t>(random.next());
      return;
    case 2:
      input[at] = static_cast<uint8_t>(random.one_in(2) ? 0xff : 0);
      return;
    default:
      // A number, at its edges.
      for (size_t i = at; i < std::min(at + 8, input.size()); ++i) {
        input[i] = static_cast<uint8_t>(i == at ? random.below(4) - 2 : 0xff * random.below(2));
      }
  }
}

void mutate(Input& input, const Input& other, Random& random) {
  const size_t at = random.below(input.size() + 1);
  const auto place = input.begin() + static_cast<ptrdiff_t>(at);
  const size_t left = input.size() - at;
  switch (random.below(6)) {
    case 0:
      input.erase(place, place + static_cast<ptrdiff_t>(random.below(left + 1)));
      return;
    case 1:
      input.insert(place, random.between(1, 16), static_cast<uint8_t>(random.next()));
      return;
    case 2: {
      const size_t from = random.below(other.size() + 1);
      const size_t length = random.below(other.size() - from + 1);
      const Input part(other.begin() + static_cast<ptrdiff_t>(from),
                       other.begin() + static_cast<ptrdiff_t>(from + length));
      input.insert(place, part.begin(), part.end());
      return;
    }
    default:
      if (!input.empty()) set_some_bytes(input, random);
  }
}

void run_one(const Target& target, const Input& input) {
  current = input;
  target.run(input);
  current = {};
}

void replay(const Target& target) {
  const auto kept = inputs_of(target, HOTROW_FUZZ_FOLDER);
  ASSERT_GE(kept.size(), 3U);
  for (const Input& input : kept) run_one(target, input);
  Random random(7);
  const uint64_t mutations = test::scaled(target.mutations);
  for (uint64_t i = 0; i < mutations; ++i) {
    Input input = kept[random.below(kept.size())];
    const Input& other = kept[random.below(kept.size())];
    for (uint64_t n = random.between(1, 4); n > 0; --n) mutate(input, other, random);
    if (input.size() > kMostBytes) input.resize(kMostBytes);
    run_one(target, input);
  }
}

TEST(FuzzReplay, Frames) { replay(kFrames); }
TEST(FuzzReplay, Messages) { replay(kMessages); }
TEST(FuzzReplay, Sessions) { replay(kSessions); }
TEST(FuzzReplay, SlotMaps) { replay(kSlotMaps); }
TEST(FuzzReplay, Texts) { replay(kTexts); }
TEST(FuzzReplay, Clocks) { replay(kClocks); }

TEST(FuzzReplayDeathTest, WhatDoesNotHoldEndsTheProcess) {
  EXPECT_DEATH(must_hold(false, "this"), "does not hold: this");
}

}  // namespace
}  // namespace hotrow::fuzz
