// The end of a table's file, by which RocksDB finds everything else in it.
//
// RocksDB believes two parts of it before it has checked them: the footer, which has no checksum
// and says how long blocks are and whether they have checksums, and the properties.
#ifndef HOTROW_STORAGE_TABLE_FILE_H_
#define HOTROW_STORAGE_TABLE_FILE_H_

#include <string>

#include "hotrow/status.h"

namespace hotrow {

/// ERR_CORRUPTION when the file ends like a table and its footer or properties are damaged. What
/// does not end like a table is left to RocksDB, which refuses it if it is one of the database's:
/// others may be left by a process that died.
Status check_table_file(const std::string& path);

}  // namespace hotrow

#endif  // HOTROW_STORAGE_TABLE_FILE_H_
