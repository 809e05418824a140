// Deltas: what one version changed, as a folder of sorted files and a description
// (docs/FORMATS.md). The same files became part of the store that wrote them, and become part of
// any other that is at the delta's parent.
#ifndef HOTROW_STORAGE_DELTA_H_
#define HOTROW_STORAGE_DELTA_H_

#include <cstddef>
#include <cstdint>
#include <functional>
#include <span>
#include <string>
#include <vector>

#include "hotrow/options.h"
#include "hotrow/status.h"

namespace hotrow {

/// A table's number on disk; 0 is that of the manifest.
using TableId = uint32_t;

struct DeltaFile {
  TableId table = 0;
  std::string name;
  uint64_t bytes = 0;
  /// Of a sorted file, the rows it puts; of a list of keys that are gone, 0.
  uint64_t rows = 0;
  uint64_t tombstones = 0;  // hashes in a list
  std::string checksum;     // crc32c, eight hexadecimal digits
};

struct Delta {
  std::string run;  // the store whose versions these are
  uint64_t version = 0;
  uint64_t parent = 0;
  std::string manifest;
  std::vector<TableId> dropped;
  std::vector<DeltaFile> files;  // of one table, a later one replaces what an earlier one says

  uint64_t bytes() const;
  /// Writes the description beside the files.
  Status write(const std::string& folder, SyncMode sync = SyncMode::kDisk) const;
  /// Reads a description. ERR_NOT_FOUND when there is none, ERR_CORRUPTION when it is damaged.
  static Result<Delta> read(const std::string& folder);
  /// Are all files there, as long as they were, with the bytes they had? ERR_CORRUPTION names the
  /// first that is not.
  Status verify(const std::string& folder) const;

  /// Calls visit for every entry of the files, file by file, in rising order of hashes within each;
  /// no row: the key is gone. Until it fails.
  using Visit =
      std::function<Status(TableId table, uint64_t hash, const std::span<const std::byte>* row)>;
  Status each(const std::string& folder, const Visit& visit) const;
};

/// Writes a list of keys that are gone: their hashes, little-endian.
Status write_gone(const std::string& path, std::span<const uint64_t> hashes,
                  SyncMode sync = SyncMode::kDisk);
Result<std::vector<uint64_t>> read_gone(const std::string& path);

}  // namespace hotrow

#endif  // HOTROW_STORAGE_DELTA_H_
