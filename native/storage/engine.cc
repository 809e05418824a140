#include "storage/engine.h"

#include <rocksdb/db.h>
#include <rocksdb/utilities/checkpoint.h>
#include <unistd.h>

#include <algorithm>
#include <utility>

#include "base/failpoint.h"
#include "storage/database.h"
#include "storage/disk.h"
#include "storage/rocks.h"
#include "storage/sorted_rows.h"
#include "storage/spill_file.h"

namespace hotrow {

namespace {

// Rows that one call of RocksDB looks for.
constexpr size_t kReadAtOnce = 1024;

Result<std::unique_ptr<FileLock>> lock_for_writing(const std::string& path) {
  const std::string file = path + "/LOCK";
  auto lock = FileLock::take(file, FileLock::Kind::kExclusive);
  if (!lock.ok()) return lock.status();
  if (lock.value() == nullptr) {
    const auto owner = read_text(file);
    const std::string text = owner.ok() ? owner.value() : "";
    return Status(StatusCode::kLocked, "'" + path + "' is open for writing in process " +
                                           text.substr(0, text.find('\n')));
  }
  HOTROW_RETURN_IF_ERROR(lock.value()->write(std::to_string(::getpid()) + "\n"));
  return lock;
}

Engine::Row row_of(const rocksdb::Slice& slice) {
  return {reinterpret_cast<const std::byte*>(slice.data()), slice.size()};
}

}  // namespace

Engine::Engine(const std::string& path, SyncMode sync)
    : path_(path), sync_(sync), versions_(path, sync) {}
Engine::~Engine() = default;
std::string Engine::incoming() const { return path_ + "/" + std::string(kIncoming); }

Status Engine::open_database(const std::string& folder, bool for_writing) {
  database_ = std::make_unique<Database>();
  HOTROW_RETURN_IF_ERROR(database_->open(folder, for_writing, sync_));
  const auto status =
      database_->db->Get({}, database_->family_of_manifest().get(), kManifestKey, &manifest_);
  return status.IsNotFound() ? Status() : disk_status(status, "the manifest of '" + path_ + "'");
}

Result<std::unique_ptr<Engine>> Engine::open(const std::string& path, SyncMode sync,
                                             Recover* recover) {
  std::unique_ptr<Engine> engine(new Engine(path, sync));
  HOTROW_RETURN_IF_ERROR(make_folder(path, sync));
  auto lock = lock_for_writing(path);
  if (!lock.ok()) return lock.status();
  engine->lock_ = std::move(lock).value();
  HOTROW_RETURN_IF_ERROR(engine->finish_recovery());
  if (recover != nullptr) HOTROW_RETURN_IF_ERROR(engine->recover(*recover));
  HOTROW_RETURN_IF_ERROR(engine->check_database());
  HOTROW_RETURN_IF_ERROR(engine->open_database(path + "/rows", true));
  failpoint("open.database");
  // Left by a process that died.
  (void)remove_path(engine->incoming());
  SpillFile::remove_left(path);
  return engine;
}

Result<std::unique_ptr<Engine>> Engine::open_version(const std::string& path, uint64_t version) {
  std::unique_ptr<Engine> engine(new Engine(path));
  // The newest may be gone by the time it is locked, and another the newest.
  constexpr int kTries = 100;
  for (int i = 0; i < kTries; ++i) {
    const auto kept = engine->versions_.list();
    if (!kept.ok()) return kept.status();
    if (kept.value().empty()) return Status::not_found("'" + path + "' has no versions");
    const uint64_t wanted = version == 0 ? kept.value().back() : version;
    auto use = engine->versions_.use(wanted);
    if (!use.ok()) return use.status();
    if (use.value() == nullptr) {
      if (version == 0) continue;
      return Status::not_found("'" + path + "' does not keep version " + std::to_string(version));
    }
    engine->lock_ = std::move(use).value();
    HOTROW_RETURN_IF_ERROR(engine->open_database(engine->versions_.rows(wanted), false));
    return engine;
  }
  return Status::not_found("'" + path + "': its newest version is removed again and again");
}

Status Engine::read(TableId table, const Visit& visit, HashRange part, Which which) const {
  const Database::Family family = database_->find(table);
  auto opened = SortedRows::open(*database_->db, family.get(), part, which);
  if (!opened.ok()) return opened.status();
  SortedRows& rows = opened.value();
  for (;;) {
    HOTROW_RETURN_IF_ERROR(rows.next());
    if (!rows.valid()) return {};
    HOTROW_RETURN_IF_ERROR(visit(rows.hash(), rows.row()));
  }
}

Status Engine::walk(TableId table, uint64_t from, size_t most, std::vector<uint64_t>& hashes,
                    std::optional<uint64_t>& next) const {
  next.reset();
  const Database::Family family = database_->find(table);
  auto opened = SortedRows::open(*database_->db, family.get(), {.first = from});
  if (!opened.ok()) return opened.status();
  SortedRows& rows = opened.value();
  for (size_t count = 0;; ++count) {
    HOTROW_RETURN_IF_ERROR(rows.next());
    if (!rows.valid()) return {};
    if (count == most) {
      next = rows.hash();
      return {};
    }
    hashes.push_back(rows.hash());
  }
}

Status Engine::read_rows(TableId table, std::span<const uint64_t> hashes,
                         const VisitOne& visit) const {
  const Database::Family family = database_->find(table);
  std::vector<DiskKey> keys(kReadAtOnce);
  std::vector<rocksdb::Slice> slices(kReadAtOnce);
  std::vector<rocksdb::PinnableSlice> rows(kReadAtOnce);
  std::vector<rocksdb::Status> statuses(kReadAtOnce);
  for (size_t first = 0; first < hashes.size(); first += kReadAtOnce) {
    const size_t count = std::min(kReadAtOnce, hashes.size() - first);
    if (family == nullptr) {
      for (size_t i = 0; i < count; ++i) HOTROW_RETURN_IF_ERROR(visit(first + i, nullptr));
      continue;
    }
    for (size_t i = 0; i < count; ++i) {
      keys[i] = disk_key(hashes[first + i]);
      slices[i] = rocksdb::Slice(keys[i].data(), keys[i].size());
      rows[i].Reset();
    }
    database_->db->MultiGet({}, family.get(), count, slices.data(), rows.data(), statuses.data());
    for (size_t i = 0; i < count; ++i) {
      if (statuses[i].IsNotFound()) {
        HOTROW_RETURN_IF_ERROR(visit(first + i, nullptr));
        continue;
      }
      HOTROW_RETURN_IF_ERROR(
          disk_status(statuses[i], "reading rows of table " + std::to_string(table)));
      const Row row = row_of(rows[i]);
      HOTROW_RETURN_IF_ERROR(visit(first + i, &row));
    }
  }
  return {};
}

Status Engine::compare(const Engine& there, TableId table, const VisitBoth& visit) const {
  const Database::Family family = database_->find(table);
  const Database::Family family_there = there.database_->find(table);
  auto opened = SortedRows::open(*database_->db, family.get());
  if (!opened.ok()) return opened.status();
  auto opened_there = SortedRows::open(*there.database_->db, family_there.get());
  if (!opened_there.ok()) return opened_there.status();
  SortedRows& mine = opened.value();
  SortedRows& other = opened_there.value();
  HOTROW_RETURN_IF_ERROR(mine.next());
  HOTROW_RETURN_IF_ERROR(other.next());
  while (mine.valid() || other.valid()) {
    const bool here = mine.valid() && (!other.valid() || mine.hash() <= other.hash());
    const bool row_there = other.valid() && (!mine.valid() || other.hash() <= mine.hash());
    const Row row = here ? mine.row() : Row();
    const Row other_row = row_there ? other.row() : Row();
    if (here != row_there || !std::ranges::equal(row, other_row)) {
      HOTROW_RETURN_IF_ERROR(visit(here ? mine.hash() : other.hash(), here ? &row : nullptr,
                                   row_there ? &other_row : nullptr));
    }
    if (here) HOTROW_RETURN_IF_ERROR(mine.next());
    if (row_there) HOTROW_RETURN_IF_ERROR(other.next());
  }
  return {};
}

Status Engine::verify() const {
  return disk_status(database_->db->VerifyChecksum(), "'" + path_ + "'");
}

Status Engine::compact() {
  for (const Database::Family& family : database_->all()) {
    const auto status = database_->db->CompactRange({}, family.get(), nullptr, nullptr);
    HOTROW_RETURN_IF_ERROR(disk_status(status, "compacting '" + path_ + "'"));
  }
  return {};
}

Result<std::unique_ptr<Engine::Version>> Engine::begin() {
  database_->delete_files_again();
  HOTROW_RETURN_IF_ERROR(database_->drop_replaced());
  // Left by one that could not remove it.
  HOTROW_RETURN_IF_ERROR(remove_path(incoming()));
  // Not synced: what is in it becomes part of the database or is removed.
  HOTROW_RETURN_IF_ERROR(make_folder(incoming(), SyncMode::kOs));
  return std::make_unique<Version>(*this);
}

std::unique_ptr<Engine::Version> Engine::begin_in(const std::string& folder) {
  return std::make_unique<Version>(*this, folder);
}

Status Engine::keep(uint64_t version) {
  if (version == 0 || path_exists(versions_.rows(version))) return {};
  HOTROW_RETURN_IF_ERROR(make_folder(versions_.fresh_delta(version), sync_));
  HOTROW_RETURN_IF_ERROR(remove_path(versions_.fresh_rows(version)));
  rocksdb::Checkpoint* made = nullptr;
  HOTROW_RETURN_IF_ERROR(
      disk_status(rocksdb::Checkpoint::Create(database_->db.get(), &made), "a checkpoint"));
  const std::unique_ptr<rocksdb::Checkpoint> checkpoint(made);
  HOTROW_RETURN_IF_ERROR(
      disk_status(checkpoint->CreateCheckpoint(versions_.fresh_rows(version)), "a checkpoint"));
  return versions_.finish(version);
}

}  // namespace hotrow
