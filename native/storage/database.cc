#include "storage/database.h"

#include <rocksdb/listener.h>

#include <algorithm>
#include <atomic>
#include <charconv>
#include <utility>

#include "base/background.h"
#include "storage/disk.h"
#include "storage/rocks.h"
#include "storage/table_file.h"

namespace hotrow {

namespace {

constexpr char kFamilyPrefix = 't';

std::string name_of(TableId table) {
  return table == 0 ? rocksdb::kDefaultColumnFamilyName : kFamilyPrefix + std::to_string(table);
}

Result<TableId> table_of(const std::string& family) {
  if (family == rocksdb::kDefaultColumnFamilyName) return TableId{0};
  TableId table = 0;
  const char* const end = family.data() + family.size();
  const auto read = std::from_chars(family.data() + 1, end, table);
  if (family.front() == kFamilyPrefix && read.ec == std::errc() && read.ptr == end) return table;
  return Status(StatusCode::kCorruption, "a column family '" + family + "' that is none of ours");
}

/// The database's families; that of the manifest alone where there is no database yet.
Status list_families(const std::string& path, std::vector<std::string>& names) {
  std::vector<std::string> files;
  const auto listed = disk_env()->GetChildren(path, &files);
  HOTROW_RETURN_IF_ERROR(disk_status(listed, "'" + path + "'"));
  for (const std::string& file : files) {
    if (!file.ends_with(".sst")) continue;
    HOTROW_RETURN_IF_ERROR(check_table_file(std::string(path).append("/").append(file)));
  }
  if (std::ranges::find(files, "CURRENT") != files.end()) {
    const auto status = rocksdb::DB::ListColumnFamilies(database_options(), path, &names);
    return disk_status(status, "'" + path + "' cannot be opened");
  }
  // RocksDB would begin a new database and delete what is left of this one.
  for (const std::string& file : files) {
    if (!file.ends_with(".sst")) continue;
    std::string message = "'" + path + "/CURRENT' is missing beside '";
    return {StatusCode::kCorruption, message.append(file).append("'")};
  }
  names = {rocksdb::kDefaultColumnFamilyName};
  return {};
}

}  // namespace

Engine::Database::~Database() {
  const MutexLock lock(mutex_);
  for (const auto& [table, family] : families_) (void)db->DestroyColumnFamilyHandle(family);
}

/// After a failed write of its MANIFEST or of a compaction RocksDB would take no more versions
/// until it is opened again. There is no need: the failed version or compaction is not there, and
/// the next one writes files of its own, beginning with a new MANIFEST.
class Engine::Database::FailureListener final : public rocksdb::EventListener {
 public:
  void OnBackgroundError(rocksdb::BackgroundErrorReason reason, rocksdb::Status* error) override {
    using Reason = rocksdb::BackgroundErrorReason;
    const bool manifest = reason == Reason::kManifestWrite || reason == Reason::kManifestWriteNoWAL;
    if (manifest) deletions_stopped_.store(true, std::memory_order_relaxed);
    if (manifest || (reason == Reason::kCompaction && error->IsIOError())) *error = {};
  }
  /// Of two cores a compaction would take what the calls and the writer of a version need. RocksDB
  /// keeps its threads: it is for good.
  void OnCompactionBegin(rocksdb::DB* /*db*/, const rocksdb::CompactionJobInfo& /*of*/) override {
    stand_behind(Behind::kCommits);
  }
  /// RocksDB deletes no files since a failure; true once for each time.
  bool deletions_stopped() { return deletions_stopped_.exchange(false, std::memory_order_relaxed); }

 private:
  std::atomic<bool> deletions_stopped_{false};  // publishes nothing
};

void Engine::Database::delete_files_again() {
  if (failures_ && failures_->deletions_stopped()) (void)db->EnableFileDeletions(true);
}

Status Engine::Database::open(const std::string& path, bool for_writing, SyncMode sync) {
  if (for_writing) HOTROW_RETURN_IF_ERROR(make_folder(path, sync));
  if (for_writing) forget_failures(path, sync);
  std::vector<std::string> names;
  HOTROW_RETURN_IF_ERROR(list_families(path, names));
  std::vector<rocksdb::ColumnFamilyDescriptor> descriptors;
  // Nothing is compacted before it was checked.
  rocksdb::ColumnFamilyOptions family_options = hotrow::family_options();
  family_options.disable_auto_compactions = true;
  descriptors.reserve(names.size());
  for (const std::string& name : names) descriptors.emplace_back(name, family_options);
  std::vector<rocksdb::ColumnFamilyHandle*> handles;
  rocksdb::DB* opened = nullptr;
  rocksdb::DBOptions options = database_options(sync);
  options.create_if_missing = for_writing;
  options.create_missing_column_families = for_writing;
  failures_ = std::make_shared<FailureListener>();
  options.listeners.push_back(failures_);
  const auto status =
      for_writing ? rocksdb::DB::Open(options, path, descriptors, &handles, &opened)
                  : rocksdb::DB::OpenForReadOnly(options, path, descriptors, &handles, &opened);
  HOTROW_RETURN_IF_ERROR(disk_status(status, "'" + path + "' cannot be opened"));
  db.reset(opened);
  HOTROW_RETURN_IF_ERROR(take_families(names, handles));
  for (auto* const family : handles) HOTROW_RETURN_IF_ERROR(check_files(*db, family));
  return for_writing ? disk_status(db->EnableAutoCompaction(handles), "'" + path + "'") : Status();
}

Status Engine::Database::take_families(const std::vector<std::string>& names,
                                       const std::vector<rocksdb::ColumnFamilyHandle*>& handles) {
  const MutexLock lock(mutex_);
  Status strange;
  for (size_t i = 0; i < names.size(); ++i) {
    const auto table = table_of(names[i]);
    if (table.ok()) {
      families_[table.value()] = handles[i];
    } else {
      strange = table.status();
      (void)db->DestroyColumnFamilyHandle(handles[i]);
    }
  }
  return strange;
}

// A file whose properties are damaged RocksDB reads as if they said nothing: rows would come out in
// the wrong order.
Status Engine::Database::check_files(rocksdb::DB& db, rocksdb::ColumnFamilyHandle* family) {
  rocksdb::TablePropertiesCollection files;
  HOTROW_RETURN_IF_ERROR(
      disk_status(db.GetPropertiesOfAllTables(family, &files), "'" + db.GetName() + "'"));
  for (const auto& [file, properties] : files) {
    if (properties != nullptr) continue;
    return {StatusCode::kCorruption, "'" + file + "': its properties are damaged"};
  }
  return {};
}

rocksdb::ColumnFamilyHandle* Engine::Database::find(TableId table) {
  const MutexLock lock(mutex_);
  const auto known = families_.find(table);
  return known == families_.end() ? nullptr : known->second;
}

Result<rocksdb::ColumnFamilyHandle*> Engine::Database::family(TableId table) {
  if (auto* const known = find(table); known != nullptr) return known;
  rocksdb::ColumnFamilyHandle* made = nullptr;
  const auto status = db->CreateColumnFamily(family_options(), name_of(table), &made);
  HOTROW_RETURN_IF_ERROR(disk_status(status, "table " + std::to_string(table)));
  const MutexLock lock(mutex_);
  families_[table] = made;
  return made;
}

std::vector<rocksdb::ColumnFamilyHandle*> Engine::Database::all() {
  const MutexLock lock(mutex_);
  std::vector<rocksdb::ColumnFamilyHandle*> handles;
  handles.reserve(families_.size());
  for (const auto& [table, family] : families_) handles.push_back(family);
  return handles;
}

void Engine::Database::drop(TableId table) {
  const MutexLock lock(mutex_);
  const auto known = families_.find(table);
  if (known == families_.end()) return;
  // What cannot be dropped now lies there unused.
  (void)db->DropColumnFamily(known->second);
  (void)db->DestroyColumnFamilyHandle(known->second);
  families_.erase(known);
}

}  // namespace hotrow
