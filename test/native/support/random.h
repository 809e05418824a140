// The tests' random numbers: the same sequence for the same seed on every machine, so that a
// failure is repeated by its seed. Not the core's generator: a test must not share its mistakes.
#ifndef HOTROW_TEST_SUPPORT_RANDOM_H_
#define HOTROW_TEST_SUPPORT_RANDOM_H_

#include <bit>
#include <cstdint>
#include <vector>

namespace hotrow::test {

/// xoshiro256++ (Blackman, Vigna 2019), seeded by repeated multiplication.
class Random {
 public:
  explicit Random(uint64_t seed) {
    uint64_t x = seed * 2 + 1;
    for (uint64_t& word : state_) word = x = x * 0xd1342543de82ef95U + 0x2545f4914f6cdd1dU;
    for (int i = 0; i < 16; ++i) next();
  }

  uint64_t next() {
    const uint64_t result = std::rotl(state_[0] + state_[3], 23) + state_[0];
    const uint64_t shifted = state_[1] << 17;
    state_[2] ^= state_[0];
    state_[3] ^= state_[1];
    state_[1] ^= state_[2];
    state_[0] ^= state_[3];
    state_[2] ^= shifted;
    state_[3] = std::rotl(state_[3], 45);
    return result;
  }
  /// 0 to n - 1.
  uint64_t below(uint64_t n) {
    return static_cast<uint64_t>((static_cast<unsigned __int128>(next()) * n) >> 64);
  }
  uint64_t between(uint64_t low, uint64_t high) { return low + below(high - low + 1); }
  bool one_in(uint64_t n) { return below(n) == 0; }
  /// From `low` to `high`, with all 24 bits of an f32.
  float real(float low = -1.0F, float high = 1.0F) {
    return low + (high - low) * (static_cast<float>(next() >> 40) * 0x1.0p-24F);
  }

  std::vector<float> reals(size_t n, float low = -1.0F, float high = 1.0F) {
    std::vector<float> values(n);
    for (float& value : values) value = real(low, high);
    return values;
  }
  std::vector<uint64_t> keys(size_t n, uint64_t universe) {
    std::vector<uint64_t> values(n);
    for (uint64_t& value : values) value = below(universe);
    return values;
  }

 private:
  uint64_t state_[4];
};

}  // namespace hotrow::test

#endif  // HOTROW_TEST_SUPPORT_RANDOM_H_
