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

/// The inverse of an odd number modulo 2^64: Newton's iteration doubles the right bits.
constexpr uint64_t inverse_of_odd(uint64_t odd) {
  uint64_t x = odd;
  for (int i = 0; i < 6; ++i) x *= 2 - odd * x;
  return x;
}

/// Undoes x ^= x >> shift.
constexpr uint64_t undo_shift(uint64_t x, unsigned shift) {
  uint64_t result = x;
  for (unsigned known = shift; known < 64; known += shift) result = x ^ (result >> shift);
  return result;
}

/// The key whose mix64 is `hash`.
constexpr uint64_t unmix64(uint64_t hash) {
  uint64_t x = undo_shift(hash, 31);
  x = undo_shift(x * inverse_of_odd(0x94d049bb133111ebU), 27);
  return undo_shift(x * inverse_of_odd(0xbf58476d1ce4e5b9U), 30);
}

/// The high 64 bits of a 128-bit product: maps a hash to [0, n) in the hash's own order.
constexpr uint64_t multiply_high(uint64_t a, uint64_t b) {
  return static_cast<uint64_t>((static_cast<unsigned __int128>(a) * b) >> 64);
}

/// The default seed of a table or dense parameter: XXH64 of its name, never 0.
uint64_t seed_of_name(std::string_view name);

/// XXH3 of some bytes.
uint64_t xxh3(std::string_view bytes);

/// XXH3 of bytes that come in pieces.
class Xxh3 {
 public:
  Xxh3();
  void add(std::string_view bytes);
  uint64_t value() const;

 private:
  // XXH3_state_t, which is nobody else's to include.
  alignas(64) unsigned char state_[576];
};

}  // namespace hotrow

#endif  // HOTROW_BASE_HASH_H_
