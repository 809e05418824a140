// Work of lower priority: what it gives and throws comes back, and only its own thread is lowered.
#include "base/background.h"

#include <gtest/gtest.h>
#include <sys/resource.h>

#include <new>
#include <thread>

namespace hotrow {
namespace {

int priority_of_this_thread() { return ::getpriority(PRIO_PROCESS, 0); }

TEST(BehindCalls, GivesWhatTheWorkGives) {
  EXPECT_TRUE(behind_calls([] { return Status(); }).ok());
  EXPECT_EQ(behind_calls([] { return Status::closed("given up"); }).code(), StatusCode::kClosed);
}

TEST(BehindCalls, ThrowsWhatTheWorkThrows) {
  EXPECT_THROW((void)behind_calls([]() -> Status { throw std::bad_alloc(); }), std::bad_alloc);
}

TEST(BehindCalls, LowersThePriorityOfItsOwnThreadOnly) {
  const int before = priority_of_this_thread();
  const std::thread::id caller = std::this_thread::get_id();
  EXPECT_TRUE(behind_calls([&]() -> Status {
                EXPECT_NE(std::this_thread::get_id(), caller);
                EXPECT_GE(priority_of_this_thread(), before);
                EXPECT_GE(priority_of_this_thread(), 10);
                return {};
              }).ok());
  EXPECT_EQ(priority_of_this_thread(), before);
}

}  // namespace
}  // namespace hotrow
