// How things become keys. The same bits in every language and on every machine.
#ifndef HOTROW_KEYS_H_
#define HOTROW_KEYS_H_

#include <cstdint>
#include <string_view>

namespace hotrow {

/// Width of the feature part of a slot key; the slot takes the 20 bits above.
inline constexpr uint32_t kFeatureBits = 44;
/// Largest slot.
inline constexpr uint32_t kMaxSlot = (uint32_t{1} << (64 - kFeatureBits)) - 1;

/// The key of some bytes, such as a string in UTF-8: XXH64 with seed 0. About 10 ns for a short
/// string.
uint64_t hash_key(std::string_view bytes);

/// A 20-bit slot over a 44-bit feature: features of different fields share one table without
/// meeting. Higher bits of either are cut off.
constexpr uint64_t slot_key(uint32_t slot, uint64_t feature) {
  return uint64_t{slot} << kFeatureBits | (feature & ((uint64_t{1} << kFeatureBits) - 1));
}

/// The slot of a key: its upper 20 bits, whoever made it.
constexpr uint32_t slot_of(uint64_t key) { return static_cast<uint32_t>(key >> kFeatureBits); }

}  // namespace hotrow

#endif  // HOTROW_KEYS_H_
