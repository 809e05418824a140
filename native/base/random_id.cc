#include "base/random_id.h"

#include <array>
#include <cstdint>
#include <random>

namespace hotrow {

std::string random_id() {
  constexpr std::array kDigits{'0', '1', '2', '3', '4', '5', '6', '7',
                               '8', '9', 'a', 'b', 'c', 'd', 'e', 'f'};
  std::random_device device;  // the system's own source
  std::string id;
  for (int i = 0; i < 4; ++i) {
    for (uint32_t bits = device(), n = 0; n < 8; ++n, bits >>= 4) id += kDigits[bits & 15];
  }
  return id;
}

}  // namespace hotrow
