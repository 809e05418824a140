// The system's files without RocksDB's log of its doings, which takes longer to write than all
// else of a small store.
#ifndef HOTROW_TEST_SUPPORT_QUIET_DISK_H_
#define HOTROW_TEST_SUPPORT_QUIET_DISK_H_

#include <rocksdb/env.h>
#include <rocksdb/file_system.h>

#include <cstdarg>
#include <memory>
#include <string>

namespace hotrow::test {

class QuietDisk : public rocksdb::FileSystemWrapper {
 public:
  QuietDisk() : FileSystemWrapper(rocksdb::FileSystem::Default()) {}
  const char* Name() const override { return "quiet"; }

  rocksdb::IOStatus NewLogger(const std::string& /*path*/, const rocksdb::IOOptions& /*options*/,
                              std::shared_ptr<rocksdb::Logger>* logger,
                              rocksdb::IODebugContext* /*debug*/) override {
    *logger = std::make_shared<Silent>();
    return rocksdb::IOStatus::OK();
  }

 private:
  class Silent final : public rocksdb::Logger {
   public:
    using rocksdb::Logger::Logv;
    void Logv(const char* /*format*/, va_list /*arguments*/) override {}
  };
};

}  // namespace hotrow::test

#endif  // HOTROW_TEST_SUPPORT_QUIET_DISK_H_
