// DiskRows: a table's rows that are on disk: those of the newest version, and those spilled since.
#ifndef HOTROW_STORE_DISK_ROWS_H_
#define HOTROW_STORE_DISK_ROWS_H_

#include <memory>
#include <optional>
#include <string>
#include <unordered_map>
#include <vector>

#include "base/sync.h"
#include "memory/budget.h"
#include "storage/engine.h"
#include "storage/spill_file.h"
#include "store/manifest.h"
#include "table/cold_rows.h"

namespace hotrow {

class DiskRows final : public ColdRows {
 public:
  /// Reads of whatever engine the store has; spills into `folder`, charging `budget` for knowing
  /// what lies where. All must outlive it.
  DiskRows(const std::unique_ptr<Engine>& engine, StoredTable stored, size_t row_bytes,
           const std::string& folder, MemoryBudget& budget);
  ~DiskRows() override;

  Status read(std::span<const uint64_t> hashes, RowImages& images) override HOTROW_EXCLUDES(mutex_);
  Status walk(uint64_t from, size_t most, std::vector<uint64_t>& hashes,
              std::optional<uint64_t>& next) const override HOTROW_EXCLUDES(mutex_);
  Status spill(const RowImages& rows) override HOTROW_EXCLUDES(mutex_);
  bool take_back(uint64_t hash) override HOTROW_EXCLUDES(mutex_);
  void spilled(std::vector<uint64_t>& hashes) const override HOTROW_EXCLUDES(mutex_);
  uint64_t spilled_rows() const override HOTROW_EXCLUDES(mutex_);
  void freeze() override HOTROW_EXCLUDES(mutex_);
  Status each_frozen(const Visit& visit) const override HOTROW_EXCLUDES(mutex_);
  void finish_cut(bool written, const Left& left) override HOTROW_EXCLUDES(mutex_);

 private:
  struct Spilled {
    uint32_t slot;
    // In memory since, or gone. It is still read by whoever missed the row there just before.
    bool back = false;
  };
  using Rows = std::unordered_map<uint64_t, Spilled>;

  std::optional<uint32_t> slot_of(uint64_t hash) const;  // mutex_ is held shared
  /// ERR_CAPACITY when the entries of so many more would take too much memory.
  Status check_room(uint64_t more) const HOTROW_REQUIRES(mutex_);
  void charge() HOTROW_REQUIRES(mutex_);
  /// Frozen rows that are in no way superseded, by hash.
  std::vector<std::pair<uint64_t, uint32_t>> frozen() const HOTROW_EXCLUDES(mutex_);

  const std::unique_ptr<Engine>& engine_;
  const StoredTable stored_;
  const size_t row_bytes_;
  MemoryBudget& budget_;
  mutable SharedMutex mutex_;
  SpillFile file_;  // written and freed with mutex_ held, read with it held shared
  Rows rows_ HOTROW_GUARDED_BY(mutex_);              // since the last cut
  Rows frozen_ HOTROW_GUARDED_BY(mutex_);            // of the cut under way
  uint64_t counting_ HOTROW_GUARDED_BY(mutex_) = 0;  // of rows_, those not back
  uint64_t charged_ HOTROW_GUARDED_BY(mutex_) = 0;
};

}  // namespace hotrow

#endif  // HOTROW_STORE_DISK_ROWS_H_
