// Snapshots: a version as one delta from nothing, for stores that have none and for older ones.
#include <gtest/gtest.h>

#include <filesystem>
#include <fstream>
#include <vector>

#include "storage/delta.h"
#include "storage/version_folders.h"
#include "support/folder.h"
#include "support/stores.h"

namespace hotrow::test {
namespace {

namespace fs = std::filesystem;

constexpr uint32_t kWidth = 3;
const std::vector<uint64_t> kWhole = range(0, 4000);

StoreOptions keeping_many() {
  return {.memory_bytes = 256 * kMiB, .threads = 1, .keep_versions = 100};
}

DenseOptions sum_of_seven() { return {.shape = {7}, .optimizer = {.kind = OptimizerKind::kSum}}; }

/// Keys of which the version changes one third and removes one.
void make_version(Store& store, uint64_t version) {
  const auto table = must(store.table("t", sum_table(kWidth)));
  std::vector<uint64_t> changed, gone;
  for (const uint64_t key : kWhole) {
    if ((key + version) % 3 == 0) changed.push_back(key);
    if ((key + version) % 7 == 0) gone.push_back(key);
  }
  must(table->push(changed, std::vector<float>(changed.size() * kWidth, 1)));
  must(table->erase(gone).status());
  const auto dense = must(store.dense("w", sum_of_seven()));
  must(dense->push(std::vector<float>(7, static_cast<float>(version))));
  must(store.commit().status());
}

struct Contents {
  std::vector<float> rows, dense;
  uint64_t count = 0;
  bool operator==(const Contents&) const = default;
};

Contents contents_of(Store& store) {
  const auto table = must(store.table("t", sum_table(kWidth)));
  Contents model;
  model.rows = lookup(*table, kWhole);
  model.count = stats_of(*table).rows;
  model.dense.resize(7);
  must(must(store.dense("w", sum_of_seven()))->pull(model.dense));
  return model;
}

class Snapshots : public ::testing::Test {
 protected:
  const Folder folder_;
  std::shared_ptr<Store> store_ = must(Store::open(folder_ / "s", keeping_many()));
  std::shared_ptr<Store> standby_ = must(Store::open(folder_ / "standby", keeping_many()));
  std::vector<Contents> models_;

  void make_versions(uint64_t count) {
    for (uint64_t i = 1; i <= count; ++i) {
      make_version(*store_, models_.size() + 1);
      models_.push_back(contents_of(*store_));
    }
  }
  std::string snapshot(uint64_t version) {
    const std::string folder = folder_ / ("snapshot" + std::to_string(version));
    must(store_->snapshot(std::to_string(version), folder));
    return folder;
  }
};

TEST_F(Snapshots, MakeAStoreThatHasNothing) {
  make_versions(4);
  const std::string folder = snapshot(3);
  EXPECT_EQ(must(Delta::read(folder)).parent, 0U);
  EXPECT_EQ(must(standby_->apply(folder)).version, 3U);
  EXPECT_EQ(contents_of(*standby_), models_[2]);
  // And on by deltas.
  EXPECT_EQ(must(standby_->apply(VersionFolders(folder_ / "s").delta(4))).version, 4U);
  standby_.reset();
  standby_ = must(Store::open(folder_ / "standby", keeping_many()));
  EXPECT_EQ(contents_of(*standby_), models_[3]);
  must(standby_->verify());
}

TEST_F(Snapshots, GoOverAnyEarlierVersion) {
  make_versions(1);
  must(standby_->apply(snapshot(1)).status());
  const auto table = must(standby_->table("t", sum_table(kWidth)));
  EXPECT_EQ(contents_of(*standby_), models_[0]);
  const auto gone = must(store_->table("new", sum_table(2)));
  must(gone->push(kWhole, std::vector<float>(kWhole.size() * 2, 1)));
  make_versions(5);
  EXPECT_EQ(must(standby_->apply(snapshot(6))).version, 6U);
  EXPECT_EQ(contents_of(*standby_), models_[5]);
  EXPECT_EQ(stats_of(*must(standby_->table("new"))).rows, kWhole.size());
  // Only what differs was written.
  const auto written = must(Delta::read(VersionFolders(folder_ / "standby").delta(6)));
  EXPECT_EQ(written.parent, 1U);
  // Older ones are there already.
  EXPECT_EQ(must(standby_->apply(snapshot(2))).version, 6U);
  must(store_->drop("new"));
  make_versions(1);
  must(standby_->apply(snapshot(7)).status());
  EXPECT_TRUE(fails(standby_->table("new").status(), StatusCode::kNotFound));
  standby_.reset();
  standby_ = must(Store::open(folder_ / "standby", keeping_many()));
  EXPECT_EQ(contents_of(*standby_), models_[6]);
  must(standby_->verify());
}

TEST_F(Snapshots, ThatAreTheSameWriteNothing) {
  make_versions(1);
  must(standby_->apply(snapshot(1)).status());
  must(store_->commit().status());
  must(standby_->apply(snapshot(2)).status());
  for (const DeltaFile& file :
       must(Delta::read(VersionFolders(folder_ / "standby").delta(2))).files) {
    EXPECT_EQ(file.table, 1U) << "only dense values are written anew";
  }
  EXPECT_EQ(contents_of(*standby_), models_[0]);
}

TEST_F(Snapshots, AreRefusedOverChangesAndWhenDamaged) {
  make_versions(3);
  must(standby_->apply(snapshot(1)).status());
  const std::string folder = snapshot(3);
  const auto table = must(standby_->table("t", sum_table(kWidth)));
  for (const auto& entry : fs::directory_iterator(folder)) {
    std::fstream file(entry.path(), std::ios::in | std::ios::out | std::ios::binary);
    file.seekp(static_cast<std::streamoff>(fs::file_size(entry.path()) / 2));
    const auto at = file.tellp();
    file.seekg(at);
    const char byte = static_cast<char>(file.get());
    file.seekp(at);
    file.put(static_cast<char>(byte ^ 1));
    file.close();
    EXPECT_TRUE(fails(standby_->apply(folder).status(), StatusCode::kCorruption));
    std::fstream again(entry.path(), std::ios::in | std::ios::out | std::ios::binary);
    again.seekp(at);
    again.put(byte);
  }
  EXPECT_EQ(contents_of(*standby_), models_[0]);
  must(table->push(range(0, 1), std::vector<float>(kWidth, 1)));
  EXPECT_TRUE(fails(standby_->apply(folder).status(), StatusCode::kConflict, "of its own"));
  EXPECT_TRUE(fails(store_->snapshot("9", folder_ / "x"), StatusCode::kNotFound));
  EXPECT_FALSE(fs::exists(folder_ / "x"));
}

}  // namespace
}  // namespace hotrow::test
