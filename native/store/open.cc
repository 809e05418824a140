// Opening a store's folder: its newest version, or one of those that are kept.
#include <array>
#include <cstdio>
#include <random>
#include <utility>

#include "store/local_store.h"

namespace hotrow {

namespace {

/// 32 hexadecimal digits that no other store has.
std::string fresh_run() {
  std::random_device device;
  std::string run;
  for (int i = 0; i < 4; ++i) {
    std::array<char, 9> digits;
    (void)std::snprintf(digits.data(), digits.size(), "%08x", static_cast<uint32_t>(device()));
    run += digits.data();
  }
  return run;
}

}  // namespace

Result<std::shared_ptr<LocalStore>> LocalStore::open(std::string path,
                                                     const StoreOptions& options) {
  std::shared_ptr<LocalStore> store(new LocalStore(std::move(path), options));
  if (options.gpu.bytes != 0) store->gpu_ = std::make_unique<GpuTier>(options.gpu);
  if (store->in_memory()) {
    if (!options.read_only) return store;
    return store->no_versions();
  }
  HOTROW_RETURN_IF_ERROR(store->open_folder());
  return store;
}

Status LocalStore::open_folder() {
  uint64_t wanted = 0;
  if (!options_.version.empty()) {
    const auto number = resolve(options_.version);
    if (!number.ok()) return number.status();
    wanted = number.value();
  }
  HOTROW_RETURN_IF_ERROR(open_engine(wanted));
  auto manifest = Manifest::parse(engine_->manifest());
  if (!manifest.ok()) return manifest.status();
  const MutexLock lock(mutex_);
  manifest_ = std::move(manifest).value();
  context_.version_time_ms.store(manifest_.time_ms, std::memory_order_relaxed);
  if (options_.read_only) return {};
  if (manifest_.run.empty()) manifest_.run = fresh_run();
  const auto given_up = engine_->last_given_up();
  if (!given_up.ok()) return given_up.status();
  last_number_ = given_up.value();
  HOTROW_RETURN_IF_ERROR(none_lost());
  HOTROW_RETURN_IF_ERROR(engine_->versions().clean(manifest_.version));
  // A process that died between the two steps of a commit has left this to us.
  return engine_->keep(manifest_.version);
}

// A version has its folder only after the database has it: one that has not has gone back, and the
// folder holds what was acknowledged.
Status LocalStore::none_lost() const {
  const auto kept = engine_->versions().list();
  if (!kept.ok()) return kept.status();
  if (kept.value().empty() || kept.value().back() <= manifest_.version) return {};
  return {StatusCode::kCorruption,
          "'" + path_ + "/rows' is at version " + std::to_string(manifest_.version) +
              " and version " + std::to_string(kept.value().back()) +
              " is kept: with recover: 'newest-intact' the newest that is whole is opened"};
}

Status LocalStore::open_engine(uint64_t version) {
  const bool recovers = options_.recover == RecoverMode::kNewestIntact;
  Engine::Recover recover;
  recover.version_of = [](const std::string& text) -> Result<uint64_t> {
    const auto manifest = Manifest::parse(text);
    if (!manifest.ok()) return manifest.status();
    return manifest.value().version;
  };
  if (options_.read_only && recovers) {
    const auto intact = Engine::newest_intact(path_, recover);
    if (!intact.ok()) return intact.status();
    version = intact.value();
  }
  auto engine = options_.read_only
                    ? Engine::open_version(path_, version)
                    : Engine::open(path_, sync_of(options_), recovers ? &recover : nullptr);
  if (!engine.ok()) return engine.status();
  engine_ = std::move(engine).value();
  recovery_ = std::move(recover.recovery);
  return {};
}

}  // namespace hotrow
