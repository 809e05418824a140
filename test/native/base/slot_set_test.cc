// Sets of slots and their texts.
#include "base/slot_set.h"

#include <gtest/gtest.h>

#include "base/hash.h"
#include "support/random.h"
#include "support/status.h"

namespace hotrow::test {
namespace {

TEST(SlotSet, ReadsRangesInAnyOrderAndWritesThemInOne) {
  for (const auto& [text, as] : {std::pair{"0", "0"},
                                 {"16383", "16383"},
                                 {"0-16383", "0-16383"},
                                 {"9,0-5", "0-5,9"},
                                 {"3,4,5", "3-5"},
                                 {"1-3,2-6", "1-6"},
                                 {"7-7", "7"}}) {
    const auto slots = parse_slots(text);
    ASSERT_TRUE(slots.ok()) << text;
    EXPECT_EQ(to_text(slots.value()), as);
  }
  EXPECT_EQ(to_text(SlotSet()), "");
}

TEST(SlotSet, EverySetIsItsTextAgain) {
  Random random(7);
  for (int round = 0; round < 50; ++round) {
    SlotSet slots;
    const uint64_t one_in = random.between(1, 40);
    for (uint32_t slot = 0; slot < kSlots; ++slot) slots[slot] = random.one_in(one_in);
    if (slots.none()) continue;
    EXPECT_EQ(must(parse_slots(to_text(slots))), slots);
  }
}

TEST(SlotSet, WhatIsNoneIsRefusedByItsText) {
  for (const char* const text : {"", ",", "1,", "-1", "16384", "5-3", "1-", "1--2", "1 2", "a",
                                 "0x1", "1-16384", "99999999999"}) {
    EXPECT_TRUE(fails(parse_slots(text).status(), StatusCode::kInvalidArgument,
                      "received '" + std::string(text)))
        << text;
  }
}

TEST(SlotSet, HashesOfASlotBeginWhereThoseOfTheOneBeforeEnd) {
  EXPECT_EQ(first_hash(0), 0U);
  for (const uint32_t slot : {1U, 77U, kSlots - 1}) {
    EXPECT_EQ(slot_of_hash(first_hash(slot)), slot);
    EXPECT_EQ(slot_of_hash(first_hash(slot) - 1), slot - 1);
  }
  for (uint64_t key = 0; key < 100; ++key) EXPECT_EQ(slot_of_hash(mix64(key)), placement_slot(key));
}

}  // namespace
}  // namespace hotrow::test
