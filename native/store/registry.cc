// Store::open: which native store belongs to a path.
//
// One native store per path and process, shared by every opener in every thread. Each opener gets
// a handle that counts as one use; the store closes with its last handle.
#include <unistd.h>

#include <filesystem>
#include <map>
#include <mutex>
#include <thread>
#include <utility>

#include "base/guarded.h"
#include "memory/pages.h"
#include "store/local_store.h"

namespace hotrow {

namespace {

struct Registry {
  Mutex mutex;
  CondVar closed;
  std::map<std::string, std::shared_ptr<LocalStore>, std::less<>> stores HOTROW_GUARDED_BY(mutex);
  // Of these the last opener has gone, and the folder is still locked. Moved here by node, which
  // needs no memory.
  std::map<std::string, std::shared_ptr<LocalStore>, std::less<>> closing HOTROW_GUARDED_BY(mutex);
};

// Never destroyed: threads may run past the end of main.
Registry& registry() {
  static Registry* const instance = new Registry;
  return *instance;
}

/// Ends one opener's use; true when it was the last, and the store must be closed. Its path then
/// names no store any more.
bool leave(LocalStore& store) {
  Registry& all = registry();
  const MutexLock lock(all.mutex);
  if (--store.openers > 0) return false;
  const auto known = all.stores.find(store.path());
  if (known == all.stores.end() || known->second.get() != &store) return true;
  all.closing.insert(all.stores.extract(known));
  return true;
}

void close_last(LocalStore& store) {
  store.close();
  // Readers of a path are not in the registry.
  if (store.options().read_only) return;
  Registry& all = registry();
  {
    const MutexLock lock(all.mutex);
    all.closing.erase(store.path());
  }
  all.closed.notify_all();
}

/// One opener's use of a store. Closing it leaves other openers alone.
class StoreHandle final : public Store {
 public:
  explicit StoreHandle(std::shared_ptr<LocalStore> store)
      : path_(store->path()), store_(std::move(store)) {}
  ~StoreHandle() override { close(); }

  const std::string& path() const override { return path_; }
  Result<std::shared_ptr<Table>> table(std::string_view name,
                                       const TableOptions& options) override {
    return with_store([&](LocalStore& store) { return store.table(name, options); });
  }
  Result<std::shared_ptr<Dense>> dense(std::string_view name,
                                       const DenseOptions& options) override {
    return with_store([&](LocalStore& store) { return store.dense(name, options); });
  }
  Result<std::shared_ptr<Table>> table(std::string_view name) override {
    return with_store([&](LocalStore& store) { return store.table(name); });
  }
  Result<std::shared_ptr<Dense>> dense(std::string_view name) override {
    return with_store([&](LocalStore& store) { return store.dense(name); });
  }
  Status lookup_all(std::span<const TableLookup> lookups) override {
    return with_store([&](LocalStore& store) { return store.lookup_all(lookups); });
  }
  Status push_all(std::span<const TablePush> pushes) override {
    return with_store([&](LocalStore& store) { return store.push_all(pushes); });
  }
  Result<std::vector<ParameterInfo>> list() override {
    return with_store([&](LocalStore& store) { return store.list(); });
  }
  Status drop(std::string_view name) override {
    return with_store([&](LocalStore& store) { return store.drop(name); });
  }
  Result<VersionInfo> commit(const CommitOptions& options) override {
    return with_store([&](LocalStore& store) { return store.commit(options); });
  }
  Result<VersionInfo> version() override {
    return with_store([&](LocalStore& store) { return store.version(); });
  }
  Result<std::vector<VersionInfo>> versions() override {
    return with_store([&](LocalStore& store) { return store.versions(); });
  }
  Result<VersionInfo> rollback(std::string_view version, const ClusterPart& part) override {
    return with_store([&](LocalStore& store) { return store.rollback(version, part); });
  }
  Status name_version(std::string_view name, uint64_t version) override {
    return with_store([&](LocalStore& store) { return store.name_version(name, version); });
  }
  Status pin_version(uint64_t version, bool pinned) override {
    return with_store([&](LocalStore& store) { return store.pin_version(version, pinned); });
  }
  Result<VersionInfo> apply(std::string_view delta_folder) override {
    return with_store([&](LocalStore& store) { return store.apply(delta_folder); });
  }
  Status snapshot(std::string_view version, std::string_view folder) override {
    return with_store([&](LocalStore& store) { return store.snapshot(version, folder); });
  }
  Result<Recovery> recovered() override {
    return with_store([](LocalStore& store) { return store.recovered(); });
  }
  Result<VersionInfo> refresh() override {
    return with_store([&](LocalStore& store) { return store.refresh(); });
  }
  Result<std::vector<TableDiff>> diff(std::string_view from, std::string_view to) override {
    return with_store([&](LocalStore& store) { return store.diff(from, to); });
  }
  Status verify() override {
    return with_store([&](LocalStore& store) { return store.verify(); });
  }
  Status compact() override {
    return with_store([&](LocalStore& store) { return store.compact(); });
  }
  Result<StoreStats> stats() override {
    return with_store([&](LocalStore& store) { return store.stats(); });
  }
  void close() override {
    std::shared_ptr<LocalStore> store;
    {
      const MutexLock lock(mutex_);
      store.swap(store_);
    }
    if (store && leave(*store)) close_last(*store);
  }

 private:
  /// work(store), or ERR_CLOSED; ERR_CAPACITY when memory runs out.
  template <class Work>
  auto with_store(const Work& work) -> decltype(work(std::declval<LocalStore&>())) {
    return guarded([&]() -> decltype(work(std::declval<LocalStore&>())) {
      std::shared_ptr<LocalStore> store;
      {
        const MutexLock lock(mutex_);
        store = store_;
      }
      if (!store) return Status::closed("the store '" + path_ + "' is closed");
      return work(*store);
    });
  }

  const std::string path_;
  Mutex mutex_;
  std::shared_ptr<LocalStore> store_ HOTROW_GUARDED_BY(mutex_);
};

StoreOptions complete(StoreOptions options) {
  if (options.memory_bytes == 0) options.memory_bytes = usable_memory_bytes() / 2;
  if (options.threads == 0) {
    // A core is left to whoever makes the batches: with all of them at work on one batch, the next
    // one waits.
    const uint32_t cores = std::max(std::thread::hardware_concurrency(), 2U);
    options.threads = std::min(cores - 1, kMaxThreads);
  }
  return options;
}

Status conflict(const std::string& path, const char* field, uint64_t has, uint64_t received) {
  return Status::conflict("the store '" + path + "' is open with other options: " + field +
                          ": it has " + std::to_string(has) + ", received " +
                          std::to_string(received));
}

/// Fields left at their default ask for nothing.
Status check_same(const LocalStore& store, const StoreOptions& options) {
  const StoreOptions& has = store.options();
  if (options.memory_bytes != 0 && options.memory_bytes != has.memory_bytes) {
    return conflict(store.path(), "memoryBytes", has.memory_bytes, options.memory_bytes);
  }
  if (options.threads != 0 && options.threads != has.threads) {
    return conflict(store.path(), "threads", has.threads, options.threads);
  }
  if (options.keep_versions != StoreOptions().keep_versions &&
      options.keep_versions != has.keep_versions) {
    return conflict(store.path(), "keepVersions", has.keep_versions, options.keep_versions);
  }
  if (options.keep_ms != 0 && options.keep_ms != has.keep_ms) {
    return conflict(store.path(), "keepMs", has.keep_ms, options.keep_ms);
  }
  const StoreOptions defaults;
  if (options.sync != defaults.sync && options.sync != has.sync) {
    return Status::conflict("the store '" + store.path() + "' is open with other options: sync");
  }
  if (options.durable != defaults.durable && options.durable != has.durable) {
    return Status::conflict("the store '" + store.path() + "' is open with other options: durable");
  }
  if (options.gpu != defaults.gpu && options.gpu != has.gpu) {
    return Status::conflict("the store '" + store.path() + "' is open with other options: gpu");
  }
  if (options.background_share != StoreOptions().background_share &&
      options.background_share != has.background_share) {
    return Status::conflict("the store '" + store.path() +
                            "' is open with other options: backgroundShare");
  }
  return {};
}

constexpr std::string_view kMemory = ":memory:";

Result<std::string> canonical(std::string_view path) {
  if (path.empty() || path.find('\0') != std::string_view::npos) {
    return Status::invalid_argument(
        "path: expected a path without zero bytes, ':memory:' or ':memory:NAME', received '" +
        std::string(path) + "'");
  }
  if (path.starts_with(kMemory)) return std::string(path);
  std::error_code error;
  const auto absolute =
      std::filesystem::weakly_canonical(std::filesystem::absolute(path, error), error);
  if (error) {
    return Status::invalid_argument("path: '" + std::string(path) + "': " + error.message());
  }
  std::string text = absolute.string();
  while (text.size() > 1 && text.back() == '/') text.pop_back();
  return text;
}

/// A handle that counts as an opener. The registry's mutex must be held, if the store is in it.
std::shared_ptr<Store> handle_of(std::shared_ptr<LocalStore> store) {
  LocalStore& opened = *store;
  auto handle = std::make_shared<StoreHandle>(std::move(store));
  ++opened.openers;
  return handle;
}

Result<std::shared_ptr<Store>> open_store(std::string_view path, const StoreOptions& options) {
  HOTROW_RETURN_IF_ERROR(options.validate());
  const Result<std::string> name = canonical(path);
  if (!name.ok()) return name.status();
  // The first look at a device takes seconds, and other paths are not to wait for it.
  if (options.gpu.bytes != 0) (void)tier_library(options.gpu.device);
  // Every opener for reading has a store of its own: they are at different versions.
  if (options.read_only) {
    auto opened = LocalStore::open(name.value(), complete(options));
    if (!opened.ok()) return opened.status();
    return handle_of(std::move(opened).value());
  }
  Registry& all = registry();
  const MutexLock lock(all.mutex);
  while (all.closing.contains(name.value())) all.closed.wait(all.mutex);
  const auto known = all.stores.find(name.value());
  if (known != all.stores.end()) {
    HOTROW_RETURN_IF_ERROR(check_same(*known->second, options));
    return handle_of(known->second);
  }
  auto opened = LocalStore::open(name.value(), complete(options));
  if (!opened.ok()) return opened.status();
  std::shared_ptr<LocalStore> store = std::move(opened).value();
  if (name.value() == kMemory) return handle_of(std::move(store));
  const auto entry = all.stores.emplace(name.value(), store).first;
  try {
    return handle_of(std::move(store));
  } catch (const std::bad_alloc&) {
    all.stores.erase(entry);
    throw;
  }
}

}  // namespace

Status Store::set_placement(std::string_view /*text*/) {
  return {StatusCode::kUnsupported, "placement: the store is in this process, not with servers"};
}

Result<std::shared_ptr<Store>> Store::open(std::string_view path, const StoreOptions& options) {
  return guarded([&] { return open_store(path, options); });
}

}  // namespace hotrow
