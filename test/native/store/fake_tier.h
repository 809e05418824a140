// A device that is none: TierApi over plain maps, the model of what a real one does. Small, so that
// rows go all the time, and told to fail when a test wants that.
#ifndef HOTROW_TEST_STORE_FAKE_TIER_H_
#define HOTROW_TEST_STORE_FAKE_TIER_H_

#include <atomic>
#include <cstdint>
#include <functional>
#include <string>

#include "store/tier.h"

namespace hotrow::test {

/// How fake caches made from now on are, and what they are told. One test at a time.
struct FakeTier {
  uint64_t buckets = 8;
  uint64_t ways = 4;
  /// Calls that work before every call fails; the first to fail is number `fails_after` + 1.
  uint64_t fails_after = UINT64_MAX;
  /// Inserts that find no memory: every so many; 0: none.
  uint64_t no_memory_every = 0;
  /// What `describe` says instead of a device; empty: it describes one.
  std::string no_device;
  /// Outputs with more have no room.
  uint64_t most_output_rows = UINT64_MAX;
  /// Called by every `find`, when it has its answer.
  std::function<void()> on_find;

  std::atomic<uint64_t> calls{0};
  std::atomic<uint64_t> inserts{0};
  /// Calls that met another one where tier.h allows none.
  std::atomic<uint64_t> collisions{0};
  std::atomic<uint64_t> alive{0};  // caches
  std::atomic<uint64_t> outputs{0};

  /// The one there is.
  static FakeTier& instance();
  static const TierApi& api();
};

/// What stores find instead of a GPU library, for as long as this lives.
class FakeDevice {
 public:
  FakeDevice();
  ~FakeDevice();
  FakeDevice(const FakeDevice&) = delete;
  FakeDevice& operator=(const FakeDevice&) = delete;
  FakeTier* operator->() const { return &FakeTier::instance(); }
};

}  // namespace hotrow::test

#endif  // HOTROW_TEST_STORE_FAKE_TIER_H_
