// ColdRows: rows of a table that are not in memory, the seam to a colder tier.
//
// While a table is cold, its rows are those in memory, and those out there of keys that are neither
// in memory nor were removed since. Lookups read what they miss; calls that change rows bring
// theirs into memory first; somebody brings all of them (SparseTable::fill), and then the table is
// warm.
//
// A table that demotes its rows (EvictionOptions::demote) is cold for good. What leaves memory for
// want of room and is in the newest version as it is just leaves; what has changed since is
// spilled: kept out there until a version has it, and never longer than the process lives.
#ifndef HOTROW_TABLE_COLD_ROWS_H_
#define HOTROW_TABLE_COLD_ROWS_H_

#include <cstdint>
#include <functional>
#include <optional>
#include <span>
#include <vector>

#include "hotrow/status.h"
#include "table/changes.h"

namespace hotrow {

class ColdRows {
 public:
  virtual ~ColdRows() = default;
  /// Appends the rows that there are of these hashes, in any order. From any thread.
  virtual Status read(std::span<const uint64_t> hashes, RowImages& images) = 0;

  /// Appends hashes of rows from `from` on, in any order and some that are gone too: all before
  /// `next`, which is where to go on after `most` or so, or nothing.
  virtual Status walk(uint64_t from, size_t most, std::vector<uint64_t>& hashes,
                      std::optional<uint64_t>& next) const;

  // --- Of a table that demotes; while nothing else moves its rows.
  /// Keeps rows that are about to leave memory. When it fails, none of them may leave.
  virtual Status spill(const RowImages& rows);
  /// The row is in memory, or gone: what was spilled of it does not count any more. Did it?
  virtual bool take_back(uint64_t /*hash*/) { return false; }
  /// Appends the hashes of rows that are spilled, in any order.
  virtual void spilled(std::vector<uint64_t>& /*hashes*/) const {}
  virtual uint64_t spilled_rows() const { return 0; }
  /// A cut: what is spilled belongs to it.
  virtual void freeze() {}
  /// Visits the spilled rows of the cut in rising order of hashes.
  using Visit = std::function<Status(uint64_t hash, std::span<const std::byte> row)>;
  virtual Status each_frozen(const Visit& /*visit*/) const { return {}; }
  /// The cut is over. If it came to nothing, its rows are spilled as before, but for those of which
  /// `left` says that they are in memory or gone.
  using Left = std::function<bool(uint64_t hash)>;
  virtual void finish_cut(bool /*written*/, const Left& /*left*/) {}
};

inline Status ColdRows::walk(uint64_t /*from*/, size_t /*most*/, std::vector<uint64_t>& /*hashes*/,
                             std::optional<uint64_t>& /*next*/) const {
  return {StatusCode::kUnsupported, "rows are only read from here"};
}

inline Status ColdRows::spill(const RowImages& /*rows*/) {
  return {StatusCode::kUnsupported, "rows are only read from here"};
}

}  // namespace hotrow

#endif  // HOTROW_TABLE_COLD_ROWS_H_
