#include "storage/files.h"

#include <fcntl.h>
#include <sys/file.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <filesystem>
#include <fstream>
#include <memory>

#include "storage/checksum.h"

namespace hotrow {

namespace {

namespace fs = std::filesystem;

constexpr uintmax_t kMostText = uintmax_t{64} << 20;

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
  const Descriptor folder(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
  if (folder.ok() && ::fsync(folder.get()) == 0) return {};
  return last_file_status("'" + path + "' cannot be synced");
}

Result<std::string> read_text(const std::string& path) {
  std::error_code error;
  const uintmax_t bytes = fs::file_size(path, error);
  if (error == std::errc::no_such_file_or_directory) {
    return Status::not_found("'" + path + "' is not there");
  }
  if (error) return file_status(error, "'" + path + "' cannot be read");
  if (bytes > kMostText) {
    return Status(StatusCode::kCorruption,
                  "'" + path + "': " + std::to_string(bytes) + " bytes are no text of ours");
  }
  std::string text(bytes, '\0');
  std::ifstream file(path, std::ios::binary);
  if (file.read(text.data(), static_cast<std::streamsize>(bytes))) return text;
  return Status(StatusCode::kIoError, "'" + path + "' cannot be read");
}

Status write_text(const std::string& path, std::string_view text, SyncMode sync) {
  const std::string fresh = path + ".new";
  {
    const Descriptor file(fresh, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC);
    const bool written = file.ok() && write_all(file.get(), text);
    if (!written || (sync == SyncMode::kDisk && ::fsync(file.get()) != 0)) {
      return last_file_status("'" + fresh + "' cannot be written");
    }
  }
  if (::rename(fresh.c_str(), path.c_str()) != 0) {
    return last_file_status("'" + path + "' cannot be replaced");
  }
  return sync_folder(parent_of(path), sync);
}

Status link_or_copy(const std::string& from, const std::string& to, SyncMode sync) {
  if (::link(from.c_str(), to.c_str()) == 0) return {};
  if (errno != EXDEV && errno != EPERM && errno != EMLINK && errno != EOPNOTSUPP) {
    return last_file_status("'" + to + "' cannot be made");
  }
  std::error_code error;
  fs::copy_file(from, to, error);
  if (error) return file_status(error, "'" + to + "' cannot be written");
  if (sync == SyncMode::kOs) return {};
  const Descriptor file(to, O_RDONLY | O_CLOEXEC);
  if (file.ok() && ::fsync(file.get()) == 0) return {};
  return last_file_status("'" + to + "' cannot be synced");
}

std::string checksum_text(std::string_view bytes) {
  constexpr std::string_view kDigits = "0123456789abcdef";
  std::string text;
  for (const char byte : bytes) {
    const auto value = static_cast<unsigned char>(byte);
    text += kDigits[value >> 4];
    text += kDigits[value & 15];
  }
  return text;
}

std::string checksum_of(std::string_view bytes) {
  const auto generator = checksum_generator();
  generator->Update(bytes.data(), bytes.size());
  generator->Finalize();
  return checksum_text(generator->GetChecksum());
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
  return checksum_text(generator->GetChecksum());
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
