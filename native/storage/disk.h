// The file system under every database.
//
// RocksDB's own, with six faults of its handling of failures made good:
// - After a failed write of its MANIFEST it deletes the files that this very MANIFEST may already
//   name. Here such files stay until another MANIFEST is current.
// - An error that counts as worth trying again sends it to repair itself at a time of its own
//   choosing, after which it counts files from 0. Here none counts so, and Engine goes on itself
//   (FailureListener). Nothing of what failed is trusted: the next write begins a new MANIFEST.
// - A column family whose folder could not be opened is there but can never be used. Here folders
//   are opened when they are synced.
// - A file whose properties could not be read is read wrongly. Here it cannot be opened.
// - A file to be ingested whose keys could not be read counts as one without keys. Here it cannot
//   be ingested.
// - Its log of its doings ends the process on a full disk. Here there is none.
//
// Threads: any.
#ifndef HOTROW_STORAGE_DISK_H_
#define HOTROW_STORAGE_DISK_H_

#include <rocksdb/env.h>
#include <rocksdb/file_system.h>

#include <memory>
#include <string>
#include <string_view>

#include "hotrow/options.h"
#include "hotrow/status.h"

namespace hotrow {

/// The folder, in a store's, of files that are to become part of its database.
inline constexpr std::string_view kIncoming = "incoming";

/// Lives for ever. With SyncMode::kOs nothing is ever synced.
rocksdb::Env* disk_env(SyncMode sync = SyncMode::kDisk);

/// What lies under disk_env(): for files that are none of a database. Lives for ever.
rocksdb::FileSystem& plain_files();

/// Makes the folder with all that lead to it, and sees to it that it is still there after a loss of
/// power, unless nothing is synced.
Status make_folder(const std::string& path, SyncMode sync = SyncMode::kDisk);

/// Before a database in the folder is opened: what failed before is known by its files.
void forget_failures(const std::string& folder, SyncMode sync);

/// For tests: what is opened from now on uses `files` in the place of the system's.
void use_file_system(const std::shared_ptr<rocksdb::FileSystem>& files);

}  // namespace hotrow

#endif  // HOTROW_STORAGE_DISK_H_
