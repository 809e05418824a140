#include "storage/table_file.h"

#include <algorithm>
#include <cstdint>
#include <fstream>
#include <optional>
#include <string_view>

#include "base/hash.h"
#include "storage/rocks.h"

namespace hotrow {

namespace {

// [checksum type 1][metaindex block][index block][zeros][format 4][magic 8]; a block is its offset
// and its size, each in 7 bits a byte.
constexpr uint64_t kFooter = 53;
constexpr uint64_t kMagic = 0x88e241b785f4cff7U;
// Behind each block: [compression 1][checksum 4].
constexpr uint64_t kTrailer = 5;
// Of properties and the list of what lies beside the data; ours have 1 KiB.
constexpr uint64_t kMostBytes = uint64_t{1} << 20;

struct Block {
  uint64_t offset = 0;
  uint64_t size = 0;
};

template <class T>
T fixed(std::string_view bytes) {
  T value = 0;
  if (bytes.size() >= sizeof value) bytes.copy(reinterpret_cast<char*>(&value), sizeof value);
  return value;
}

std::optional<uint64_t> take_number(std::string_view& bytes) {
  uint64_t value = 0;
  for (unsigned shift = 0; shift < 64 && !bytes.empty(); shift += 7) {
    const auto byte = static_cast<uint8_t>(bytes.front());
    bytes.remove_prefix(1);
    value |= uint64_t{byte & 0x7fU} << shift;
    if ((byte & 0x80U) == 0) return value;
  }
  return {};
}

std::optional<Block> take_block(std::string_view& bytes) {
  const auto offset = take_number(bytes);
  const auto size = take_number(bytes);
  if (!offset || !size) return {};
  return Block{*offset, *size};
}

/// The block with its trailer, if its checksum is right.
std::optional<std::string> read_block(std::ifstream& file, uint64_t end, const Block& block) {
  if (block.size > kMostBytes || block.offset > end || block.size + kTrailer > end - block.offset) {
    return {};
  }
  std::string bytes(block.size + kTrailer, '\0');
  file.seekg(static_cast<std::streamoff>(block.offset));
  if (!file.read(bytes.data(), static_cast<std::streamsize>(bytes.size()))) return {};
  const std::string_view all(bytes);
  // RocksDB adds the last byte by itself.
  const auto last = static_cast<uint8_t>(all[block.size]);
  const auto sum = static_cast<uint32_t>(xxh3(all.substr(0, block.size))) ^ (last * 0x6b9083d9U);
  if (sum != fixed<uint32_t>(all.substr(block.size + 1))) return {};
  return bytes;
}

bool is_whole(std::ifstream& file, uint64_t size, std::string_view footer) {
  if (footer[0] != static_cast<char>(kTableChecksum)) return false;
  if (fixed<uint32_t>(footer.substr(kFooter - 12)) != kTableFormat) return false;
  std::string_view rest = footer.substr(1);
  const auto metaindex = take_block(rest);
  const auto index = take_block(rest);
  if (!metaindex || !index) return false;
  const uint64_t end = size - kFooter;
  if (index->offset > end || index->size > end - index->offset) return false;
  const auto list = read_block(file, end, *metaindex);
  if (!list) return false;
  constexpr std::string_view kProperties = "rocksdb.properties";
  const size_t at = list->find(kProperties);
  if (at == std::string::npos) return false;
  std::string_view where = std::string_view(*list).substr(at + kProperties.size());
  const auto properties = take_block(where);
  return properties && read_block(file, end, *properties);
}

}  // namespace

Status check_table_file(const std::string& path) {
  std::ifstream file(path, std::ios::binary | std::ios::ate);
  const std::streamoff end = file.tellg();
  if (end < static_cast<std::streamoff>(kFooter)) return {};
  const auto size = static_cast<uint64_t>(end);
  std::string footer(kFooter, '\0');
  file.seekg(static_cast<std::streamoff>(size - kFooter));
  if (!file.read(footer.data(), kFooter)) return {};
  if (fixed<uint64_t>(std::string_view(footer).substr(kFooter - 8)) != kMagic) return {};
  if (is_whole(file, size, footer)) return {};
  return {StatusCode::kCorruption, "'" + path + "': its end is damaged"};
}

}  // namespace hotrow
