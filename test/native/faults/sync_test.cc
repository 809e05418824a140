// What a commit waits for: SyncMode and Durability. Without syncs nothing is synced, and what was
// acknowledged survives the death of the process all the same.
#include <gtest/gtest.h>
#include <rocksdb/file_system.h>
#include <unistd.h>

#include <atomic>
#include <csignal>
#include <cstdlib>
#include <memory>
#include <string>
#include <vector>

#include "storage/disk.h"
#include "support/child.h"
#include "support/folder.h"
#include "support/stores.h"

namespace hotrow::test {
namespace {

using rocksdb::IODebugContext;
using rocksdb::IOOptions;
using rocksdb::IOStatus;

const std::vector<uint64_t> kSynced = range(0, 2000);

/// The system's files, with a count of what is synced.
class CountingDisk final : public rocksdb::FileSystemWrapper {
 public:
  CountingDisk() : FileSystemWrapper(rocksdb::FileSystem::Default()) {}
  const char* Name() const override { return "counting"; }
  std::atomic<uint64_t> syncs{0};

  IOStatus NewWritableFile(const std::string& path, const rocksdb::FileOptions& options,
                           std::unique_ptr<rocksdb::FSWritableFile>* file,
                           IODebugContext* debug) override {
    return counted(FileSystemWrapper::NewWritableFile(path, options, file, debug), file);
  }
  IOStatus ReopenWritableFile(const std::string& path, const rocksdb::FileOptions& options,
                              std::unique_ptr<rocksdb::FSWritableFile>* file,
                              IODebugContext* debug) override {
    return counted(FileSystemWrapper::ReopenWritableFile(path, options, file, debug), file);
  }
  IOStatus NewDirectory(const std::string& path, const IOOptions& options,
                        std::unique_ptr<rocksdb::FSDirectory>* folder,
                        IODebugContext* debug) override {
    IOStatus status = FileSystemWrapper::NewDirectory(path, options, folder, debug);
    if (status.ok()) *folder = std::make_unique<SyncedFolder>(std::move(*folder), *this);
    return status;
  }

 private:
  class File final : public rocksdb::FSWritableFileOwnerWrapper {
   public:
    File(std::unique_ptr<rocksdb::FSWritableFile> file, CountingDisk& disk)
        : FSWritableFileOwnerWrapper(std::move(file)), disk_(disk) {}
    IOStatus Sync(const IOOptions& options, IODebugContext* debug) override {
      ++disk_.syncs;
      return FSWritableFileOwnerWrapper::Sync(options, debug);
    }
    IOStatus Fsync(const IOOptions& options, IODebugContext* debug) override {
      ++disk_.syncs;
      return FSWritableFileOwnerWrapper::Fsync(options, debug);
    }

   private:
    CountingDisk& disk_;
  };
  class SyncedFolder final : public rocksdb::FSDirectory {
   public:
    SyncedFolder(std::unique_ptr<rocksdb::FSDirectory> folder, CountingDisk& disk)
        : folder_(std::move(folder)), disk_(disk) {}
    IOStatus Fsync(const IOOptions& options, IODebugContext* debug) override {
      ++disk_.syncs;
      return folder_->Fsync(options, debug);
    }
    IOStatus FsyncWithDirOptions(const IOOptions& options, IODebugContext* debug,
                                 const rocksdb::DirFsyncOptions& why) override {
      ++disk_.syncs;
      return folder_->FsyncWithDirOptions(options, debug, why);
    }

   private:
    const std::unique_ptr<rocksdb::FSDirectory> folder_;
    CountingDisk& disk_;
  };

  IOStatus counted(IOStatus status, std::unique_ptr<rocksdb::FSWritableFile>* file) {
    if (status.ok()) *file = std::make_unique<File>(std::move(*file), *this);
    return status;
  }
};

StoreOptions options(SyncMode sync, Durability durable = Durability::kCommit) {
  return {.memory_bytes = 256 * kMiB, .threads = 1, .sync = sync, .durable = durable};
}

/// Versions, names, a drop, a rollback and a compaction.
void work(const std::string& path, const StoreOptions& options) {
  const auto store = must(Store::open(path, options));
  const auto table = must(store->table("t", sum_table(2)));
  for (int i = 0; i < 3; ++i) {
    must(table->push(kSynced, std::vector<float>(kSynced.size() * 2, 1)));
    must(table->erase(range(0, 10)).status());
    must(store->commit({.name = "n"}).status());
  }
  must(store->rollback("2").status());
  must(store->compact());
}

/// Syncs that the work took.
uint64_t syncs_of(const StoreOptions& options) {
  const auto disk = std::make_shared<CountingDisk>();
  use_file_system(disk);
  const Folder folder;
  work(folder / "s", options);
  use_file_system(rocksdb::FileSystem::Default());
  return disk->syncs;
}

TEST(Syncs, AreNoneWhereNothingIsToBeSynced) {
  EXPECT_GT(syncs_of(options(SyncMode::kDisk)), 10U);
  EXPECT_EQ(syncs_of(options(SyncMode::kOs)), 0U);
  EXPECT_EQ(syncs_of(options(SyncMode::kDisk, Durability::kNever)), 0U);
}

TEST(Syncs, AreAnOptionOfTheFirstOpener) {
  const Folder folder;
  const auto store = must(Store::open(folder / "s", options(SyncMode::kOs)));
  EXPECT_TRUE(ok(Store::open(folder / "s", options(SyncMode::kOs))));
  EXPECT_TRUE(ok(Store::open(folder / "s", {})));
  const auto other = must(Store::open(folder / "other", {}));
  EXPECT_TRUE(
      fails(Store::open(folder / "other", {.sync = SyncMode::kOs}), StatusCode::kConflict, "sync"));
  EXPECT_TRUE(fails(Store::open(folder / "other", {.durable = Durability::kNever}),
                    StatusCode::kConflict, "durable"));
}

// Only ever run by the test below.
TEST(SyncingProcess, DISABLED_IsKilledAfterACommit) {
  const char* const path = std::getenv("HOTROW_TEST_STORE");
  ASSERT_NE(path, nullptr);
  const bool os = std::string(std::getenv("HOTROW_TEST_SYNC")) == "os";
  const auto store = must(Store::open(path, options(os ? SyncMode::kOs : SyncMode::kDisk)));
  const auto table = must(store->table("t", sum_table(2)));
  must(table->push(kSynced, std::vector<float>(kSynced.size() * 2, 1)));
  must(store->commit().status());
  (void)::kill(::getpid(), SIGKILL);
}

TEST(Syncs, OrNotWhatWasCommittedSurvivesKill) {
  for (const std::string sync : {"disk", "os"}) {
    SCOPED_TRACE(sync);
    const Folder folder;
    for (uint64_t i = 1; i <= 10; ++i) {
      Child child("SyncingProcess.DISABLED_IsKilledAfterACommit",
                  {"HOTROW_TEST_STORE=" + (folder / "s"), "HOTROW_TEST_SYNC=" + sync});
      const int status = child.wait();
      ASSERT_TRUE(WIFSIGNALED(status) && WTERMSIG(status) == SIGKILL);
      const auto store = must(Store::open(folder / "s", options(SyncMode::kDisk)));
      ASSERT_EQ(must(store->version()).version, i);
      ASSERT_EQ(lookup(*must(store->table("t")), kSynced),
                std::vector<float>(kSynced.size() * 2, static_cast<float>(i)));
      must(store->verify());
    }
  }
}

}  // namespace
}  // namespace hotrow::test
