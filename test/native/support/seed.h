// The seed of a random test: another one each time, printed when the test fails and taken from
// HOTROW_SEED to repeat it.
#ifndef HOTROW_TEST_SUPPORT_SEED_H_
#define HOTROW_TEST_SUPPORT_SEED_H_

#include <unistd.h>

#include <chrono>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <string>

namespace hotrow::test {

/// Prints it with the command that runs the test `filter` again.
inline uint64_t test_seed(const char* filter) {
  const char* const text = std::getenv("HOTROW_SEED");
  const auto now = std::chrono::steady_clock::now().time_since_epoch().count();
  const uint64_t seed =
      text != nullptr
          ? std::strtoull(text, nullptr, 10)
          : (static_cast<uint64_t>(now) ^ static_cast<uint64_t>(::getpid()) << 20) % 1'000'000'000;
  std::printf("HOTROW_SEED=%llu build/hotrow_tests --gtest_filter=%s\n",
              static_cast<unsigned long long>(seed), filter);
  return seed;
}

}  // namespace hotrow::test

#endif  // HOTROW_TEST_SUPPORT_SEED_H_
