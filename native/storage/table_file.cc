#include "storage/table_file.h"

#include <algorithm>
#include <cstdint>
#include <fstream>
#include <optional>
#include <string_view>

#include "storage/table_format.h"

namespace hotrow {

namespace {

// Of properties and the list of what lies beside the data; ours have 1 KiB.
constexpr uint64_t kMostBytes = uint64_t{1} << 20;

/// The block with its trailer, if its checksum is right.
std::optional<std::string> read_block(std::ifstream& file, uint64_t end, const BlockHandle& block) {
  const uint64_t most = end - std::min(end, block.offset);
  if (block.size > kMostBytes || block.size + kTrailerBytes > most) return {};
  std::string bytes(block.size + kTrailerBytes, '\0');
  file.seekg(static_cast<std::streamoff>(block.offset));
  if (!file.read(bytes.data(), static_cast<std::streamsize>(bytes.size()))) return {};
  if (!is_whole_block(bytes)) return {};
  return bytes;
}

bool is_whole(std::ifstream& file, uint64_t size, std::string_view bytes) {
  const auto footer = Footer::parse(bytes);
  if (!footer) return false;
  const uint64_t end = size - kFooterBytes;
  const BlockHandle& index = footer->index;
  if (index.offset > end || index.size > end - index.offset) return false;
  const auto list = read_block(file, end, footer->metaindex);
  if (!list) return false;
  constexpr std::string_view kProperties = "rocksdb.properties";
  const size_t at = list->find(kProperties);
  if (at == std::string::npos) return false;
  std::string_view where = std::string_view(*list).substr(at + kProperties.size());
  const auto properties = take_handle(where);
  return properties && read_block(file, end, *properties);
}

}  // namespace

Status check_table_file(const std::string& path) {
  std::ifstream file(path, std::ios::binary | std::ios::ate);
  const std::streamoff end = file.tellg();
  if (end < static_cast<std::streamoff>(kFooterBytes)) return {};
  const auto size = static_cast<uint64_t>(end);
  std::string footer(kFooterBytes, '\0');
  file.seekg(static_cast<std::streamoff>(size - kFooterBytes));
  if (!file.read(footer.data(), kFooterBytes)) return {};
  if (fixed<uint64_t>(std::string_view(footer).substr(kFooterBytes - 8)) != kTableMagic) return {};
  if (is_whole(file, size, footer)) return {};
  return {StatusCode::kCorruption, "'" + path + "': its end is damaged"};
}

}  // namespace hotrow
