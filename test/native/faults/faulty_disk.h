// A file system that fails on command and remembers what would survive a loss of power.
//
// Files are real, below one root. Beside them stand, for each file, the bytes that were there when
// it was last synced, and for each folder its entries when it was last synced with what has
// happened to them since. cut_power() makes the root what a machine could find after it lost power.
// What a failed sync was to make durable may be there or not, whatever later syncs say, as on
// Linux.
//
// Threads: any; counts of calls are of all threads.
#ifndef HOTROW_TEST_FAULTS_FAULTY_DISK_H_
#define HOTROW_TEST_FAULTS_FAULTY_DISK_H_

#include <rocksdb/file_system.h>

#include <cstdint>
#include <map>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <vector>

#include "support/random.h"

namespace hotrow::test {

enum class Fault : uint8_t {
  kEio,         // a call that changes something fails
  kNoSpace,     // calls that need space fail until the fault is over
  kShortWrite,  // a write does half of its work and fails
  kFailedSync,  // a sync fails, and what it was to sync is lost
  kFailedRead,  // a read fails
  kDeath,       // no call has any effect any more
};
inline constexpr size_t kFaults = 6;
const char* name_of(Fault fault);

class FaultyDisk final : public rocksdb::FileSystemWrapper {
 public:
  explicit FaultyDisk(std::string root);
  const char* Name() const override { return "faulty"; }

  /// The call of its kind that has `after` others before it fails.
  void arm(Fault fault, uint64_t after);
  void disarm();
  /// Has the fault shown since it was armed?
  bool fired() const;
  /// Calls since arm() or disarm() that kDeath would count.
  uint64_t calls() const;

  /// All handles below the root must be closed. What was not synced is there in part: of each
  /// folder's changes the first few, of each file a beginning or zeros in the place of the rest.
  void cut_power(Random& random);
  /// All handles below the root must be closed. Everything was written in time, synced or not.
  void cut_power_late();
  /// Empties the root.
  void wipe();

  rocksdb::IOStatus NewSequentialFile(const std::string& path, const rocksdb::FileOptions& options,
                                      std::unique_ptr<rocksdb::FSSequentialFile>* file,
                                      rocksdb::IODebugContext* debug) override;
  rocksdb::IOStatus NewRandomAccessFile(const std::string& path,
                                        const rocksdb::FileOptions& options,
                                        std::unique_ptr<rocksdb::FSRandomAccessFile>* file,
                                        rocksdb::IODebugContext* debug) override;
  rocksdb::IOStatus NewWritableFile(const std::string& path, const rocksdb::FileOptions& options,
                                    std::unique_ptr<rocksdb::FSWritableFile>* file,
                                    rocksdb::IODebugContext* debug) override;
  rocksdb::IOStatus ReopenWritableFile(const std::string& path, const rocksdb::FileOptions& options,
                                       std::unique_ptr<rocksdb::FSWritableFile>* file,
                                       rocksdb::IODebugContext* debug) override;
  rocksdb::IOStatus NewRandomRWFile(const std::string& path, const rocksdb::FileOptions& options,
                                    std::unique_ptr<rocksdb::FSRandomRWFile>* file,
                                    rocksdb::IODebugContext* debug) override;
  rocksdb::IOStatus NewDirectory(const std::string& path, const rocksdb::IOOptions& options,
                                 std::unique_ptr<rocksdb::FSDirectory>* folder,
                                 rocksdb::IODebugContext* debug) override;
  rocksdb::IOStatus CreateDir(const std::string& path, const rocksdb::IOOptions& options,
                              rocksdb::IODebugContext* debug) override;
  rocksdb::IOStatus CreateDirIfMissing(const std::string& path, const rocksdb::IOOptions& options,
                                       rocksdb::IODebugContext* debug) override;
  rocksdb::IOStatus DeleteFile(const std::string& path, const rocksdb::IOOptions& options,
                               rocksdb::IODebugContext* debug) override;
  rocksdb::IOStatus DeleteDir(const std::string& path, const rocksdb::IOOptions& options,
                              rocksdb::IODebugContext* debug) override;
  rocksdb::IOStatus RenameFile(const std::string& from, const std::string& to,
                               const rocksdb::IOOptions& options,
                               rocksdb::IODebugContext* debug) override;
  rocksdb::IOStatus LinkFile(const std::string& from, const std::string& to,
                             const rocksdb::IOOptions& options,
                             rocksdb::IODebugContext* debug) override;

  // --- For the handles.
  /// What a call of some kind is to do: nothing wrong, or this fault.
  enum class Call : uint8_t { kRead, kWrite, kSync, kOther };
  std::optional<Fault> next(Call call);
  static rocksdb::IOStatus error_of(Fault fault);
  struct Node;
  using Entries = std::map<std::string, std::shared_ptr<Node>>;
  struct Change {             // of a folder's entries, in one step
    std::string gone;         // name
    Entries* from = nullptr;  // the folder that `gone` is in, if it is another one
    std::string made;
    std::shared_ptr<Node> node;
  };
  /// A file or a folder, by whatever name.
  struct Node {
    bool folder = false;
    std::string synced;  // bytes of a file
    bool lost = false;   // a sync failed
    Entries durable;     // of a folder, what is synced
    std::vector<Change> unsynced;
  };
  void synced(const std::string& path, const std::shared_ptr<Node>& node, bool well);
  void synced_folder(const std::string& path);

 private:
  static void apply(const Change& change, Entries& entries);
  std::shared_ptr<Node> node_of(const std::string& path);
  Node& folder_of_path(const std::string& path);
  void change(const std::string& gone, const std::string& made, std::shared_ptr<Node> node);
  void restore(Node& folder, const std::string& path, Random& random);

  const std::string root_;
  mutable std::mutex mutex_;
  std::optional<Fault> armed_;
  uint64_t left_ = 0;  // calls that still go well
  uint64_t calls_ = 0;
  bool fired_ = false;
  std::map<std::string, std::shared_ptr<Node>> live_;  // by path
  // While power is cut:
  bool strict_ = false;                       // nothing that was not synced is there
  std::map<const Node*, std::string> bytes_;  // what files have
};

}  // namespace hotrow::test

#endif  // HOTROW_TEST_FAULTS_FAULTY_DISK_H_
