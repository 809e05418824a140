// What the versions of a cluster are called on each of its servers (server/cluster_versions.h).
#ifndef HOTROW_BASE_CLUSTER_NAMES_H_
#define HOTROW_BASE_CLUSTER_NAMES_H_

#include <string>
#include <string_view>

namespace hotrow::cluster_names {

/// Of a part whose version exists. Does not keep the part from being removed when it is old.
inline constexpr std::string_view kDecided = "cluster/";
/// Of a part of which it is not known yet.
inline constexpr std::string_view kPrepared = "prepared/";
/// Of the version before a prepared part.
inline constexpr std::string_view kParent = "parent/";

inline bool is_decided(std::string_view name) { return name.starts_with(kDecided); }
inline bool is_prepared(std::string_view name) { return name.starts_with(kPrepared); }
inline bool is_one(std::string_view name) {
  return is_decided(name) || is_prepared(name) || name.starts_with(kParent);
}

inline std::string with(std::string_view prefix, std::string_view id) {
  return std::string(prefix).append(id);
}

/// The id in a name, its leader with it; empty in a name that is none of these.
inline std::string_view id_of(std::string_view name) {
  return is_one(name) ? name.substr(name.find('/') + 1) : std::string_view();
}

}  // namespace hotrow::cluster_names

#endif  // HOTROW_BASE_CLUSTER_NAMES_H_
