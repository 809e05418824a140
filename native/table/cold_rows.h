// ColdRows: rows of a table that are not in memory, the seam to a colder tier.
//
// While a table is cold, its rows are those in memory, and those out there of keys that are neither
// in memory nor were removed since. Lookups read what they miss; calls that change rows bring
// theirs into memory first; somebody brings all of them (SparseTable::fill), and then the table is
// warm.
#ifndef HOTROW_TABLE_COLD_ROWS_H_
#define HOTROW_TABLE_COLD_ROWS_H_

#include <cstdint>
#include <span>

#include "hotrow/status.h"
#include "table/changes.h"

namespace hotrow {

class ColdRows {
 public:
  virtual ~ColdRows() = default;
  /// Appends the rows that there are of these hashes, in any order. From any thread.
  virtual Status read(std::span<const uint64_t> hashes, RowImages& images) = 0;
};

}  // namespace hotrow

#endif  // HOTROW_TABLE_COLD_ROWS_H_
