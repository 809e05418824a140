#include "storage/write_behind.h"

#include <new>
#include <system_error>
#include <utility>

#include "storage/checksum.h"

namespace hotrow {

namespace {

using rocksdb::IODebugContext;
using rocksdb::IOOptions;
using rocksdb::IOStatus;

// So much is worth asking the system to begin with.
constexpr uint64_t kSendBytes = uint64_t{4} << 20;

class WriteBehindFiles final : public rocksdb::FileSystemWrapper {
 public:
  WriteBehindFiles(const std::shared_ptr<rocksdb::FileSystem>& files,
                   rocksdb::FileChecksumGenerator* sum)
      : FileSystemWrapper(files), sum_(sum) {}
  const char* Name() const override { return "hotrow.write_behind"; }

  IOStatus NewWritableFile(const std::string& path, const rocksdb::FileOptions& options,
                           std::unique_ptr<rocksdb::FSWritableFile>* file,
                           IODebugContext* debug) override {
    const IOStatus status = FileSystemWrapper::NewWritableFile(path, options, file, debug);
    if (status.ok()) *file = std::make_unique<WriteBehind>(std::move(*file), sum_);
    return status;
  }

 private:
  rocksdb::FileChecksumGenerator* const sum_;
};

}  // namespace

WriteBehind::WriteBehind(std::unique_ptr<rocksdb::FSWritableFile> file,
                         rocksdb::FileChecksumGenerator* sum)
    : FSWritableFileOwnerWrapper(std::move(file)), sum_(sum) {}

WriteBehind::~WriteBehind() {
  {
    const MutexLock lock(mutex_);
    stopping_ = true;
  }
  changed_.notify_all();
  if (thread_.joinable()) thread_.join();
}

IOStatus WriteBehind::Append(const rocksdb::Slice& data, const IOOptions& /*options*/,
                             IODebugContext* /*debug*/) {
  filling_.append(data.data(), data.size());
  size_ += data.size();
  return filling_.size() < kPieceBytes ? IOStatus::OK() : hand_over();
}

IOStatus WriteBehind::hand_over() {
  if (!thread_.joinable()) {
    try {
      thread_ = std::thread([this] { run(); });
    } catch (const std::system_error&) {
      // There are none left: whoever calls writes.
      return drain();
    }
  }
  const MutexLock lock(mutex_);
  while (waiting_.size() == kMostWaiting && status_.ok()) changed_.wait(mutex_);
  if (!status_.ok()) return status_;
  waiting_.push_back(std::exchange(filling_, std::exchange(used_, {})));
  filling_.clear();
  changed_.notify_all();
  return IOStatus::OK();
}

IOStatus WriteBehind::drain() {
  {
    const MutexLock lock(mutex_);
    while ((!waiting_.empty() || writing_) && status_.ok()) changed_.wait(mutex_);
    if (!status_.ok()) return status_;
  }
  if (filling_.empty()) return IOStatus::OK();
  // The thread sleeps: nothing waits.
  IOStatus status = write(filling_);
  filling_.clear();
  const MutexLock lock(mutex_);
  status_ = status;
  return status;
}

void WriteBehind::run() {
  std::string piece;
  for (;;) {
    {
      const MutexLock lock(mutex_);
      writing_ = false;
      used_ = std::move(piece);
      changed_.notify_all();
      while (waiting_.empty() && !stopping_) changed_.wait(mutex_);
      if (stopping_) return;
      piece = std::move(waiting_.front());
      waiting_.pop_front();
      writing_ = true;
    }
    IOStatus status;
    try {
      status = write(piece);
    } catch (const std::bad_alloc&) {
      status = IOStatus::IOError("no memory to write a file with");
    }
    if (status.ok()) continue;
    const MutexLock lock(mutex_);
    status_ = std::move(status);
    writing_ = false;
    changed_.notify_all();
    return;
  }
}

IOStatus WriteBehind::write(const std::string& piece) {
  if (sum_ != nullptr) sum_->Update(piece.data(), piece.size());
  IOStatus status = target()->Append(piece, {}, nullptr);
  if (!status.ok()) return status;
  written_ += piece.size();
  if (written_ - sent_ < kSendBytes) return status;
  status = target()->RangeSync(sent_, written_ - sent_, {}, nullptr);
  sent_ = written_;
  return status;
}

IOStatus WriteBehind::Flush(const IOOptions& /*options*/, IODebugContext* /*debug*/) {
  const MutexLock lock(mutex_);
  return status_;
}

IOStatus WriteBehind::Sync(const IOOptions& options, IODebugContext* debug) {
  IOStatus status = drain();
  if (status.ok()) status = FSWritableFileOwnerWrapper::Sync(options, debug);
  return status;
}

IOStatus WriteBehind::Fsync(const IOOptions& options, IODebugContext* debug) {
  IOStatus status = drain();
  if (status.ok()) status = FSWritableFileOwnerWrapper::Fsync(options, debug);
  return status;
}

IOStatus WriteBehind::Close(const IOOptions& options, IODebugContext* debug) {
  IOStatus status = drain();
  IOStatus closed = FSWritableFileOwnerWrapper::Close(options, debug);
  return status.ok() ? closed : status;
}

WriteBehindEnv::WriteBehindEnv(rocksdb::Env* env, bool sum)
    : sum_(sum ? checksum_factory()->CreateFileChecksumGenerator({}) : nullptr),
      env_(rocksdb::NewCompositeEnv(
          std::make_shared<WriteBehindFiles>(env->GetFileSystem(), sum_.get()))) {}

std::string WriteBehindEnv::checksum() {
  if (sum_ == nullptr) return {};
  sum_->Finalize();
  return sum_->GetChecksum();
}

}  // namespace hotrow
