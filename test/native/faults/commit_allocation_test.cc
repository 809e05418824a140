// The Nth allocation of a commit or of opening a store fails: the call says ERR_CAPACITY, nothing
// is lost in memory or on disk, and the next call succeeds (guarantees E1, E4, E5).
//
// Allocations of RocksDB itself are left out: it does not survive their failure.
#include <gtest/gtest.h>

#include "faults/plain_store.h"
#include "support/fast_folder.h"
#include "support/scale.h"
#include "support/seed.h"
#include "support/status.h"

namespace hotrow::test {
namespace {

class FailedAllocationOnDisk : public testing::Test {
 protected:
  FastFolder folder_;
  const std::string path_ = folder_ / "s";
};

TEST_F(FailedAllocationOnDisk, Commit) {
  const uint64_t seed = test_seed("FailedAllocationOnDisk.Commit");
  Random random(seed);
  PlainStore store(seed);
  must(store.open(path_));
  uint64_t failed = 0;
  for (uint64_t calls = 0; failed < scaled(400); ++calls) {
    ASSERT_LT(calls, scaled(100'000));
    store.change();
    // Most allocations of a commit are RocksDB's.
    bool fired = false;
    const uint64_t nth = random.below(1500);
    const Status status = store.commit(nth, fired);
    SCOPED_TRACE("allocation " + std::to_string(nth));
    ASSERT_TRUE(status.ok() || (fired && fails(status, StatusCode::kCapacity))) << describe(status);
    store.compare();
    if (!fired) continue;
    ++failed;
    if (random.one_in(3)) must(store.commit());
    if (random.one_in(10)) must(store.open(path_));
    ASSERT_FALSE(HasFailure());
  }
}

TEST_F(FailedAllocationOnDisk, Open) {
  const uint64_t seed = test_seed("FailedAllocationOnDisk.Open");
  Random random(seed);
  PlainStore store(seed);
  must(store.open(path_));
  for (int i = 0; i < 5; ++i) {
    store.change();
    must(store.commit());
  }
  uint64_t failed = 0;
  for (uint64_t calls = 0; failed < scaled(100); ++calls) {
    ASSERT_LT(calls, scaled(100'000));
    bool fired = false;
    // Ours come at the beginning and at the end.
    const uint64_t nth = random.one_in(2) ? random.below(40) : random.below(4000);
    const Status status = store.open(path_, nth, fired);
    SCOPED_TRACE("allocation " + std::to_string(nth));
    ASSERT_TRUE(status.ok() || (fired && fails(status, StatusCode::kCapacity))) << describe(status);
    if (fired) ++failed;
    ASSERT_FALSE(HasFailure());
  }
  ASSERT_TRUE(ok(store.open(path_)));
}

}  // namespace
}  // namespace hotrow::test
