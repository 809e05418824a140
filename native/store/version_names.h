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

#include "base/version_name.h"
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

}  // namespace hotrow

#endif  // HOTROW_STORE_VERSION_NAMES_H_
