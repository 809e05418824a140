// The checksum of whole files: crc32c, by the processor's own instruction where there is one.
// RocksDB's, which Debian builds without it, takes a third of the time of writing a version.
#ifndef HOTROW_STORAGE_CHECKSUM_H_
#define HOTROW_STORAGE_CHECKSUM_H_

#include <rocksdb/file_checksum.h>

#include <memory>

namespace hotrow {

/// Makes what RocksDB's GetFileChecksumGenCrc32cFactory() makes.
std::shared_ptr<rocksdb::FileChecksumGenFactory> checksum_factory();

}  // namespace hotrow

#endif  // HOTROW_STORAGE_CHECKSUM_H_
