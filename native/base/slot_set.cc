#include "base/slot_set.h"

#include <algorithm>
#include <charconv>

namespace hotrow {

namespace {

Status not_slots(std::string_view text) {
  constexpr size_t kShown = 64;
  return Status::invalid_argument(
      "slots: expected numbers and ranges from 0 to 16383 as 0-5,9, "
      "received '" +
      std::string(text.substr(0, kShown)) + "'");
}

// The number that the text begins with, which is taken off.
std::optional<uint32_t> take_slot(std::string_view& text) {
  uint32_t slot = 0;
  const auto read = std::from_chars(text.data(), text.data() + text.size(), slot);
  if (read.ec != std::errc() || slot >= kSlots) return std::nullopt;
  text.remove_prefix(static_cast<size_t>(read.ptr - text.data()));
  return slot;
}

}  // namespace

std::optional<uint32_t> next_slot(const SlotSet& slots, uint32_t slot) {
  while (slot < kSlots && !slots[slot]) ++slot;
  if (slot == kSlots) return std::nullopt;
  return slot;
}

std::string to_text(const SlotSet& slots) {
  std::string text;
  for (auto first = next_slot(slots, 0); first; first = next_slot(slots, *first)) {
    uint32_t end = *first + 1;
    while (end < kSlots && slots[end]) ++end;
    if (!text.empty()) text += ',';
    text += std::to_string(*first);
    if (end - *first > 1) text += '-' + std::to_string(end - 1);
    first = end;
  }
  return text;
}

Result<SlotSet> parse_slots(std::string_view text) {
  SlotSet slots;
  for (std::string_view rest = text;;) {
    const auto first = take_slot(rest);
    if (!first) return not_slots(text);
    auto last = first;
    if (rest.starts_with('-')) {
      rest.remove_prefix(1);
      last = take_slot(rest);
    }
    if (!last || *last < *first) return not_slots(text);
    for (uint32_t slot = *first; slot <= *last; ++slot) slots.set(slot);
    if (rest.empty()) return slots;
    if (!rest.starts_with(',')) return not_slots(text);
    rest.remove_prefix(1);
  }
}

}  // namespace hotrow
