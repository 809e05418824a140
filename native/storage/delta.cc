#include "storage/delta.h"

#include <algorithm>
#include <exception>
#include <filesystem>
#include <fstream>
#include <memory>
#include <nlohmann/json.hpp>
#include <set>

#include "storage/files.h"
#include "storage/rocks.h"
#include "storage/sorted_file.h"

namespace hotrow {

namespace {

using Json = nlohmann::json;

constexpr uint32_t kFormat = 1;
// Below are the manifest and the dense parameters.
constexpr TableId kFirstTableOfRows = 2;
constexpr std::string_view kDescription = "/delta.json";

Status damaged(const std::string& file, const std::string& what) {
  return {StatusCode::kCorruption, "'" + file + "': " + what};
}

std::string quoted(const std::string& text) {
  return Json(text).dump(-1, ' ', false, Json::error_handler_t::replace);
}

std::string number(const char* name, uint64_t value) {
  return std::string(1, '"') + name + "\":" + std::to_string(value) + ",";
}

std::string to_text(const DeltaFile& file) {
  return "{" + number("table", file.table) + number("bytes", file.bytes) +
         number("rows", file.rows) + number("tombstones", file.tombstones) +
         "\"name\":" + quoted(file.name) + ",\"checksum\":" + quoted(file.checksum) + "}";
}

/// The texts of all, between brackets.
template <class T, class ToText>
std::string list(const std::vector<T>& all, const ToText& to_text) {
  std::string text;
  for (const T& each : all) text += (text.empty() ? "" : ",") + to_text(each);
  return "[" + text + "]";
}

DeltaFile file_of(const Json& json) {
  return {.table = json.at("table").get<TableId>(),
          .name = json.at("name").get<std::string>(),
          .bytes = json.at("bytes").get<uint64_t>(),
          .rows = json.at("rows").get<uint64_t>(),
          .tombstones = json.at("tombstones").get<uint64_t>(),
          .checksum = json.at("checksum").get<std::string>()};
}

/// A name that leads out of the folder is none of ours.
bool plain(const std::string& name) {
  return !name.empty() && name.find('/') == std::string::npos && name.front() != '.';
}

}  // namespace

uint64_t Delta::bytes() const {
  uint64_t sum = 0;
  for (const DeltaFile& file : files) sum += file.bytes;
  return sum;
}

// By hand: the library's objects need memory to be destroyed, and end the process when there is
// none.
Status Delta::write(const std::string& folder, SyncMode sync) const {
  const std::string text =
      "{" + number("format", kFormat) + number("version", version) + number("parent", parent) +
      "\"run\":" + quoted(run) +
      ",\"dropped\":" + list(dropped, [](TableId id) { return std::to_string(id); }) +
      ",\"files\":" + list(files, [](const DeltaFile& file) { return to_text(file); }) +
      ",\"manifest\":" + quoted(manifest) + "}";
  return write_text(folder + std::string(kDescription), text + "\n" + checksum_of(text) + "\n",
                    sync);
}

Result<Delta> Delta::read(const std::string& folder) {
  const std::string path = folder + std::string(kDescription);
  const auto lines = read_text(path);
  if (!lines.ok()) return lines.status();
  const size_t end = lines.value().find('\n');
  const std::string text = lines.value().substr(0, end);
  if (end == std::string::npos || lines.value().substr(end + 1) != checksum_of(text) + "\n") {
    return damaged(path, "its checksum does not fit");
  }
  Delta delta;
  try {
    const Json json = Json::parse(text);
    if (const auto format = json.at("format").get<uint32_t>(); format != kFormat) {
      return Status(StatusCode::kUnsupported,
                    "'" + path + "' is of format " + std::to_string(format) +
                        ", this program knows format " + std::to_string(kFormat));
    }
    json.at("run").get_to(delta.run);
    json.at("version").get_to(delta.version);
    json.at("parent").get_to(delta.parent);
    json.at("dropped").get_to(delta.dropped);
    json.at("manifest").get_to(delta.manifest);
    const auto ours = [](TableId id) { return id < kFirstTableOfRows; };
    if (std::ranges::any_of(delta.dropped, ours)) return damaged(path, "a table that never goes");
    // Those of the description and of the manifest on its way are taken.
    std::set<std::string> names = {"delta.json", "manifest.sst"};
    for (const Json& each : json.at("files").get_ref<const Json::array_t&>()) {
      delta.files.push_back(file_of(each));
      if (!names.insert(delta.files.back().name).second) return damaged(path, "a name is taken");
      if (!plain(delta.files.back().name)) return damaged(path, "a file outside of its folder");
      if (delta.files.back().table == 0) return damaged(path, "a file of no table");
    }
  } catch (const std::exception& error) {
    return damaged(path, error.what());
  }
  return delta;
}

Status Delta::verify(const std::string& folder) const {
  for (const DeltaFile& file : files) {
    const std::string path = folder + "/" + file.name;
    std::error_code error;
    const uintmax_t bytes = std::filesystem::file_size(path, error);
    if (error) return damaged(path, error.message());
    if (bytes != file.bytes) {
      return damaged(path,
                     std::to_string(bytes) + " bytes instead of " + std::to_string(file.bytes));
    }
    const auto checksum = checksum_of_file(path);
    if (!checksum.ok()) return checksum.status();
    if (checksum.value() != file.checksum) return damaged(path, "its checksum does not fit");
  }
  return {};
}

namespace {

using VisitHash = std::function<Status(uint64_t hash, const std::span<const std::byte>* row)>;

Status each_gone(const std::string& path, const VisitHash& visit) {
  const auto hashes = read_gone(path);
  if (!hashes.ok()) return hashes.status();
  for (const uint64_t hash : hashes.value()) HOTROW_RETURN_IF_ERROR(visit(hash, nullptr));
  return {};
}

Status each_row(const std::string& path, const VisitHash& visit) {
  const auto opened = SortedFile::open(path, 0);
  if (!opened.ok()) return opened.status();
  SortedFile& file = *opened.value();
  for (;;) {
    HOTROW_RETURN_IF_ERROR(file.next());
    if (!file.valid()) return {};
    const std::span row = file.row();
    HOTROW_RETURN_IF_ERROR(visit(file.hash(), file.gone() ? nullptr : &row));
  }
}

}  // namespace

Status write_gone(const std::string& path, std::span<const uint64_t> hashes, SyncMode sync) {
  return write_text(path, {reinterpret_cast<const char*>(hashes.data()), hashes.size_bytes()},
                    sync);
}

Result<std::vector<uint64_t>> read_gone(const std::string& path) {
  std::error_code error;
  const uintmax_t bytes = std::filesystem::file_size(path, error);
  if (error || bytes % sizeof(uint64_t) != 0) return damaged(path, "it is no list of hashes");
  std::vector<uint64_t> hashes(bytes / sizeof(uint64_t));
  std::ifstream file(path, std::ios::binary);
  file.read(reinterpret_cast<char*>(hashes.data()), static_cast<std::streamsize>(bytes));
  if (!file) return damaged(path, "it cannot be read to its end");
  return hashes;
}

Status Delta::each(const std::string& folder, const Visit& visit) const {
  for (const DeltaFile& file : files) {
    const std::string path = folder + "/" + file.name;
    const auto of_table = [&](uint64_t hash, const std::span<const std::byte>* row) {
      return visit(file.table, hash, row);
    };
    HOTROW_RETURN_IF_ERROR(file.rows > 0 ? each_row(path, of_table) : each_gone(path, of_table));
  }
  return {};
}

}  // namespace hotrow
