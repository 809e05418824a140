// The versions that a store keeps: a folder for each, path/versions/<number>, with `rows`, a
// database as it was at that version, and `delta`, what it changed. Their files are shared with the
// store's own by hard links.
//
// Threads: those that make and remove versions are called by the one process that has the store
// open for writing, one at a time; the rest by any process.
#ifndef HOTROW_STORAGE_VERSION_FOLDERS_H_
#define HOTROW_STORAGE_VERSION_FOLDERS_H_

#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "hotrow/options.h"
#include "hotrow/status.h"
#include "storage/files.h"

namespace hotrow {

class VersionFolders {
 public:
  explicit VersionFolders(const std::string& store, SyncMode sync = SyncMode::kDisk)
      : root_(store + "/versions"), sync_(sync) {}

  std::string rows(uint64_t version) const { return folder(version) + "/rows"; }
  std::string delta(uint64_t version) const { return folder(version) + "/delta"; }
  std::string folder(uint64_t version) const { return root_ + "/" + name_of(version); }
  /// A folder's name: the version in so many digits.
  static constexpr size_t kDigits = 20;
  static std::string name_of(uint64_t version);
  /// The number that a folder's name is, or 0.
  static uint64_t number_of(const std::string& name);
  /// Those that are kept, rising. ERR_IO_ERROR when the folder cannot be read: then it is not known
  /// that there are none.
  Result<std::vector<uint64_t>> list() const;
  bool has(uint64_t version) const { return path_exists(folder(version)); }
  /// For as long as the lock lives the version is not removed. Null: it is gone, or about to be.
  Result<std::unique_ptr<FileLock>> use(uint64_t version) const;

  // --- Making one: begin, fill fresh_rows and fresh_delta, finish.
  std::string fresh_rows(uint64_t version) const { return fresh(version) + "/rows"; }
  std::string fresh_delta(uint64_t version) const { return fresh(version) + "/delta"; }
  Status begin(uint64_t version) const;
  Status finish(uint64_t version) const;
  void abandon(uint64_t version) const;
  /// After a process died: nothing is left of versions that came to nothing; what begin() made for
  /// `newest` itself stays.
  Status clean(uint64_t newest) const;
  /// False: somebody uses it.
  Result<bool> remove(uint64_t version) const;

 private:
  std::string fresh(uint64_t version) const { return folder(version) + ".new"; }

  const std::string root_;
  const SyncMode sync_;
};

}  // namespace hotrow

#endif  // HOTROW_STORAGE_VERSION_FOLDERS_H_
