// What a server owns, freezes and expects while slots move.
#include "server/ownership.h"

#include <gtest/gtest.h>

#include <atomic>
#include <thread>

#include "support/status.h"

namespace hotrow::test {
namespace {

using server::Owned;
using server::Ownership;
using server::Use;

constexpr auto kRefused = StatusCode::kWrongOwner;
const std::string kOwner = "a:1";

// Slots below `first` are a's.
std::string placement_below(uint32_t epoch, uint32_t first) {
  SlotMap map{
      .epoch = epoch, .servers = {kOwner, "b:1"}, .slots = std::vector<uint16_t>(kSlots, 1)};
  for (uint32_t slot = 0; slot < first; ++slot) map.slots[slot] = 0;
  return map.to_text();
}

struct MovingOwnership : testing::Test {
  MovingOwnership() { must(ownership.set(placement_below(1, 100), kOwner)); }
  Status may(uint32_t slot, Use use) {
    return ownership.hold([&](const Owned& owned) { return owned.check_slot(slot, use); });
  }
  Status expected(uint64_t lock, uint32_t slot) {
    return ownership.hold(
        [&](const Owned& owned) { return owned.check_expected_slot(lock, slot); });
  }

  Ownership ownership{true};
};

TEST_F(MovingOwnership, AFreezeRefusesChangesThenReadsAndEndsByThaw) {
  must(ownership.freeze(5, must(parse_slots("10-12")), false));
  EXPECT_EQ(ownership.frozen_by(), 5U);
  EXPECT_TRUE(fails(may(11, Use::kChanges), kRefused, "slot 11 is leaving the server 'a:1'"));
  must(may(11, Use::kReads));
  must(may(13, Use::kChanges));
  must(ownership.freeze(5, must(parse_slots("10-12")), true));
  EXPECT_TRUE(fails(may(11, Use::kReads), kRefused, "is leaving"));
  must(may(9, Use::kReads));
  ownership.thaw(4, SlotSet().set());
  EXPECT_EQ(ownership.frozen_by(), 5U);
  EXPECT_TRUE(fails(ownership.wait_for_thaw(std::chrono::milliseconds(5)), StatusCode::kBusy));
  ownership.thaw(5, SlotSet().set());
  EXPECT_EQ(ownership.frozen_by(), 0U);
  must(may(11, Use::kChanges));
  must(ownership.wait_for_thaw(std::chrono::milliseconds(0)));
}

TEST_F(MovingOwnership, OnlyAPlacementThatTakesTheSlotsAwayEndsAFreezeBeside) {
  must(ownership.freeze(5, must(parse_slots("98-99")), true));
  must(ownership.set(placement_below(2, 100), kOwner));
  EXPECT_TRUE(fails(may(99, Use::kReads), kRefused, "is leaving"));
  must(ownership.set(placement_below(3, 99), kOwner));
  EXPECT_EQ(ownership.frozen_by(), 5U);
  EXPECT_TRUE(fails(may(99, Use::kReads), kRefused, "is not that of"));
  must(ownership.set(placement_below(4, 98), kOwner));
  EXPECT_EQ(ownership.frozen_by(), 0U);
}

TEST_F(MovingOwnership, AnEarlierMoverIsRefusedAndALaterOneWaitsForTheThaw) {
  must(ownership.freeze(5, must(parse_slots("1")), false));
  EXPECT_TRUE(
      fails(ownership.freeze(4, must(parse_slots("2")), false), StatusCode::kConflict, "5"));
  EXPECT_TRUE(fails(ownership.expect(4, must(parse_slots("200"))), StatusCode::kConflict, "5"));
  EXPECT_TRUE(fails(ownership.freeze(6, must(parse_slots("2")), false), StatusCode::kBusy, "5"));
  EXPECT_TRUE(fails(ownership.freeze(0, must(parse_slots("2")), false),
                    StatusCode::kInvalidArgument, "lock"));
  ownership.thaw(5, SlotSet().set());
  must(ownership.freeze(6, must(parse_slots("2")), false));
}

// Its server may not have heard of the placement that gave the first group away.
TEST_F(MovingOwnership, AGroupStaysClosedWhileTheNextIsFrozenAndThawed) {
  must(ownership.freeze(5, must(parse_slots("1-2")), true));
  must(ownership.freeze(5, must(parse_slots("3-4")), false));
  must(may(3, Use::kReads));
  EXPECT_TRUE(fails(may(1, Use::kReads), kRefused, "is leaving"));
  ownership.thaw(5, must(parse_slots("3-4")));
  must(may(3, Use::kChanges));
  EXPECT_TRUE(fails(may(1, Use::kReads), kRefused, "is leaving"));
  EXPECT_EQ(ownership.frozen_by(), 5U);
}

TEST_F(MovingOwnership, OnlySlotsOfItsOwnAreFrozenAndOnlyOthersExpected) {
  EXPECT_TRUE(fails(ownership.freeze(5, must(parse_slots("99-100")), false), kRefused, "100"));
  EXPECT_TRUE(fails(ownership.expect(5, must(parse_slots("99-100"))), StatusCode::kConflict));
  must(ownership.expect(5, must(parse_slots("100-101"))));
  must(expected(5, 100));
  EXPECT_TRUE(fails(expected(4, 100), kRefused, "mover 4"));
  EXPECT_TRUE(fails(expected(5, 102), kRefused, "slot 102"));
  EXPECT_TRUE(fails(expected(0, 100), kRefused));
  EXPECT_TRUE(fails(may(100, Use::kReads), kRefused));
  must(ownership.set(placement_below(2, 101), kOwner));
  must(may(100, Use::kChanges));
  EXPECT_TRUE(fails(expected(5, 100), kRefused));
  must(expected(5, 101));
  Ownership alone(false);
  EXPECT_TRUE(fails(alone.freeze(5, must(parse_slots("1")), false), kRefused));
  EXPECT_TRUE(fails(alone.expect(5, must(parse_slots("1"))), StatusCode::kConflict));
}

TEST_F(MovingOwnership, WhatHasLeftIsGivenOnceAndByItsEpoch) {
  EXPECT_EQ(to_text(ownership.take_left(1)), "100-16383");
  must(ownership.set(placement_below(2, 90), kOwner));
  EXPECT_EQ(to_text(ownership.take_left(1)), "");
  must(ownership.set(placement_below(3, 95), kOwner));
  EXPECT_EQ(to_text(ownership.take_left(3)), "95-99");
  EXPECT_EQ(to_text(ownership.take_left(3)), "");
}

TEST_F(MovingOwnership, AFreezeWaitsForTheChangesBeforeIt) {
  std::atomic<bool> begun{false};
  std::atomic<bool> ended{false};
  std::thread change([&] {
    must(ownership.hold([&](const Owned&) -> Status {
      begun = true;
      std::this_thread::sleep_for(std::chrono::milliseconds(30));
      ended = true;
      return {};
    }));
  });
  while (!begun) std::this_thread::yield();
  must(ownership.freeze(5, must(parse_slots("1")), false));
  EXPECT_TRUE(ended);
  change.join();
}

}  // namespace
}  // namespace hotrow::test
