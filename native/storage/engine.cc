#include "storage/engine.h"

#include <fcntl.h>
#include <rocksdb/db.h>
#include <rocksdb/listener.h>
#include <rocksdb/sst_file_writer.h>
#include <sys/file.h>
#include <unistd.h>

#include <algorithm>
#include <atomic>
#include <cstring>
#include <filesystem>
#include <fstream>
#include <utility>

#include "base/failpoint.h"
#include "storage/disk.h"
#include "storage/rocks.h"
#include "storage/table_file.h"

namespace hotrow {

namespace {

namespace fs = std::filesystem;

constexpr std::string_view kManifestKey = "manifest";
constexpr char kFamilyPrefix = 't';

std::string family_name(TableId table) {
  return table == 0 ? rocksdb::kDefaultColumnFamilyName : kFamilyPrefix + std::to_string(table);
}

Status file_status(const std::error_code& error, const std::string& what) {
  const bool full = error == std::errc::no_space_on_device;
  return {full ? StatusCode::kDiskFull : StatusCode::kIoError, what + ": " + error.message()};
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

rocksdb::Slice slice(std::span<const std::byte> bytes) {
  return {reinterpret_cast<const char*>(bytes.data()), bytes.size()};
}

}  // namespace

/// Held for as long as the folder is open for writing.
class Engine::Lock {
 public:
  static Result<std::unique_ptr<Lock>> take(const std::string& path) {
    const std::string file = path + "/LOCK";
    std::unique_ptr<Lock> lock(new Lock(::open(file.c_str(), O_RDWR | O_CREAT | O_CLOEXEC, 0644)));
    if (lock->descriptor_ < 0) {
      return file_status({errno, std::generic_category()}, "'" + file + "' cannot be opened");
    }
    if (::flock(lock->descriptor_, LOCK_EX | LOCK_NB) != 0) {
      std::ifstream owner(file);
      std::string pid;
      std::getline(owner, pid);
      return Status(StatusCode::kLocked, "'" + path + "' is open for writing in process " + pid);
    }
    const std::string pid = std::to_string(::getpid()) + "\n";
    if (::ftruncate(lock->descriptor_, 0) != 0 ||
        ::pwrite(lock->descriptor_, pid.data(), pid.size(), 0) < 0) {
      return file_status({errno, std::generic_category()}, "'" + file + "' cannot be written");
    }
    return lock;
  }
  ~Lock() {
    if (descriptor_ >= 0) ::close(descriptor_);
  }
  Lock(const Lock&) = delete;
  Lock& operator=(const Lock&) = delete;

 private:
  explicit Lock(int descriptor) : descriptor_(descriptor) {}
  const int descriptor_;
};

/// After a failed write of its MANIFEST or of a compaction RocksDB would take no more versions
/// until it is opened again. There is no need: the failed version or compaction is not there, and
/// the next one writes files of its own, beginning with a new MANIFEST.
class FailureListener final : public rocksdb::EventListener {
 public:
  void OnBackgroundError(rocksdb::BackgroundErrorReason reason, rocksdb::Status* error) override {
    using Reason = rocksdb::BackgroundErrorReason;
    const bool manifest = reason == Reason::kManifestWrite || reason == Reason::kManifestWriteNoWAL;
    if (manifest) deletions_stopped_.store(true, std::memory_order_relaxed);
    if (manifest || (reason == Reason::kCompaction && error->IsIOError())) *error = {};
  }
  /// RocksDB deletes no files since a failure; true once for each time.
  bool deletions_stopped() { return deletions_stopped_.exchange(false, std::memory_order_relaxed); }

 private:
  std::atomic<bool> deletions_stopped_{false};  // publishes nothing
};

struct Engine::Database {
  const std::shared_ptr<FailureListener> failures = std::make_shared<FailureListener>();
  std::unique_ptr<rocksdb::DB> db;
  std::map<TableId, rocksdb::ColumnFamilyHandle*> families;

  ~Database() {
    for (const auto& [table, family] : families) (void)db->DestroyColumnFamilyHandle(family);
  }

  Status open(const std::string& path) {
    HOTROW_RETURN_IF_ERROR(make_folder(path));
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
    rocksdb::DBOptions options = database_options();
    options.listeners.push_back(failures);
    const auto status = rocksdb::DB::Open(options, path, descriptors, &handles, &opened);
    HOTROW_RETURN_IF_ERROR(disk_status(status, "'" + path + "' cannot be opened"));
    db.reset(opened);
    for (size_t i = 0; i < names.size(); ++i) {
      const bool manifest = names[i] == rocksdb::kDefaultColumnFamilyName;
      families[manifest ? 0 : static_cast<TableId>(std::stoul(names[i].substr(1)))] = handles[i];
    }
    for (const auto& [table, family] : families) HOTROW_RETURN_IF_ERROR(check_files(family));
    return disk_status(db->EnableAutoCompaction(handles), "'" + path + "'");
  }

  /// A file whose properties are damaged RocksDB reads as if they said nothing: rows would come out
  /// in the wrong order.
  Status check_files(rocksdb::ColumnFamilyHandle* family) {
    rocksdb::TablePropertiesCollection files;
    HOTROW_RETURN_IF_ERROR(
        disk_status(db->GetPropertiesOfAllTables(family, &files), "'" + db->GetName() + "'"));
    for (const auto& [file, properties] : files) {
      if (properties != nullptr) continue;
      return {StatusCode::kCorruption, "'" + file + "': its properties are damaged"};
    }
    return {};
  }

  /// The table's family, made when there is none.
  Result<rocksdb::ColumnFamilyHandle*> family(TableId table) {
    const auto known = families.find(table);
    if (known != families.end()) return known->second;
    rocksdb::ColumnFamilyHandle* made = nullptr;
    const auto status = db->CreateColumnFamily(family_options(), family_name(table), &made);
    HOTROW_RETURN_IF_ERROR(disk_status(status, "table " + std::to_string(table)));
    families[table] = made;
    return made;
  }
};

Engine::Engine() = default;
std::string Engine::incoming() const { return path_ + "/" + std::string(kIncoming); }
Engine::~Engine() = default;

Result<std::unique_ptr<Engine>> Engine::open(const std::string& path) {
  std::unique_ptr<Engine> engine(new Engine);
  HOTROW_RETURN_IF_ERROR(make_folder(path));
  engine->path_ = path;
  auto lock = Lock::take(path);
  if (!lock.ok()) return lock.status();
  engine->lock_ = std::move(lock).value();
  engine->database_ = std::make_unique<Database>();
  HOTROW_RETURN_IF_ERROR(engine->database_->open(path + "/rows"));
  failpoint("open.database");
  // Left by a process that died.
  std::error_code error;
  fs::remove_all(engine->incoming(), error);
  std::string manifest;
  const auto status = engine->database_->db->Get({}, engine->database_->families.at(0),
                                                 rocksdb::Slice(kManifestKey), &manifest);
  if (!status.IsNotFound()) HOTROW_RETURN_IF_ERROR(disk_status(status, "manifest"));
  engine->manifest_ = std::move(manifest);
  return engine;
}

Status Engine::read(TableId table, const Visit& visit) const {
  const auto family = database_->families.find(table);
  if (family == database_->families.end()) return {};
  rocksdb::ReadOptions options;
  options.readahead_size = 4 << 20;
  options.fill_cache = false;
  const std::unique_ptr<rocksdb::Iterator> at(database_->db->NewIterator(options, family->second));
  for (at->SeekToFirst(); at->Valid(); at->Next()) {
    if (at->key().size() != sizeof(uint64_t)) {
      return {StatusCode::kCorruption, "table " + std::to_string(table) + ": a key of " +
                                           std::to_string(at->key().size()) + " bytes"};
    }
    const auto* const bytes = reinterpret_cast<const std::byte*>(at->value().data());
    HOTROW_RETURN_IF_ERROR(visit(hash_of(at->key().ToStringView()), {bytes, at->value().size()}));
  }
  return disk_status(at->status(), "reading table " + std::to_string(table));
}

Result<std::unique_ptr<Engine::Version>> Engine::begin() {
  if (database_->failures->deletions_stopped()) (void)database_->db->EnableFileDeletions(true);
  std::error_code error;
  fs::create_directories(incoming(), error);
  if (error) return file_status(error, "'" + incoming() + "' cannot be made");
  return std::make_unique<Version>(*this);
}

/// One file being written.
struct Engine::Version::File {
  File(TableId id, std::string where) : table(id), path(std::move(where)) {}

  const TableId table;
  const std::string path;
  rocksdb::SstFileWriter writer{rocksdb::EnvOptions(), {database_options(), family_options()}};
  bool empty = true;
};

Engine::Version::Version(Engine& engine) : engine_(engine), folder_(engine.incoming()) {}

Engine::Version::~Version() {
  file_.reset();
  std::error_code ignored;
  fs::remove_all(folder_, ignored);
}

Status Engine::Version::begin_file(TableId table) {
  file_ = std::make_unique<File>(table, folder_ + "/" + std::to_string(table) + "-" +
                                            std::to_string(files_[table].size()) + ".sst");
  return disk_status(file_->writer.Open(file_->path), "'" + file_->path + "'");
}

Status Engine::Version::put(uint64_t hash, std::span<const std::byte> row) {
  const DiskKey key = disk_key(hash);
  file_->empty = false;
  return disk_status(file_->writer.Put(rocksdb::Slice(key.data(), key.size()), slice(row)),
                     "'" + file_->path + "'");
}

Status Engine::Version::erase(uint64_t hash) {
  const DiskKey key = disk_key(hash);
  file_->empty = false;
  return disk_status(file_->writer.Delete(rocksdb::Slice(key.data(), key.size())),
                     "'" + file_->path + "'");
}

Status Engine::Version::end_file() {
  const std::unique_ptr<File> file = std::move(file_);
  // RocksDB makes no file without keys.
  if (file->empty) return {};
  rocksdb::ExternalSstFileInfo info;
  HOTROW_RETURN_IF_ERROR(disk_status(file->writer.Finish(&info), "'" + file->path + "'"));
  bytes_ += info.file_size;
  failpoint("commit.file_written");
  files_[file->table].push_back(file->path);
  return {};
}

Status Engine::Version::install(const std::string& manifest, std::span<const TableId> dropped) {
  const std::string path = folder_ + "/manifest.sst";
  {
    File file(0, path);
    HOTROW_RETURN_IF_ERROR(disk_status(file.writer.Open(path), "'" + path + "'"));
    HOTROW_RETURN_IF_ERROR(
        disk_status(file.writer.Put(rocksdb::Slice(kManifestKey), manifest), "'" + path + "'"));
    HOTROW_RETURN_IF_ERROR(disk_status(file.writer.Finish(), "'" + path + "'"));
  }
  files_[0] = {path};
  std::vector<rocksdb::IngestExternalFileArg> arguments;
  for (const auto& [table, files] : files_) {
    if (files.empty()) continue;
    const auto family = engine_.database_->family(table);
    if (!family.ok()) return family.status();
    rocksdb::IngestExternalFileArg argument;
    argument.column_family = family.value();
    argument.external_files = files;
    argument.options.move_files = true;
    argument.options.write_global_seqno = false;
    arguments.push_back(std::move(argument));
  }
  failpoint("commit.before_install");
  HOTROW_RETURN_IF_ERROR(
      disk_status(engine_.database_->db->IngestExternalFiles(arguments), "the version"));
  failpoint("commit.after_install");
  engine_.manifest_ = manifest;
  auto& families = engine_.database_->families;
  for (const TableId table : dropped) {
    const auto family = families.find(table);
    if (family == families.end()) continue;
    // What cannot be dropped now lies there unused.
    (void)engine_.database_->db->DropColumnFamily(family->second);
    (void)engine_.database_->db->DestroyColumnFamilyHandle(family->second);
    families.erase(family);
    failpoint("commit.dropped");
  }
  return {};
}

}  // namespace hotrow
