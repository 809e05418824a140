// What a version says of itself, and its form on disk: one JSON object (docs/FORMATS.md).
#ifndef HOTROW_STORE_MANIFEST_H_
#define HOTROW_STORE_MANIFEST_H_

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "hotrow/options.h"
#include "hotrow/status.h"
#include "storage/engine.h"

namespace hotrow {

/// All dense parameters lie in one table on disk.
inline constexpr TableId kDenseTable = 1;
inline constexpr TableId kFirstTable = 2;

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
  uint64_t version = 0;  // 0: nothing was committed yet
  uint64_t parent = 0;
  uint64_t time_ms = 0;  // since 1970
  std::string cursor;
  TableId next_table = kFirstTable;
  uint32_t next_dense = 0;
  std::vector<StoredTable> tables;
  std::vector<StoredDense> dense;

  std::string to_text() const;
  /// ERR_CORRUPTION when the text is no manifest. Empty text is that of no version.
  static Result<Manifest> parse(std::string_view text);
};

}  // namespace hotrow

#endif  // HOTROW_STORE_MANIFEST_H_
