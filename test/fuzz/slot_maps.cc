// Placements in text, as they come from etcd: a map that is taken is valid, is written as it was
// read, and no server goes back to an older one.
#include <algorithm>
#include <string>

#include "base/slot_map.h"
#include "server/ownership.h"
#include "test/fuzz/target.h"

namespace hotrow::fuzz {

namespace {

void run_slot_map(std::span<const uint8_t> input) {
  const std::string_view text = text_of(input);
  const auto map = SlotMap::parse(text);
  if (map.ok()) {
    must_hold(map.value().validate().ok(), "a map that is taken is valid");
    const auto again = SlotMap::parse(map.value().to_text());
    must_hold(again.ok() && again.value() == map.value(), "a map is written as it was read");
    must_hold(again.value().digest() == map.value().digest(), "and has the same digest");
  }
  // Lines as a server is told them, one after the other.
  server::Ownership ownership(true);
  uint32_t epoch = 0;
  for (size_t at = 0; at < text.size();) {
    const size_t end = std::min(text.find('\n', at), text.size());
    const Status status = ownership.set(text.substr(at, end - at), "a:1");
    must_hold(ownership.epoch() >= epoch, "a server's epoch does not fall");
    must_hold(status.ok() || ownership.epoch() == epoch, "what is refused changes nothing");
    epoch = ownership.epoch();
    at = end + 1;
  }
}

std::string map_text(uint32_t epoch, std::vector<std::string> servers) {
  SlotMap map{.epoch = epoch, .servers = std::move(servers), .slots = {}};
  map.slots.resize(kSlots);
  // Few ranges, else most of what is changed is numbers.
  for (uint32_t slot = 0; slot < kSlots; ++slot) {
    map.slots[slot] = static_cast<uint16_t>(slot * map.servers.size() / kSlots);
  }
  return map.to_text();
}

std::vector<Input> slot_map_seeds() {
  const std::string one = map_text(1, {"a:1"});
  const std::string two = map_text(2, {"a:1", "b:2"});
  const std::string three = map_text(3, {"b:2", "c:3", "a:1"});
  return {input_of(one), input_of(two), input_of(three), input_of(one + "\n" + two + "\n" + three),
          input_of(three + "\n" + one)};
}

}  // namespace

const Target kSlotMaps{
    .name = "slot-maps", .run = run_slot_map, .seeds = slot_map_seeds, .mutations = 1'000};

}  // namespace hotrow::fuzz
