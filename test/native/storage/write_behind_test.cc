// WriteBehind: every byte arrives, in order; a failure is told, whichever call meets it.
#include "storage/write_behind.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <atomic>
#include <fstream>
#include <iterator>
#include <memory>
#include <string>

#include "storage/disk.h"
#include "support/folder.h"
#include "support/random.h"

namespace hotrow::test {
namespace {

using rocksdb::IODebugContext;
using rocksdb::IOOptions;
using rocksdb::IOStatus;

/// Whose writes fail from the n-th on.
class FailingFiles final : public rocksdb::FileSystemWrapper {
 public:
  explicit FailingFiles(int good) : FileSystemWrapper(rocksdb::FileSystem::Default()), left(good) {}
  const char* Name() const override { return "failing"; }

  IOStatus NewWritableFile(const std::string& path, const rocksdb::FileOptions& options,
                           std::unique_ptr<rocksdb::FSWritableFile>* file,
                           IODebugContext* debug) override {
    const IOStatus status = FileSystemWrapper::NewWritableFile(path, options, file, debug);
    if (status.ok()) *file = std::make_unique<File>(std::move(*file), *this);
    return status;
  }

  std::atomic<int> left;

 private:
  class File final : public rocksdb::FSWritableFileOwnerWrapper {
   public:
    File(std::unique_ptr<rocksdb::FSWritableFile> file, FailingFiles& all)
        : FSWritableFileOwnerWrapper(std::move(file)), all_(all) {}
    IOStatus Append(const rocksdb::Slice& data, const IOOptions& options,
                    IODebugContext* debug) override {
      if (all_.left-- <= 0) return IOStatus::NoSpace("full");
      return FSWritableFileOwnerWrapper::Append(data, options, debug);
    }

   private:
    FailingFiles& all_;
  };
};

std::string random_bytes(size_t count, uint64_t seed) {
  Random random(seed);
  std::string bytes(count, '\0');
  for (char& byte : bytes) byte = static_cast<char>(random.below(256));
  return bytes;
}

std::unique_ptr<rocksdb::FSWritableFile> create(const WriteBehindEnv& behind,
                                                const std::string& path) {
  std::unique_ptr<rocksdb::FSWritableFile> file;
  const auto files = behind.env()->GetFileSystem();
  EXPECT_TRUE(files->NewWritableFile(path, {}, &file, nullptr).ok());
  return file;
}

/// Appends in pieces of many sizes, until one fails.
IOStatus append(rocksdb::FSWritableFile& file, const std::string& bytes) {
  Random random(bytes.size());
  for (size_t at = 0; at < bytes.size();) {
    const size_t count = std::min<size_t>(1 + random.below(100'000), bytes.size() - at);
    const IOStatus status = file.Append({bytes.data() + at, count}, {}, nullptr);
    if (!status.ok()) return status;
    at += count;
  }
  return IOStatus::OK();
}

TEST(WriteBehind, EveryByteArrivesInOrderAndInTheSum) {
  const Folder folder;
  for (const size_t size : {size_t{0}, size_t{1}, size_t{262'143}, size_t{262'144}, size_t{1} << 20,
                            size_t{13'000'001}}) {
    const std::string bytes = random_bytes(size, size);
    const std::string path = folder.path() + "/file";
    WriteBehindEnv behind(disk_env(), true);
    const auto file = create(behind, path);
    ASSERT_TRUE(append(*file, bytes).ok());
    EXPECT_EQ(file->GetFileSize({}, nullptr), size);
    ASSERT_TRUE(file->Sync({}, nullptr).ok());
    ASSERT_TRUE(file->Close({}, nullptr).ok());
    std::ifstream written(path, std::ios::binary);
    EXPECT_EQ(std::string(std::istreambuf_iterator<char>(written), {}), bytes) << size;
    const auto sum = rocksdb::GetFileChecksumGenCrc32cFactory()->CreateFileChecksumGenerator({});
    sum->Update(bytes.data(), bytes.size());
    sum->Finalize();
    EXPECT_EQ(behind.checksum(), sum->GetChecksum()) << size;
  }
}

TEST(WriteBehind, AFailureIsToldWhicheverWriteItIs) {
  const Folder folder;
  const std::string bytes = random_bytes(6'000'000, 1);
  int writes = 0;
  for (int good = 0; good < 64; ++good) {
    const auto failing = std::make_shared<FailingFiles>(good);
    const auto env = rocksdb::NewCompositeEnv(failing);
    const WriteBehindEnv behind(env.get(), false);
    const auto file = create(behind, folder.path() + "/file");
    IOStatus status = append(*file, bytes);
    if (status.ok()) status = file->Sync({}, nullptr);
    const IOStatus closed = file->Close({}, nullptr);
    if (failing->left >= 0) {
      EXPECT_TRUE(status.ok() && closed.ok());
      continue;
    }
    ++writes;
    EXPECT_TRUE(status.IsNoSpace()) << good << ": " << status.ToString();
    EXPECT_TRUE(closed.IsNoSpace()) << good << ": " << closed.ToString();
  }
  // Pieces of 6 MB.
  EXPECT_GT(writes, 10);
  EXPECT_LT(writes, 63);
}

TEST(WriteBehind, AFileThatIsGivenUpNeedsNoClosing) {
  const Folder folder;
  const std::string bytes = random_bytes(3'000'000, 2);
  for (int i = 0; i < 20; ++i) {
    const WriteBehindEnv behind(disk_env(), true);
    const auto file = create(behind, folder.path() + "/file");
    ASSERT_TRUE(append(*file, bytes).ok());
  }
}

}  // namespace
}  // namespace hotrow::test
