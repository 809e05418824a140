#include "storage/rocks.h"

#include <bit>
#include <cerrno>
#include <cstring>

#include "storage/disk.h"

namespace hotrow {

rocksdb::ColumnFamilyOptions family_options() {
  rocksdb::BlockBasedTableOptions table;
  // A row that comes back alone costs the checksum of its whole block; see docs/ARCHITECTURE.md.
  table.block_size = 4 << 10;
  table.checksum = kTableChecksum;
  table.format_version = kTableFormat;
  rocksdb::ColumnFamilyOptions options;
  options.table_factory.reset(rocksdb::NewBlockBasedTableFactory(table));
  // Rows of floats do not shrink.
  options.compression = rocksdb::kNoCompression;
  return options;
}

rocksdb::DBOptions database_options(SyncMode sync) {
  rocksdb::DBOptions options;
  options.env = disk_env(sync);
  // It would not be the same database afterwards, see disk.h.
  options.max_bgerror_resume_count = 0;
  options.create_if_missing = true;
  options.create_missing_column_families = true;
  options.max_background_jobs = 2;
  // All but -1 let a database of many files open without reading each of them.
  options.max_open_files = 4096;
  options.skip_stats_update_on_db_open = true;
  // Begun anew then: each version's folder gets a copy of it.
  options.max_manifest_file_size = 16 << 20;
  // Threads that are made anew for each table; a store has few files.
  options.max_file_opening_threads = 2;
  return options;
}

DiskKey disk_key(uint64_t hash) {
  static_assert(std::endian::native == std::endian::little);
  const uint64_t swapped = __builtin_bswap64(hash);
  return std::bit_cast<DiskKey>(swapped);
}

uint64_t hash_of(std::string_view key) {
  uint64_t swapped = 0;
  std::memcpy(&swapped, key.data(), sizeof swapped);
  return __builtin_bswap64(swapped);
}

Status disk_status(const rocksdb::Status& status, const std::string& what) {
  if (status.ok()) return {};
  const std::string message = what + ": " + status.ToString();
  // RocksDB knows of a full disk, not of a full quota.
  const bool quota = status.IsIOError() && message.find(std::strerror(EDQUOT)) != std::string::npos;
  if (status.IsNoSpace() || quota) return {StatusCode::kDiskFull, message};
  if (status.IsCorruption()) return {StatusCode::kCorruption, message};
  return {StatusCode::kIoError, message};
}

}  // namespace hotrow
