// WriteBehind: a file whose bytes go to the system, and on to the disk, by a thread of its own
// while more of them are being made.
//
// To hand bytes over to the system is to have them copied, which takes about as long as making a
// sorted file of rows: of two cores each does one. The sync at the end finds little left to do.
//
// A failure is told by the next call. Small files need no thread.
//
// Threads: one calls.
#ifndef HOTROW_STORAGE_WRITE_BEHIND_H_
#define HOTROW_STORAGE_WRITE_BEHIND_H_

#include <rocksdb/env.h>
#include <rocksdb/file_checksum.h>
#include <rocksdb/file_system.h>

#include <cstdint>
#include <deque>
#include <memory>
#include <string>
#include <thread>

#include "base/sync.h"

namespace hotrow {

class WriteBehind final : public rocksdb::FSWritableFileOwnerWrapper {
 public:
  /// `sum`, or null, is told all bytes that were written, and must outlive the file.
  WriteBehind(std::unique_ptr<rocksdb::FSWritableFile> file, rocksdb::FileChecksumGenerator* sum);
  ~WriteBehind() override;

  using IOStatus = rocksdb::IOStatus;
  IOStatus Append(const rocksdb::Slice& data, const rocksdb::IOOptions& options,
                  rocksdb::IODebugContext* debug) override HOTROW_EXCLUDES(mutex_);
  IOStatus Append(const rocksdb::Slice& data, const rocksdb::IOOptions& options,
                  const rocksdb::DataVerificationInfo& info,
                  rocksdb::IODebugContext* debug) override {
    (void)info;
    return Append(data, options, debug);
  }
  IOStatus Flush(const rocksdb::IOOptions& options, rocksdb::IODebugContext* debug) override
      HOTROW_EXCLUDES(mutex_);
  IOStatus Sync(const rocksdb::IOOptions& options, rocksdb::IODebugContext* debug) override
      HOTROW_EXCLUDES(mutex_);
  IOStatus Fsync(const rocksdb::IOOptions& options, rocksdb::IODebugContext* debug) override
      HOTROW_EXCLUDES(mutex_);
  IOStatus Close(const rocksdb::IOOptions& options, rocksdb::IODebugContext* debug) override
      HOTROW_EXCLUDES(mutex_);
  uint64_t GetFileSize(const rocksdb::IOOptions& /*options*/,
                       rocksdb::IODebugContext* /*debug*/) override {
    return size_;
  }

 private:
  // Handed over at once, and still in the second cache then; and how many wait at most.
  static constexpr size_t kPieceBytes = size_t{256} << 10;
  static constexpr size_t kMostWaiting = 16;

  IOStatus hand_over() HOTROW_EXCLUDES(mutex_);
  /// Until nothing waits.
  IOStatus drain() HOTROW_EXCLUDES(mutex_);
  void run() HOTROW_EXCLUDES(mutex_);
  IOStatus write(const std::string& piece);

  rocksdb::FileChecksumGenerator* const sum_;
  uint64_t size_ = 0;     // of what was appended
  std::string filling_;   // by Append
  uint64_t written_ = 0;  // by whoever writes
  uint64_t sent_ = 0;     // to the disk, of these
  std::thread thread_;
  Mutex mutex_;
  CondVar changed_;
  std::deque<std::string> waiting_ HOTROW_GUARDED_BY(mutex_);
  std::string used_ HOTROW_GUARDED_BY(mutex_);  // whose memory serves again
  bool writing_ HOTROW_GUARDED_BY(mutex_) = false;
  bool stopping_ HOTROW_GUARDED_BY(mutex_) = false;
  IOStatus status_ HOTROW_GUARDED_BY(mutex_);
};

/// An Env whose new files are written behind, for one file at a time.
class WriteBehindEnv {
 public:
  /// Of files in `env`, which must outlive it; with `sum`, their checksum is made.
  WriteBehindEnv(rocksdb::Env* env, bool sum);

  rocksdb::Env* env() const { return env_.get(); }
  /// crc32c of the file once it is closed, as RocksDB gives it; empty without `sum`.
  std::string checksum();

 private:
  std::unique_ptr<rocksdb::FileChecksumGenerator> sum_;
  std::unique_ptr<rocksdb::Env> env_;
};

}  // namespace hotrow

#endif  // HOTROW_STORAGE_WRITE_BEHIND_H_
