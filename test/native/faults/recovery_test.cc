// RecoverMode::kNewestIntact: whatever of a store is damaged, the newest version that is whole is
// opened, nothing is deleted, and without the option nothing is given up.
#include <gtest/gtest.h>
#include <unistd.h>

#include <algorithm>
#include <csignal>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <functional>
#include <string>
#include <string_view>
#include <vector>

#include "base/failpoint.h"
#include "storage/version_folders.h"
#include "support/child.h"
#include "support/folder.h"
#include "support/stores.h"

namespace hotrow::test {
namespace {

namespace fs = std::filesystem;

constexpr uint64_t kCommitted = 5;
const std::vector<uint64_t> kRecovered = range(0, 3000);

StoreOptions options(RecoverMode recover = RecoverMode::kNever) {
  return {.memory_bytes = 256 * kMiB, .threads = 1, .keep_versions = 100, .recover = recover};
}

void flip(const fs::path& path, uintmax_t at) {
  std::fstream file(path, std::ios::in | std::ios::out | std::ios::binary);
  file.seekg(static_cast<std::streamoff>(at));
  const char byte = static_cast<char>(file.get());
  file.seekp(static_cast<std::streamoff>(at));
  file.put(static_cast<char>(byte ^ 0x20));
}

/// The files of a folder whose names begin so, in the order of their names.
std::vector<fs::path> files(const std::string& folder, const std::string& begin,
                            const std::string& end = "") {
  std::vector<fs::path> found;
  for (const auto& entry : fs::directory_iterator(folder)) {
    const std::string name = entry.path().filename().string();
    if (name.starts_with(begin) && name.ends_with(end)) found.push_back(entry.path());
  }
  std::ranges::sort(found);
  return found;
}

/// A store of versions 1 to 5, in which every value is the version's number.
class Recover : public ::testing::Test {
 protected:
  const Folder folder_;
  const std::string path_ = folder_ / "s";
  const VersionFolders versions_{path_};

  void SetUp() override {
    const auto store = must(Store::open(path_, options()));
    const auto table = must(store->table("t", sum_table(2)));
    // No later version has all rows: each needs those of the ones before.
    must(table->push(range(1'000'000, 1), std::vector<float>(2, 1)));
    for (uint64_t i = 1; i <= kCommitted; ++i) {
      must(table->push(kRecovered, std::vector<float>(kRecovered.size() * 2, 1)));
      must(store->commit({.cursor = std::to_string(i)}).status());
    }
  }
  std::string rows() const { return path_ + "/rows"; }
  /// Damages the rows that a version wrote, which all later databases share with it.
  void damage_rows_of(uint64_t version) const {
    const auto delta = files(versions_.delta(version), "2-", ".sst");
    ASSERT_FALSE(delta.empty());
    flip(delta.front(), fs::file_size(delta.front()) / 3);
  }
  void expect_version(Store& store, uint64_t version) const {
    EXPECT_EQ(must(store.version()).version, version);
    EXPECT_EQ(must(store.version()).cursor, std::to_string(version));
    const auto table = must(store.table("t", sum_table(2)));
    EXPECT_EQ(lookup(*table, kRecovered),
              std::vector<float>(kRecovered.size() * 2, static_cast<float>(version)));
  }
  std::vector<uint64_t> listed(Store& store) const {
    std::vector<uint64_t> numbers;
    for (const VersionInfo& info : must(store.versions())) numbers.push_back(info.version);
    return numbers;
  }
  /// Opens it, expects `to` whole, goes on, and opens it again.
  void expect_recovered(uint64_t to, uint64_t from = kCommitted) const {
    {
      const auto store = must(Store::open(path_, options(RecoverMode::kNewestIntact)));
      const Recovery recovery = must(store->recovered());
      EXPECT_EQ(recovery.from, from);
      EXPECT_EQ(recovery.to, to);
      EXPECT_NE(recovery.reason, "");
      expect_version(*store, to);
      EXPECT_EQ(listed(*store), range(1, to));
      must(store->verify());
      const auto table = must(store->table("t", sum_table(2)));
      must(table->push(kRecovered, std::vector<float>(kRecovered.size() * 2, 1)));
      const VersionInfo next = must(store->commit({.cursor = "next"}));
      EXPECT_EQ(next.version, from + 1) << "a number is not given twice";
      EXPECT_EQ(next.parent, to);
    }
    const auto store = must(Store::open(path_, options(RecoverMode::kNewestIntact)));
    EXPECT_EQ(must(store->recovered()).from, 0U);
    EXPECT_EQ(must(store->version()).version, from + 1);
    const auto table = must(store->table("t", sum_table(2)));
    EXPECT_EQ(lookup(*table, range(9, 1)), std::vector<float>(2, static_cast<float>(to + 1)));
    must(store->verify());
    must(store->rollback(std::to_string(to)).status());
  }
};

TEST_F(Recover, GivesUpNothingWhenAllIsWhole) {
  const auto store = must(Store::open(path_, options(RecoverMode::kNewestIntact)));
  EXPECT_EQ(must(store->recovered()).from, 0U);
  expect_version(*store, kCommitted);
  EXPECT_FALSE(fs::exists(path_ + "/damaged"));
  EXPECT_FALSE(fs::exists(path_ + "/rows.new"));
  const Folder other;
  const auto fresh = must(Store::open(other / "new", options(RecoverMode::kNewestIntact)));
  EXPECT_EQ(must(fresh->version()).version, 0U);
}

TEST_F(Recover, FromDamagedRowsOfTheNewestVersion) {
  damage_rows_of(5);
  expect_recovered(4);
  EXPECT_TRUE(fs::exists(path_ + "/damaged/00000000000000000005/delta"));
  EXPECT_TRUE(fs::exists(path_ + "/damaged/00000000000000000005.rows"));
}

TEST_F(Recover, FromSeveralDamagedVersions) {
  damage_rows_of(5);
  damage_rows_of(3);
  expect_recovered(2);
  EXPECT_EQ(files(path_ + "/damaged", "0").size(), 4U);
}

TEST_F(Recover, FromADamagedManifestOfOurs) {
  // The manifest's file is the newest of the database; the versions share it.
  std::vector<fs::path> small;
  for (const auto& file : files(rows(), "", ".sst")) {
    if (fs::file_size(file) < 4096) small.push_back(file);
  }
  ASSERT_FALSE(small.empty());
  flip(small.back(), 40);
  expect_recovered(4);
}

TEST_F(Recover, FromADamagedDatabaseWithoutLosingAVersion) {
  const std::vector<std::function<void()>> cases = {
      [&] { fs::remove(rows() + "/CURRENT"); },
      [&] { std::ofstream(rows() + "/CURRENT") << "MANIFEST-999999\n"; },
      [&] { std::ofstream(rows() + "/CURRENT") << "rubbish"; },
      [&] { flip(files(rows(), "MANIFEST").back(), 20); },
      [&] { fs::resize_file(files(rows(), "MANIFEST").back(), 100); },
      [&] { fs::remove(files(rows(), "MANIFEST").back()); },
      [&] { fs::remove_all(rows()); },
  };
  const std::string whole = folder_ / "whole";
  fs::copy(path_, whole, fs::copy_options::recursive);
  for (size_t i = 0; i < cases.size(); ++i) {
    SCOPED_TRACE(i);
    fs::remove_all(path_);
    fs::copy(whole, path_, fs::copy_options::recursive);
    cases[i]();
    expect_recovered(5);
  }
}

TEST_F(Recover, FromAMissingFileAndADamagedFolder) {
  const auto own = files(rows(), "", ".sst");
  fs::remove(own.back());
  flip(files(versions_.rows(5), "MANIFEST").back(), 20);
  expect_recovered(4);
}

TEST_F(Recover, OpensForReadingAndChangesNothing) {
  damage_rows_of(5);
  StoreOptions reading = options(RecoverMode::kNewestIntact);
  reading.read_only = true;
  const auto store = must(Store::open(path_, reading));
  expect_version(*store, 4);
  EXPECT_EQ(must(store->recovered()).from, 5U);
  EXPECT_EQ(must(store->recovered()).to, 4U);
  EXPECT_EQ(listed(*store), range(1, 5));
  EXPECT_FALSE(fs::exists(path_ + "/damaged"));
  reading.version = "3";
  EXPECT_TRUE(fails(Store::open(path_, reading).status(), StatusCode::kInvalidArgument, "recover"));
}

TEST_F(Recover, WithNothingIntactIsCorruptionAndChangesNothing) {
  damage_rows_of(1);
  for (int i = 0; i < 2; ++i) {
    const auto opened = Store::open(path_, options(RecoverMode::kNewestIntact));
    EXPECT_TRUE(fails(opened.status(), StatusCode::kCorruption, "no version is whole"));
  }
  EXPECT_EQ(must(versions_.list()), range(1, kCommitted));
  EXPECT_FALSE(fs::exists(path_ + "/damaged"));
}

TEST_F(Recover, AFolderThatCannotBeReadIsNoEmptyOne) {
  const std::string versions = path_ + "/versions";
  fs::remove_all(rows());
  fs::rename(versions, path_ + "/elsewhere");
  std::ofstream(versions) << "no folder";
  for (const RecoverMode mode : {RecoverMode::kNever, RecoverMode::kNewestIntact}) {
    EXPECT_TRUE(
        fails(Store::open(path_, options(mode)).status(), StatusCode::kIoError, "versions"));
    EXPECT_FALSE(fs::exists(rows() + "/CURRENT"));
  }
  fs::remove(versions);
  fs::rename(path_ + "/elsewhere", versions);
  expect_recovered(5);
}

TEST_F(Recover, OfALinkAmongTheVersionsTheLinkGoes) {
  const std::string elsewhere = folder_ / "elsewhere";
  fs::create_directories(elsewhere);
  std::ofstream(elsewhere + "/precious") << "stays";
  const std::string versions = path_ + "/versions";
  fs::create_directory_symlink(versions_.folder(5), versions + "/latest");
  fs::create_directory_symlink(elsewhere, versions + "/other");
  fs::create_directory_symlink(elsewhere + "/gone", versions + "/dangling");
  const auto store = must(Store::open(path_, options()));
  EXPECT_EQ(listed(*store), range(1, kCommitted));
  must(store->verify());
  EXPECT_TRUE(fs::exists(elsewhere + "/precious"));
  for (const char* const name : {"/latest", "/other", "/dangling"}) {
    EXPECT_EQ(fs::symlink_status(versions + name).type(), fs::file_type::not_found) << name;
  }
}

TEST_F(Recover, NeverHappensUnasked) {
  damage_rows_of(5);
  {
    const auto store = must(Store::open(path_, options()));
    EXPECT_EQ(must(store->version()).version, 5U);
    EXPECT_TRUE(fails(store->verify(), StatusCode::kCorruption));
  }
  fs::remove(rows() + "/CURRENT");
  EXPECT_TRUE(fails(Store::open(path_, options()).status(), StatusCode::kCorruption, "CURRENT"));
  fs::remove_all(rows());
  EXPECT_TRUE(fails(Store::open(path_, options()).status(), StatusCode::kCorruption, "CURRENT"));
  EXPECT_EQ(must(versions_.list()), range(1, kCommitted));
  expect_recovered(4);
}

// As of a MANIFEST that has lost its end: the store opens, at what it was before.
TEST_F(Recover, OfADatabaseThatHasGoneBackLosesNothing) {
  const std::string before = folder_ / "before";
  fs::copy(rows(), before, fs::copy_options::recursive);
  {
    const auto store = must(Store::open(path_, options()));
    must(must(store->table("t", sum_table(2)))
             ->push(kRecovered, std::vector<float>(kRecovered.size() * 2, 1)));
    must(store->commit({.cursor = "6"}).status());
  }
  fs::remove_all(rows());
  fs::copy(before, rows(), fs::copy_options::recursive);
  for (int i = 0; i < 2; ++i) {
    EXPECT_TRUE(
        fails(Store::open(path_, options()).status(), StatusCode::kCorruption, "version 6"));
    EXPECT_EQ(must(versions_.list()), range(1, 6));
  }
  expect_recovered(6, 6);
}

TEST_F(Recover, FinishesWhatDiedHalfWay) {
  damage_rows_of(5);
  // As it is between the last two steps.
  fs::copy(versions_.rows(4), path_ + "/rows.new", fs::copy_options::recursive);
  fs::create_directories(path_ + "/damaged");
  fs::rename(versions_.folder(5), path_ + "/damaged/00000000000000000005");
  fs::rename(rows(), path_ + "/damaged/00000000000000000005.rows");
  {
    const auto store = must(Store::open(path_, options()));
    expect_version(*store, 4);
    must(store->verify());
    EXPECT_EQ(must(store->commit()).version, 6U);
  }
  // A copy that was not finished is no use to anybody.
  fs::create_directories(path_ + "/rows.new");
  const auto store = must(Store::open(path_, options()));
  EXPECT_FALSE(fs::exists(path_ + "/rows.new"));
  EXPECT_EQ(must(store->version()).version, 6U);
}

// Only ever run by the test below: dies at a failpoint of recovery.
TEST(RecoveringProcess, DISABLED_Dies) {
  static const char* const where = std::getenv("HOTROW_TEST_DIES_AT");
  failpoint_hook = [](const char* name) {
    if (std::string_view(name) == where) (void)::kill(::getpid(), SIGKILL);
  };
  const char* const path = std::getenv("HOTROW_TEST_STORE");
  ASSERT_NE(path, nullptr);
  (void)Store::open(path, options(RecoverMode::kNewestIntact));
}

TEST_F(Recover, SurvivesDeathsAtEveryStep) {
  damage_rows_of(5);
  damage_rows_of(4);
  const std::string whole = folder_ / "whole";
  fs::copy(path_, whole, fs::copy_options::recursive);
  for (const std::string where : {"recover.copied", "recover.set_aside", "recover.moved"}) {
    SCOPED_TRACE(where);
    fs::remove_all(path_);
    fs::copy(whole, path_, fs::copy_options::recursive);
    Child child("RecoveringProcess.DISABLED_Dies",
                {"HOTROW_TEST_DIES_AT=" + where, "HOTROW_TEST_STORE=" + path_});
    const int status = child.wait();
    EXPECT_TRUE(WIFSIGNALED(status) && WTERMSIG(status) == SIGKILL);
    const auto store = must(Store::open(path_, options(RecoverMode::kNewestIntact)));
    expect_version(*store, 3);
    EXPECT_EQ(listed(*store), range(1, 3));
    const Recovery recovery = must(store->recovered());
    EXPECT_EQ(recovery.from, 5U) << "what the first try had given up is said too";
    EXPECT_EQ(recovery.to, 3U);
    EXPECT_NE(recovery.reason, "");
    EXPECT_FALSE(fs::exists(path_ + "/recovering"));
    EXPECT_EQ(must(store->commit()).version, 6U);
  }
}

}  // namespace
}  // namespace hotrow::test
