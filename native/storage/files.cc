#include "storage/files.h"

#include <fcntl.h>
#include <rocksdb/file_system.h>
#include <sys/file.h>
#include <unistd.h>

#include <cerrno>
#include <filesystem>
#include <memory>
#include <vector>

#include "base/hex.h"
#include "storage/checksum.h"
#include "storage/disk.h"
#include "storage/rocks.h"

namespace hotrow {

namespace {

namespace fs = std::filesystem;

constexpr uint64_t kMostText = uint64_t{64} << 20;
constexpr size_t kPiece = size_t{1} << 20;

/// Closed when this ends.
class Descriptor {
 public:
  Descriptor(const std::string& path, int flags) : fd_(::open(path.c_str(), flags, 0644)) {}
  ~Descriptor() {
    if (fd_ >= 0) ::close(fd_);
  }
  Descriptor(const Descriptor&) = delete;
  Descriptor& operator=(const Descriptor&) = delete;
  bool ok() const { return fd_ >= 0; }
  int get() const { return fd_; }

 private:
  const int fd_;
};

bool write_all(int fd, std::string_view text) {
  while (!text.empty()) {
    const ssize_t written = ::write(fd, text.data(), text.size());
    if (written < 0 && errno == EINTR) continue;
    if (written < 0) return false;
    text.remove_prefix(static_cast<size_t>(written));
  }
  return true;
}

std::unique_ptr<rocksdb::FileChecksumGenerator> checksum_generator() {
  return checksum_factory()->CreateFileChecksumGenerator({});
}

std::string parent_of(const std::string& path) { return fs::path(path).parent_path().string(); }

}  // namespace

Status file_status(const std::error_code& error, const std::string& what) {
  const bool full = error == std::errc::no_space_on_device ||
                    error == std::error_code(EDQUOT, std::generic_category());
  return {full ? StatusCode::kDiskFull : StatusCode::kIoError, what + ": " + error.message()};
}

Status last_file_status(const std::string& what) {
  return file_status({errno, std::generic_category()}, what);
}

Status sync_folder(const std::string& path, SyncMode sync) {
  if (sync == SyncMode::kOs) return {};
  std::unique_ptr<rocksdb::FSDirectory> folder;
  rocksdb::IOStatus status = plain_files().NewDirectory(path, {}, &folder, nullptr);
  if (status.ok()) status = folder->FsyncWithDirOptions({}, nullptr, {});
  return disk_status(status, "'" + path + "' cannot be synced");
}

bool path_exists(const std::string& path) {
  return !plain_files().FileExists(path, {}, nullptr).IsNotFound();
}

Result<std::vector<std::string>> names_in(const std::string& folder) {
  std::vector<std::string> names;
  const rocksdb::IOStatus status = plain_files().GetChildren(folder, {}, &names, nullptr);
  // A folder that may not be read is said not to be there.
  if (status.IsNotFound() && !path_exists(folder)) return names;
  if (!status.ok()) return disk_status(status, "'" + folder + "' cannot be read");
  // Where the system does not say which of them are folders they are still there.
  std::erase_if(names, [](const std::string& name) { return name == "." || name == ".."; });
  return names;
}

Status rename_path(const std::string& from, const std::string& to) {
  return disk_status(plain_files().RenameFile(from, to, {}, nullptr),
                     "'" + from + "' cannot be moved to '" + to + "'");
}

Status remove_path(const std::string& path) {
  rocksdb::FileSystem& files = plain_files();
  // Of a link the link goes, wherever it leads.
  std::error_code error;
  const fs::file_type type = fs::symlink_status(path, error).type();
  if (type == fs::file_type::not_found) return {};
  if (type == fs::file_type::none) return file_status(error, "'" + path + "' cannot be removed");
  if (type != fs::file_type::directory) {
    return disk_status(files.DeleteFile(path, {}, nullptr), "'" + path + "' cannot be removed");
  }
  const auto names = names_in(path);
  if (!names.ok()) return names.status();
  for (const std::string& name : names.value()) {
    HOTROW_RETURN_IF_ERROR(remove_path(std::string(path).append("/").append(name)));
  }
  return disk_status(files.DeleteDir(path, {}, nullptr), "'" + path + "' cannot be removed");
}

Result<std::string> read_text(const std::string& path) {
  const std::string what = "'" + path + "' cannot be read";
  rocksdb::FileSystem& files = plain_files();
  uint64_t bytes = 0;
  const rocksdb::IOStatus known = files.GetFileSize(path, {}, &bytes, nullptr);
  if (known.IsPathNotFound()) return Status::not_found("'" + path + "' is not there");
  HOTROW_RETURN_IF_ERROR(disk_status(known, what));
  if (bytes > kMostText) {
    return Status(StatusCode::kCorruption,
                  "'" + path + "': " + std::to_string(bytes) + " bytes are no text of ours");
  }
  std::unique_ptr<rocksdb::FSSequentialFile> file;
  HOTROW_RETURN_IF_ERROR(disk_status(files.NewSequentialFile(path, {}, &file, nullptr), what));
  std::string text(bytes, '\0');
  rocksdb::Slice read;
  HOTROW_RETURN_IF_ERROR(disk_status(file->Read(bytes, {}, &read, text.data(), nullptr), what));
  text.assign(read.data(), read.size());
  return text;
}

Status write_file(const std::string& path, std::string_view text, SyncMode sync) {
  const std::string what = "'" + path + "' cannot be written";
  std::unique_ptr<rocksdb::FSWritableFile> file;
  rocksdb::IOStatus status = plain_files().NewWritableFile(path, {}, &file, nullptr);
  if (status.ok()) status = file->Append({text.data(), text.size()}, {}, nullptr);
  if (status.ok() && sync == SyncMode::kDisk) status = file->Fsync({}, nullptr);
  if (status.ok()) status = file->Close({}, nullptr);
  return disk_status(status, what);
}

Status write_text(const std::string& path, std::string_view text, SyncMode sync) {
  const std::string fresh = path + ".new";
  HOTROW_RETURN_IF_ERROR(write_file(fresh, text, sync));
  HOTROW_RETURN_IF_ERROR(rename_path(fresh, path));
  return sync_folder(parent_of(path), sync);
}

Status link_or_copy(const std::string& from, const std::string& to, SyncMode sync) {
  rocksdb::FileSystem& files = plain_files();
  const rocksdb::IOStatus linked = files.LinkFile(from, to, {}, nullptr);
  // Not every system has links, or any number of them. What is there already may be the same file.
  if (linked.ok() || linked.IsNoSpace() || path_exists(to)) {
    return disk_status(linked, "'" + to + "' cannot be made");
  }
  std::unique_ptr<rocksdb::FSSequentialFile> file;
  std::unique_ptr<rocksdb::FSWritableFile> copy;
  rocksdb::IOStatus status = files.NewSequentialFile(from, {}, &file, nullptr);
  if (status.ok()) status = files.NewWritableFile(to, {}, &copy, nullptr);
  std::string buffer(kPiece, '\0');
  for (rocksdb::Slice read("", 1); status.ok() && !read.empty();) {
    status = file->Read(buffer.size(), {}, &read, buffer.data(), nullptr);
    if (status.ok()) status = copy->Append(read, {}, nullptr);
  }
  if (status.ok() && sync == SyncMode::kDisk) status = copy->Fsync({}, nullptr);
  if (status.ok()) status = copy->Close({}, nullptr);
  return disk_status(status, "'" + to + "' cannot be made (" + linked.ToString() + ")");
}

std::string checksum_of(std::string_view bytes) {
  const auto generator = checksum_generator();
  generator->Update(bytes.data(), bytes.size());
  generator->Finalize();
  return to_hex(generator->GetChecksum());
}

Result<std::string> checksum_of_file(const std::string& path) {
  const Descriptor file(path, O_RDONLY | O_CLOEXEC);
  if (!file.ok()) return last_file_status("'" + path + "' cannot be opened");
  const auto generator = checksum_generator();
  std::vector<char> buffer(size_t{1} << 20);
  for (;;) {
    const ssize_t got = ::read(file.get(), buffer.data(), buffer.size());
    if (got < 0 && errno == EINTR) continue;
    if (got < 0) return last_file_status("'" + path + "' cannot be read");
    if (got == 0) break;
    generator->Update(buffer.data(), static_cast<size_t>(got));
  }
  generator->Finalize();
  return to_hex(generator->GetChecksum());
}

Result<std::unique_ptr<FileLock>> FileLock::take(const std::string& path, Kind kind) {
  int descriptor = ::open(path.c_str(), O_RDWR | O_CREAT | O_CLOEXEC, 0644);
  // Whoever may only read still shares.
  if (descriptor < 0 && kind == Kind::kShared) {
    descriptor = ::open(path.c_str(), O_RDONLY | O_CLOEXEC);
  }
  if (descriptor < 0) return last_file_status("'" + path + "' cannot be opened");
  std::unique_ptr<FileLock> lock(new FileLock(descriptor));
  const int how = kind == Kind::kShared ? LOCK_SH : LOCK_EX;
  if (::flock(descriptor, how | LOCK_NB) == 0) return lock;
  if (errno == EWOULDBLOCK) return std::unique_ptr<FileLock>();
  return last_file_status("'" + path + "' cannot be locked");
}

FileLock::~FileLock() { ::close(descriptor_); }

Status FileLock::write(std::string_view text) const {
  if (::ftruncate(descriptor_, 0) == 0 && ::lseek(descriptor_, 0, SEEK_SET) == 0 &&
      write_all(descriptor_, text)) {
    return {};
  }
  return last_file_status("a lock cannot be written");
}

}  // namespace hotrow
