#include "server/cluster_versions.h"

#include <algorithm>

#include "base/cluster_names.h"

namespace hotrow::server {

namespace {

namespace names = cluster_names;

Status check_id(std::string_view id) {
  if (names::is_id(id)) return {};
  return Status::invalid_argument(
      "name: expected 32 hexadecimal digits, a space and an address, received '" +
      std::string(id.substr(0, names::kMostIdBytes)) + "'");
}

// Of a part that takes the place of the newest version: what the server goes back to without it. A
// part that was not decided is nothing to go back to.
Result<uint64_t> base_of(const VersionInfo& newest) {
  if (!newest.cluster.id.empty() && !names::is_decided_part(newest)) return newest.cluster.base;
  if (newest.version == 0 || newest.kept) return newest.version;
  return Status(StatusCode::kIoError, "version " + std::to_string(newest.version) +
                                          " could not be kept, and there would be no way back");
}

Status given_up(const std::string& id) {
  return Status::not_found("version '" + id + "' was given up");
}

}  // namespace

void ClusterVersions::start(Store& store) {
  const auto newest = store.version();
  if (!newest.ok()) return;  // in memory: without versions
  const std::string& id = newest.value().cluster.id;
  if (!names::is_id(id) || names::is_decided_part(newest.value())) return;
  const MutexLock lock(doubt_mutex_);
  in_doubt_ = id;
}

std::string ClusterVersions::in_doubt() const {
  const MutexLock lock(doubt_mutex_);
  return in_doubt_;
}

void ClusterVersions::no_doubt(const std::string& id) {
  const MutexLock lock(doubt_mutex_);
  if (in_doubt_ == id) in_doubt_.clear();
}

Status ClusterVersions::begin(Store& store, const std::string& id, const std::string& owner,
                              const std::function<bool(const std::string& owner)>& connected) {
  HOTROW_RETURN_IF_ERROR(check_id(id));
  const MutexLock lock(mutex_);
  const auto now = std::chrono::steady_clock::now();
  if (!begun_.empty() && begun_ != id) {
    if (now - begun_at_ < kBegunFor && connected(begun_by_)) {
      return {StatusCode::kBusy, "another version of the servers is being made"};
    }
    const auto late = find_part(store, begun_);
    if (!late.ok()) return late.status();
    HOTROW_RETURN_IF_ERROR(give_up(store, begun_, late.value()));
  }
  begun_ = id;
  begun_by_ = owner;
  begun_at_ = now;
  return {};
}

void ClusterVersions::release(const std::string& id) {
  if (begun_ == id) begun_.clear();
}

Result<VersionInfo> ClusterVersions::prepare(Store& store, const std::string& id,
                                             const CommitOptions& options, uint64_t rollback_to) {
  HOTROW_RETURN_IF_ERROR(check_id(id));
  const MutexLock lock(mutex_);
  if (std::ranges::find(given_up_, id) != given_up_.end()) return given_up(id);
  if (const std::string doubtful = in_doubt(); !doubtful.empty()) {
    return Status(StatusCode::kBusy,
                  "it is not known yet what became of version '" + doubtful + "'; connect again");
  }
  const auto newest = store.version();
  if (!newest.ok()) return newest.status();
  const auto base = base_of(newest.value());
  if (!base.ok()) return base.status();
  const std::string kept = names::with(names::kBase, id);
  if (base.value() != 0) HOTROW_RETURN_IF_ERROR(store.name_version(kept, base.value()));
  CommitOptions its = options;
  its.cluster.id = id;
  its.cluster.base = base.value();
  auto made = rollback_to == 0 ? store.commit(its)
                               : store.rollback(std::to_string(rollback_to), its.cluster);
  if (!made.ok() || made.value().kept) return made;
  return Status(StatusCode::kIoError,
                "version " + std::to_string(made.value().version) + " could not be kept");
}

Result<ClusterVersions::Part> ClusterVersions::find_part(Store& store, const std::string& id) {
  auto versions = store.versions();
  if (versions.status().code() == StatusCode::kUnsupported) return Part{};  // in memory
  if (!versions.ok()) return versions.status();
  Part part;
  const std::string refused = names::with(names::kGivenUp, id);
  for (VersionInfo& info : versions.value()) {
    for (const std::string& name : info.names) {
      if (names::is_decided(name)) part.newest_decided = info.version;
      if (name == refused) part.given_up = true;
      if (names::is_base(name) || names::is_given_up(name)) part.settled_names.push_back(name);
    }
    if (info.cluster.id == id) part.info = std::move(info);
  }
  if (part.info.version != 0) return part;
  // One that could not be kept.
  auto newest = store.version();
  if (!newest.ok()) return newest.status();
  if (newest.value().cluster.id == id) part.info = std::move(newest).value();
  return part;
}

Result<VersionInfo> ClusterVersions::decide_part(Store& store, const std::string& id, bool leads) {
  const auto found = find_part(store, id);
  if (!found.ok()) return found.status();
  const VersionInfo& part = found.value().info;
  if (part.version == 0) return Status::not_found("there is no part of version '" + id + "'");
  if (found.value().given_up) return given_up(id);
  if (!names::is_decided_part(part)) {
    if (part.version < found.value().newest_decided) {
      return Status::not_found("version '" + id + "' was overtaken by another");
    }
    if (leads) {
      HOTROW_RETURN_IF_ERROR(store.name_version(names::with(names::kOpen, id), part.version));
    }
    HOTROW_RETURN_IF_ERROR(store.name_version(names::with(names::kDecided, id), part.version));
    // It is decided, whatever becomes of the other names.
    for (const std::string& name : found.value().settled_names) (void)store.name_version(name, 0);
  }
  no_doubt(id);
  release(id);
  return part;
}

Result<VersionInfo> ClusterVersions::decide(Store& store, const std::string& id, bool leads) {
  HOTROW_RETURN_IF_ERROR(check_id(id));
  const MutexLock lock(mutex_);
  if (std::ranges::find(given_up_, id) != given_up_.end()) return given_up(id);
  return decide_part(store, id, leads);
}

Status ClusterVersions::close(Store& store, const std::string& id) {
  HOTROW_RETURN_IF_ERROR(check_id(id));
  const MutexLock lock(mutex_);
  return store.name_version(names::with(names::kOpen, id), 0);
}

Result<std::string> ClusterVersions::not_closed(Store& store) {
  const MutexLock lock(mutex_);
  const auto versions = store.versions();
  if (versions.status().code() == StatusCode::kUnsupported) return std::string();  // in memory
  if (!versions.ok()) return versions.status();
  std::string ids;
  for (const VersionInfo& info : versions.value()) {
    const std::string& id = info.cluster.id;
    const bool open = names::has(info, names::with(names::kOpen, id));
    if (names::is_decided_part(info) && open) ids += id + "\n";
  }
  return ids;
}

Result<bool> ClusterVersions::resolve(Store& store, const std::string& id) {
  HOTROW_RETURN_IF_ERROR(check_id(id));
  const MutexLock lock(mutex_);
  const auto found = find_part(store, id);
  if (!found.ok()) return found.status();
  const VersionInfo& part = found.value().info;
  if (names::is_decided_part(part)) return true;
  HOTROW_RETURN_IF_ERROR(give_up(store, id, found.value()));
  return false;
}

// For good: a part that has come has a name for it, which stays when the server is started anew.
Status ClusterVersions::give_up(Store& store, const std::string& id, const Part& part) {
  const VersionInfo& info = part.info;
  if (info.version != 0 && info.kept && !names::is_decided_part(info)) {
    HOTROW_RETURN_IF_ERROR(store.name_version(names::with(names::kGivenUp, id), info.version));
  }
  if (std::ranges::find(given_up_, id) == given_up_.end()) given_up_.push_back(id);
  if (given_up_.size() > kMostGivenUp) given_up_.pop_front();
  release(id);
  return {};
}

Status ClusterVersions::settle(Store& store, const std::string& id, bool decided) {
  HOTROW_RETURN_IF_ERROR(check_id(id));
  const MutexLock lock(mutex_);
  if (decided) return decide_part(store, id, false).status();
  release(id);
  return in_doubt() == id ? go_back(store, id) : Status();
}

// To what the server had before the part, which nobody has changed since it was started.
Status ClusterVersions::go_back(Store& store, const std::string& id) {
  const auto found = find_part(store, id);
  if (!found.ok()) return found.status();
  const VersionInfo& part = found.value().info;
  if (part.version == 0) {
    return {StatusCode::kCorruption, "the part of version '" + id + "' is not there any more"};
  }
  if (part.cluster.base != 0) {
    HOTROW_RETURN_IF_ERROR(store.rollback(std::to_string(part.cluster.base)).status());
  } else {
    // There was nothing.
    const auto all = store.list();
    if (!all.ok()) return all.status();
    for (const ParameterInfo& info : all.value()) HOTROW_RETURN_IF_ERROR(store.drop(info.name));
    HOTROW_RETURN_IF_ERROR(store.commit({}).status());
  }
  no_doubt(id);
  return {};
}

}  // namespace hotrow::server
