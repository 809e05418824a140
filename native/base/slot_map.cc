#include "base/slot_map.h"

#include <algorithm>
#include <array>
#include <charconv>
#include <cmath>
#include <nlohmann/json.hpp>
#include <set>
#include <utility>

#include "base/hex.h"
#include "hotrow/placement.h"

namespace hotrow {

namespace {

using Json = nlohmann::json;

constexpr int kDigitsASlot = 3;
constexpr int kDigestDigits = 16;
constexpr size_t kMostTextBytes = size_t{1} << 20;

Status wrong(const std::string& what) { return Status::invalid_argument("placement: " + what); }

std::string hex_of(const std::vector<uint16_t>& slots) {
  std::string text;
  text.reserve(slots.size() * kDigitsASlot);
  for (const uint16_t server : slots) append_hex(text, server, kDigitsASlot);
  return text;
}

Result<std::vector<uint16_t>> slots_of(const std::string& text) {
  if (text.size() != size_t{kSlots} * kDigitsASlot) {
    return wrong("slots: expected " + std::to_string(kSlots * kDigitsASlot) +
                 " hexadecimal digits, received " + std::to_string(text.size()));
  }
  std::vector<uint16_t> slots(kSlots);
  for (uint32_t slot = 0; slot < kSlots; ++slot) {
    uint32_t server = 0;
    for (int i = 0; i < kDigitsASlot; ++i) {
      const int digit = hex_digit(text[slot * kDigitsASlot + static_cast<uint32_t>(i)]);
      if (digit < 0) return wrong("slots: no hexadecimal digits at slot " + std::to_string(slot));
      server = server * 16 + static_cast<uint32_t>(digit);
    }
    slots[slot] = static_cast<uint16_t>(server);
  }
  return slots;
}

std::string digest_text(uint64_t digest) {
  std::string text;
  append_hex(text, digest, kDigestDigits);
  return text;
}

// What a server draws for a slot.
uint64_t draw(uint64_t name, uint32_t slot) { return mix64(name ^ mix64(uint64_t{slot} + 1)); }

template <class Score>
std::vector<uint16_t> highest(std::span<const std::string> servers, const Score& score) {
  std::vector<uint64_t> names;
  for (const std::string& server : servers) names.push_back(xxh3(server));
  std::vector<uint16_t> slots(kSlots);
  for (uint32_t slot = 0; slot < kSlots; ++slot) {
    auto best = score(0, draw(names[0], slot));
    for (size_t i = 1; i < names.size(); ++i) {
      const auto its = score(i, draw(names[i], slot));
      if (its <= best) continue;
      best = its;
      slots[slot] = static_cast<uint16_t>(i);
    }
  }
  return slots;
}

bool is_name(const std::string& name) {
  const auto printable = [](char c) { return c > ' ' && c <= '~'; };
  const size_t colon = name.rfind(':');
  if (colon == std::string::npos || colon == 0 || name.size() > kMostServerNameBytes) return false;
  uint16_t port = 0;
  const char* const end = name.data() + name.size();
  const auto read = std::from_chars(name.data() + colon + 1, end, port);
  return read.ec == std::errc() && read.ptr == end && port != 0 &&
         std::all_of(name.begin(), name.end(), printable);
}

}  // namespace

std::vector<uint16_t> rendezvous(std::span<const std::string> servers) {
  return highest(servers, [](size_t, uint64_t drawn) { return drawn; });
}

Result<std::vector<uint16_t>> rendezvous(std::span<const std::string> servers,
                                         std::span<const double> weights) {
  if (servers.empty() || weights.size() != servers.size()) {
    return wrong("weights: expected one a server, received " + std::to_string(weights.size()) +
                 " for " + std::to_string(servers.size()));
  }
  for (size_t i = 0; i < weights.size(); ++i) {
    if (weights[i] >= 0 && weights[i] <= kMostWeight) continue;
    return wrong("weights: expected from 0 to 1000000, received " + std::to_string(weights[i]) +
                 " of '" + servers[i] + "'");
  }
  const double most = *std::max_element(weights.begin(), weights.end());
  if (most == 0) return wrong("weights: every server has 0");
  if (most == *std::min_element(weights.begin(), weights.end())) return rendezvous(servers);
  return highest(servers, [&](size_t i, uint64_t drawn) {
    // In (0, 1), by the draw's upper 53 bits.
    const double u = (static_cast<double>(drawn >> 11) + 0.5) * 0x1p-53;
    return weights[i] == 0 ? -1.0 : -weights[i] / std::log(u);
  });
}

Status SlotMap::validate() const {
  if (epoch == 0) return wrong("epoch: expected from 1 to 4294967295, received 0");
  if (servers.empty()) return wrong("servers: expected some, received none");
  if (servers.size() > kMostServers) {
    return wrong("servers: expected at most 1024, received " + std::to_string(servers.size()));
  }
  std::set<std::string_view> seen;
  for (const std::string& server : servers) {
    if (!is_name(server)) {
      return wrong(
          "servers: expected HOST:PORT, at most 255 printable characters, port 1 to 65535");
    }
    if (!seen.insert(server).second) return wrong("servers: '" + server + "' appears twice");
  }
  if (slots.size() != kSlots) {
    return wrong("slots: expected 16384, received " + std::to_string(slots.size()));
  }
  for (uint32_t slot = 0; slot < kSlots; ++slot) {
    if (slots[slot] < servers.size()) continue;
    return wrong("slots: slot " + std::to_string(slot) + " is with server " +
                 std::to_string(slots[slot]) + ", of which there are " +
                 std::to_string(servers.size()));
  }
  return {};
}

uint64_t SlotMap::digest() const {
  Xxh3 sum;
  sum.add(std::to_string(epoch));
  for (const std::string& server : servers) sum.add("\n" + server);
  sum.add("\n" + hex_of(slots));
  return sum.value();
}

std::string SlotMap::to_text() const {
  const Json json{{"epoch", epoch},
                  {"servers", servers},
                  {"slots", hex_of(slots)},
                  {"digest", digest_text(digest())}};
  return json.dump();
}

Result<SlotMap> SlotMap::parse(std::string_view text) {
  if (text.size() > kMostTextBytes) return wrong("expected at most 1 MiB of text");
  const Json json = Json::parse(text, nullptr, false);
  if (!json.is_object()) return wrong("expected a JSON object");
  const auto field = [&](const char* name) {
    const auto found = json.find(name);
    return found == json.end() ? Json() : *found;
  };
  const Json epoch = field("epoch");
  const Json servers = field("servers");
  const Json slots = field("slots");
  const Json digest = field("digest");
  if (!epoch.is_number_unsigned() || epoch.get<uint64_t>() > UINT32_MAX) {
    return wrong("epoch: expected an integer from 1 to 4294967295");
  }
  if (!servers.is_array()) return wrong("servers: expected an array of strings");
  if (!slots.is_string()) return wrong("slots: expected a string");
  if (!digest.is_string()) return wrong("digest: expected a string");
  SlotMap map{.epoch = epoch.get<uint32_t>(), .servers = {}, .slots = {}};
  for (const Json& server : servers) {
    if (!server.is_string()) return wrong("servers: expected an array of strings");
    map.servers.push_back(server.get<std::string>());
  }
  auto read = slots_of(slots.get_ref<const std::string&>());
  if (!read.ok()) return read.status();
  map.slots = std::move(read).value();
  HOTROW_RETURN_IF_ERROR(map.validate());
  if (digest_text(map.digest()) != digest.get_ref<const std::string&>()) {
    return wrong("digest: it is not that of this map");
  }
  return map;
}

Result<std::string> make_placement(uint32_t epoch, std::span<const std::string> servers,
                                   std::span<const double> weights) {
  auto slots = rendezvous(servers, weights);
  if (!slots.ok()) return slots.status();
  const SlotMap map{.epoch = epoch,
                    .servers = {servers.begin(), servers.end()},
                    .slots = std::move(slots).value()};
  HOTROW_RETURN_IF_ERROR(map.validate());
  return map.to_text();
}

Result<std::string> make_placement(uint32_t epoch, std::span<const std::string> servers,
                                   std::span<const uint16_t> slots) {
  const SlotMap map{.epoch = epoch,
                    .servers = {servers.begin(), servers.end()},
                    .slots = {slots.begin(), slots.end()}};
  HOTROW_RETURN_IF_ERROR(map.validate());
  return map.to_text();
}

Result<PlacementInfo> read_placement(std::string_view text) {
  auto map = SlotMap::parse(text);
  if (!map.ok()) return map.status();
  PlacementInfo info{.epoch = map.value().epoch,
                     .servers = map.value().servers,
                     .slot_counts = {},
                     .slots = map.value().slots};
  info.slot_counts.resize(info.servers.size());
  for (const uint16_t server : map.value().slots) ++info.slot_counts[server];
  return info;
}

}  // namespace hotrow
