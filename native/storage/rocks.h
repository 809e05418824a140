// What this folder's files share of RocksDB: options, keys and errors.
#ifndef HOTROW_STORAGE_ROCKS_H_
#define HOTROW_STORAGE_ROCKS_H_

#include <rocksdb/options.h>
#include <rocksdb/status.h>
#include <rocksdb/table.h>

#include <array>
#include <cstdint>
#include <string>
#include <string_view>

#include "hotrow/options.h"
#include "hotrow/status.h"

namespace hotrow {

/// Of every table's file.
inline constexpr rocksdb::ChecksumType kTableChecksum = rocksdb::kXXH3;
inline constexpr uint32_t kTableFormat = 5;

/// Of a table's column family and the files that go into it.
rocksdb::ColumnFamilyOptions family_options();
rocksdb::DBOptions database_options(SyncMode sync = SyncMode::kDisk);

/// 8 bytes whose order is that of the hashes.
using DiskKey = std::array<char, 8>;
DiskKey disk_key(uint64_t hash);
/// The hash of a key of 8 bytes.
uint64_t hash_of(std::string_view key);

/// What went wrong while doing `what`, as one of our codes.
Status disk_status(const rocksdb::Status& status, const std::string& what);

}  // namespace hotrow

#endif  // HOTROW_STORAGE_ROCKS_H_
