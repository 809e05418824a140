// Threads of a test: all start together, all end before the function returns.
#ifndef HOTROW_TEST_SUPPORT_THREADS_H_
#define HOTROW_TEST_SUPPORT_THREADS_H_

#include <barrier>
#include <cstdint>
#include <thread>
#include <vector>

namespace hotrow::test {

/// Runs work(0) … work(threads - 1) at once and waits for all.
template <class Work>
void in_threads(uint32_t threads, const Work& work) {
  std::barrier start(threads);
  std::vector<std::thread> running;
  for (uint32_t i = 0; i < threads; ++i) {
    running.emplace_back([&, i] {
      start.arrive_and_wait();
      work(i);
    });
  }
  for (std::thread& thread : running) thread.join();
}

}  // namespace hotrow::test

#endif  // HOTROW_TEST_SUPPORT_THREADS_H_
