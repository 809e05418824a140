// Makes the Nth allocation of a thread fail, and knows the largest one.
#ifndef HOTROW_TEST_SUPPORT_FAILING_NEW_H_
#define HOTROW_TEST_SUPPORT_FAILING_NEW_H_

#include <cstdint>

namespace hotrow::test {

/// While it lives, the allocation of this thread that has `nth` others before it throws
/// std::bad_alloc; those before and after succeed.
class FailingAllocation {
 public:
  explicit FailingAllocation(uint64_t nth);
  ~FailingAllocation();
  FailingAllocation(const FailingAllocation&) = delete;
  FailingAllocation& operator=(const FailingAllocation&) = delete;

  /// Has it failed?
  static bool fired();

 protected:
  FailingAllocation(uint64_t nth, bool ours);
};

/// As FailingAllocation, but an allocation with RocksDB's code among its callers succeeds: that
/// library is not written to survive its failure.
class OurFailingAllocation : public FailingAllocation {
 public:
  explicit OurFailingAllocation(uint64_t nth) : FailingAllocation(nth, true) {}
};

/// Bytes of the largest allocation of any thread since the reset.
uint64_t largest_allocation();
void reset_largest_allocation();

}  // namespace hotrow::test

#endif  // HOTROW_TEST_SUPPORT_FAILING_NEW_H_
