#include "storage/database.h"

#include <charconv>
#include <utility>

#include "storage/rocks.h"

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

}  // namespace

Engine::Database::~Database() {
  const MutexLock lock(mutex_);
  for (const auto& [table, family] : families_) (void)db->DestroyColumnFamilyHandle(family);
}

Status Engine::Database::open(const std::string& path, bool for_writing) {
  rocksdb::DBOptions options = database_options();
  options.create_if_missing = for_writing;
  options.create_missing_column_families = for_writing;
  std::vector<std::string> names;
  // Fails where there is no database yet.
  (void)rocksdb::DB::ListColumnFamilies(options, path, &names);
  if (names.empty()) names.push_back(rocksdb::kDefaultColumnFamilyName);
  std::vector<rocksdb::ColumnFamilyDescriptor> descriptors;
  for (const std::string& name : names) descriptors.emplace_back(name, family_options());
  std::vector<rocksdb::ColumnFamilyHandle*> handles;
  rocksdb::DB* opened = nullptr;
  const auto status =
      for_writing ? rocksdb::DB::Open(options, path, descriptors, &handles, &opened)
                  : rocksdb::DB::OpenForReadOnly(options, path, descriptors, &handles, &opened);
  HOTROW_RETURN_IF_ERROR(disk_status(status, "'" + path + "' cannot be opened"));
  db.reset(opened);
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
  for (const auto& [table, family] : families_) handles.push_back(family);
  return handles;
}

std::vector<TableId> Engine::Database::tables() {
  const MutexLock lock(mutex_);
  std::vector<TableId> numbers;
  for (const auto& [table, family] : families_) numbers.push_back(table);
  return numbers;
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
