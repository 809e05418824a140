// Which versions a store keeps, and what they are called.
#include <algorithm>
#include <map>
#include <utility>

#include "base/cluster_names.h"
#include "store/local_store.h"
#include "store/version_names.h"

namespace hotrow {

Status LocalStore::no_versions() const {
  return {StatusCode::kUnsupported, "a store in memory has no versions: '" + path_ + "'"};
}

// Of a call about versions, once it is its turn.
Status LocalStore::check_on_disk() {
  if (in_memory()) return no_versions();
  const MutexLock lock(mutex_);
  return check_open();
}

Status LocalStore::check_writable() const {
  if (!options_.read_only) return {};
  return {StatusCode::kReadOnly, "the store '" + path_ + "' is opened for reading"};
}

Result<VersionInfo> LocalStore::version() {
  VersionInfo info;
  {
    const MutexLock lock(mutex_);
    HOTROW_RETURN_IF_ERROR(check_open());
    info = manifest_.info();
    info.bytes = newest_bytes_;
    if (!engine_) return info;
    info.kept = engine_->versions().has(info.version);
  }
  const auto names = VersionNames::read(path_);
  if (!names.ok()) return names.status();
  names.value().tell(info);
  return info;
}

Result<uint64_t> LocalStore::resolve(std::string_view version) const {
  if (const uint64_t number = version_number(version); number != 0) return number;
  const auto names = VersionNames::read(path_);
  if (!names.ok()) return names.status();
  const auto found = names.value().names.find(version);
  if (found != names.value().names.end()) return found->second;
  return Status::not_found("no version of '" + path_ + "' is called '" + std::string(version) +
                           "'");
}

// What a kept version's folder says of it.
Result<VersionInfo> LocalStore::kept_version(uint64_t version) const {
  const std::string folder = engine_->versions().delta(version);
  std::string text;
  uint64_t bytes = 0;
  if (const auto delta = Delta::read(folder); delta.ok()) {
    text = delta.value().manifest;
    bytes = delta.value().bytes();
  } else {
    const auto engine = Engine::open_version(path_, version);
    if (!engine.ok()) return engine.status();
    text = engine.value()->manifest();
  }
  const auto manifest = Manifest::parse(text);
  if (!manifest.ok()) return manifest.status();
  VersionInfo info = manifest.value().info();
  info.bytes = bytes;
  info.kept = true;
  return info;
}

Result<std::vector<VersionInfo>> LocalStore::versions() {
  if (in_memory()) return no_versions();
  const MutexLock lock(mutex_);
  HOTROW_RETURN_IF_ERROR(check_open());
  const auto names = VersionNames::read(path_);
  if (!names.ok()) return names.status();
  const auto kept = engine_->versions().list();
  if (!kept.ok()) return kept.status();
  std::vector<VersionInfo> infos;
  for (const uint64_t version : kept.value()) {
    auto info = kept_version(version);
    // Removed meanwhile by the process that writes.
    if (info.status().code() == StatusCode::kNotFound) continue;
    if (!info.ok()) return info.status();
    names.value().tell(info.value());
    infos.push_back(std::move(info).value());
  }
  return infos;
}

Status LocalStore::change_names(const std::function<Status(VersionNames&)>& change) {
  HOTROW_RETURN_IF_ERROR(check_writable());
  auto names = VersionNames::read(path_);
  if (!names.ok()) return names.status();
  HOTROW_RETURN_IF_ERROR(change(names.value()));
  return names.value().write(path_, sync_of(options_));
}

Status LocalStore::check_kept(uint64_t version) const {
  if (engine_->versions().has(version)) return {};
  return Status::not_found("'" + path_ + "' does not keep version " + std::to_string(version));
}

Status LocalStore::set_name(std::string_view name, uint64_t version) {
  return change_names([&](VersionNames& names) -> Status {
    if (version == 0) {
      names.names.erase(std::string(name));
      return {};
    }
    HOTROW_RETURN_IF_ERROR(check_kept(version));
    names.names[std::string(name)] = version;
    return {};
  });
}

Status LocalStore::name_version(std::string_view name, uint64_t version) {
  HOTROW_RETURN_IF_ERROR(check_version_name(name));
  const MutexLock committing(commit_mutex_);
  HOTROW_RETURN_IF_ERROR(check_on_disk());
  return set_name(name, version);
}

Status LocalStore::pin_version(uint64_t version, bool pinned) {
  const MutexLock committing(commit_mutex_);
  HOTROW_RETURN_IF_ERROR(check_on_disk());
  return change_names([&](VersionNames& names) -> Status {
    if (!pinned) {
      names.pins.erase(version);
      return {};
    }
    HOTROW_RETURN_IF_ERROR(check_kept(version));
    names.pins.insert(version);
    return {};
  });
}

// What cannot be removed now is removed after a later commit.
void LocalStore::remove_old_versions() {
  const auto names = VersionNames::read(path_);
  if (!names.ok()) return;
  const VersionFolders& folders = engine_->versions();
  const auto all = folders.list();
  if (!all.ok() || all.value().empty()) return;
  std::vector<uint64_t> kept = all.value();
  const uint64_t now = context_.clock.now_ms();
  kept.pop_back();
  uint64_t place = kept.size();
  for (const uint64_t version : kept) {
    bool stays = place-- <= options_.keep_versions;
    if (stays && options_.keep_ms > 0) {
      const auto info = kept_version(version);
      const uint64_t made = info.ok() ? std::min(info.value().time_ms, now) : now;
      stays = now - made <= options_.keep_ms;
    }
    if (!stays && !names.value().holds(version)) (void)folders.remove(version);
  }
  forget_cluster_names();
}

// Of parts of a cluster's versions that are not kept any more.
void LocalStore::forget_cluster_names() {
  const auto names = VersionNames::read(path_);
  const auto gone = [&](const auto& named) {
    const bool one =
        cluster_names::is_decided(named.first) || cluster_names::is_given_up(named.first);
    return one && !engine_->versions().has(named.second);
  };
  if (!names.ok() || std::ranges::none_of(names.value().names, gone)) return;
  (void)change_names([&](VersionNames& all) {
    std::erase_if(all.names, gone);
    return Status();
  });
}

Result<std::vector<TableDiff>> LocalStore::diff(std::string_view from, std::string_view to) {
  if (in_memory()) return no_versions();
  std::vector<std::unique_ptr<Engine>> engines;
  // By table number: two tables that had one name after the other are two.
  std::map<TableId, TableDiff> tables;
  for (const std::string_view version : {from, to}) {
    const auto number = resolve(version);
    if (!number.ok()) return number.status();
    auto engine = Engine::open_version(path_, number.value());
    if (!engine.ok()) return engine.status();
    const auto manifest = Manifest::parse(engine.value()->manifest());
    if (!manifest.ok()) return manifest.status();
    for (const StoredTable& stored : manifest.value().tables) tables[stored.id].name = stored.name;
    engines.push_back(std::move(engine).value());
  }
  std::vector<TableDiff> diffs;
  for (auto& [id, diff] : tables) {
    HOTROW_RETURN_IF_ERROR(engines[0]->compare(
        *engines[1], id,
        [&](uint64_t, const Engine::Row* before, const Engine::Row* after) -> Status {
          ++(before == nullptr ? diff.added : after == nullptr ? diff.removed : diff.changed);
          return {};
        }));
    diffs.push_back(std::move(diff));
  }
  return diffs;
}

Status LocalStore::verify() {
  const MutexLock committing(commit_mutex_);
  HOTROW_RETURN_IF_ERROR(check_on_disk());
  const VersionFolders& folders = engine_->versions();
  const auto kept = folders.list();
  if (!kept.ok()) return kept.status();
  for (const uint64_t version : kept.value()) {
    const auto named_in = [&](const Status& status) {
      return Status(status.code(), "version " + std::to_string(version) + ": " + status.message());
    };
    // Opened first: it is not removed while it is read.
    const auto engine = Engine::open_version(path_, version);
    if (engine.status().code() == StatusCode::kNotFound) continue;
    const auto delta = Delta::read(folders.delta(version));
    const bool none = delta.status().code() == StatusCode::kNotFound;
    if (!delta.ok() && !none) return named_in(delta.status());
    if (delta.ok()) {
      const Status whole = delta.value().verify(folders.delta(version));
      if (!whole.ok()) return named_in(whole);
    }
    if (!engine.ok()) return named_in(engine.status());
    const Status whole = engine.value()->verify();
    if (!whole.ok()) return named_in(whole);
  }
  return engine_->verify();
}

Status LocalStore::compact() {
  HOTROW_RETURN_IF_ERROR(check_writable());
  const MutexLock committing(commit_mutex_);
  HOTROW_RETURN_IF_ERROR(check_on_disk());
  return engine_->compact();
}

}  // namespace hotrow
