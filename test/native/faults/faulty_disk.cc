#include "faults/faulty_disk.h"

#include <algorithm>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <utility>

namespace hotrow::test {

namespace {

namespace fs = std::filesystem;
using rocksdb::FileOptions;
using rocksdb::IODebugContext;
using rocksdb::IOOptions;
using rocksdb::IOStatus;
using rocksdb::Slice;
using Call = FaultyDisk::Call;
using Node = FaultyDisk::Node;

std::string plain(std::string path) {
  path.erase(std::ranges::unique(path, [](char a, char b) { return a == '/' && b == '/'; }).begin(),
             path.end());
  if (path.size() > 1 && path.back() == '/') path.pop_back();
  return path;
}

std::string folder_of(const std::string& path) { return path.substr(0, path.rfind('/')); }

std::string bytes_of(const std::string& path) {
  std::ifstream file(path, std::ios::binary);
  return {std::istreambuf_iterator<char>(file), {}};
}

class Written final : public rocksdb::FSWritableFileOwnerWrapper {
 public:
  Written(std::unique_ptr<rocksdb::FSWritableFile> file, FaultyDisk& disk, std::string path,
          std::shared_ptr<Node> node)
      : FSWritableFileOwnerWrapper(std::move(file)),
        disk_(disk),
        path_(std::move(path)),
        node_(std::move(node)) {}

  IOStatus Append(const Slice& data, const IOOptions& options, IODebugContext* debug) override {
    const auto fault = disk_.next(Call::kWrite);
    if (!fault) return FSWritableFileOwnerWrapper::Append(data, options, debug);
    if (*fault == Fault::kShortWrite) {
      (void)FSWritableFileOwnerWrapper::Append({data.data(), data.size() / 2}, options, debug);
    }
    return FaultyDisk::error_of(*fault);
  }
  IOStatus Append(const Slice& data, const IOOptions& options,
                  const rocksdb::DataVerificationInfo& /*info*/, IODebugContext* debug) override {
    return Append(data, options, debug);
  }
  IOStatus Sync(const IOOptions& options, IODebugContext* debug) override {
    const auto fault = disk_.next(Call::kSync);
    // The files lie in memory: what counts is the note.
    if (!fault) (void)FSWritableFileOwnerWrapper::Flush(options, debug);
    if (fault != Fault::kDeath) disk_.synced(path_, node_, !fault);
    return fault ? FaultyDisk::error_of(*fault) : IOStatus::OK();
  }
  IOStatus Fsync(const IOOptions& options, IODebugContext* debug) override {
    return Sync(options, debug);
  }
  IOStatus RangeSync(uint64_t, uint64_t, const IOOptions&, IODebugContext*) override {
    return IOStatus::OK();
  }
  // Space is not reserved: it would hide which bytes a file has.
  IOStatus Allocate(uint64_t, uint64_t, const IOOptions&, IODebugContext*) override {
    return IOStatus::OK();
  }
  void PrepareWrite(size_t, size_t, const IOOptions&, IODebugContext*) override {}

 private:
  FaultyDisk& disk_;
  const std::string path_;
  const std::shared_ptr<Node> node_;
};

class ReadAnywhere final : public rocksdb::FSRandomAccessFileOwnerWrapper {
 public:
  ReadAnywhere(std::unique_ptr<rocksdb::FSRandomAccessFile> file, FaultyDisk& disk)
      : FSRandomAccessFileOwnerWrapper(std::move(file)), disk_(disk) {}
  IOStatus Read(uint64_t offset, size_t n, const IOOptions& options, Slice* result, char* scratch,
                IODebugContext* debug) const override {
    const auto fault = disk_.next(Call::kRead);
    if (fault) return FaultyDisk::error_of(*fault);
    return FSRandomAccessFileOwnerWrapper::Read(offset, n, options, result, scratch, debug);
  }

 private:
  FaultyDisk& disk_;
};

class ReadInOrder final : public rocksdb::FSSequentialFileOwnerWrapper {
 public:
  ReadInOrder(std::unique_ptr<rocksdb::FSSequentialFile> file, FaultyDisk& disk)
      : FSSequentialFileOwnerWrapper(std::move(file)), disk_(disk) {}
  IOStatus Read(size_t n, const IOOptions& options, Slice* result, char* scratch,
                IODebugContext* debug) override {
    const auto fault = disk_.next(Call::kRead);
    if (fault) return FaultyDisk::error_of(*fault);
    return FSSequentialFileOwnerWrapper::Read(n, options, result, scratch, debug);
  }

 private:
  FaultyDisk& disk_;
};

class SyncedFolder final : public rocksdb::FSDirectoryWrapper {
 public:
  SyncedFolder(std::unique_ptr<rocksdb::FSDirectory> folder, FaultyDisk& disk, std::string path)
      : FSDirectoryWrapper(std::move(folder)), disk_(disk), path_(std::move(path)) {}
  IOStatus Fsync(const IOOptions&, IODebugContext*) override {
    const auto fault = disk_.next(Call::kSync);
    if (fault) return FaultyDisk::error_of(*fault);
    disk_.synced_folder(path_);
    return IOStatus::OK();
  }
  IOStatus FsyncWithDirOptions(const IOOptions& options, IODebugContext* debug,
                               const rocksdb::DirFsyncOptions& /*why*/) override {
    return Fsync(options, debug);
  }

 private:
  FaultyDisk& disk_;
  const std::string path_;
};

}  // namespace

const char* name_of(Fault fault) {
  static constexpr const char* kNames[kFaults] = {"EIO",         "ENOSPC",      "short write",
                                                  "failed sync", "failed read", "death"};
  return kNames[static_cast<size_t>(fault)];
}

FaultyDisk::FaultyDisk(std::string root)
    : FileSystemWrapper(rocksdb::FileSystem::Default()), root_(plain(std::move(root))) {}

void FaultyDisk::arm(Fault fault, uint64_t after) {
  const std::lock_guard lock(mutex_);
  armed_ = fault;
  left_ = after;
  calls_ = 0;
  fired_ = false;
}

void FaultyDisk::disarm() {
  const std::lock_guard lock(mutex_);
  armed_.reset();
  calls_ = 0;
}

bool FaultyDisk::fired() const {
  const std::lock_guard lock(mutex_);
  return fired_;
}

uint64_t FaultyDisk::calls() const {
  const std::lock_guard lock(mutex_);
  return calls_;
}

std::optional<Fault> FaultyDisk::next(Call call) {
  const std::lock_guard lock(mutex_);
  ++calls_;
  if (!armed_) return {};
  const bool meant = [&] {
    switch (*armed_) {
      case Fault::kEio:
        return call != Call::kRead;
      case Fault::kNoSpace:
        return call == Call::kWrite || call == Call::kOther;
      case Fault::kShortWrite:
        return call == Call::kWrite;
      case Fault::kFailedSync:
        return call == Call::kSync;
      case Fault::kFailedRead:
        return call == Call::kRead;
      case Fault::kDeath:
        return true;
    }
    return false;
  }();
  if (!meant) return {};
  if (left_ > 0) {
    --left_;
    return {};
  }
  fired_ = true;
  const Fault fault = *armed_;
  // A full disk stays full, and the dead stay dead.
  if (fault != Fault::kNoSpace && fault != Fault::kDeath) armed_.reset();
  return fault;
}

IOStatus FaultyDisk::error_of(Fault fault) {
  if (fault == Fault::kNoSpace) {
    // As RocksDB's own file system says it.
    IOStatus full = IOStatus::NoSpace("injected");
    full.SetRetryable(true);
    return full;
  }
  return IOStatus::IOError("injected", name_of(fault));
}

void FaultyDisk::synced(const std::string& path, const std::shared_ptr<Node>& node, bool well) {
  const std::string bytes = bytes_of(path);
  const std::lock_guard lock(mutex_);
  if (!well) node->lost = true;
  if (!node->lost) node->synced = bytes;
}

void FaultyDisk::synced_folder(const std::string& path) {
  const std::lock_guard lock(mutex_);
  for (const Change& change : unsynced_[path]) {
    if (!change.gone.empty()) durable_.erase(change.gone);
    if (!change.made.empty()) durable_[change.made] = change.node;
  }
  unsynced_.erase(path);
}

std::shared_ptr<Node> FaultyDisk::node_of(const std::string& path) {
  const std::lock_guard lock(mutex_);
  std::shared_ptr<Node>& node = live_[path];
  if (!node) node = std::make_shared<Node>();
  return node;
}

void FaultyDisk::change(const std::string& gone, const std::string& made,
                        std::shared_ptr<Node> node) {
  const std::lock_guard lock(mutex_);
  if (!gone.empty()) live_.erase(gone);
  if (!made.empty()) live_[made] = node;
  unsynced_[folder_of(made.empty() ? gone : made)].push_back({gone, made, std::move(node)});
}

void FaultyDisk::cut_power(Random& random) {
  const std::lock_guard lock(mutex_);
  armed_.reset();
  const bool strict = random.one_in(3);  // nothing that was not synced
  for (auto& [folder, changes] : unsynced_) {
    const size_t kept = strict ? 0 : random.between(0, changes.size());
    for (size_t i = 0; i < kept; ++i) {
      if (!changes[i].gone.empty()) durable_.erase(changes[i].gone);
      if (!changes[i].made.empty()) durable_[changes[i].made] = changes[i].node;
    }
  }
  unsynced_.clear();
  // What the files have, before they go: entries of one file share its bytes.
  std::map<Node*, std::string> bytes;
  for (const auto& [path, node] : live_) {
    if (!node->folder) bytes[node.get()] = bytes_of(path);
  }
  for (const auto& entry : fs::directory_iterator(root_)) fs::remove_all(entry.path());
  Entries survivors;
  // In the order of paths a folder comes before what is in it.
  for (const auto& [path, node] : durable_) {
    const std::string folder = folder_of(path);
    if (folder != root_ && !survivors.contains(folder)) continue;
    survivors[path] = node;
    if (node->folder) {
      fs::create_directory(path);
      continue;
    }
    const std::string& all = bytes[node.get()];
    if (!strict && all.starts_with(node->synced) && random.one_in(2)) {
      // File systems make a file longer after its bytes are there, or give zeros for all of them.
      if (random.one_in(4)) {
        node->synced.resize(all.size());
      } else {
        node->synced = all.substr(0, random.between(node->synced.size(), all.size()));
      }
    }
    std::ofstream(path, std::ios::binary) << node->synced;
  }
  durable_ = survivors;
  live_ = std::move(survivors);
  for (const auto& [path, node] : live_) node->lost = false;
}

void FaultyDisk::cut_power_late() {
  const std::lock_guard lock(mutex_);
  armed_.reset();
  durable_ = live_;
  unsynced_.clear();
  for (const auto& [path, node] : live_) {
    if (!node->folder) node->synced = bytes_of(path);
    node->lost = false;
  }
}

void FaultyDisk::wipe() {
  const std::lock_guard lock(mutex_);
  armed_.reset();
  for (const auto& entry : fs::directory_iterator(root_)) fs::remove_all(entry.path());
  live_.clear();
  durable_.clear();
  unsynced_.clear();
}

IOStatus FaultyDisk::NewSequentialFile(const std::string& path, const FileOptions& options,
                                       std::unique_ptr<rocksdb::FSSequentialFile>* file,
                                       IODebugContext* debug) {
  if (const auto fault = next(Call::kRead)) return error_of(*fault);
  const IOStatus status = FileSystemWrapper::NewSequentialFile(path, options, file, debug);
  if (status.ok()) *file = std::make_unique<ReadInOrder>(std::move(*file), *this);
  return status;
}

IOStatus FaultyDisk::NewRandomAccessFile(const std::string& path, const FileOptions& options,
                                         std::unique_ptr<rocksdb::FSRandomAccessFile>* file,
                                         IODebugContext* debug) {
  if (const auto fault = next(Call::kRead)) return error_of(*fault);
  const IOStatus status = FileSystemWrapper::NewRandomAccessFile(path, options, file, debug);
  if (status.ok()) *file = std::make_unique<ReadAnywhere>(std::move(*file), *this);
  return status;
}

IOStatus FaultyDisk::NewWritableFile(const std::string& path, const FileOptions& options,
                                     std::unique_ptr<rocksdb::FSWritableFile>* file,
                                     IODebugContext* debug) {
  if (const auto fault = next(Call::kOther)) return error_of(*fault);
  const IOStatus status = FileSystemWrapper::NewWritableFile(path, options, file, debug);
  if (!status.ok()) return status;
  const std::string name = plain(path);
  auto node = std::make_shared<Node>();
  change("", name, node);
  *file = std::make_unique<Written>(std::move(*file), *this, name, std::move(node));
  return status;
}

IOStatus FaultyDisk::ReopenWritableFile(const std::string& path, const FileOptions& options,
                                        std::unique_ptr<rocksdb::FSWritableFile>* file,
                                        IODebugContext* debug) {
  if (const auto fault = next(Call::kOther)) return error_of(*fault);
  const IOStatus status = FileSystemWrapper::ReopenWritableFile(path, options, file, debug);
  if (!status.ok()) return status;
  const std::string name = plain(path);
  *file = std::make_unique<Written>(std::move(*file), *this, name, node_of(name));
  return status;
}

IOStatus FaultyDisk::NewDirectory(const std::string& path, const IOOptions& options,
                                  std::unique_ptr<rocksdb::FSDirectory>* folder,
                                  IODebugContext* debug) {
  if (const auto fault = next(Call::kRead)) return error_of(*fault);
  const IOStatus status = FileSystemWrapper::NewDirectory(path, options, folder, debug);
  if (status.ok()) {
    *folder = std::make_unique<SyncedFolder>(std::move(*folder), *this, plain(path));
  }
  return status;
}

IOStatus FaultyDisk::CreateDir(const std::string& path, const IOOptions& options,
                               IODebugContext* debug) {
  if (const auto fault = next(Call::kOther)) return error_of(*fault);
  const IOStatus status = FileSystemWrapper::CreateDir(path, options, debug);
  if (status.ok()) change("", plain(path), std::make_shared<Node>(Node{"", false, true}));
  return status;
}

IOStatus FaultyDisk::CreateDirIfMissing(const std::string& path, const IOOptions& options,
                                        IODebugContext* debug) {
  if (fs::exists(path)) return IOStatus::OK();
  return CreateDir(path, options, debug);
}

IOStatus FaultyDisk::DeleteFile(const std::string& path, const IOOptions& options,
                                IODebugContext* debug) {
  const auto fault = next(Call::kOther);
  // Deleting needs no space.
  if (fault && *fault != Fault::kNoSpace) return error_of(*fault);
  const IOStatus status = FileSystemWrapper::DeleteFile(path, options, debug);
  if (status.ok()) change(plain(path), "", nullptr);
  return status;
}

IOStatus FaultyDisk::DeleteDir(const std::string& path, const IOOptions& options,
                               IODebugContext* debug) {
  if (const auto fault = next(Call::kOther)) return error_of(*fault);
  const IOStatus status = FileSystemWrapper::DeleteDir(path, options, debug);
  if (status.ok()) change(plain(path), "", nullptr);
  return status;
}

IOStatus FaultyDisk::RenameFile(const std::string& from, const std::string& to,
                                const IOOptions& options, IODebugContext* debug) {
  if (const auto fault = next(Call::kOther)) return error_of(*fault);
  const IOStatus status = FileSystemWrapper::RenameFile(from, to, options, debug);
  if (status.ok()) change(plain(from), plain(to), node_of(plain(from)));
  return status;
}

IOStatus FaultyDisk::LinkFile(const std::string& from, const std::string& to,
                              const IOOptions& options, IODebugContext* debug) {
  if (const auto fault = next(Call::kOther)) return error_of(*fault);
  const IOStatus status = FileSystemWrapper::LinkFile(from, to, options, debug);
  if (status.ok()) change("", plain(to), node_of(plain(from)));
  return status;
}

}  // namespace hotrow::test
