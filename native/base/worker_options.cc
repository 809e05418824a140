// What makes a worker's options wrong, on both sides of a wire.
#include "base/check.h"
#include "hotrow/sync_worker.h"

namespace hotrow {

Status WorkerOptions::validate() const {
  constexpr size_t kMostNameBytes = 255;
  constexpr uint32_t kLeastLeaseMs = 50;
  constexpr uint32_t kMostLeaseMs = 3'600'000;
  HOTROW_RETURN_IF_ERROR(expect_between(group.size(), "group: its bytes", 1, kMostNameBytes));
  HOTROW_RETURN_IF_ERROR(expect_between(of, "of", 1, kMostGroupWorkers));
  HOTROW_RETURN_IF_ERROR(expect_between(index, "index", 0, of - 1));
  HOTROW_RETURN_IF_ERROR(
      expect_between(staleness, "staleness", 0, mode == ClockMode::kBounded ? kMostStaleness : 0));
  return expect_between(lease_ms, "leaseMs", kLeastLeaseMs, kMostLeaseMs);
}

}  // namespace hotrow
