// Waiting for what another thread or process does.
#ifndef HOTROW_TEST_SUPPORT_COMES_TRUE_H_
#define HOTROW_TEST_SUPPORT_COMES_TRUE_H_

#include <chrono>
#include <thread>

namespace hotrow::test {

/// Waits until `condition()` holds, for half a minute at most.
template <class Condition>
bool comes_true(const Condition& condition) {
  const auto end = std::chrono::steady_clock::now() + std::chrono::seconds(30);
  while (std::chrono::steady_clock::now() < end) {
    if (condition()) return true;
    std::this_thread::sleep_for(std::chrono::milliseconds(5));
  }
  return condition();
}

}  // namespace hotrow::test

#endif  // HOTROW_TEST_SUPPORT_COMES_TRUE_H_
