#include "storage/version_folders.h"

#include <algorithm>
#include <charconv>

#include "storage/disk.h"

namespace hotrow {

uint64_t VersionFolders::number_of(const std::string& name) {
  uint64_t number = 0;
  const char* const end = name.data() + name.size();
  const auto read = std::from_chars(name.data(), end, number);
  return name.size() == kDigits && read.ec == std::errc() && read.ptr == end ? number : 0;
}

std::string VersionFolders::name_of(uint64_t version) {
  const std::string digits = std::to_string(version);
  return std::string(kDigits - digits.size(), '0') + digits;
}

Result<std::vector<uint64_t>> VersionFolders::list() const {
  const auto names = names_in(root_);
  if (!names.ok()) return names.status();
  std::vector<uint64_t> versions;
  for (const std::string& name : names.value()) {
    if (const uint64_t number = number_of(name); number != 0) versions.push_back(number);
  }
  std::ranges::sort(versions);
  return versions;
}

Result<std::unique_ptr<FileLock>> VersionFolders::use(uint64_t version) const {
  if (!path_exists(rows(version))) return std::unique_ptr<FileLock>();
  auto lock = FileLock::take(folder(version) + "/USE", FileLock::Kind::kShared);
  // Removed between the two: the lock was of a file without a name, or cannot be made.
  if (!path_exists(rows(version))) return std::unique_ptr<FileLock>();
  return lock;
}

Status VersionFolders::begin(uint64_t version) const {
  HOTROW_RETURN_IF_ERROR(remove_path(fresh(version)));
  return make_folder(fresh_delta(version), sync_);
}

Status VersionFolders::finish(uint64_t version) const {
  // Made now, so that a reader who may not write can lock it.
  const auto use = FileLock::take(fresh(version) + "/USE", FileLock::Kind::kShared);
  if (!use.ok()) return use.status();
  HOTROW_RETURN_IF_ERROR(sync_folder(fresh_delta(version), sync_));
  HOTROW_RETURN_IF_ERROR(sync_folder(fresh(version), sync_));
  HOTROW_RETURN_IF_ERROR(rename_path(fresh(version), folder(version)));
  return sync_folder(root_, sync_);
}

void VersionFolders::abandon(uint64_t version) const { (void)remove_path(fresh(version)); }

Status VersionFolders::clean(uint64_t newest) const {
  HOTROW_RETURN_IF_ERROR(make_folder(root_, sync_));
  const auto names = names_in(root_);
  if (!names.ok()) return names.status();
  for (const std::string& name : names.value()) {
    const std::string path = root_ + "/" + name;
    const bool stays = number_of(name) != 0 || path == fresh(newest);
    if (!stays) HOTROW_RETURN_IF_ERROR(remove_path(path));
  }
  return {};
}

Result<bool> VersionFolders::remove(uint64_t version) const {
  const std::string path = folder(version);
  if (!path_exists(path)) return true;
  const auto lock = FileLock::take(path + "/USE", FileLock::Kind::kExclusive);
  if (!lock.ok()) return lock.status();
  if (lock.value() == nullptr) return false;
  const std::string gone = path + ".gone";
  HOTROW_RETURN_IF_ERROR(rename_path(path, gone));
  // Without it a loss of power may take the new name back, and leave a version without some files.
  HOTROW_RETURN_IF_ERROR(sync_folder(root_, sync_));
  HOTROW_RETURN_IF_ERROR(remove_path(gone));
  return true;
}

}  // namespace hotrow
