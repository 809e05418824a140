// Rows as they come out of the files of many versions, beside a plain map.
#include "storage/sorted_rows.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <cstddef>
#include <filesystem>
#include <fstream>
#include <map>
#include <memory>
#include <set>
#include <string>
#include <utility>
#include <vector>

#include "base/hash.h"
#include "storage/engine.h"
#include "support/folder.h"
#include "support/random.h"
#include "support/scale.h"
#include "support/seed.h"
#include "support/status.h"

namespace hotrow::test {
namespace {

constexpr TableId kTable = 7;
using Rows = std::map<uint64_t, std::vector<std::byte>>;

/// Hashes as good as any, and those at the ends and close to one another.
uint64_t some_hash(Random& random) {
  if (random.one_in(20)) return random.one_in(2) ? 0 : UINT64_MAX;
  if (random.one_in(3)) return (random.below(4) << 61) + random.below(300);
  return mix64(random.below(3000));
}

class SortedRowsTest : public testing::Test {
 protected:
  explicit SortedRowsTest(uint64_t seed = 0) : random_(test_seed("SortedRowsTest") + seed) {
    engine_ = must(Engine::open(folder_ / "s"));
  }

  std::vector<std::byte> some_row() {
    // From none at all to more than a block.
    std::vector<std::byte> row(random_.one_in(10) ? random_.below(9000) : random_.below(300));
    for (std::byte& byte : row) byte = static_cast<std::byte>(random_.below(256));
    return row;
  }

  void write_version(size_t puts, size_t erasures) {
    auto version = must(engine_->begin());
    std::set<uint64_t> gone;
    while (gone.size() < erasures) gone.insert(some_hash(random_));
    for (const uint64_t hash : gone) rows_.erase(hash);
    const std::vector<uint64_t> hashes(gone.begin(), gone.end());
    must(version->erase(kTable, hashes));
    Rows fresh;
    while (fresh.size() < puts) fresh[some_hash(random_)] = some_row();
    must(version->begin_file(kTable));
    for (const auto& [hash, row] : fresh) {
      must(version->put(hash, row));
      rows_[hash] = row;
    }
    must(version->end_file());
    Delta delta;
    delta.version = ++number_;
    delta.parent = number_ - 1;
    delta.manifest = "m";
    must(version->install(delta));
  }

  static Rows read(const Engine& engine, HashRange part = {},
                   Engine::Which which = Engine::Which::kAll) {
    Rows rows;
    uint64_t before = 0;
    must(engine.read(
        kTable,
        [&](uint64_t hash, Engine::Row row) -> Status {
          EXPECT_TRUE(rows.empty() || hash > before);
          before = hash;
          rows[hash].assign(row.begin(), row.end());
          return {};
        },
        part, which));
    return rows;
  }

  Folder folder_;
  Random random_;
  std::unique_ptr<Engine> engine_;
  Rows rows_;
  uint64_t number_ = 0;
};

TEST_F(SortedRowsTest, OfATableThatHasNoneThereAreNone) {
  EXPECT_TRUE(read(*engine_).empty());
  write_version(0, 5);
  EXPECT_TRUE(read(*engine_).empty());
}

TEST_F(SortedRowsTest, AreThoseOfAllVersionsTogether) {
  for (uint64_t i = 0; i < scaled(25); ++i) {
    write_version(random_.below(random_.one_in(4) ? 2000 : 50), random_.below(40));
    if (random_.one_in(6)) must(engine_->compact());
    ASSERT_EQ(read(*engine_), rows_);
    const uint64_t a = random_.one_in(2) ? random_.next() : some_hash(random_);
    const uint64_t b = random_.one_in(2) ? random_.next() : some_hash(random_);
    const HashRange part{std::min(a, b), std::max(a, b)};
    ASSERT_EQ(read(*engine_, part),
              Rows(rows_.lower_bound(part.first), rows_.upper_bound(part.last)));
  }
}

TEST_F(SortedRowsTest, ThoseThatChangedLatelyAreKnownAsLongAsTheyAreFew) {
  constexpr auto kLately = Engine::Which::kLatelyChanged;
  write_version(2000, 0);
  must(engine_->compact());
  EXPECT_TRUE(read(*engine_, {}, kLately).empty());
  Rows changed;
  for (int i = 0; i < 3; ++i) {
    const Rows before = rows_;
    write_version(20, 10);
    for (const auto& [hash, row] : before) {
      if (!rows_.contains(hash)) changed.erase(hash);
    }
    for (const auto& [hash, row] : rows_) {
      const auto found = before.find(hash);
      if (found == before.end() || found->second != row) changed[hash] = row;
    }
    ASSERT_EQ(read(*engine_, {}, kLately), changed);
  }
  const HashRange part{uint64_t{1} << 62, uint64_t{3} << 62};
  EXPECT_EQ(read(*engine_, part, kLately),
            Rows(changed.lower_bound(part.first), changed.upper_bound(part.last)));
  write_version(2000, 0);
  EXPECT_TRUE(read(*engine_, {}, kLately).empty());
}

TEST_F(SortedRowsTest, OfTwoVersionsAreComparedOneByOne) {
  write_version(800, 0);
  const Rows before = rows_;
  for (int i = 0; i < 3; ++i) write_version(60, 60);
  const auto then = must(Engine::open_version(folder_ / "s", 1));
  ASSERT_EQ(read(*then), before);
  std::set<uint64_t> expected;
  for (const Rows* rows : {&std::as_const(rows_), &before}) {
    const Rows& other = rows == &rows_ ? before : rows_;
    for (const auto& [hash, row] : *rows) {
      const auto found = other.find(hash);
      if (found == other.end() || found->second != row) expected.insert(hash);
    }
  }
  std::set<uint64_t> seen;
  must(engine_->compare(*then, kTable, [&](uint64_t hash, const auto* here, const auto* there) {
    EXPECT_EQ(here != nullptr, rows_.contains(hash));
    EXPECT_EQ(there != nullptr, before.contains(hash));
    EXPECT_TRUE(seen.insert(hash).second);
    return Status();
  }));
  EXPECT_EQ(seen, expected);
}

// A reader that has begun goes on in the files it began with.
TEST_F(SortedRowsTest, StayWhatTheyWereWhileFilesAreMerged) {
  for (int i = 0; i < 3; ++i) write_version(500, 10);
  const Rows before = rows_;
  Rows seen;
  must(engine_->read(kTable, [&](uint64_t hash, Engine::Row row) -> Status {
    if (seen.size() == 10) {
      write_version(500, 100);
      must(engine_->compact());
    }
    seen[hash].assign(row.begin(), row.end());
    return {};
  }));
  EXPECT_EQ(seen, before);
  EXPECT_EQ(read(*engine_), rows_);
}

TEST_F(SortedRowsTest, AnyDamagedByteIsFoundOrMatters) {
  write_version(60, 3);
  must(engine_->compact());
  const auto file = [&] {
    for (const auto& entry : std::filesystem::directory_iterator(folder_ / "s/rows")) {
      if (entry.path().extension() != ".sst") continue;
      const auto opened = SortedFile::open(entry.path().string(), 0);
      if (opened.ok() && opened.value()->next().ok()) return entry.path().string();
    }
    return std::string();
  }();
  ASSERT_FALSE(file.empty());
  const auto all = [&]() -> Result<Rows> {
    const auto opened = SortedFile::open(file, 0);
    if (!opened.ok()) return opened.status();
    Rows rows;
    for (SortedFile& at = *opened.value();;) {
      HOTROW_RETURN_IF_ERROR(at.next());
      if (!at.valid()) return rows;
      rows[at.hash()].assign(at.row().begin(), at.row().end());
    }
  };
  ASSERT_EQ(must(all()), rows_);
  const uint64_t size = std::filesystem::file_size(file);
  std::fstream bytes(file, std::ios::in | std::ios::out | std::ios::binary);
  for (uint64_t at = 0; at < size; at += random_.between(1, 40)) {
    bytes.seekg(static_cast<std::streamoff>(at));
    const auto was = static_cast<char>(bytes.get());
    for (const char now : {static_cast<char>(was ^ (1 << random_.below(8))), was}) {
      bytes.seekp(static_cast<std::streamoff>(at));
      bytes.put(now).flush();
      const auto read = all();
      ASSERT_TRUE(read.ok() || read.status().code() == StatusCode::kCorruption) << at;
      if (read.ok()) {
        ASSERT_EQ(read.value(), rows_) << at;
      } else {
        ASSERT_NE(now, was) << at << " " << read.status().message();
      }
    }
  }
}

}  // namespace
}  // namespace hotrow::test
