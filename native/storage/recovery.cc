// Going back to the newest version that is whole.
//
// A version is whole when its database opens, every checksum in it fits, and its manifest has the
// number that it should have. The store's own database counts as the version that its manifest
// names. Where another is newer and whole, or it is not whole itself, it is made anew from that
// version's folder: rows.new is complete on disk before `rows` is moved to damaged/, and takes its
// place then. Whoever finds rows.new and no `rows` does the last step.
//
// Nothing is deleted: what is given up lies in damaged/, under the numbers of its versions, which
// are not given to others.
#include <algorithm>
#include <filesystem>
#include <string_view>
#include <utility>

#include "base/failpoint.h"
#include "storage/database.h"
#include "storage/disk.h"
#include "storage/engine.h"

namespace hotrow {

namespace {

namespace fs = std::filesystem;

constexpr std::string_view kDamaged = "/damaged";
constexpr std::string_view kFresh = "/rows.new";

/// Files that are damaged or missing; anything else may be whole when it is tried again.
bool damage(const Status& status) {
  if (status.code() == StatusCode::kCorruption) return true;
  return status.code() == StatusCode::kIoError &&
         status.message().find("No such file") != std::string::npos;
}

bool exists(const std::string& path) {
  std::error_code ignored;
  return fs::exists(path, ignored);
}

Status rename(const std::string& from, const std::string& to) {
  std::error_code error;
  fs::rename(from, to, error);
  return error ? file_status(error, "'" + from + "' cannot be moved") : Status();
}

/// Moves what is damaged out of the way, under a name that is free.
Status set_aside(const std::string& store, const std::string& what, const std::string& name,
                 SyncMode sync) {
  const std::string root = store + std::string(kDamaged);
  HOTROW_RETURN_IF_ERROR(make_folder(root, sync));
  std::string place = root + "/" + name;
  for (int i = 1; exists(place); ++i) {
    place = root;
    place.append("/").append(name).append("-").append(std::to_string(i));
  }
  HOTROW_RETURN_IF_ERROR(rename(what, place));
  return sync_folder(root, sync);
}

/// The same database in another folder. Sorted files never change and are shared.
Status copy_database(const std::string& from, const std::string& to, SyncMode sync) {
  std::error_code error;
  fs::remove_all(to, error);
  HOTROW_RETURN_IF_ERROR(make_folder(to, sync));
  for (fs::directory_iterator at(from, error), end; !error && at != end; at.increment(error)) {
    const std::string name = at->path().filename().string();
    const std::string copy = std::string(to).append("/").append(name);
    if (name == "LOCK") continue;
    if (name.ends_with(".sst")) {
      HOTROW_RETURN_IF_ERROR(link_or_copy(at->path().string(), copy, sync));
      continue;
    }
    const auto text = read_text(at->path().string());
    if (!text.ok()) return text.status();
    HOTROW_RETURN_IF_ERROR(write_text(copy, text.value(), sync));
  }
  if (error) return file_status(error, "'" + from + "' cannot be read");
  return sync_folder(to, sync);
}

}  // namespace

Result<uint64_t> Engine::check(const std::string& path, const std::string& folder,
                               const VersionOf& version_of) {
  Engine engine(path);
  HOTROW_RETURN_IF_ERROR(engine.open_database(folder, false));
  HOTROW_RETURN_IF_ERROR(engine.verify());
  return version_of(engine.manifest());
}

Result<uint64_t> Engine::check_version(const VersionFolders& versions, const std::string& path,
                                       uint64_t version, const VersionOf& version_of) {
  auto found = check(path, versions.rows(version), version_of);
  if (!found.ok() || found.value() == version) return found;
  return Status(StatusCode::kCorruption,
                "'" + versions.rows(version) + "' holds version " + std::to_string(found.value()));
}

// Of versions in rising order the newest above `floor` that is whole, or 0; `first` is, unless it
// says something already, what was damaged first.
Result<uint64_t> Engine::newest_whole(const std::string& path, std::span<const uint64_t> kept,
                                      uint64_t floor, const VersionOf& version_of, Status& first) {
  const VersionFolders versions(path);
  for (auto version = kept.rbegin(); version != kept.rend() && *version > floor; ++version) {
    const auto use = versions.use(*version);
    auto found = check_version(versions, path, *version, version_of);
    if (found.ok() || !damage(found.status())) return found;
    if (first.ok()) first = found.status();
  }
  return uint64_t{0};
}

Result<uint64_t> Engine::newest_intact(const std::string& path, Recover& recover) {
  const std::vector<uint64_t> kept = VersionFolders(path).list();
  if (kept.empty()) return Status::not_found("'" + path + "' has no versions");
  Status first;
  const auto found = newest_whole(path, kept, 0, recover.version_of, first);
  if (!found.ok()) return found;
  if (found.value() == 0) return first;
  if (!first.ok()) {
    recover.recovery = {.from = kept.back(), .to = found.value(), .reason = first.message()};
  }
  return found;
}

bool Engine::has_database() const { return exists(path_ + "/rows/CURRENT"); }

Status Engine::no_database() const {
  return {StatusCode::kCorruption, "'" + path_ + "/rows/CURRENT' is missing"};
}

// A database without its beginning would be made anew, and its versions removed.
Status Engine::check_database() const {
  return has_database() || versions_.list().empty() ? Status() : no_database();
}

// With the folder locked.
Status Engine::recover(Recover& recover) const {
  const std::string rows = path_ + "/rows";
  const std::vector<uint64_t> kept = versions_.list();
  // A folder without a database is none yet.
  std::error_code ignored;
  const bool fresh = kept.empty() && (!exists(rows) || fs::is_empty(rows, ignored));
  if (fresh) return {};
  const auto own =
      has_database() ? check(path_, rows, recover.version_of) : Result<uint64_t>(no_database());
  if (!own.ok() && !damage(own.status())) return own.status();
  const uint64_t mine = own.ok() ? own.value() : 0;
  Status first = own.status();
  const auto newer = newest_whole(path_, kept, mine, recover.version_of, first);
  if (!newer.ok()) return newer.status();
  const uint64_t to = std::max(mine, newer.value());
  const uint64_t from = std::max(mine, kept.empty() ? 0 : kept.back());
  if (own.ok() && from == mine) return {};
  if (to == 0) return {StatusCode::kCorruption, "no version is whole: " + first.message()};
  if (first.ok()) {
    first = {StatusCode::kCorruption,
             "'" + rows + "' has lost the versions after " + std::to_string(mine)};
  }
  const bool rebuild = to != mine;
  if (rebuild) {
    HOTROW_RETURN_IF_ERROR(copy_database(versions_.rows(to), path_ + std::string(kFresh), sync_));
    failpoint("recover.copied");
  }
  for (const uint64_t version : kept) {
    if (version <= to) continue;
    const std::string name = VersionFolders::name_of(version);
    HOTROW_RETURN_IF_ERROR(set_aside(path_, versions_.folder(version), name, sync_));
  }
  failpoint("recover.set_aside");
  if (rebuild) {
    const std::string name = VersionFolders::name_of(from) + ".rows";
    if (exists(rows)) HOTROW_RETURN_IF_ERROR(set_aside(path_, rows, name, sync_));
    failpoint("recover.moved");
    HOTROW_RETURN_IF_ERROR(finish_recovery());
  }
  recover.recovery = {.from = from, .to = to, .reason = first.message()};
  return sync_folder(path_, sync_);
}

// What is found without rows.new is as it should be.
Status Engine::finish_recovery() const {
  const std::string fresh = path_ + std::string(kFresh);
  const std::string rows = path_ + "/rows";
  if (!exists(fresh)) return {};
  if (!exists(rows)) {
    HOTROW_RETURN_IF_ERROR(rename(fresh, rows));
    return sync_folder(path_, sync_);
  }
  std::error_code error;
  fs::remove_all(fresh, error);
  return error ? file_status(error, "'" + fresh + "' cannot be removed") : Status();
}

uint64_t Engine::last_given_up() const {
  uint64_t last = 0;
  std::error_code error;
  const std::string root = path_ + std::string(kDamaged);
  for (fs::directory_iterator at(root, error), end; !error && at != end; at.increment(error)) {
    const std::string name = at->path().filename().string();
    last = std::max(last, VersionFolders::number_of(name.substr(0, VersionFolders::kDigits)));
  }
  return last;
}

}  // namespace hotrow
