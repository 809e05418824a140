// What a version says of itself, and its form on disk: one JSON object (docs/FORMATS.md).
#ifndef HOTROW_STORE_MANIFEST_H_
#define HOTROW_STORE_MANIFEST_H_

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "hotrow/options.h"
#include "hotrow/status.h"
#include "hotrow/store.h"
#include "storage/delta.h"

namespace hotrow {

/// All dense parameters lie in one table on disk, in chunks.
inline constexpr TableId kDenseTable = 1;
inline constexpr TableId kFirstTable = 2;
inline constexpr uint64_t kDenseChunkBytes = uint64_t{1} << 20;

/// The place of a hash for a chunk.
inline uint64_t dense_key(uint32_t id, uint64_t chunk) { return uint64_t{id} << 32 | chunk; }

struct StoredTable {
  TableId id = 0;
  std::string name;
  TableOptions options;
  uint64_t steps = 0;  // pushes applied
  uint64_t rows = 0;
};

struct StoredDense {
  uint32_t id = 0;
  std::string name;
  DenseOptions options;
  uint64_t steps = 0;
};
struct Manifest {
  std::string run;       // the store that makes these versions: 32 hexadecimal digits
  uint64_t version = 0;  // 0: nothing was committed yet
  uint64_t parent = 0;
  uint64_t time_ms = 0;  // since 1970
  std::string cursor;
  uint64_t rolled_back_to = 0;  // the version whose rows it has, when rollback() made it
  ClusterPart cluster;
  TableId next_table = kFirstTable;
  uint32_t next_dense = 0;
  std::vector<StoredTable> tables;
  std::vector<StoredDense> dense;

  uint64_t rows() const;
  VersionInfo info() const;
  /// What its delta says of it, but for the files.
  Delta delta() const;
  /// Becomes that of a version just made: tables and dense parameters stay, some are newer.
  void adopt(const Manifest& made);

  std::string to_text() const;
  /// ERR_CORRUPTION when the text is no manifest. Empty text is that of no version.
  static Result<Manifest> parse(std::string_view text);
};

}  // namespace hotrow

#endif  // HOTROW_STORE_MANIFEST_H_
