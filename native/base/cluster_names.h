// Names that servers give to their parts of versions that several of them have together
// (server/cluster_versions.h): a prefix, and behind it the version's id, 32 hexadecimal digits, a
// space and the leader's address.
#ifndef HOTROW_BASE_CLUSTER_NAMES_H_
#define HOTROW_BASE_CLUSTER_NAMES_H_

#include <algorithm>
#include <cstddef>
#include <string>
#include <string_view>

#include "hotrow/store.h"

namespace hotrow::cluster_names {

inline constexpr size_t kIdDigits = 32;
inline constexpr size_t kMostIdBytes = 160;

/// Of a part whose version exists. Only the newest of them is kept for it.
inline constexpr std::string_view kDecided = "cluster/";
/// Of the leader's part, until all servers know that it is decided.
inline constexpr std::string_view kOpen = "open/";
/// Of the version to go back to, until it is known whether the id's version exists.
inline constexpr std::string_view kBase = "base/";
/// Of a version of that time: the id will not be decided. Nothing is kept for it.
inline constexpr std::string_view kGivenUp = "given-up/";

inline bool is_id(std::string_view id) {
  return id.size() > kIdDigits + 1 && id.size() <= kMostIdBytes && id[kIdDigits] == ' ' &&
         id.find_first_not_of("0123456789abcdef") == kIdDigits;
}

/// The id in a name with that prefix, or nothing.
inline std::string_view id_in(std::string_view name, std::string_view prefix) {
  if (!name.starts_with(prefix)) return {};
  const std::string_view id = name.substr(prefix.size());
  return is_id(id) ? id : std::string_view();
}

inline bool is_decided(std::string_view name) { return !id_in(name, kDecided).empty(); }
inline bool is_given_up(std::string_view name) { return !id_in(name, kGivenUp).empty(); }
inline bool is_base(std::string_view name) { return !id_in(name, kBase).empty(); }
inline bool is_one(std::string_view name) {
  for (const std::string_view prefix : {kDecided, kOpen, kBase, kGivenUp}) {
    if (!id_in(name, prefix).empty()) return true;
  }
  return false;
}

inline std::string with(std::string_view prefix, std::string_view id) {
  return std::string(prefix).append(id);
}

inline bool has(const VersionInfo& info, std::string_view name) {
  return std::ranges::find(info.names, name) != info.names.end();
}
/// A part whose version exists, as far as its server knows.
inline bool is_decided_part(const VersionInfo& info) {
  return !info.cluster.id.empty() && has(info, with(kDecided, info.cluster.id));
}

}  // namespace hotrow::cluster_names

#endif  // HOTROW_BASE_CLUSTER_NAMES_H_
