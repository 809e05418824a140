#include "store/version_names.h"

#include <algorithm>
#include <exception>
#include <nlohmann/json.hpp>

#include "base/cluster_names.h"
#include "storage/files.h"

namespace hotrow {

namespace {

using Json = nlohmann::json;

std::string path_in(const std::string& store) { return store + "/names.json"; }

}  // namespace

Result<VersionNames> VersionNames::read(const std::string& store) {
  VersionNames read;
  const auto text = read_text(path_in(store));
  if (text.status().code() == StatusCode::kNotFound) return read;
  if (!text.ok()) return text.status();
  try {
    const Json json = Json::parse(text.value());
    for (const auto& [name, version] : json.at("names").get<std::map<std::string, uint64_t>>()) {
      read.names[name] = version;
    }
    json.at("pins").get_to(read.pins);
  } catch (const std::exception& error) {
    return Status(StatusCode::kCorruption, "'" + path_in(store) + "': " + error.what());
  }
  return read;
}

Status VersionNames::write(const std::string& store, SyncMode sync) const {
  const Json json{{"names", std::map<std::string, uint64_t>(names.begin(), names.end())},
                  {"pins", pins}};
  return write_text(path_in(store), json.dump(2, ' ', false, Json::error_handler_t::replace) + "\n",
                    sync);
}

bool VersionNames::holds(uint64_t version) const {
  uint64_t newest_decided = 0;
  bool named = pins.contains(version);
  for (const auto& [name, number] : names) {
    if (cluster_names::is_decided(name)) {
      newest_decided = std::max(newest_decided, number);
    } else if (number == version && !cluster_names::is_given_up(name)) {
      named = true;
    }
  }
  return named || version == newest_decided;
}

void VersionNames::tell(VersionInfo& info) const {
  for (const auto& [name, number] : names) {
    if (number == info.version) info.names.push_back(name);
  }
  info.pinned = pins.contains(info.version);
}

}  // namespace hotrow
