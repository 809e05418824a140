#include "storage/disk.h"

#include <atomic>
#include <cstdarg>
#include <map>
#include <set>
#include <utility>
#include <vector>

#include "base/sync.h"
#include "storage/rocks.h"

namespace hotrow {

namespace {

using rocksdb::FileOptions;
using rocksdb::IODebugContext;
using rocksdb::IOOptions;
using rocksdb::IOStatus;
using rocksdb::Slice;

std::string folder_of(const std::string& path) {
  const size_t slash = path.find_last_not_of('/', path.find_last_of('/'));
  return slash == std::string::npos ? "/" : path.substr(0, slash + 1);
}

bool named(const std::string& path, std::string_view begin) {
  return std::string_view(path).substr(path.find_last_of('/') + 1).starts_with(begin);
}

/// Folders whose MANIFEST on disk may be of more than what RocksDB knows of, with the files whose
/// deletion waits for that to end.
class Doubts {
 public:
  explicit Doubts(rocksdb::FileSystem& files) : files_(files) {}

  void begin(const std::string& folder) HOTROW_EXCLUDES(mutex_) {
    // A folder without CURRENT is no database yet, or a copy being made.
    if (files_.FileExists(folder + "/CURRENT", {}, nullptr).IsNotFound()) return;
    const MutexLock lock(mutex_);
    kept_[folder];
  }
  /// Another MANIFEST is current.
  void end(const std::string& folder) HOTROW_EXCLUDES(mutex_) {
    std::vector<std::string> gone;
    {
      const MutexLock lock(mutex_);
      const auto found = kept_.find(folder);
      if (found == kept_.end()) return;
      gone = std::move(found->second);
      kept_.erase(found);
    }
    // What cannot be deleted now is so when the database is opened next.
    for (const std::string& path : gone) files_.DeleteFile(path, {}, nullptr);
  }
  /// The database is opened anew: it reads what its MANIFEST says, and deletes what nobody needs.
  void forget(const std::string& folder) HOTROW_EXCLUDES(mutex_) {
    const MutexLock lock(mutex_);
    kept_.erase(folder);
  }
  /// True when the file stays for now.
  bool keep(const std::string& path) HOTROW_EXCLUDES(mutex_) {
    const MutexLock lock(mutex_);
    const auto found = kept_.find(folder_of(path));
    if (found == kept_.end()) return false;
    found->second.push_back(path);
    return true;
  }

 private:
  rocksdb::FileSystem& files_;
  Mutex mutex_;
  std::map<std::string, std::vector<std::string>> kept_ HOTROW_GUARDED_BY(mutex_);
};

class WrittenFile final : public rocksdb::FSWritableFileOwnerWrapper {
 public:
  /// `doubts` of a MANIFEST only.
  WrittenFile(std::unique_ptr<rocksdb::FSWritableFile> file, std::string folder, Doubts* doubts,
              SyncMode sync)
      : FSWritableFileOwnerWrapper(std::move(file)),
        folder_(std::move(folder)),
        doubts_(doubts),
        sync_(sync) {}

  IOStatus Append(const Slice& data, const IOOptions& options, IODebugContext* debug) override {
    return judged(FSWritableFileOwnerWrapper::Append(data, options, debug));
  }
  IOStatus Append(const Slice& data, const IOOptions& options,
                  const rocksdb::DataVerificationInfo& info, IODebugContext* debug) override {
    return judged(FSWritableFileOwnerWrapper::Append(data, options, info, debug));
  }
  IOStatus Flush(const IOOptions& options, IODebugContext* debug) override {
    return judged(FSWritableFileOwnerWrapper::Flush(options, debug));
  }
  IOStatus Sync(const IOOptions& options, IODebugContext* debug) override {
    if (sync_ == SyncMode::kOs) return Flush(options, debug);
    return judged(FSWritableFileOwnerWrapper::Sync(options, debug));
  }
  IOStatus Fsync(const IOOptions& options, IODebugContext* debug) override {
    if (sync_ == SyncMode::kOs) return Flush(options, debug);
    return judged(FSWritableFileOwnerWrapper::Fsync(options, debug));
  }
  IOStatus Close(const IOOptions& options, IODebugContext* debug) override {
    return judged(FSWritableFileOwnerWrapper::Close(options, debug));
  }

 private:
  IOStatus judged(IOStatus status) {
    if (status.ok()) return status;
    if (doubts_ != nullptr) doubts_->begin(folder_);
    status.SetRetryable(false);
    return status;
  }

  const std::string folder_;
  Doubts* const doubts_;
  const SyncMode sync_;
};

/// RocksDB's log of its doings goes nowhere: on a full disk it would end the process.
class Silent final : public rocksdb::Logger {
 public:
  using rocksdb::Logger::Logv;
  void Logv(const char* /*format*/, va_list /*arguments*/) override {}
};

/// Files that are to become part of a database and could not be read. RocksDB reads their first and
/// last keys, takes a failure for a file without keys, and links the file into the database.
class Unread {
 public:
  void add(const std::string& path) HOTROW_EXCLUDES(mutex_) {
    const MutexLock lock(mutex_);
    paths_.insert(path);
  }
  void remove(const std::string& path) HOTROW_EXCLUDES(mutex_) {
    const MutexLock lock(mutex_);
    paths_.erase(path);
  }
  bool has(const std::string& path) HOTROW_EXCLUDES(mutex_) {
    const MutexLock lock(mutex_);
    return paths_.contains(path);
  }

 private:
  Mutex mutex_;
  std::set<std::string> paths_ HOTROW_GUARDED_BY(mutex_);
};

/// A file one of whose first reads fails cannot be read at all. RocksDB goes on without a file's
/// properties when it cannot read them, and then takes every row in it for older than all others;
/// so it gets no further with opening the file.
class ReadFile final : public rocksdb::FSRandomAccessFileOwnerWrapper {
 public:
  /// `unread` of a file that is to become part of the database.
  ReadFile(std::unique_ptr<rocksdb::FSRandomAccessFile> file, std::string path, Unread* unread)
      : FSRandomAccessFileOwnerWrapper(std::move(file)), path_(std::move(path)), unread_(unread) {}

  IOStatus Read(uint64_t offset, size_t n, const IOOptions& options, Slice* result, char* scratch,
                IODebugContext* debug) const override {
    const int before = opening_.load(std::memory_order_relaxed);
    if (before == kFailed) return IOStatus::IOError("the file could not be read while opening it");
    IOStatus status =
        FSRandomAccessFileOwnerWrapper::Read(offset, n, options, result, scratch, debug);
    if (before < kReadsToOpen) {
      opening_.store(status.ok() ? before + 1 : kFailed, std::memory_order_relaxed);
    }
    if (!status.ok() && unread_ != nullptr) unread_->add(path_);
    status.SetRetryable(false);
    return status;
  }

 private:
  // Footer, index of the parts beside the data, properties, index of the data.
  static constexpr int kReadsToOpen = 4;
  static constexpr int kFailed = 5;

  const std::string path_;
  Unread* const unread_;
  mutable std::atomic<int> opening_{0};  // reads so far; one thread opens a file
};

/// Opened when it is first synced: RocksDB does not undo the making of a column family whose folder
/// it could not open.
class SyncedFolder final : public rocksdb::FSDirectory {
 public:
  SyncedFolder(rocksdb::FileSystem& files, std::string path, Doubts& doubts, SyncMode sync)
      : files_(files), path_(std::move(path)), doubts_(doubts), sync_(sync) {}

  IOStatus Fsync(const IOOptions& options, IODebugContext* debug) override {
    return FsyncWithDirOptions(options, debug, {});
  }
  IOStatus FsyncWithDirOptions(const IOOptions& options, IODebugContext* debug,
                               const rocksdb::DirFsyncOptions& why) override {
    IOStatus status;
    if (sync_ == SyncMode::kDisk) {
      if (!folder_) status = files_.NewDirectory(path_, options, &folder_, debug);
      if (status.ok()) status = folder_->FsyncWithDirOptions(options, debug, why);
    }
    const bool current = why.reason == rocksdb::DirFsyncOptions::kFileRenamed &&
                         named(why.renamed_new_name, "CURRENT");
    if (!status.ok()) {
      if (current) doubts_.begin(path_);
      status.SetRetryable(false);
    } else if (current) {
      doubts_.end(path_);
    }
    return status;
  }
  /// The folder itself is closed with this.
  IOStatus Close(const IOOptions& /*options*/, IODebugContext* /*debug*/) override {
    return IOStatus::OK();
  }
  size_t GetUniqueId(char* id, size_t most) const override {
    return folder_ ? folder_->GetUniqueId(id, most) : 0;
  }

 private:
  rocksdb::FileSystem& files_;
  const std::string path_;
  Doubts& doubts_;
  const SyncMode sync_;
  std::unique_ptr<rocksdb::FSDirectory> folder_;
};

class Disk final : public rocksdb::FileSystemWrapper {
 public:
  Disk(const std::shared_ptr<rocksdb::FileSystem>& files, SyncMode sync)
      : FileSystemWrapper(files), sync_(sync), doubts_(*files) {}
  const char* Name() const override { return "hotrow"; }

  IOStatus NewLogger(const std::string& /*path*/, const IOOptions& /*options*/,
                     std::shared_ptr<rocksdb::Logger>* logger, IODebugContext* /*debug*/) override {
    *logger = std::make_shared<Silent>();
    return IOStatus::OK();
  }
  IOStatus NewWritableFile(const std::string& path, const FileOptions& options,
                           std::unique_ptr<rocksdb::FSWritableFile>* file,
                           IODebugContext* debug) override {
    IOStatus status = FileSystemWrapper::NewWritableFile(path, options, file, debug);
    if (!status.ok()) {
      status.SetRetryable(false);
      return status;
    }
    unread_.remove(path);
    Doubts* const doubts = named(path, "MANIFEST-") ? &doubts_ : nullptr;
    *file = std::make_unique<WrittenFile>(std::move(*file), folder_of(path), doubts, sync_);
    return status;
  }
  // Of files that are synced before they become part of a database.
  IOStatus ReopenWritableFile(const std::string& path, const FileOptions& options,
                              std::unique_ptr<rocksdb::FSWritableFile>* file,
                              IODebugContext* debug) override {
    const IOStatus status = FileSystemWrapper::ReopenWritableFile(path, options, file, debug);
    if (status.ok() && sync_ == SyncMode::kOs) {
      *file = std::make_unique<WrittenFile>(std::move(*file), folder_of(path), nullptr, sync_);
    }
    return status;
  }
  IOStatus NewRandomAccessFile(const std::string& path, const FileOptions& options,
                               std::unique_ptr<rocksdb::FSRandomAccessFile>* file,
                               IODebugContext* debug) override {
    const IOStatus status = FileSystemWrapper::NewRandomAccessFile(path, options, file, debug);
    Unread* const unread = named(folder_of(path), kIncoming) ? &unread_ : nullptr;
    if (status.ok()) *file = std::make_unique<ReadFile>(std::move(*file), path, unread);
    return status;
  }
  IOStatus NewDirectory(const std::string& path, const IOOptions& /*options*/,
                        std::unique_ptr<rocksdb::FSDirectory>* folder,
                        IODebugContext* /*debug*/) override {
    *folder = std::make_unique<SyncedFolder>(*target(), folder_of(path + "/"), doubts_, sync_);
    return IOStatus::OK();
  }
  IOStatus RenameFile(const std::string& from, const std::string& to, const IOOptions& options,
                      IODebugContext* debug) override {
    IOStatus status = FileSystemWrapper::RenameFile(from, to, options, debug);
    if (!status.ok()) {
      if (named(to, "CURRENT")) doubts_.begin(folder_of(to));
      status.SetRetryable(false);
    }
    return status;
  }
  IOStatus LinkFile(const std::string& from, const std::string& to, const IOOptions& options,
                    IODebugContext* debug) override {
    if (unread_.has(from)) return IOStatus::IOError("'" + from + "' could not be read");
    return FileSystemWrapper::LinkFile(from, to, options, debug);
  }
  IOStatus DeleteFile(const std::string& path, const IOOptions& options,
                      IODebugContext* debug) override {
    if (path.ends_with(".sst") && doubts_.keep(path)) return IOStatus::OK();
    return FileSystemWrapper::DeleteFile(path, options, debug);
  }

  void forget_failures(const std::string& folder) { doubts_.forget(folder); }

 private:
  const SyncMode sync_;
  Doubts doubts_;
  Unread unread_;
};

// Threads of RocksDB may use one to the end of the process: all are kept.
rocksdb::Env* env_over(const std::shared_ptr<rocksdb::FileSystem>& files, SyncMode sync) {
  static Mutex mutex;
  static auto* const all = new std::vector<std::unique_ptr<rocksdb::Env>>;
  auto env = rocksdb::NewCompositeEnv(std::make_shared<Disk>(files, sync));
  const MutexLock lock(mutex);
  return all->emplace_back(std::move(env)).get();
}

std::atomic<rocksdb::Env*>& env_in_use(SyncMode sync) {
  static std::atomic<rocksdb::Env*> disk{env_over(rocksdb::FileSystem::Default(), SyncMode::kDisk)};
  static std::atomic<rocksdb::Env*> os{env_over(rocksdb::FileSystem::Default(), SyncMode::kOs)};
  return sync == SyncMode::kDisk ? disk : os;
}

}  // namespace

rocksdb::Env* disk_env(SyncMode sync) { return env_in_use(sync).load(std::memory_order_acquire); }

rocksdb::FileSystem& plain_files() {
  const auto disk = std::static_pointer_cast<Disk>(disk_env()->GetFileSystem());
  return *disk->target();
}

void use_file_system(const std::shared_ptr<rocksdb::FileSystem>& files) {
  for (const SyncMode sync : {SyncMode::kDisk, SyncMode::kOs}) {
    env_in_use(sync).store(env_over(files, sync), std::memory_order_release);
  }
}

void forget_failures(const std::string& folder, SyncMode sync) {
  std::static_pointer_cast<Disk>(disk_env(sync)->GetFileSystem())->forget_failures(folder);
}

Status make_folder(const std::string& path, SyncMode sync) {
  rocksdb::FileSystem& files = plain_files();
  const std::string parent = folder_of(path);
  const bool missing = files.FileExists(path, {}, nullptr).IsNotFound();
  if (missing) {
    if (parent != path) HOTROW_RETURN_IF_ERROR(make_folder(parent, sync));
    const IOStatus made = files.CreateDirIfMissing(path, {}, nullptr);
    HOTROW_RETURN_IF_ERROR(disk_status(made, "'" + path + "' cannot be made"));
  } else {
    bool folder = false;
    const IOStatus status = files.IsDirectory(path, {}, &folder, nullptr);
    HOTROW_RETURN_IF_ERROR(disk_status(status, "'" + path + "'"));
    if (!folder) return {StatusCode::kIoError, "'" + path + "' is no folder"};
  }
  if (sync == SyncMode::kOs) return {};
  // Of a folder that was there as well: whoever made it may have died before this.
  std::unique_ptr<rocksdb::FSDirectory> entries;
  IOStatus status = files.NewDirectory(parent, {}, &entries, nullptr);
  // A parent that may not be opened is somebody else's, who made the folder in it.
  if (!status.ok() && !missing) return {};
  if (status.ok()) status = entries->FsyncWithDirOptions({}, nullptr, {});
  return disk_status(status, "'" + parent + "'");
}

}  // namespace hotrow
