#include "storage/sorted_rows.h"

#include <rocksdb/metadata.h>

#include <utility>

#include "storage/rocks.h"

namespace hotrow {

namespace {

// Rows that changed lately are worth reading twice where they are at most so many of all.
constexpr uint64_t kShareLately = 4;

/// Leaves the levels above the deepest, which newer rows have not sunk to: none when they are not
/// few beside it.
void leave_lately_changed(std::vector<rocksdb::LevelMetaData>& levels) {
  while (!levels.empty() && levels.back().files.empty()) levels.pop_back();
  if (levels.empty()) return;
  const uint64_t deepest = levels.back().size;
  levels.pop_back();
  uint64_t above = 0;
  for (const rocksdb::LevelMetaData& level : levels) above += level.size;
  if (above * kShareLately > deepest) levels.clear();
}

}  // namespace

Result<SortedRows> SortedRows::open(rocksdb::DB& db, rocksdb::ColumnFamilyHandle* family,
                                    HashRange part, Engine::Which which) {
  SortedRows rows(part);
  if (family != nullptr) HOTROW_RETURN_IF_ERROR(rows.list(db, family, which));
  return rows;
}

// Files that are listed while nothing changes are those that the iterator keeps.
Status SortedRows::list(rocksdb::DB& db, rocksdb::ColumnFamilyHandle* family, Engine::Which which) {
  const auto number = [&] {
    uint64_t at = 0;
    (void)db.GetIntProperty(family, rocksdb::DB::Properties::kCurrentSuperVersionNumber, &at);
    return at;
  };
  rocksdb::ColumnFamilyMetaData all;
  for (uint64_t before = number(), after = 0;; before = after) {
    pin_.reset(db.NewIterator({}, family));
    HOTROW_RETURN_IF_ERROR(disk_status(pin_->status(), "'" + db.GetName() + "'"));
    all = {};
    db.GetColumnFamilyMetaData(family, &all);
    after = number();
    if (after == before) break;
  }
  if (which == Engine::Which::kLatelyChanged) leave_lately_changed(all.levels);
  for (const rocksdb::LevelMetaData& level : all.levels) {
    bool first = true;
    for (const rocksdb::SstFileMetaData& file : level.files) {
      if (file.smallestkey.size() != sizeof(DiskKey) || file.largestkey.size() != sizeof(DiskKey)) {
        return {StatusCode::kCorruption, "'" + file.name + "': a key that is none of ours"};
      }
      const uint64_t last = hash_of(file.largestkey);
      if (last < part_.first || hash_of(file.smallestkey) > part_.last) continue;
      // Those of level 0 may overlap; the newest is named first.
      if (level.level == 0 || first) runs_.emplace_back();
      first = false;
      runs_.back().files.push_back({file.directory + "/" + file.relative_filename, last});
    }
  }
  return {};
}

Status SortedRows::Run::advance(uint64_t from) {
  for (;;) {
    if (open) {
      HOTROW_RETURN_IF_ERROR(open->next());
      if (open->valid()) return {};
      open.reset();
    }
    if (next == files.size()) return {};
    auto file = SortedFile::open(files[next++].path, from);
    if (!file.ok()) return file.status();
    open = std::move(file).value();
  }
}

Status SortedRows::next() {
  if (!begun_) {
    for (Run& run : runs_) HOTROW_RETURN_IF_ERROR(run.advance(part_.first));
  }
  begun_ = true;
  for (;;) {
    if (const SortedFile* const last = std::exchange(current_, nullptr); last != nullptr) {
      const uint64_t before = last->hash();
      for (Run& run : runs_) {
        if (run.open && run.open->hash() == before) {
          HOTROW_RETURN_IF_ERROR(run.advance(part_.first));
        }
      }
    }
    const SortedFile* least = nullptr;
    for (const Run& run : runs_) {
      if (!run.open) continue;
      if (least == nullptr || run.open->hash() < least->hash()) least = run.open.get();
    }
    if (least == nullptr || least->hash() > part_.last) return {};
    current_ = least;
    if (!current_->gone()) return {};
  }
}

}  // namespace hotrow
