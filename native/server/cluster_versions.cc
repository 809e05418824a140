#include "server/cluster_versions.h"

#include <algorithm>
#include <optional>

#include "base/cluster_names.h"

namespace hotrow::server {

namespace {

namespace names = cluster_names;

constexpr size_t kIdDigits = 32;
constexpr size_t kMostIdBytes = 160;

Status check_id(std::string_view id) {
  const bool digits = id.find_first_not_of("0123456789abcdef") == kIdDigits && id[kIdDigits] == ' ';
  if (digits && id.size() > kIdDigits + 1 && id.size() <= kMostIdBytes) return {};
  return Status::invalid_argument(
      "name: expected 32 hexadecimal digits, a space and an address, received '" +
      std::string(id.substr(0, kMostIdBytes)) + "'");
}

bool is_called(const VersionInfo& info, std::string_view name) {
  return std::ranges::find(info.names, name) != info.names.end();
}

// The version that is called so.
Result<std::optional<VersionInfo>> find(Store& store, const std::string& name) {
  auto versions = store.versions();
  if (!versions.ok()) return versions.status();
  for (VersionInfo& info : versions.value()) {
    if (is_called(info, name)) return std::optional(std::move(info));
  }
  return std::optional<VersionInfo>();
}

Status forget(Store& store, const std::string& id) {
  HOTROW_RETURN_IF_ERROR(store.name_version(names::with(names::kPrepared, id), 0));
  return store.name_version(names::with(names::kParent, id), 0);
}

}  // namespace

void ClusterVersions::start(Store& store) {
  const auto newest = store.version();
  if (!newest.ok()) return;  // in memory: without versions
  for (const std::string& name : newest.value().names) {
    if (!names::is_prepared(name)) continue;
    const std::string id(names::id_of(name));
    const bool decided = is_called(newest.value(), names::with(names::kDecided, id));
    if (decided || !check_id(id).ok()) continue;
    const MutexLock lock(doubt_mutex_);
    in_doubt_ = id;
  }
}

std::string ClusterVersions::in_doubt() const {
  const MutexLock lock(doubt_mutex_);
  return in_doubt_;
}

void ClusterVersions::no_doubt(const std::string& id) {
  const MutexLock lock(doubt_mutex_);
  if (in_doubt_ == id) in_doubt_.clear();
}

Result<VersionInfo> ClusterVersions::prepare(Store& store, const std::string& id,
                                             const CommitOptions& options, uint64_t rollback_to) {
  HOTROW_RETURN_IF_ERROR(check_id(id));
  const MutexLock lock(mutex_);
  if (given_up_.contains(id)) return Status::not_found("version '" + id + "' was given up");
  if (const std::string doubtful = in_doubt(); !doubtful.empty()) {
    return Status(StatusCode::kBusy,
                  "it is not known yet what became of version '" + doubtful + "'; connect again");
  }
  const auto before = store.version();
  if (!before.ok()) return before.status();
  if (before.value().kept) {
    HOTROW_RETURN_IF_ERROR(
        store.name_version(names::with(names::kParent, id), before.value().version));
  }
  const std::string name = names::with(names::kPrepared, id);
  CommitOptions named = options;
  named.name = name;
  auto made = rollback_to == 0 ? store.commit(named) : store.rollback(std::to_string(rollback_to));
  Status status = made.status();
  if (status.ok() && !is_called(made.value(), name)) {
    status = store.name_version(name, made.value().version);
  }
  if (status.ok()) return made;
  (void)forget(store, id);
  return status;
}

Result<VersionInfo> ClusterVersions::decide_part(Store& store, const std::string& id) {
  const std::string decided = names::with(names::kDecided, id);
  auto part = find(store, names::with(names::kPrepared, id));
  if (!part.ok()) return part.status();
  if (!part.value()) {
    part = find(store, decided);
    if (!part.ok()) return part.status();
    if (!part.value()) return Status::not_found("there is no part of version '" + id + "'");
    return *std::move(part).value();
  }
  HOTROW_RETURN_IF_ERROR(store.name_version(decided, part.value()->version));
  no_doubt(id);
  // It is decided, whatever becomes of the other names.
  (void)forget(store, id);
  return *std::move(part).value();
}

Result<VersionInfo> ClusterVersions::decide(Store& store, const std::string& id) {
  HOTROW_RETURN_IF_ERROR(check_id(id));
  const MutexLock lock(mutex_);
  if (given_up_.contains(id)) return Status::not_found("version '" + id + "' was given up");
  return decide_part(store, id);
}

Result<bool> ClusterVersions::resolve(Store& store, const std::string& id) {
  HOTROW_RETURN_IF_ERROR(check_id(id));
  const MutexLock lock(mutex_);
  const auto part = find(store, names::with(names::kDecided, id));
  if (!part.ok()) return part.status();
  if (part.value()) return true;
  if (given_up_.size() >= kMostGivenUp) {
    return Status(StatusCode::kCapacity, "too many versions were given up");
  }
  given_up_.insert(id);
  return false;
}

Status ClusterVersions::settle(Store& store, const std::string& id, bool decided) {
  HOTROW_RETURN_IF_ERROR(check_id(id));
  const MutexLock lock(mutex_);
  if (decided) return decide_part(store, id).status();
  if (in_doubt() == id) HOTROW_RETURN_IF_ERROR(go_back(store, id));
  return forget(store, id);
}

// To what the server had before the part, which nobody has changed since it was started.
Status ClusterVersions::go_back(Store& store, const std::string& id) {
  const auto parent = find(store, names::with(names::kParent, id));
  if (!parent.ok()) return parent.status();
  if (parent.value()) {
    HOTROW_RETURN_IF_ERROR(store.rollback(std::to_string(parent.value()->version)).status());
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
