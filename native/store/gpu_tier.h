// GpuTier: the device of one store, and which of its tables have rows there.
//
// Threads: any. Its mutex comes after the store's and before that of a DeviceTable.
#ifndef HOTROW_STORE_GPU_TIER_H_
#define HOTROW_STORE_GPU_TIER_H_

#include <memory>
#include <string>
#include <vector>

#include "base/sync.h"
#include "store/device_table.h"
#include "store/tier_library.h"

namespace hotrow {

class GpuTier {
 public:
  /// Looks for the device, which may take seconds the first time; where there is none every table
  /// stays on the CPU.
  explicit GpuTier(const GpuOptions& options)
      : options_(options), library_(tier_library(options.device)) {}
  GpuTier(const GpuTier&) = delete;
  GpuTier& operator=(const GpuTier&) = delete;

  /// Puts a table, which nobody has used yet, on the device, with a share as TableOptions::gpu
  /// says. Where that cannot be, its figures say why.
  void add(const std::shared_ptr<SparseTable>& table, float share) HOTROW_EXCLUDES(mutex_);
  /// After the table was closed.
  void remove(const SparseTable* table) HOTROW_EXCLUDES(mutex_);
  /// What stands in front of the table, or null.
  std::shared_ptr<DeviceTable> in_front_of(const SparseTable* table) const HOTROW_EXCLUDES(mutex_);
  std::vector<std::shared_ptr<DeviceTable>> all() const HOTROW_EXCLUDES(mutex_);
  /// While calls are kept out: the tables go to another version.
  void forget() const;

  GpuStats stats() const HOTROW_EXCLUDES(mutex_);

 private:
  struct Entry {
    std::shared_ptr<SparseTable> table;
    std::shared_ptr<DeviceTable> front;  // or null
    std::string reason;                  // why there is none
    uint64_t bytes = 0;
  };

  Entry place(const std::shared_ptr<SparseTable>& table, float share) const HOTROW_REQUIRES(mutex_);

  const GpuOptions options_;
  const TierLibrary library_;
  mutable Mutex mutex_;
  std::vector<Entry> entries_ HOTROW_GUARDED_BY(mutex_);
  uint64_t given_ HOTROW_GUARDED_BY(mutex_) = 0;  // bytes
};

}  // namespace hotrow

#endif  // HOTROW_STORE_GPU_TIER_H_
