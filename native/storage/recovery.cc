// Going back to the newest version that is whole.
//
// A version is whole when its database opens, every checksum in it fits, and its manifest has the
// number that it should have. The store's own database counts as the version that its manifest
// names. Where another is newer and whole, or it is not whole itself, it is made anew from that
// version's folder: rows.new is complete on disk before `rows` is moved to damaged/, and takes its
// place then. Whoever finds rows.new and no `rows` does the last step.
//
// What is being given up, and why, is noted before the first step, in `recovering`: whoever goes on
// after another death says it whole.
//
// Nothing is deleted: what is given up lies in damaged/, under the numbers of its versions, which
// are not given to others.
#include <algorithm>
#include <sstream>
#include <string_view>
#include <utility>

#include "base/failpoint.h"
#include "storage/database.h"
#include "storage/disk.h"
#include "storage/engine.h"

namespace hotrow {

namespace {

constexpr std::string_view kDamaged = "/damaged";
constexpr std::string_view kFresh = "/rows.new";
constexpr std::string_view kNote = "/recovering";

/// Files that are damaged or missing; anything else may be whole when it is tried again.
bool damage(const Status& status) {
  if (status.code() == StatusCode::kCorruption) return true;
  return status.code() == StatusCode::kIoError &&
         status.message().find("No such file") != std::string::npos;
}

/// Moves what is damaged out of the way, under a name that is free.
Status set_aside(const std::string& store, const std::string& what, const std::string& name,
                 SyncMode sync) {
  const std::string root = store + std::string(kDamaged);
  HOTROW_RETURN_IF_ERROR(make_folder(root, sync));
  std::string place = root + "/" + name;
  for (int i = 1; path_exists(place); ++i) {
    place = root;
    place.append("/").append(name).append("-").append(std::to_string(i));
  }
  HOTROW_RETURN_IF_ERROR(rename_path(what, place));
  return sync_folder(root, sync);
}

/// The same database in another folder. Sorted files never change and are shared.
Status copy_database(const std::string& from, const std::string& to, SyncMode sync) {
  HOTROW_RETURN_IF_ERROR(remove_path(to));
  HOTROW_RETURN_IF_ERROR(make_folder(to, sync));
  const auto names = names_in(from);
  if (!names.ok()) return names.status();
  for (const std::string& name : names.value()) {
    const std::string original = std::string(from).append("/").append(name);
    const std::string copy = std::string(to).append("/").append(name);
    if (name == "LOCK") continue;
    if (name.ends_with(".sst")) {
      HOTROW_RETURN_IF_ERROR(link_or_copy(original, copy, sync));
      continue;
    }
    const auto text = read_text(original);
    if (!text.ok()) return text.status();
    HOTROW_RETURN_IF_ERROR(write_file(copy, text.value(), sync));
  }
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
    // Removed by its writer since it was listed, or about to be: no damage. A folder without rows
    // is.
    const bool there = versions.has(*version);
    const bool held = use.ok() && use.value() == nullptr && path_exists(versions.rows(*version));
    if (!there || held) continue;
    auto found = check_version(versions, path, *version, version_of);
    if (found.ok() || !damage(found.status())) return found;
    if (first.ok()) first = found.status();
  }
  return uint64_t{0};
}

Result<uint64_t> Engine::newest_intact(const std::string& path, Recover& recover) {
  const auto kept = VersionFolders(path).list();
  if (!kept.ok()) return kept.status();
  const Status none = Status::not_found("'" + path + "' has no versions");
  if (kept.value().empty()) return none;
  Status first;
  const auto found = newest_whole(path, kept.value(), 0, recover.version_of, first);
  if (!found.ok()) return found;
  if (found.value() == 0) return first.ok() ? none : first;
  if (!first.ok()) {
    recover.recovery = {
        .from = kept.value().back(), .to = found.value(), .reason = first.message()};
  }
  return found;
}

bool Engine::has_database() const { return path_exists(path_ + "/rows/CURRENT"); }

Status Engine::no_database() const {
  return {StatusCode::kCorruption, "'" + path_ + "/rows/CURRENT' is missing"};
}

// A database without its beginning would be made anew, and its versions removed.
Status Engine::check_database() const {
  if (has_database()) return {};
  const auto kept = versions_.list();
  if (!kept.ok()) return kept.status();
  return kept.value().empty() ? Status() : no_database();
}

// With the folder locked.
Status Engine::recover(Recover& recover) const {
  const std::string rows = path_ + "/rows";
  const auto listed = versions_.list();
  if (!listed.ok()) return listed.status();
  const std::vector<uint64_t>& kept = listed.value();
  const auto files = names_in(rows);
  if (!files.ok()) return files.status();
  // A folder without a database is none yet.
  if (kept.empty() && files.value().empty()) return {};
  const auto own =
      has_database() ? check(path_, rows, recover.version_of) : Result<uint64_t>(no_database());
  if (!own.ok() && !damage(own.status())) return own.status();
  const uint64_t mine = own.ok() ? own.value() : 0;
  Status first = own.status();
  const auto newer = newest_whole(path_, kept, mine, recover.version_of, first);
  if (!newer.ok()) return newer.status();
  const uint64_t to = std::max(mine, newer.value());
  const uint64_t newest = std::max(mine, kept.empty() ? 0 : kept.back());
  Recovery& recovery = recover.recovery;
  recovery = begun_before(newest, to);
  const bool nothing_to_do = own.ok() && newest == mine;
  if (!nothing_to_do) {
    if (to == 0) return {StatusCode::kCorruption, "no version is whole: " + first.message()};
    if (first.ok()) {
      first = {StatusCode::kCorruption,
               "'" + rows + "' has lost the versions after " + std::to_string(mine)};
    }
    recovery.from = std::max(recovery.from, newest);
    if (recovery.reason.empty()) recovery.reason = first.message();
    recovery.to = to;
    HOTROW_RETURN_IF_ERROR(go_back(kept, recovery, to != mine));
  }
  return remove_path(note());
}

// `rebuild`: the store's own database is not at the version to go to.
Status Engine::go_back(std::span<const uint64_t> kept, const Recovery& recovery,
                       bool rebuild) const {
  const std::string rows = path_ + "/rows";
  HOTROW_RETURN_IF_ERROR(write_text(
      note(),
      std::to_string(recovery.from) + " " + std::to_string(recovery.to) + " " + recovery.reason,
      sync_));
  if (rebuild) {
    HOTROW_RETURN_IF_ERROR(
        copy_database(versions_.rows(recovery.to), path_ + std::string(kFresh), sync_));
    failpoint("recover.copied");
  }
  for (const uint64_t version : kept) {
    if (version <= recovery.to) continue;
    const std::string name = VersionFolders::name_of(version);
    HOTROW_RETURN_IF_ERROR(set_aside(path_, versions_.folder(version), name, sync_));
  }
  failpoint("recover.set_aside");
  if (rebuild) {
    const std::string name = VersionFolders::name_of(recovery.from) + ".rows";
    if (path_exists(rows)) HOTROW_RETURN_IF_ERROR(set_aside(path_, rows, name, sync_));
    failpoint("recover.moved");
    HOTROW_RETURN_IF_ERROR(finish_recovery());
  }
  return sync_folder(path_, sync_);
}

std::string Engine::note() const { return path_ + std::string(kNote); }

// What a process that died meanwhile had found: some of what it gave up is out of sight by now. A
// note that is older than the newest version is of a recovery that has ended.
Recovery Engine::begun_before(uint64_t newest, uint64_t to) const {
  const auto text = read_text(note());
  Recovery before;
  if (!text.ok()) return before;
  std::istringstream words(text.value());
  words >> before.from >> before.to;
  if (!words || before.to < to || before.from < newest) return {};
  std::getline(words >> std::ws, before.reason);
  before.to = to;
  return before;
}

// What is found without rows.new is as it should be.
Status Engine::finish_recovery() const {
  const std::string fresh = path_ + std::string(kFresh);
  const std::string rows = path_ + "/rows";
  if (!path_exists(fresh)) return {};
  if (path_exists(rows)) return remove_path(fresh);
  HOTROW_RETURN_IF_ERROR(rename_path(fresh, rows));
  return sync_folder(path_, sync_);
}

Result<uint64_t> Engine::last_given_up() const {
  const auto names = names_in(path_ + std::string(kDamaged));
  if (!names.ok()) return names.status();
  uint64_t last = 0;
  for (const std::string& name : names.value()) {
    last = std::max(last, VersionFolders::number_of(name.substr(0, VersionFolders::kDigits)));
  }
  return last;
}

}  // namespace hotrow
