// The mixing of keys and seeds. Pure functions, fixed for ever: rows, slots and initial values
// depend on them on every machine.
#ifndef HOTROW_BASE_HASH_H_
#define HOTROW_BASE_HASH_H_

#include <cstdint>
#include <string_view>

namespace hotrow {

/// A bijection of the 64-bit integers that spreads every input bit over the output: the finalizer
/// of splitmix64 (Steele, Lea, Flood 2014; constants by Stafford, variant 13). Distinct keys have
/// distinct hashes.
constexpr uint64_t mix64(uint64_t x) {
  x = (x ^ (x >> 30)) * 0xbf58476d1ce4e5b9U;
  x = (x ^ (x >> 27)) * 0x94d049bb133111ebU;
  return x ^ (x >> 31);
}

/// The high 64 bits of a 128-bit product: maps a hash to [0, n) in the hash's own order.
constexpr uint64_t multiply_high(uint64_t a, uint64_t b) {
  return static_cast<uint64_t>((static_cast<unsigned __int128>(a) * b) >> 64);
}

/// The default seed of a table or dense parameter: XXH64 of its name, never 0.
uint64_t seed_of_name(std::string_view name);

}  // namespace hotrow

#endif  // HOTROW_BASE_HASH_H_
