// Rows that a lookup leaves on the GPU, for whoever goes on there: a model's kernels take them
// where they lie, and nothing crosses the bus twice.
#ifndef HOTROW_DEVICE_ROWS_H_
#define HOTROW_DEVICE_ROWS_H_

#include <cstdint>
#include <memory>
#include <span>

#include "hotrow/batch.h"
#include "hotrow/status.h"
#include "hotrow/store.h"

namespace hotrow {

/// A lookup's output in a device's memory; its own, and nobody writes to it any more. It outlives
/// table and store, and is freed with its last owner: what reads it on a stream has to be done
/// then. Threads: any.
class DeviceRows {
 public:
  virtual ~DeviceRows() = default;

  virtual uint64_t rows() const = 0;
  virtual uint32_t dim() const = 0;
  /// f32 [rows, dim] on device number device(): an address for kernels, not for the host. Null: no
  /// rows. Work that is put on any stream from now on sees them whole.
  virtual const float* data() const = 0;
  virtual uint32_t device() const = 0;
  /// Copies them to host [rows, dim], and returns when they are there.
  virtual Status copy_to(std::span<float> host) const = 0;
};

/// As Table::lookup(), with the rows left on the device; those that it has not come from memory.
/// ERR_UNSUPPORTED when the table has no rows on a GPU, ERR_CAPACITY when the device has no room:
/// the output's memory is not part of the store's gpu.bytes.
Result<std::shared_ptr<DeviceRows>> lookup_on_device(Table& table, KeyBatch keys,
                                                     const LookupOptions& options = {});

}  // namespace hotrow

#endif  // HOTROW_DEVICE_ROWS_H_
