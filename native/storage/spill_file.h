// SpillFile: rows of one size in a file without a name, gone with the process.
//
// For rows that left memory before a version has them. A slot is a row and a check of it and its
// hash, native byte order: nobody else ever reads the file. It loses its name right after it is
// made; what a process that died in between has left is removed when its store is opened next.
//
// Threads: read() from any thread, of slots that nobody frees meanwhile; the rest by one at a time.
#ifndef HOTROW_STORAGE_SPILL_FILE_H_
#define HOTROW_STORAGE_SPILL_FILE_H_

#include <rocksdb/file_system.h>

#include <cstddef>
#include <cstdint>
#include <memory>
#include <span>
#include <string>
#include <vector>

#include "hotrow/status.h"

namespace hotrow {

class SpillFile {
 public:
  /// In this folder, once there is a row.
  SpillFile(std::string folder, size_t row_bytes);
  SpillFile(const SpillFile&) = delete;
  SpillFile& operator=(const SpillFile&) = delete;

  /// Writes rows one after the other and appends their slots. ERR_DISK_FULL, ERR_IO_ERROR; no slot
  /// is taken then.
  Status write(std::span<const uint64_t> hashes, const std::byte* rows,
               std::vector<uint32_t>& slots);
  /// Copies a row. ERR_CORRUPTION when it is not what was written.
  Status read(uint32_t slot, uint64_t hash, std::byte* row) const;
  void free(std::span<const uint32_t> slots);

  static constexpr uint64_t kMostSlots = UINT32_MAX;

  /// Removes files of a process that died. For who has the store's lock.
  static void remove_left(const std::string& folder);

  uint64_t bytes() const { return end_ * slot_bytes_; }

 private:
  Status open();
  Status write_run(const std::byte* bytes, uint32_t slot, size_t slots);
  Status status(const rocksdb::IOStatus& result) const;

  const std::string folder_;
  const size_t row_bytes_;
  const size_t slot_bytes_;
  std::unique_ptr<rocksdb::FSRandomRWFile> file_;  // null: there are no slots
  uint64_t end_ = 0;                               // slots of the file
  std::vector<uint32_t> free_;  // of them, in falling order where many were freed at once
};

}  // namespace hotrow

#endif  // HOTROW_STORAGE_SPILL_FILE_H_
