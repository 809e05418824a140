// Guarantee E8: whatever a store's files hold, opening and reading it ends in an error or in the
// rows of one whole version, without a crash, a hang or an allocation that its size does not
// explain.
//
// A small store of several versions is made once. Each case damages a copy of it. The cases run in
// child processes, so that one that crashes is named.
#include <fcntl.h>
#include <gtest/gtest.h>
#include <sys/mman.h>

#include <algorithm>
#include <atomic>
#include <chrono>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <map>
#include <set>
#include <string>
#include <thread>
#include <vector>

#include "support/child.h"
#include "support/failing_new.h"
#include "support/fast_folder.h"
#include "support/random.h"
#include "support/scale.h"
#include "support/seed.h"
#include "support/stores.h"

namespace hotrow::test {
namespace {

namespace fs = std::filesystem;

constexpr uint64_t kDamagedRows = 200;
constexpr uint64_t kVersions = 5;
constexpr uint32_t kDim = 4;
// A store of some KB may ask for no more at once. What a table reserves of the address space is
// not asked for.
constexpr uint64_t kMostBytes = 80 * kMiB;

using Files = std::map<std::string, std::string>;  // bytes by path below the store's folder

std::string bytes_of(const fs::path& path) {
  std::ifstream file(path, std::ios::binary);
  return {std::istreambuf_iterator<char>(file), {}};
}

Files read_files(const std::string& folder) {
  Files files;
  for (const auto& entry : fs::recursive_directory_iterator(folder)) {
    const std::string name = fs::relative(entry.path(), folder).string();
    // Of versions that are kept, opening the newest reads nothing: KeptVersions.Verify*, Standby.*.
    if (!entry.is_regular_file() || name.starts_with("versions/")) continue;
    files[name] = bytes_of(entry.path());
  }
  return files;
}

void write_files(const std::string& folder, const Files& files) {
  fs::remove_all(folder);
  for (const auto& [name, bytes] : files) {
    const fs::path path = fs::path(folder) / name;
    fs::create_directories(path.parent_path());
    std::ofstream(path, std::ios::binary) << bytes;
  }
}

/// Of a key in a version: not there, or this value in every lane.
float value_of(uint64_t key, uint64_t version) {
  if ((key + version) % 5 == 0) return 0;
  return static_cast<float>(key * 10 + version);
}

/// Changes a store to what `version` holds, and commits.
void commit_version(Store& store, uint64_t version) {
  const auto table = must(store.table("t", sum_table(kDim)));
  std::vector<uint64_t> keys;
  std::vector<uint64_t> gone;
  std::vector<float> rows;
  for (uint64_t key = 0; key < kDamagedRows; ++key) {
    if (value_of(key, version) == 0) {
      gone.push_back(key);
      continue;
    }
    keys.push_back(key);
    rows.insert(rows.end(), kDim, value_of(key, version));
  }
  must(table->erase(gone).status());
  must(table->update(keys, rows));
  const auto dense =
      must(store.dense("w", {.shape = {2, 3}, .optimizer = {.kind = OptimizerKind::kSum}}));
  must(dense->update(std::vector<float>(6, static_cast<float>(version))));
  must(store.commit({.cursor = std::to_string(version)}).status());
}

/// What a case made of the store: errors are fine, rows must be those of one version. Empty when
/// all is well.
std::string judge(const std::string& path, bool& refused) {
  refused = true;
  const auto known = [](const Status& status) {
    const StatusCode code = status.code();
    return code == StatusCode::kCorruption || code == StatusCode::kIoError ||
           code == StatusCode::kUnsupported || code == StatusCode::kConflict;
  };
  const auto opened = Store::open(path, {.memory_bytes = 64 * kMiB, .threads = 1});
  if (!opened.ok()) return known(opened.status()) ? "" : "open: " + describe(opened.status());
  Store& store = *opened.value();
  const auto info = must(store.version());
  if (info.version > kVersions ||
      info.cursor != (info.version == 0 ? "" : std::to_string(info.version))) {
    return "version " + std::to_string(info.version) + " with cursor '" + info.cursor + "'";
  }
  const auto table = store.table("t", sum_table(kDim));
  if (!table.ok()) return known(table.status()) ? "" : "table: " + describe(table.status());
  const std::vector<uint64_t> keys = range(0, kDamagedRows);
  std::vector<float> rows(kDamagedRows * kDim);
  const Status read = table.value()->lookup(keys, rows);
  if (!read.ok()) return known(read) ? "" : "lookup: " + describe(read);
  for (uint64_t i = 0; i < rows.size(); ++i) {
    const float expected = info.version == 0 ? 0 : value_of(i / kDim, info.version);
    if (rows[i] == expected) continue;
    return "version " + std::to_string(info.version) + ", key " + std::to_string(i / kDim) +
           " has " + std::to_string(rows[i]) + " instead of " + std::to_string(expected);
  }
  const auto dense =
      store.dense("w", {.shape = {2, 3}, .optimizer = {.kind = OptimizerKind::kSum}});
  if (!dense.ok()) return known(dense.status()) ? "" : "dense: " + describe(dense.status());
  std::vector<float> values(6);
  must(dense.value()->pull(values));
  if (values != std::vector<float>(6, static_cast<float>(info.version))) return "dense values";
  // Less than the newest version is what a lost end of a MANIFEST leaves; nothing else may.
  refused = info.version != kVersions;
  return "";
}

/// One case: which file, what happens to it.
class Damage {
 public:
  Damage(const Files& files, const Files& older, uint64_t seed)
      : files_(files), older_(older), random_(seed) {}

  Files apply() {
    Files damaged = files_;
    auto chosen = damaged.begin();
    // Every file alike, then every place of it.
    std::advance(chosen, static_cast<ptrdiff_t>(random_.below(damaged.size())));
    name_ = chosen->first;
    std::string& bytes = chosen->second;
    const size_t size = bytes.size();
    const size_t at = place(size);
    switch (random_.below(9)) {
      case 0:
        what_ = "a bit flipped at " + std::to_string(at);
        if (size > 0) bytes[at] = static_cast<char>(bytes[at] ^ (1 << random_.below(8)));
        break;
      case 1:
        what_ = "another byte at " + std::to_string(at);
        if (size > 0) bytes[at] = static_cast<char>(random_.next());
        break;
      case 2:
        what_ = "cut off at " + std::to_string(at);
        bytes.resize(at);
        break;
      case 3: {
        what_ = "random bytes from " + std::to_string(at);
        const size_t end = std::min(size, at + random_.between(1, 64));
        for (size_t i = at; i < end; ++i) bytes[i] = static_cast<char>(random_.next());
        break;
      }
      case 4:
        what_ = "zeros from " + std::to_string(at);
        for (size_t i = at; i < std::min(size, at + random_.between(1, 600)); ++i) bytes[i] = 0;
        break;
      case 5:
        what_ = "longer by something";
        for (uint64_t i = random_.between(1, 300); i > 0; --i) {
          bytes.push_back(static_cast<char>(random_.one_in(2) ? 0 : random_.next()));
        }
        break;
      case 6:
        swap_with_another(damaged, bytes);
        break;
      case 7:
        stale(bytes, at);
        break;
      default:
        what_ = "gone";
        damaged.erase(chosen);
    }
    return damaged;
  }
  std::string describe() const { return name_ + ": " + what_; }

 private:
  /// Heads and ends of files hold what the rest is found by.
  size_t place(size_t size) {
    if (size == 0) return 0;
    if (random_.one_in(3)) return random_.below(std::min<size_t>(size, 64));
    if (random_.one_in(2)) return size - 1 - random_.below(std::min<size_t>(size, 128));
    return random_.below(size);
  }
  void swap_with_another(Files& damaged, std::string& bytes) {
    auto other = damaged.begin();
    std::advance(other, static_cast<ptrdiff_t>(random_.below(damaged.size())));
    what_ = "swapped with " + other->first;
    std::swap(bytes, other->second);
  }
  /// A block, or all, of what the file was an earlier time.
  void stale(std::string& bytes, size_t at) {
    const auto before = older_.find(name_);
    if (before == older_.end()) {
      what_ = "a block from elsewhere at " + std::to_string(at);
      const size_t from = place(bytes.size());
      const size_t n = std::min({random_.between(1, 200), bytes.size() - at, bytes.size() - from});
      std::copy_n(std::string(bytes, from, n).begin(), n,
                  bytes.begin() + static_cast<ptrdiff_t>(at));
      return;
    }
    what_ = "as it was earlier";
    bytes = before->second;
  }

  const Files& files_;
  const Files& older_;
  Random random_;
  std::string name_;
  std::string what_;
};

/// What the processes share.
struct Progress {
  std::atomic<uint64_t> at;       // the case under way
  std::atomic<uint64_t> refused;  // cases that ended in an error or an older version
};

uint64_t number(const char* name) { return std::strtoull(std::getenv(name), nullptr, 10); }

TEST(DamagedProcess, DISABLED_Reads) {
  const char* const place = std::getenv("HOTROW_DAMAGE");
  if (place == nullptr) GTEST_SKIP() << "started by the test beside it";
  const std::string folder = place;
  Progress& shared = *map_shared<Progress>(folder + "/shared");
  const Files files = read_files(folder + "/whole");
  const Files older = read_files(folder + "/older");
  const std::string path = folder + "/case" + std::getenv("HOTROW_DAMAGE_FROM");
  const uint64_t seed = number("HOTROW_DAMAGE_SEED");
  for (uint64_t i = number("HOTROW_DAMAGE_FROM"); i < number("HOTROW_DAMAGE_TO"); ++i) {
    shared.at.store(i);
    Damage damage(files, older, seed + i);
    write_files(path, damage.apply());
    reset_largest_allocation();
    bool refused = false;
    std::string wrong;
    try {
      wrong = judge(path, refused);
    } catch (const std::exception& error) {
      wrong = error.what();
    }
    if (largest_allocation() > kMostBytes) {
      wrong += " asked for " + std::to_string(largest_allocation()) + " bytes at once";
    }
    if (refused) shared.refused.fetch_add(1);
    EXPECT_EQ(wrong, "") << "HOTROW_SEED=" << seed + i << " " << damage.describe();
  }
  fs::remove_all(path);
}

class DamagedFiles : public testing::TestWithParam<uint64_t> {
 protected:
  DamagedFiles() {
    const std::string path = folder_ / "s";
    for (uint64_t version = 1; version <= kVersions; ++version) {
      // Opened twice, so that the last MANIFEST begins with several versions in one.
      if (version <= 3 || version == kVersions - 1) store_ = nullptr;
      if (version == kVersions - 1) {
        fs::copy(path, folder_ / "older", fs::copy_options::recursive);
      }
      if (!store_) store_ = must(Store::open(path, {.memory_bytes = 64 * kMiB, .threads = 1}));
      commit_version(*store_, version);
    }
    wait_for_compactions(path);
    store_ = nullptr;
    fs::copy(path, folder_ / "whole", fs::copy_options::recursive);
  }

  /// One that is cut off here would begin in every case, and RocksDB waits a second after one that
  /// meets damage.
  static void wait_for_compactions(const std::string& path) {
    const auto names = [&] {
      std::set<std::string> all;
      for (const auto& entry : fs::recursive_directory_iterator(path)) all.insert(entry.path());
      return all;
    };
    const auto end = std::chrono::steady_clock::now() + std::chrono::seconds(10);
    for (auto before = names(); std::chrono::steady_clock::now() < end;) {
      std::this_thread::sleep_for(std::chrono::milliseconds(300));
      auto now = names();
      if (now == before) return;
      before = std::move(now);
    }
  }

  /// Cases from `from` on; says which one a crash or a hang came from.
  void run(uint64_t seed, uint64_t from, uint64_t to) {
    while (from < to) {
      const auto variable = [](const char* name, const std::string& value) {
        return std::string(name) + "=" + value;
      };
      Child child("DamagedProcess.DISABLED_Reads",
                  {variable("HOTROW_DAMAGE", folder_.path()),
                   variable("HOTROW_DAMAGE_SEED", std::to_string(seed)),
                   variable("HOTROW_DAMAGE_FROM", std::to_string(from)),
                   variable("HOTROW_DAMAGE_TO", std::to_string(to))});
      const int status = wait(child);
      if (WIFEXITED(status) && WEXITSTATUS(status) == 0) return;
      const uint64_t at = shared_.at.load();
      Damage damage(whole_, older_, seed + at);
      (void)damage.apply();
      ADD_FAILURE() << "HOTROW_SEED=" << seed + at << " " << damage.describe() << ": "
                    << (WIFSIGNALED(status) ? "signal " + std::to_string(WTERMSIG(status))
                                            : std::string("failed, or cases before it"));
      if (!WIFSIGNALED(status)) return;
      from = at + 1;
    }
  }

  int wait(Child& child) {
    int status = 0;
    uint64_t at = shared_.at.load();
    auto since = std::chrono::steady_clock::now();
    while (!child.ended(status)) {
      std::this_thread::sleep_for(std::chrono::milliseconds(5));
      if (shared_.at.load() != at) {
        at = shared_.at.load();
        since = std::chrono::steady_clock::now();
      }
      if (std::chrono::steady_clock::now() - since > std::chrono::seconds(60)) {
        child.kill();
        ADD_FAILURE() << "case " << at << " hangs";
        return SIGKILL;
      }
    }
    return status;
  }

  FastFolder folder_;
  std::shared_ptr<Store> store_;
  Progress& shared_ = *map_shared<Progress>(folder_ / "shared");
  Files whole_;
  Files older_;
};

// Of the cases a share each, so that none takes long; the first one replays any. Under a sanitizer
// all of them are few, and one share of few says nothing of how many are refused.
constexpr uint64_t kShares = kSlowdown > 1 ? 1 : 5;

TEST_P(DamagedFiles, GiveAnErrorOrTheRowsOfAVersion) {
  whole_ = read_files(folder_ / "whole");
  older_ = read_files(folder_ / "older");
  const uint64_t seed =
      test_seed("Shares/DamagedFiles.GiveAnErrorOrTheRowsOfAVersion/0") + GetParam() * 1'000'000;
  const uint64_t cases = scaled(kSlowdown > 1 ? 1000 : 10'000) / kShares;
  run(seed, 0, cases);
  std::printf("%llu cases, %llu refused or older\n", static_cast<unsigned long long>(cases),
              static_cast<unsigned long long>(shared_.refused.load()));
  // Most places of a file that is read are covered by a checksum.
  EXPECT_GT(shared_.refused.load(), cases / 3);
}

INSTANTIATE_TEST_SUITE_P(Shares, DamagedFiles, ::testing::Range<uint64_t>(0, kShares));

}  // namespace
}  // namespace hotrow::test
