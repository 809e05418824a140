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
using Change = FaultyDisk::Change;
using Node = FaultyDisk::Node;

std::string plain(std::string path) {
  path.erase(std::ranges::unique(path, [](char a, char b) { return a == '/' && b == '/'; }).begin(),
             path.end());
  if (path.size() > 1 && path.back() == '/') path.pop_back();
  return path;
}

std::string folder_of(const std::string& path) { return path.substr(0, path.rfind('/')); }

bool is_within(const std::string& path, const std::string& folder) {
  return path.starts_with(folder) && (path.size() == folder.size() || path[folder.size()] == '/');
}

std::string name_in(const std::string& path) { return path.substr(path.rfind('/') + 1); }

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

/// Never synced: after a loss of power nobody looks at it.
class ReadAndWritten final : public rocksdb::FSRandomRWFileOwnerWrapper {
 public:
  ReadAndWritten(std::unique_ptr<rocksdb::FSRandomRWFile> file, FaultyDisk& disk)
      : FSRandomRWFileOwnerWrapper(std::move(file)), disk_(disk) {}
  IOStatus Write(uint64_t offset, const Slice& data, const IOOptions& options,
                 IODebugContext* debug) override {
    const auto fault = disk_.next(Call::kWrite);
    if (!fault) return FSRandomRWFileOwnerWrapper::Write(offset, data, options, debug);
    if (*fault == Fault::kShortWrite) {
      (void)FSRandomRWFileOwnerWrapper::Write(offset, {data.data(), data.size() / 2}, options,
                                              debug);
    }
    return FaultyDisk::error_of(*fault);
  }
  IOStatus Read(uint64_t offset, size_t n, const IOOptions& options, Slice* result, char* scratch,
                IODebugContext* debug) const override {
    const auto fault = disk_.next(Call::kRead);
    if (fault) return FaultyDisk::error_of(*fault);
    return FSRandomRWFileOwnerWrapper::Read(offset, n, options, result, scratch, debug);
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
  Node& folder = folder_of_path(path);
  for (const Change& change : folder.unsynced) apply(change, folder.durable);
  folder.unsynced.clear();
}

void FaultyDisk::apply(const Change& change, Entries& entries) {
  if (!change.gone.empty()) (change.from != nullptr ? *change.from : entries).erase(change.gone);
  if (!change.made.empty()) entries[change.made] = change.node;
}

std::shared_ptr<Node> FaultyDisk::node_of(const std::string& path) {
  const std::lock_guard lock(mutex_);
  std::shared_ptr<Node>& node = live_[path];
  if (!node) node = std::make_shared<Node>();
  return node;
}

Node& FaultyDisk::folder_of_path(const std::string& path) {
  std::shared_ptr<Node>& node = live_[path];
  if (!node) node = std::make_shared<Node>(Node{.folder = true});
  return *node;
}

void FaultyDisk::change(const std::string& gone, const std::string& made,
                        std::shared_ptr<Node> node) {
  const std::lock_guard lock(mutex_);
  if (!gone.empty()) {
    // A folder takes along what is in it.
    std::map<std::string, std::shared_ptr<Node>> moved;
    for (auto at = live_.begin(); at != live_.end();) {
      if (!is_within(at->first, gone)) {
        ++at;
        continue;
      }
      if (!made.empty()) moved[made + at->first.substr(gone.size())] = at->second;
      at = live_.erase(at);
    }
    for (auto& [path, each] : moved) live_[path] = std::move(each);
  }
  if (!made.empty()) live_[made] = node;
  Node& folder = folder_of_path(folder_of(made.empty() ? gone : made));
  Change change{.gone = name_in(gone), .made = name_in(made), .node = std::move(node)};
  if (!gone.empty() && !made.empty() && folder_of(gone) != folder_of(made)) {
    change.from = &folder_of_path(folder_of(gone)).durable;
  }
  folder.unsynced.push_back(std::move(change));
}

void FaultyDisk::cut_power(Random& random) {
  const std::lock_guard lock(mutex_);
  armed_.reset();
  strict_ = random.one_in(3);
  // What the files have, before they go.
  for (const auto& [path, node] : live_) {
    if (!node->folder) bytes_[node.get()] = bytes_of(path);
  }
  for (const auto& [path, node] : live_) {
    const size_t kept = strict_ ? 0 : random.between(0, node->unsynced.size());
    for (size_t i = 0; i < kept; ++i) apply(node->unsynced[i], node->durable);
  }
  for (const auto& entry : fs::directory_iterator(root_)) fs::remove_all(entry.path());
  // Kept until the changes are gone that may name their entries.
  const auto before = std::move(live_);
  for (const auto& [path, node] : before) node->unsynced.clear();
  live_.clear();
  const auto root = before.find(root_);
  if (root != before.end()) {
    live_[root_] = root->second;
    restore(*root->second, root_, random);
  }
  bytes_.clear();
}

// An entry after the other; those of one file share its bytes.
void FaultyDisk::restore(Node& folder, const std::string& path, Random& random) {
  for (const auto& [name, node] : folder.durable) {
    const std::string place = std::string(path).append("/").append(name);
    live_[place] = node;
    node->lost = false;
    if (node->folder) {
      node->unsynced.clear();
      fs::create_directory(place);
      restore(*node, place, random);
      continue;
    }
    const auto found = bytes_.find(node.get());
    if (!strict_ && found != bytes_.end() && found->second.starts_with(node->synced) &&
        random.one_in(2)) {
      const std::string& all = found->second;
      // File systems make a file longer after its bytes are there, or give zeros for all of them.
      if (random.one_in(4)) {
        node->synced.resize(all.size());
      } else {
        node->synced = all.substr(0, random.between(node->synced.size(), all.size()));
      }
    }
    bytes_.erase(node.get());
    std::ofstream(place, std::ios::binary) << node->synced;
  }
}

void FaultyDisk::cut_power_late() {
  const std::lock_guard lock(mutex_);
  armed_.reset();
  for (const auto& [path, node] : live_) {
    if (!node->folder) node->synced = bytes_of(path);
    node->lost = false;
    for (const Change& change : node->unsynced) apply(change, node->durable);
    node->unsynced.clear();
  }
}

void FaultyDisk::wipe() {
  const std::lock_guard lock(mutex_);
  armed_.reset();
  for (const auto& entry : fs::directory_iterator(root_)) fs::remove_all(entry.path());
  live_.clear();
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

IOStatus FaultyDisk::NewRandomRWFile(const std::string& path, const FileOptions& options,
                                     std::unique_ptr<rocksdb::FSRandomRWFile>* file,
                                     IODebugContext* debug) {
  if (const auto fault = next(Call::kOther)) return error_of(*fault);
  const IOStatus status = FileSystemWrapper::NewRandomRWFile(path, options, file, debug);
  if (status.ok()) *file = std::make_unique<ReadAndWritten>(std::move(*file), *this);
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
  if (status.ok()) change("", plain(path), std::make_shared<Node>(Node{.folder = true}));
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
  const auto fault = next(Call::kOther);
  if (fault && *fault != Fault::kNoSpace) return error_of(*fault);
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
