// Stores with a device in front and without.
#ifndef HOTROW_TEST_STORE_DEVICE_STORES_H_
#define HOTROW_TEST_STORE_DEVICE_STORES_H_

#include <stdexcept>
#include <string>

#include "hotrow/store.h"
#include "support/stores.h"

namespace hotrow::test {

inline StoreOptions with_device(GpuPromotion promotion = GpuPromotion::kSecondTouch) {
  return {.memory_bytes = 256 * kMiB,
          .threads = 1,
          .sync = SyncMode::kOs,
          .gpu = {.bytes = 8 * kMiB, .promotion = promotion}};
}
inline StoreOptions without_device() {
  return {.memory_bytes = 256 * kMiB, .threads = 1, .sync = SyncMode::kOs};
}

inline GpuTableStats device_of(Store& store, const std::string& name = "t") {
  const StoreStats stats = stats_of(store);
  for (const GpuTableStats& table : stats.gpu.value().tables) {
    if (table.name == name) return table;
  }
  throw std::runtime_error("no table " + name);
}

}  // namespace hotrow::test

#endif  // HOTROW_TEST_STORE_DEVICE_STORES_H_
