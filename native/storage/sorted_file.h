// SortedFile: reads the rows of one sorted file in order, as fast as they come from disk.
//
// RocksDB's iterators take three to five times as long as this for a row, which is what a full load
// consists of; what is read here is what RocksDB has written (table_format.h). Many blocks are read
// at once, each is verified by its checksum before anything in it is believed, and rows are given
// out where they lie. A file never ends early: every block that its index names is read, or there
// is an error.
//
// Threads: one.
#ifndef HOTROW_STORAGE_SORTED_FILE_H_
#define HOTROW_STORAGE_SORTED_FILE_H_

#include <rocksdb/file_system.h>

#include <cstdint>
#include <memory>
#include <span>
#include <string>
#include <string_view>

#include "hotrow/status.h"
#include "storage/table_format.h"

namespace hotrow {

class SortedFile {
 public:
  /// Opens the file before its first key whose hash is at least `from`; next() goes there.
  static Result<std::unique_ptr<SortedFile>> open(const std::string& path, uint64_t from);

  /// To the next key; of one that lies here more than once, the newest.
  Status next();
  /// Is there one? The others are of this one, and valid until next().
  bool valid() const { return valid_; }
  uint64_t hash() const { return hash_; }
  /// A tombstone, without a row.
  bool gone() const { return gone_; }
  std::span<const std::byte> row() const {
    return {reinterpret_cast<const std::byte*>(row_.data()), row_.size()};
  }

 private:
  explicit SortedFile(std::string path) : path_(std::move(path)) {}
  Status open_at(uint64_t from);
  Status read(uint64_t offset, uint64_t bytes, std::string& into) const;
  Status read_block(const BlockHandle& block, std::string& into) const;
  Status read_index(const BlockHandle& metaindex, const BlockHandle& index);
  Status read_properties(const BlockHandle& metaindex, uint64_t& user_keys) const;
  /// Entry `i` of the index: a block, and a hash that is no less than any in it and no greater than
  /// any behind it.
  struct Place {
    BlockHandle block;
    uint64_t end = 0;
  };
  std::optional<Place> place(size_t i) const;
  Status seek(uint64_t from);
  /// Reads the next blocks.
  Status load();
  /// Enters the next of those that were read.
  Status enter_block();
  Status take();
  Status damaged(const std::string& what) const {
    return {StatusCode::kCorruption, "'" + path_ + "': " + what};
  }

  const std::string path_;
  std::unique_ptr<rocksdb::FSRandomAccessFile> file_;
  uint64_t data_end_ = 0;
  bool user_keys_ = false;  // the index's keys are without trailers
  std::string index_;
  std::string_view index_entries_;
  std::string_view restarts_;  // of the index, 4 bytes for each entry
  size_t blocks_ = 0;

  size_t next_block_ = 0;   // of the index, to be read
  uint64_t piece_at_ = 0;   // where in the file what was read begins
  size_t piece_block_ = 0;  // the next block of it
  std::string piece_;
  uint64_t fetched_ = 0;  // so far the system was asked to read ahead
  uint64_t ahead_ = 0;    // of what was read last
  std::string_view block_;
  char key_[sizeof(DiskKey) + kKeyTrailerBytes] = {};
  uint64_t from_ = 0;
  bool valid_ = false;
  bool gone_ = false;
  uint64_t hash_ = 0;
  std::string_view row_;
};

}  // namespace hotrow

#endif  // HOTROW_STORAGE_SORTED_FILE_H_
