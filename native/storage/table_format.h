// The format of a sorted file, as far as ours use it: RocksDB's block-based tables of format 5,
// without compression, every block with its XXH3.
//
//   [data block]... [metaindex, properties, index in some order] [footer 53]
//   footer  [checksum type 1][metaindex handle][index handle][zeros][format 4][magic 8]
//   block   [entry]... [restart offset 4]... [restarts 4], then [compression 1][checksum 4]
//   entry   [shared][rest][value bytes] [the key's last `rest` bytes][value]
// A handle is an offset and a size, these and an entry's numbers in 7 bits a byte.
#ifndef HOTROW_STORAGE_TABLE_FORMAT_H_
#define HOTROW_STORAGE_TABLE_FORMAT_H_

#include <cstdint>
#include <optional>
#include <string_view>

#include "base/hash.h"
#include "storage/rocks.h"

namespace hotrow {

inline constexpr uint64_t kFooterBytes = 53;
inline constexpr uint64_t kTableMagic = 0x88e241b785f4cff7U;
inline constexpr uint64_t kTrailerBytes = 5;
/// Behind the key of an entry: what it says of the key, and when.
inline constexpr size_t kKeyTrailerBytes = 8;

struct BlockHandle {
  uint64_t offset = 0;
  uint64_t size = 0;
};

template <class T>
T fixed(std::string_view bytes) {
  T value = 0;
  if (bytes.size() >= sizeof value) bytes.copy(reinterpret_cast<char*>(&value), sizeof value);
  return value;
}

inline std::optional<uint64_t> take_number(std::string_view& bytes) {
  uint64_t value = 0;
  for (unsigned shift = 0; shift < 64 && !bytes.empty(); shift += 7) {
    const auto byte = static_cast<uint8_t>(bytes.front());
    bytes.remove_prefix(1);
    value |= uint64_t{byte & 0x7fU} << shift;
    if ((byte & 0x80U) == 0) return value;
  }
  return {};
}

inline std::optional<BlockHandle> take_handle(std::string_view& bytes) {
  const auto offset = take_number(bytes);
  const auto size = take_number(bytes);
  if (!offset || !size) return {};
  return BlockHandle{*offset, *size};
}

struct BlockEntry {
  uint64_t shared = 0;  // bytes of the key before that this one begins with
  std::string_view rest;
  std::string_view value;
};

inline std::optional<BlockEntry> take_entry(std::string_view& bytes) {
  const auto shared = take_number(bytes);
  const auto rest = take_number(bytes);
  const auto value = take_number(bytes);
  if (!value || *rest > bytes.size() || *value > bytes.size() - *rest) return {};
  const BlockEntry entry{*shared, bytes.substr(0, *rest), bytes.substr(*rest, *value)};
  bytes.remove_prefix(*rest + *value);
  return entry;
}

/// Of a block with its trailer: is it what was written, and not compressed?
inline bool is_whole_block(std::string_view all) {
  if (all.size() < kTrailerBytes) return false;
  const size_t size = all.size() - kTrailerBytes;
  // RocksDB adds the last byte by itself.
  const auto last = static_cast<uint8_t>(all[size]);
  const auto sum = static_cast<uint32_t>(xxh3(all.substr(0, size))) ^ (last * 0x6b9083d9U);
  return last == 0 && sum == fixed<uint32_t>(all.substr(size + 1));
}

struct Footer {
  BlockHandle metaindex;
  BlockHandle index;

  /// Nothing: of no file of ours, or damaged.
  static std::optional<Footer> parse(std::string_view bytes) {
    if (bytes.size() != kFooterBytes) return {};
    if (fixed<uint64_t>(bytes.substr(kFooterBytes - 8)) != kTableMagic) return {};
    if (bytes.front() != static_cast<char>(kTableChecksum)) return {};
    if (fixed<uint32_t>(bytes.substr(kFooterBytes - 12)) != kTableFormat) return {};
    std::string_view rest = bytes.substr(1);
    const auto metaindex = take_handle(rest);
    const auto index = take_handle(rest);
    if (!metaindex || !index) return {};
    return Footer{*metaindex, *index};
  }
};

}  // namespace hotrow

#endif  // HOTROW_STORAGE_TABLE_FORMAT_H_
