// Files and folders, with our errors, by the file system that is under every database (disk.h):
// what fails or is lost there, in tests too, is so here.
#ifndef HOTROW_STORAGE_FILES_H_
#define HOTROW_STORAGE_FILES_H_

#include <memory>
#include <string>
#include <string_view>
#include <system_error>
#include <vector>

#include "hotrow/options.h"
#include "hotrow/status.h"

namespace hotrow {

Status file_status(const std::error_code& error, const std::string& what);
/// Of errno.
Status last_file_status(const std::string& what);

/// What was written into the folder survives the death of the machine, if it is synced.
Status sync_folder(const std::string& path, SyncMode sync = SyncMode::kDisk);

/// Also when it cannot be told.
bool path_exists(const std::string& path);
/// What a folder has in it, in any order; nothing where there is no folder.
Result<std::vector<std::string>> names_in(const std::string& folder);
/// Gives a file or a folder another name, in the place of what has it. Nothing is synced.
Status rename_path(const std::string& from, const std::string& to);
/// Removes a file, or a folder with all that is in it, if there is one.
Status remove_path(const std::string& path);

/// The text of a file of at most 64 MiB. ERR_NOT_FOUND when there is none.
Result<std::string> read_text(const std::string& path);
/// Makes a file, or empties it, and writes the text; its folder is not synced.
Status write_file(const std::string& path, std::string_view text, SyncMode sync = SyncMode::kDisk);
/// Replaces a file's text in one step that survives the death of the machine, if it is synced.
Status write_text(const std::string& path, std::string_view text, SyncMode sync = SyncMode::kDisk);

/// The same file under a second name, or a copy where the system cannot.
Status link_or_copy(const std::string& from, const std::string& to,
                    SyncMode sync = SyncMode::kDisk);

/// crc32c of a file in eight hexadecimal digits.
Result<std::string> checksum_of_file(const std::string& path);
/// Of bytes.
std::string checksum_of(std::string_view bytes);

/// A file locked for as long as this lives, against other processes and other locks in this one.
class FileLock {
 public:
  enum class Kind { kShared, kExclusive };
  /// Makes the file if there is none. Does not wait: null when somebody else has it.
  static Result<std::unique_ptr<FileLock>> take(const std::string& path, Kind kind);
  ~FileLock();
  FileLock(const FileLock&) = delete;
  FileLock& operator=(const FileLock&) = delete;

  /// Replaces the text of the file.
  Status write(std::string_view text) const;

 private:
  explicit FileLock(int descriptor) : descriptor_(descriptor) {}
  const int descriptor_;
};

}  // namespace hotrow

#endif  // HOTROW_STORAGE_FILES_H_
