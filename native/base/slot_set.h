// SlotSet: some of the slots of a placement, and their text: "0-5,9,12-13".
//
// Pure functions and values.
#ifndef HOTROW_BASE_SLOT_SET_H_
#define HOTROW_BASE_SLOT_SET_H_

#include <bitset>
#include <optional>
#include <string>
#include <string_view>

#include "base/slot_map.h"

namespace hotrow {

using SlotSet = std::bitset<kSlots>;

/// The first hash that a key of the slot can have.
constexpr uint64_t first_hash(uint32_t slot) { return uint64_t{slot} << (64 - kSlotBits); }
constexpr uint32_t slot_of_hash(uint64_t hash) {
  return static_cast<uint32_t>(hash >> (64 - kSlotBits));
}

/// The first of them from `slot` on.
std::optional<uint32_t> next_slot(const SlotSet& slots, uint32_t slot);

/// Ranges that rise and do not touch, by which every set has one text; of none "".
std::string to_text(const SlotSet& slots);
/// ERR_INVALID_ARGUMENT unless the text is one or more slots and ranges of slots, in any order.
Result<SlotSet> parse_slots(std::string_view text);

}  // namespace hotrow

#endif  // HOTROW_BASE_SLOT_SET_H_
