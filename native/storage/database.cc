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

// More bytes than so are not merged with what they replace; fewer are where the files that would
// have to be merged are this many.
constexpr uint64_t kMostMerged = uint64_t{32} << 20;
constexpr uint64_t kMostFiles = 3;

std::string name_of(TableId table, uint32_t generation) {
  if (table == 0) return rocksdb::kDefaultColumnFamilyName;
  const std::string first = kFamilyPrefix + std::to_string(table);
  return generation == 0 ? first : first + "." + std::to_string(generation);
}

struct Named {
  TableId table = 0;
  uint32_t generation = 0;
};

Result<Named> named(const std::string& family) {
  if (family == rocksdb::kDefaultColumnFamilyName) return Named();
  Named its;
  const size_t dot = family.find('.');
  const char* const begin = family.data();
  const char* const end = begin + family.size();
  (void)std::from_chars(begin + 1, end, its.table);
  if (dot != std::string::npos) (void)std::from_chars(begin + dot + 1, end, its.generation);
  if (family == name_of(its.table, its.generation)) return its;
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

std::shared_ptr<rocksdb::ColumnFamilyHandle> owned(rocksdb::DB& db,
                                                   rocksdb::ColumnFamilyHandle* handle) {
  return {handle,
          [&db](rocksdb::ColumnFamilyHandle* its) { (void)db.DestroyColumnFamilyHandle(its); }};
}

}  // namespace

Engine::Database::~Database() {
  const MutexLock lock(mutex_);
  families_.clear();
  replaced_.clear();
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
  std::vector<Family> families;
  families.reserve(handles.size());
  for (auto* const handle : handles) families.push_back(owned(*db, handle));
  HOTROW_RETURN_IF_ERROR(take_families(names, families));
  for (const Family& family : all()) HOTROW_RETURN_IF_ERROR(check_files(*db, family.get()));
  if (!for_writing) return {};
  HOTROW_RETURN_IF_ERROR(drop_replaced());
  std::vector<rocksdb::ColumnFamilyHandle*> left;
  for (const Family& family : all()) left.push_back(family.get());
  return disk_status(db->EnableAutoCompaction(left), "'" + path + "'");
}

uint64_t Engine::Database::files_of(const Family& family) const {
  rocksdb::ColumnFamilyMetaData its;
  db->GetColumnFamilyMetaData(family.get(), &its);
  return its.file_count;
}

// Files come into a new family together with the manifest: a family that has some has all rows that
// its version knows, and one without is of a version that was not made.
Status Engine::Database::take_families(const std::vector<std::string>& names,
                                       const std::vector<Family>& families) {
  const MutexLock lock(mutex_);
  for (size_t i = 0; i < names.size(); ++i) {
    const auto its = named(names[i]);
    if (!its.ok()) return its.status();
    const auto [table, generation] = its.value();
    generations_[table] = std::max(generations_[table], generation);
    Place& place = families_[table];
    Place other{families[i], generation};
    const bool newer = generation > place.generation;
    const bool counts = place.family == nullptr || files_of((newer ? other : place).family) > 0;
    if (counts == newer || place.family == nullptr) std::swap(place, other);
    if (other.family != nullptr) replaced_.push_back(std::move(other.family));
  }
  return {};
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

Engine::Database::Family Engine::Database::find(TableId table) {
  const MutexLock lock(mutex_);
  const auto known = families_.find(table);
  return known == families_.end() ? nullptr : known->second.family;
}

Result<Engine::Database::Family> Engine::Database::make(TableId table, uint32_t generation) {
  rocksdb::ColumnFamilyHandle* made = nullptr;
  const auto status = db->CreateColumnFamily(family_options(), name_of(table, generation), &made);
  HOTROW_RETURN_IF_ERROR(disk_status(status, "table " + std::to_string(table)));
  return owned(*db, made);
}

Result<Engine::Database::Family> Engine::Database::family(TableId table) {
  if (Family known = find(table); known != nullptr) return known;
  auto made = make(table, 0);
  if (!made.ok()) return made.status();
  const MutexLock lock(mutex_);
  families_[table] = {made.value(), 0};
  return made;
}

std::vector<Engine::Database::Family> Engine::Database::all() {
  const MutexLock lock(mutex_);
  std::vector<Family> families;
  families.reserve(families_.size());
  for (const auto& [table, place] : families_) families.push_back(place.family);
  return families;
}

void Engine::Database::drop(TableId table) {
  Family its;
  {
    const MutexLock lock(mutex_);
    const auto known = families_.find(table);
    if (known == families_.end()) return;
    its = std::move(known->second.family);
    families_.erase(known);
  }
  // What cannot be dropped now lies there unused.
  (void)db->DropColumnFamily(its.get());
}

Result<Engine::Database::Family> Engine::Database::successor(TableId table, uint64_t bytes) {
  const Family its = find(table);
  const uint64_t files = its == nullptr ? 0 : files_of(its);
  if (files == 0 || (bytes < kMostMerged && files < kMostFiles)) return Family();
  uint32_t generation = 0;
  {
    const MutexLock lock(mutex_);
    replaced_.reserve(replaced_.size() + promised_ + 1);
    ++promised_;
    generation = ++generations_[table];
  }
  return make(table, generation);
}

void Engine::Database::replace(TableId table, Family family) noexcept {
  const MutexLock lock(mutex_);
  // Both are known since successor().
  Place its{std::move(family), generations_.find(table)->second};
  std::swap(families_.find(table)->second, its);
  replaced_.push_back(std::move(its.family));
  promised_ = 0;
}

void Engine::Database::abandon(Family family) noexcept {
  const MutexLock lock(mutex_);
  replaced_.push_back(std::move(family));
  promised_ = 0;
}

// Not under the mutex, which lookups of cold rows take.
Status Engine::Database::drop_replaced() {
  while (true) {
    Family last;
    {
      const MutexLock lock(mutex_);
      if (replaced_.empty()) return {};
      last = replaced_.back();
    }
    const auto status = db->DropColumnFamily(last.get());
    if (!status.ok()) return disk_status(status, "rows that others have replaced");
    const MutexLock lock(mutex_);
    replaced_.pop_back();
  }
}

}  // namespace hotrow
