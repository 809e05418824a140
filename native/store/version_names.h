// Names of versions and which are pinned: a file beside the versions, replaced as a whole
// (docs/FORMATS.md).
#ifndef HOTROW_STORE_VERSION_NAMES_H_
#define HOTROW_STORE_VERSION_NAMES_H_

#include <cstdint>
#include <map>
#include <set>
#include <string>
#include <string_view>
#include <vector>

#include "hotrow/status.h"
#include "hotrow/store.h"

namespace hotrow {

class VersionNames {
 public:
  /// Of the store in that folder; none where there is no file yet.
  static Result<VersionNames> read(const std::string& store);
  Status write(const std::string& store, SyncMode sync = SyncMode::kDisk) const;

  std::map<std::string, uint64_t, std::less<>> names;
  std::set<uint64_t> pins;

  bool holds(uint64_t version) const;
  /// Adds what a version is called and whether it is pinned.
  void tell(VersionInfo& info) const;
};

/// 1 to 255 bytes of UTF-8, not digits alone.
Status check_version_name(std::string_view name);
/// The number that a text of digits is, or 0.
uint64_t version_number(std::string_view text);

}  // namespace hotrow

#endif  // HOTROW_STORE_VERSION_NAMES_H_
