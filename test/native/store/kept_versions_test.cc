// Versions that are kept: opened for reading, rolled back to, followed, applied elsewhere, removed.
#include <gtest/gtest.h>

#include <atomic>
#include <filesystem>
#include <fstream>
#include <thread>
#include <vector>

#include "storage/delta.h"
#include "storage/version_folders.h"
#include "support/folder.h"
#include "support/random.h"
#include "support/status.h"
#include "support/stores.h"

namespace hotrow::test {
namespace {

namespace fs = std::filesystem;

const std::vector<uint64_t> kAll = range(0, 1000);

StoreOptions options(uint32_t keep = 100) {
  return {.memory_bytes = 256 * kMiB, .threads = 1, .keep_versions = keep};
}

std::shared_ptr<Store> open_for_reading(const std::string& path, std::string version = "") {
  return must(Store::open(path, {.memory_bytes = 256 * kMiB,
                                 .threads = 1,
                                 .read_only = true,
                                 .version = std::move(version)}));
}

TableOptions adam_table() {
  return {.dim = 3, .optimizer = optimizer(OptimizerKind::kAdam), .initializer = uniform(0.1F)};
}

DenseOptions dense_options() {
  return {.shape = {4, 5}, .optimizer = optimizer(OptimizerKind::kAdam)};
}

/// Everything that a model is: rows with their state, dense values, and how many rows there are.
struct Model {
  std::vector<float> rows, state, dense;
  uint64_t count = 0;
  bool operator==(const Model&) const = default;
};

Model model_of(Store& store) {
  const auto table = must(store.table("t", adam_table()));
  const auto dense = must(store.dense("w", dense_options()));
  Model model;
  model.rows = lookup(*table, kAll);
  model.state.resize(kAll.size() * table->state_values());
  must(table->lookup_state(kAll, model.state, {}));
  model.dense.resize(20);
  must(dense->pull(model.dense));
  model.count = stats_of(*table).rows;
  return model;
}

/// Pushes, assigns and erases some keys, and pushes the dense parameter.
void train(Store& store, uint64_t seed) {
  Random random(seed);
  const auto table = must(store.table("t", adam_table()));
  const auto keys = random.keys(200, 1000);
  std::vector<float> values(200 * 3);
  for (float& value : values) value = static_cast<float>(random.between(0, 100)) / 50 - 1;
  must(table->push(keys, values));
  must(table->update(random.keys(50, 1000), std::span(values).first(150)));
  must(table->erase(random.keys(30, 1000)).status());
  must(must(store.dense("w", dense_options()))->push(std::span(values).first(20)));
}

/// A store with versions 1 to n, and the model at each.
std::vector<Model> train_versions(Store& store, uint64_t n) {
  std::vector<Model> models;
  for (uint64_t version = 1; version <= n; ++version) {
    train(store, version);
    models.push_back(model_of(store));
    EXPECT_EQ(must(store.commit({.cursor = std::to_string(version)})).version, version);
  }
  return models;
}

TEST(KeptVersions, EachCanBeOpenedWhileTrainingGoesOn) {
  const Folder folder;
  const auto store = must(Store::open(folder / "s", options()));
  const auto models = train_versions(*store, 4);
  train(*store, 99);
  for (uint64_t version = 1; version <= 4; ++version) {
    const auto then = open_for_reading(folder / "s", std::to_string(version));
    EXPECT_EQ(must(then->version()).version, version);
    EXPECT_EQ(must(then->version()).cursor, std::to_string(version));
    EXPECT_EQ(model_of(*then), models[version - 1]) << version;
  }
  EXPECT_EQ(must(open_for_reading(folder / "s")->version()).version, 4U);
  EXPECT_TRUE(fails(Store::open(folder / "s", {.read_only = true, .version = "9"}),
                    StatusCode::kNotFound, "version 9"));
  EXPECT_TRUE(fails(Store::open(folder / "none", {.read_only = true}), StatusCode::kNotFound));
  EXPECT_FALSE(fs::exists(folder / "none"));
}

TEST(KeptVersions, NothingIsAskedOfAClosedStore) {
  const Folder folder;
  const auto store = must(Store::open(folder / "s", options()));
  (void)train_versions(*store, 1);
  store->close();
  const auto closed = [](const Status& status) { return fails(status, StatusCode::kClosed); };
  EXPECT_TRUE(closed(store->pin_version(1, true)));
  EXPECT_TRUE(closed(store->name_version("a", 1)));
  EXPECT_TRUE(closed(store->verify()));
  EXPECT_TRUE(closed(store->compact()));
  EXPECT_TRUE(closed(store->versions().status()));
  EXPECT_TRUE(closed(store->rollback("1").status()));
}

TEST(KeptVersions, AStoreOpenedForReadingRefusesEveryChange) {
  const Folder folder;
  const auto store = must(Store::open(folder / "s", options()));
  (void)train_versions(*store, 1);
  const auto then = open_for_reading(folder / "s");
  const auto table = must(then->table("t", adam_table()));
  const auto dense = must(then->dense("w", dense_options()));
  const Model before = model_of(*then);
  const std::vector<uint64_t> keys = range(0, 2);
  const std::vector<float> rows(6, 1.0F);
  const auto refused = [](const Status& status) { return fails(status, StatusCode::kReadOnly); };
  EXPECT_TRUE(refused(table->push(keys, rows)));
  EXPECT_TRUE(refused(table->update(keys, rows)));
  EXPECT_TRUE(refused(table->erase(keys).status()));
  EXPECT_TRUE(refused(table->reserve(100000)));
  EXPECT_TRUE(refused(table->decay(0.5)));
  EXPECT_TRUE(refused(dense->push(std::vector<float>(20, 1.0F))));
  EXPECT_TRUE(refused(dense->update(std::vector<float>(20, 1.0F))));
  EXPECT_TRUE(refused(then->commit().status()));
  EXPECT_TRUE(refused(then->rollback("1").status()));
  EXPECT_TRUE(refused(then->drop("t")));
  EXPECT_TRUE(refused(then->pin_version(1, true)));
  EXPECT_TRUE(fails(then->table("new", adam_table()).status(), StatusCode::kNotFound, "new"));
  const TablePush push{table.get(), keys, rows, {}};
  EXPECT_TRUE(refused(then->push_all({&push, 1})));
  EXPECT_EQ(model_of(*then), before);
}

TEST(KeptVersions, RollbackGivesEveryRowBackAndCommitsThat) {
  const Folder folder;
  std::vector<Model> models;
  {
    const auto store = must(Store::open(folder / "s", options()));
    models = train_versions(*store, 5);
    train(*store, 77);  // never committed
    must(store->table("later", sum_table(1)).status());
    const VersionInfo back = must(store->rollback("2"));
    EXPECT_EQ(back.version, 6U);
    EXPECT_EQ(back.parent, 5U);
    EXPECT_EQ(back.rolled_back_to, 2U);
    EXPECT_EQ(back.cursor, "2");
    EXPECT_EQ(model_of(*store), models[1]);
    EXPECT_EQ(must(store->list()).size(), 2U);
    // And forward again.
    EXPECT_EQ(must(store->rollback("5")).version, 7U);
    EXPECT_EQ(model_of(*store), models[4]);
    must(store->rollback("3").status());
  }
  const auto store = must(Store::open(folder / "s", options()));
  EXPECT_EQ(model_of(*store), models[2]);
  EXPECT_TRUE(fails(store->rollback("88").status(), StatusCode::kNotFound, "88"));
  EXPECT_TRUE(fails(store->rollback("prod").status(), StatusCode::kNotFound, "prod"));
  EXPECT_EQ(model_of(*store), models[2]);
}

// Deltas between are gone, so that every row is compared.
TEST(KeptVersions, RollbackBeyondRemovedVersions) {
  const Folder folder;
  const auto store = must(Store::open(folder / "s", options(0)));
  train(*store, 1);
  const Model first = model_of(*store);
  must(store->commit({.name = "good"}).status());
  for (uint64_t seed = 2; seed < 6; ++seed) {
    train(*store, seed);
    must(store->commit().status());
  }
  const auto versions = must(store->versions());
  ASSERT_EQ(versions.size(), 2U);
  EXPECT_EQ(versions[0].names, std::vector<std::string>{"good"});
  EXPECT_EQ(versions[1].version, 5U);
  EXPECT_EQ(must(store->rollback("good")).rolled_back_to, 1U);
  EXPECT_EQ(model_of(*store), first);
}

TEST(KeptVersions, RollbackBringsDroppedTablesBack) {
  const Folder folder;
  const auto store = must(Store::open(folder / "s", options()));
  const auto models = train_versions(*store, 2);
  must(store->drop("t"));
  must(store->drop("w"));
  must(store->table("t", sum_table(7)).status());
  must(store->commit().status());
  must(store->rollback("2").status());
  EXPECT_EQ(model_of(*store), models[1]);
}

TEST(KeptVersions, AreKeptByCountAgeNameAndPin) {
  const Folder folder;
  const auto store = must(Store::open(folder / "s", options(2)));
  const auto kept = [&] {
    std::vector<uint64_t> numbers;
    for (const VersionInfo& info : must(store->versions())) numbers.push_back(info.version);
    return numbers;
  };
  (void)train_versions(*store, 4);
  EXPECT_EQ(kept(), (std::vector<uint64_t>{2, 3, 4}));
  must(store->name_version("prod", 2));
  must(store->pin_version(3, true));
  for (int i = 0; i < 4; ++i) must(store->commit().status());
  EXPECT_EQ(kept(), (std::vector<uint64_t>{2, 3, 6, 7, 8}));
  must(store->name_version("prod", 8));
  must(store->pin_version(3, false));
  {
    // Somebody reads version 6.
    const auto reader = open_for_reading(folder / "s", "6");
    for (int i = 0; i < 3; ++i) must(store->commit().status());
    EXPECT_EQ(kept(), (std::vector<uint64_t>{6, 8, 9, 10, 11}));
  }
  must(store->commit().status());
  EXPECT_EQ(kept(), (std::vector<uint64_t>{8, 10, 11, 12}));
  EXPECT_EQ(must(open_for_reading(folder / "s", "prod")->version()).version, 8U);
  EXPECT_TRUE(fails(store->name_version("x", 3), StatusCode::kNotFound, "version 3"));
  EXPECT_TRUE(fails(store->name_version("12", 12), StatusCode::kInvalidArgument, "digits"));
  EXPECT_TRUE(fails(store->pin_version(3, true), StatusCode::kNotFound));
  must(store->name_version("prod", 0));
  EXPECT_TRUE(fails(Store::open(folder / "s", {.read_only = true, .version = "prod"}),
                    StatusCode::kNotFound, "prod"));
}

TEST(KeptVersions, AFollowerGoesToTheNewest) {
  const Folder folder;
  const auto store = must(Store::open(folder / "s", options()));
  train(*store, 1);
  must(store->commit().status());
  const auto follower = open_for_reading(folder / "s");
  (void)model_of(*follower);
  for (uint64_t seed = 2; seed < 12; ++seed) {
    train(*store, seed);
    must(store->commit({.cursor = std::to_string(seed)}).status());
    if (seed % 3 == 0) continue;  // several at once
    EXPECT_EQ(must(follower->refresh()).cursor, std::to_string(seed));
    EXPECT_EQ(model_of(*follower), model_of(*store)) << seed;
  }
  EXPECT_EQ(must(follower->refresh()).version, 11U);
  must(store->rollback("4").status());
  must(follower->refresh().status());
  EXPECT_EQ(model_of(*follower), model_of(*store));
  EXPECT_TRUE(fails(store->refresh().status(), StatusCode::kUnsupported));
}

TEST(KeptVersions, AFollowerThatFellBehindComparesEveryRow) {
  const Folder folder;
  const auto store = must(Store::open(folder / "s", options(0)));
  train(*store, 1);
  must(store->commit().status());
  const auto follower = open_for_reading(folder / "s");
  (void)model_of(*follower);
  for (uint64_t seed = 2; seed < 6; ++seed) {
    train(*store, seed);
    must(store->commit().status());
  }
  must(follower->refresh().status());
  EXPECT_EQ(model_of(*follower), model_of(*store));
}

TEST(KeptVersions, AFollowerOfTablesThatEvictStaysAtTheirLimit) {
  const Folder folder;
  TableOptions limited = sum_table(2);
  limited.eviction = {.policy = EvictionPolicy::kLru, .max_rows = 300};
  const auto store = must(Store::open(folder / "s", options()));
  const auto table = must(store->table("t", limited));
  const auto step = [&](uint64_t first) {
    must(table->push(range(first, 200), std::vector<float>(400, 1.0F)));
    must(store->commit().status());
  };
  step(0);
  step(200);
  const auto follower = open_for_reading(folder / "s");
  const auto its = must(follower->table("t", limited));
  for (uint64_t first = 300; first < 2000; first += 170) {
    step(first);
    must(follower->refresh().status());
    EXPECT_EQ(lookup(*its, range(0, 2500)), lookup(*table, range(0, 2500))) << first;
    EXPECT_EQ(stats_of(*its).rows, stats_of(*table).rows);
  }
  must(store->rollback("2").status());
  EXPECT_LE(stats_of(*table).rows, 300U);
}

// The name is another table's, which nobody has asked the follower for.
TEST(KeptVersions, ATableMadeAnewUnderItsNameIsAnother) {
  const Folder folder;
  const auto store = must(Store::open(folder / "s", options()));
  const auto keys = range(0, 50);
  must(must(store->table("t", sum_table(2)))->push(keys, std::vector<float>(100, 1.0F)));
  must(store->commit().status());
  const auto follower = open_for_reading(folder / "s");
  const auto old = must(follower->table("t", sum_table(2)));
  must(store->drop("t"));
  must(must(store->table("t", sum_table(2)))->push(range(10, 5), std::vector<float>(10, 7.0F)));
  must(store->commit().status());
  must(follower->refresh().status());
  std::vector<float> rows(100);
  EXPECT_TRUE(fails(old->lookup(keys, rows), StatusCode::kClosed));
  const auto fresh = must(follower->table("t", sum_table(2)));
  EXPECT_EQ(stats_of(*fresh).rows, 5U);
  EXPECT_EQ(lookup(*fresh, {10, 20}), (std::vector<float>{7, 7, 0, 0}));
}

// Lookups over two tables meet one version, never two.
TEST(KeptVersions, AFollowersReadersSeeOneVersion) {
  const Folder folder;
  const auto store = must(Store::open(folder / "s", options(3)));
  const auto keys = range(0, 300);
  const std::vector<float> ones(300, 1.0F);
  const auto step = [&] {
    for (const char* name : {"a", "b"}) {
      must(must(store->table(name, sum_table(1)))->push(keys, ones));
    }
    must(store->commit().status());
  };
  step();
  const auto follower = open_for_reading(folder / "s");
  const auto a = must(follower->table("a", sum_table(1)));
  const auto b = must(follower->table("b", sum_table(1)));
  std::atomic<bool> done{false};
  std::atomic<uint64_t> reads{0};
  std::thread reader([&] {
    std::vector<float> of_a(300), of_b(300);
    while (!done.load()) {
      const TableLookup both[] = {{a.get(), keys, of_a}, {b.get(), keys, of_b}};
      must(follower->lookup_all(both));
      ASSERT_EQ(of_a, std::vector<float>(300, of_a[0]));
      ASSERT_EQ(of_a, of_b);
      reads.fetch_add(1);
    }
  });
  for (int i = 0; i < 30; ++i) {
    step();
    must(follower->refresh().status());
  }
  done.store(true);
  reader.join();
  EXPECT_GT(reads.load(), 0U);
  EXPECT_EQ(lookup(*a, keys), std::vector<float>(300, 31.0F));
}

class Standby : public ::testing::Test {
 protected:
  const Folder folder_;
  std::shared_ptr<Store> store_ = must(Store::open(folder_ / "s", options()));
  std::shared_ptr<Store> standby_ = must(Store::open(folder_ / "standby", options()));

  std::string delta(uint64_t version) const { return VersionFolders(folder_ / "s").delta(version); }
};

TEST_F(Standby, AppliesDeltasInOrderOnceAndForGood) {
  const auto models = train_versions(*store_, 4);
  EXPECT_TRUE(fails(standby_->apply(delta(2)).status(), StatusCode::kConflict, "from version 1"));
  EXPECT_EQ(must(standby_->apply(delta(1))).version, 1U);
  EXPECT_EQ(model_of(*standby_), models[0]);
  EXPECT_EQ(must(standby_->apply(delta(1))).version, 1U);
  EXPECT_TRUE(fails(standby_->apply(delta(3)).status(), StatusCode::kConflict, "from version 2"));
  EXPECT_EQ(must(standby_->apply(delta(2))).version, 2U);
  EXPECT_EQ(must(standby_->apply(delta(3))).version, 3U);
  EXPECT_EQ(model_of(*standby_), models[2]);
  standby_.reset();
  standby_ = must(Store::open(folder_ / "standby", options()));
  EXPECT_EQ(model_of(*standby_), models[2]);
  EXPECT_EQ(must(standby_->apply(delta(4))).cursor, "4");
  EXPECT_EQ(model_of(*standby_), models[3]);
  // Going on by itself, it keeps what came by deltas.
  train(*standby_, 50);
  const Model own = model_of(*standby_);
  must(standby_->commit().status());
  standby_.reset();
  standby_ = must(Store::open(folder_ / "standby", options()));
  EXPECT_EQ(model_of(*standby_), own);
}

TEST_F(Standby, RefusesDeltasOverChangesOfItsOwnAndOfOtherStores) {
  const auto models = train_versions(*store_, 2);
  must(standby_->apply(delta(1)).status());
  train(*standby_, 9);
  EXPECT_TRUE(fails(standby_->apply(delta(2)).status(), StatusCode::kConflict, "of its own"));
  const auto other = must(Store::open(folder_ / "other", options()));
  train(*other, 1);
  must(other->commit().status());
  EXPECT_TRUE(fails(other->apply(delta(2)).status(), StatusCode::kConflict, "another store"));
}

TEST_F(Standby, RefusesDamagedDeltasAndStaysAsItWas) {
  const auto models = train_versions(*store_, 2);
  must(standby_->apply(delta(1)).status());
  const std::string copy = folder_ / "copy";
  for (const auto& entry : fs::directory_iterator(delta(2))) {
    const std::string name = entry.path().filename().string();
    const auto size = fs::file_size(entry.path());
    for (const uint64_t at : {uint64_t{0}, size / 2, size - 1}) {
      fs::remove_all(copy);
      fs::copy(delta(2), copy);
      std::fstream file(copy + "/" + name, std::ios::in | std::ios::out | std::ios::binary);
      file.seekg(static_cast<std::streamoff>(at));
      const char byte = static_cast<char>(file.get());
      file.seekp(static_cast<std::streamoff>(at));
      file.put(static_cast<char>(byte ^ 0x10));
      file.close();
      const Status status = standby_->apply(copy).status();
      EXPECT_TRUE(fails(status, StatusCode::kCorruption, name.c_str())) << name << " at " << at;
    }
    fs::remove_all(copy);
    fs::copy(delta(2), copy);
    fs::remove(copy + "/" + name);
    EXPECT_FALSE(standby_->apply(copy).ok()) << name;
  }
  EXPECT_EQ(model_of(*standby_), models[0]);
  must(standby_->apply(delta(2)).status());
  EXPECT_EQ(model_of(*standby_), models[1]);
}

TEST(KeptVersions, VerifyFindsDamageAndCompactKeepsEverything) {
  const Folder folder;
  const auto store = must(Store::open(folder / "s", options()));
  const auto models = train_versions(*store, 6);
  must(store->verify());
  must(store->compact());
  must(store->verify());
  EXPECT_EQ(model_of(*open_for_reading(folder / "s")), models[5]);
  const std::string delta = VersionFolders(folder / "s").delta(3);
  for (const auto& entry : fs::directory_iterator(delta)) {
    if (entry.path().extension() != ".sst") continue;
    std::fstream file(entry.path(), std::ios::in | std::ios::out | std::ios::binary);
    file.seekp(20);
    file.put('x');
  }
  EXPECT_TRUE(fails(store->verify(), StatusCode::kCorruption, "version 3"));
}

/// Files of the store's database that hold rows, not a manifest.
size_t row_files(const Folder& folder) {
  size_t count = 0;
  for (const auto& entry : fs::directory_iterator(folder / "s/rows")) {
    count += entry.path().extension() == ".sst" && entry.file_size() > 16'000 ? 1 : 0;
  }
  return count;
}

/// Opens the store, adds ones to the rows of its table, and commits.
void commit_ones(const Folder& folder, const std::vector<uint64_t>& keys) {
  const auto store = must(Store::open(folder / "s", options()));
  const auto table = must(store->table("t", sum_table(2)));
  must(table->push(keys, std::vector<float>(keys.size() * 2, 1)));
  must(store->commit());
}

// Whoever wrote every row has no use for what lay there before: nobody merges it.
TEST(KeptVersions, AVersionOfEveryRowTakesThePlaceOfWhatWasThere) {
  const Folder folder;
  std::vector<uint64_t> keys = range(1, 3000);
  const auto gradients = [&] { return std::vector<float>(keys.size() * 2, 1.0F); };
  std::vector<size_t> files;
  auto store = must(Store::open(folder / "s", options()));
  auto table = must(store->table("t", sum_table(2)));
  const auto other = must(store->table("other", sum_table(2)));
  must(other->push(range(1, 1), std::vector<float>(2, 7)));
  for (uint64_t version = 1; version <= 8; ++version) {
    // Gone for good, though no tombstone comes along.
    if (version == 4 || version == 8) {
      must(table->erase(std::span(keys).last(10)).status());
      keys.resize(keys.size() - 10);
    }
    must(table->push(keys, gradients()));
    must(store->commit());
    files.push_back(row_files(folder));
  }
  EXPECT_EQ(files, (std::vector<size_t>{1, 2, 3, 1, 2, 3, 1, 2}));
  for (const char* which : {"at once", "opened anew"}) {
    EXPECT_EQ(stats_of(*table).rows, keys.size()) << which;
    EXPECT_EQ(lookup(*table, keys), std::vector<float>(keys.size() * 2, 8)) << which;
    EXPECT_EQ(lookup(*table, range(2985, 16)), std::vector<float>(32, 0)) << which;
    EXPECT_EQ(lookup(*must(store->table("other", sum_table(2))), range(1, 1)),
              std::vector<float>(2, 7));
    must(store->verify());
    table.reset();
    if (which[0] == 'a') store.reset();
    if (which[0] == 'a') store = must(Store::open(folder / "s", options()));
    table = must(store->table("t", sum_table(2)));
  }
  // Those before it are as they were, and can be gone back to.
  for (uint64_t version = 1; version <= 8; ++version) {
    const auto reading = open_for_reading(folder / "s", std::to_string(version));
    EXPECT_EQ(lookup(*must(reading->table("t", sum_table(2))), range(1, 2980)),
              std::vector<float>(2980 * 2, static_cast<float>(version)));
  }
  must(store->rollback("3").status());
  EXPECT_EQ(lookup(*table, range(1, 3000)), std::vector<float>(6000, 3));
}

// One row that was not written is one that is still needed.
TEST(KeptVersions, AVersionOfAllRowsButOneTakesNoPlace) {
  const Folder folder;
  const auto keys = range(1, 3000);
  for (uint64_t version = 1; version <= 6; ++version) {
    commit_ones(folder, version == 1 ? keys : range(2, 2999));
  }
  const auto store = must(Store::open(folder / "s", options()));
  const auto table = must(store->table("t", sum_table(2)));
  auto expected = std::vector<float>(6000, 6);
  expected[0] = expected[1] = 1;
  EXPECT_EQ(lookup(*table, keys), expected);
}

// Rows that a table has on disk only are not in a version of what was changed, however much it is.
TEST(KeptVersions, RowsThatAreStillOnDiskAreKept) {
  const Folder folder;
  const auto keys = range(1, 3000);
  for (uint64_t version = 1; version <= 6; ++version) {
    // A half, at once: the other half may still be on its way.
    commit_ones(folder, version == 1 ? keys : range(version % 2 == 0 ? 1 : 1501, 1500));
  }
  const auto store = must(Store::open(folder / "s", options()));
  const auto table = must(store->table("t", sum_table(2)));
  EXPECT_EQ(stats_of(*table).rows, keys.size());
  EXPECT_EQ(lookup(*table, range(1, 1500)), std::vector<float>(3000, 4));
  EXPECT_EQ(lookup(*table, range(1501, 1500)), std::vector<float>(3000, 3));
}

}  // namespace
}  // namespace hotrow::test
