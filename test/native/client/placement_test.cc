// Placement: every client places every key alike, evenly, and one server more moves little.
#include "client/placement.h"

#include <gtest/gtest.h>

#include <string>
#include <vector>

#include "support/random.h"

namespace hotrow::test {
namespace {

using client::kSlots;
using client::Placement;

std::vector<std::string> servers(size_t n) {
  std::vector<std::string> names;
  for (size_t i = 0; i < n; ++i) names.push_back("ps-" + std::to_string(i) + ":7070");
  return names;
}

TEST(Placement, DoesNotDependOnTheOrderOfTheServers) {
  const std::vector<std::string> names = servers(5);
  const std::vector<std::string> turned(names.rbegin(), names.rend());
  const Placement a(names);
  const Placement b(turned);
  for (uint32_t slot = 0; slot < kSlots; ++slot) {
    ASSERT_EQ(names[a.server_of_slot(slot)], turned[b.server_of_slot(slot)]);
  }
}

TEST(Placement, IsEven) {
  for (const size_t n : {2, 3, 10}) {
    const Placement placement(servers(n));
    std::vector<uint32_t> slots(n);
    for (uint32_t slot = 0; slot < kSlots; ++slot) ++slots[placement.server_of_slot(slot)];
    for (const uint32_t count : slots) EXPECT_NEAR(count, kSlots / n, kSlots / n * 0.12);
  }
}

TEST(Placement, OneServerMoreTakesItsShareAndMovesNothingElse) {
  const Placement before(servers(4));
  const Placement after(servers(5));
  uint32_t moved = 0;
  for (uint32_t slot = 0; slot < kSlots; ++slot) {
    if (before.server_of_slot(slot) == after.server_of_slot(slot)) continue;
    EXPECT_EQ(after.server_of_slot(slot), 4U);
    ++moved;
  }
  EXPECT_NEAR(moved, kSlots / 5, kSlots / 5 * 0.12);
}

TEST(Placement, ASlotIsTheUpperBitsOfTheKeysHash) {
  Random random(1);
  const Placement placement(servers(3));
  for (int i = 0; i < 1000; ++i) {
    const uint64_t key = random.next();
    EXPECT_EQ(client::placement_slot(key), mix64(key) >> 50);
    EXPECT_EQ(placement.server_of(key), placement.server_of_slot(client::placement_slot(key)));
  }
}

}  // namespace
}  // namespace hotrow::test
