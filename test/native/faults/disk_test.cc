// Guarantees E4 to E7 on a file system that fails on command: a commit that fails says so and
// loses nothing, the next one has it all, and after a loss of power the store is wholly at the last
// version that was acknowledged or at one that was under way since, also when power is lost again
// while it recovers.
#include <gtest/gtest.h>

#include <memory>
#include <string>
#include <vector>

#include "faults/faulty_disk.h"
#include "faults/plain_store.h"
#include "storage/disk.h"
#include "storage/engine.h"
#include "support/fast_folder.h"
#include "support/random.h"
#include "support/scale.h"
#include "support/seed.h"
#include "support/status.h"
#include "support/stores.h"

namespace hotrow::test {
namespace {

/// The folder and its faulty disk, of all tests here: RocksDB's threads may use a file system to
/// the end of the process.
struct Place {
  FastFolder folder;
  std::shared_ptr<FaultyDisk> disk = std::make_shared<FaultyDisk>(folder.path());
  std::string path = folder / "deep/s";
};

class FaultyDiskTest : public testing::Test {
 protected:
  static void SetUpTestSuite() {
    place_ = new Place;
    use_file_system(place_->disk);
  }
  static void TearDownTestSuite() {
    use_file_system(rocksdb::FileSystem::Default());
    delete place_;
  }
  static Place* place_;
};
Place* FaultyDiskTest::place_ = nullptr;

/// What a failed commit may say.
bool expected_code(Fault fault, const Status& status) {
  if (fault == Fault::kNoSpace) return status.code() == StatusCode::kDiskFull;
  return status.code() == StatusCode::kIoError;
}

/// One life of a store, from its first opening through faults and a loss of power or two.
class Life {
 public:
  Life(Place& place, uint64_t seed)
      : disk_(*place.disk), path_(place.path), random_(seed), store_(seed + 1) {
    disk_.wipe();
  }
  ~Life() {
    store_.close();
    disk_.disarm();
  }

  void run() {
    open_after_trouble(random_.one_in(2));
    for (uint64_t rounds = random_.between(1, 4); rounds > 0 && well(); --rounds) round();
    for (uint64_t cuts = random_.between(1, 2); cuts > 0 && well(); --cuts) lose_power();
    if (!well()) return;
    store_.compare_kept();
    // What nobody could see until now would come out here.
    store_.change();
    must(store_.commit());
    must(store_.open(path_));
  }
  uint64_t faults() const { return faults_; }

 private:
  static bool well() { return !testing::Test::HasFailure(); }

  /// A fault among the calls that what follows makes.
  Fault arm(uint64_t calls) {
    const auto fault = static_cast<Fault>(random_.below(kFaults - 1));
    disk_.arm(fault, random_.below(fault == Fault::kFailedSync ? calls / 5 + 1 : calls));
    return fault;
  }

  void round() {
    store_.change();
    if (random_.one_in(4)) {
      must(store_.commit());
      return;
    }
    Fault fault{};
    // A disk may fail twice in a row.
    for (uint64_t tries = random_.between(1, 2); tries > 0; --tries) {
      fault = arm(60);
      const Status status = store_.commit();
      const bool fired = disk_.fired();
      disk_.disarm();
      if (fired) ++faults_;
      SCOPED_TRACE(name_of(fault));
      EXPECT_TRUE(status.ok() || (fired && expected_code(fault, status))) << describe(status);
      store_.compare();
      if (random_.one_in(2)) store_.change();
    }
    SCOPED_TRACE(std::string("after ") + name_of(fault));
    if (random_.one_in(3)) name();
    // Not every time: power may be lost right after the failure.
    if (!random_.one_in(3)) {
      EXPECT_TRUE(ok(store_.commit()));
      store_.compare();
    }
  }

  /// The newest version gets a name, or a fault on the way.
  void name() {
    const bool faulty = random_.one_in(2);
    if (faulty) arm(8);
    const Status status = store_.name();
    EXPECT_TRUE(status.ok() || (faulty && disk_.fired())) << describe(status);
    if (faulty && disk_.fired()) ++faults_;
    disk_.disarm();
  }

  /// The machine stops somewhere in a commit, or right after one.
  void lose_power() {
    if (random_.one_in(4)) {
      must(store_.commit());
    } else if (!random_.one_in(3)) {
      store_.change();
      disk_.arm(Fault::kDeath, random_.below(120));
      (void)store_.commit();
      if (disk_.fired()) ++faults_;
    }
    disk_.arm(Fault::kDeath, 0);
    store_.close();
    disk_.cut_power(random_);
    open_after_trouble(random_.one_in(2));
  }

  /// Opens the store, with `trouble` on the way: the machine stops again, or the disk fails.
  void open_after_trouble(bool trouble) {
    if (trouble) {
      const bool death = random_.one_in(2);
      if (death) {
        disk_.arm(Fault::kDeath, random_.below(150));
      } else {
        arm(100);
      }
      const Status status = store_.open(path_);
      if (disk_.fired()) ++faults_;
      if (status.ok() && !death) {
        disk_.disarm();
        return;
      }
      EXPECT_TRUE(status.ok() || disk_.fired()) << describe(status);
      store_.close();
      if (death) disk_.cut_power(random_);
      disk_.disarm();
    }
    EXPECT_TRUE(ok(store_.open(path_)));
  }

  FaultyDisk& disk_;
  const std::string path_;
  Random random_;
  PlainStore store_;
  uint64_t faults_ = 0;
};

TEST_F(FaultyDiskTest, NothingIsLostAndNothingIsMixed) {
  const uint64_t seed = test_seed("FaultyDiskTest.NothingIsLostAndNothingIsMixed");
  const uint64_t wanted = scaled(2000);
  uint64_t faults = 0;
  uint64_t lives = 0;
  for (; faults < wanted; ++lives) {
    SCOPED_TRACE("begins with HOTROW_SEED=" + std::to_string(seed + lives));
    Life life(*place_, seed + lives);
    life.run();
    faults += life.faults();
    ASSERT_FALSE(HasFailure());
  }
  std::printf("%llu faults in %llu lives\n", static_cast<unsigned long long>(faults),
              static_cast<unsigned long long>(lives));
}

// What the failed call was to write may be on the disk all the same, while what came after it was
// taken back.
TEST_F(FaultyDiskTest, ADeathRightAfterAFailedCall) {
  for (const Fault fault : {Fault::kFailedSync, Fault::kEio, Fault::kShortWrite}) {
    bool fired = true;
    for (uint64_t nth = 0; fired; ++nth) {
      ASSERT_LT(nth, 1000U);
      SCOPED_TRACE(std::string(name_of(fault)) + " " + std::to_string(nth));
      place_->disk->wipe();
      PlainStore store(nth);
      must(store.open(place_->path));
      store.change();
      must(store.commit());
      store.change();
      place_->disk->arm(fault, nth);
      (void)store.commit();
      fired = place_->disk->fired();
      place_->disk->arm(Fault::kDeath, 0);
      store.close();
      place_->disk->cut_power_late();
      ASSERT_TRUE(ok(store.open(place_->path)));
      store.close();
      ASSERT_FALSE(HasFailure());
    }
  }
}

// Rows that left memory before a version has them lie in a file of their own: whatever fails there,
// a call has either been made or has changed nothing, and no row is lost.
TEST_F(FaultyDiskTest, SpilledRowsAreNeitherLostNorMixed) {
  constexpr uint64_t kKeys = 400;
  TableOptions options = sum_table(2);
  options.eviction = {.policy = EvictionPolicy::kLru, .max_rows = 40, .demote = true};
  const std::vector<uint64_t> all = range(0, kKeys);
  const uint64_t seed = test_seed("FaultyDiskTest.SpilledRowsAreNeitherLostNorMixed");
  uint64_t fired = 0;
  uint64_t failed = 0;
  for (const Fault fault : {Fault::kEio, Fault::kNoSpace, Fault::kShortWrite, Fault::kFailedRead}) {
    for (uint64_t nth = 0; nth < scaled(40); ++nth) {
      SCOPED_TRACE(std::string(name_of(fault)) + " " + std::to_string(nth));
      Random random(seed + nth);
      place_->disk->wipe();
      std::vector<float> model(2 * kKeys, 0.0F);
      auto store = must(Store::open(place_->path, {.memory_bytes = 64 * kMiB, .threads = 1}));
      auto table = must(store->table("t", options));
      place_->disk->arm(fault, nth);
      for (int i = 0; i < 30; ++i) {
        if (i == 10 || i == 20) {
          // With a fault under way it may fail; what it was to write is there all the same.
          (void)store->commit();
          continue;
        }
        const std::vector<uint64_t> keys = range(random.below(kKeys - 20), 20);
        const Status pushed = table->push(keys, std::vector<float>(40, 1.0F));
        if (!pushed.ok()) {
          EXPECT_TRUE(place_->disk->fired()) << describe(pushed);
          ++failed;
          continue;
        }
        for (const uint64_t key : keys) model[2 * key] = ++model[2 * key + 1];
      }
      fired += place_->disk->fired() ? 1 : 0;
      place_->disk->disarm();
      ASSERT_EQ(lookup(*table, all), model);
      must(store->commit());
      ASSERT_EQ(lookup(*table, all), model);
      table.reset();
      store->close();
      store = must(Store::open(place_->path, {.memory_bytes = 64 * kMiB, .threads = 1}));
      ASSERT_EQ(lookup(*must(store->table("t", options)), all), model);
      store->close();
    }
  }
  std::printf("%llu faults, %llu calls failed\n", static_cast<unsigned long long>(fired),
              static_cast<unsigned long long>(failed));
  EXPECT_GT(failed, 0U);
}

// A version that is no longer kept is removed file by file: no part of it may be found then.
// That is the end of a commit, when its version is there: the calls before are visited in steps.
TEST_F(FaultyDiskTest, ADeathWhileAVersionIsRemovedLeavesNoPartOfIt) {
  for (const uint64_t seed : {0, 1}) {
    bool fired = true;
    for (uint64_t nth = 0, step = 8; fired; nth += step) {
      ASSERT_LT(nth, 1000U);
      SCOPED_TRACE("seed " + std::to_string(seed) + ", call " + std::to_string(nth));
      Random random(seed * 1000 + nth);
      place_->disk->wipe();
      PlainStore store(seed);
      must(store.open(place_->path));
      for (uint64_t commits = 0; commits <= StoreOptions().keep_versions; ++commits) {
        store.change();
        must(store.commit());
      }
      store.change();
      place_->disk->arm(Fault::kDeath, nth);
      if (store.commit().ok()) step = 1;
      fired = place_->disk->fired();
      place_->disk->arm(Fault::kDeath, 0);
      store.close();
      place_->disk->cut_power(random);
      ASSERT_TRUE(ok(store.open(place_->path)));
      for (int i = 0; i < 4; ++i) store.compare_kept();
      ASSERT_FALSE(HasFailure());
    }
  }
}

// RocksDB's own iterator forgets a failed read where one file ends and the next one begins, and
// then gives fewer rows than there are. Every way of reading a version must say so instead.
TEST_F(FaultyDiskTest, AReadThatFailsLeavesNoRowOut) {
  constexpr TableId kTable = 2;
  constexpr uint64_t kRows = 3000;
  place_->disk->wipe();
  const auto engine = must(Engine::open(place_->path));
  std::vector<std::byte> row(200);
  for (uint64_t number = 1; number <= 3; ++number) {
    auto version = must(engine->begin());
    must(version->begin_file(kTable));
    for (uint64_t i = number; i <= kRows; i += number) {
      row[0] = static_cast<std::byte>(number);
      must(version->put(i << 50, row));
    }
    must(version->end_file());
    Delta delta;
    delta.version = number;
    must(version->install(delta));
  }
  uint64_t failures = 0;
  const auto fails_or = [&](uint64_t rows, const auto& read) {
    bool fired = true;
    for (uint64_t nth = 0; fired; ++nth) {
      ASSERT_LT(nth, 1000U);
      uint64_t count = 0;
      const auto then = must(Engine::open_version(place_->path, 1));
      place_->disk->arm(Fault::kFailedRead, nth);
      const Status status = read(*then, count);
      fired = place_->disk->fired();
      place_->disk->disarm();
      if (!status.ok()) ++failures;
      ASSERT_TRUE(status.ok() ? count == rows : fired) << nth << " " << describe(status);
    }
  };
  fails_or(kRows, [&](const Engine&, uint64_t& count) {
    return engine->read(kTable, [&](uint64_t, auto) {
      ++count;
      return Status();
    });
  });
  // Those of versions 2 and 3.
  fails_or(kRows / 2 + kRows / 3 - kRows / 6, [&](const Engine& then, uint64_t& count) {
    return engine->compare(then, kTable, [&](uint64_t, const auto*, const auto*) {
      ++count;
      return Status();
    });
  });
  EXPECT_GT(failures, 10U);
}

}  // namespace
}  // namespace hotrow::test
