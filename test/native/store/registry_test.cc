// Which store a path opens, and for how long.
#include <gtest/gtest.h>
#include <unistd.h>

#include <atomic>
#include <filesystem>
#include <memory>
#include <string>
#include <vector>

#include "support/scale.h"
#include "support/stores.h"
#include "support/threads.h"

namespace hotrow::test {
namespace {

namespace fs = std::filesystem;

const StoreOptions kSmall{.memory_bytes = 64 * kMiB, .threads = 1};

std::shared_ptr<Store> open(const std::string& path, const StoreOptions& options = kSmall) {
  return must(Store::open(path, options));
}

void write(Store& store, float value) {
  const auto table = must(store.table("t", {.dim = 1}));
  must(table->update(std::vector<uint64_t>{1}, std::vector<float>{value}));
}
float read(Store& store) { return lookup(*must(store.table("t", {.dim = 1})), {1})[0]; }

/// Do both paths open one store? Each is open meanwhile.
bool same_store(const std::string& a, const std::string& b) {
  const auto first = open(a);
  const auto second = open(b);
  write(*first, 5.0F);
  const bool same = read(*second) == 5.0F;
  must(first->drop("t"));
  return same;
}

class RegisteredFolder : public testing::Test {
 protected:
  RegisteredFolder() : before_(fs::current_path()) {
    path_ = fs::canonical(fs::temp_directory_path()) /
            ("hotrow-registry-" + std::to_string(::getpid()));
    fs::create_directories(path_);
    fs::current_path(path_);
  }
  ~RegisteredFolder() override {
    fs::current_path(before_);
    fs::remove_all(path_);
  }
  fs::path before_;
  fs::path path_;
};

TEST(Registry, MemoryIsPrivate) { EXPECT_FALSE(same_store(":memory:", ":memory:")); }

TEST(Registry, NamedMemoryIsShared) {
  EXPECT_TRUE(same_store(":memory:x", ":memory:x"));
  EXPECT_FALSE(same_store(":memory:x", ":memory:y"));
  EXPECT_FALSE(same_store(":memory:x", ":memory:X"));
  EXPECT_FALSE(same_store(":memory:a/b", ":memory:a//b")) << "names are no paths";
  EXPECT_EQ(open(":memory:x")->path(), ":memory:x");
}

TEST_F(RegisteredFolder, OneStorePerAbsolutePath) {
  const std::string here = path_.string();
  EXPECT_TRUE(same_store(here + "/model", here + "/model"));
  EXPECT_FALSE(same_store(here + "/model", here + "/other"));
  EXPECT_TRUE(same_store(here + "/model", here + "/model/"));
  EXPECT_TRUE(same_store(here + "/model", here + "//model"));
  EXPECT_TRUE(same_store(here + "/model", here + "/a/../model"));
  EXPECT_TRUE(same_store(here + "/model", here + "/./model/."));
  EXPECT_FALSE(same_store(here + "/model", here + "/MODEL"));
}

TEST_F(RegisteredFolder, RelativePathsThatDoNotExistYet) {
  const std::string here = path_.string();
  EXPECT_TRUE(same_store("model", here + "/model"));
  EXPECT_TRUE(same_store("./model", here + "/model"));
  EXPECT_TRUE(same_store("a/model", here + "/a/model"));
  EXPECT_TRUE(same_store("model", "./model"));
  EXPECT_EQ(open("model")->path(), here + "/model");
}

TEST_F(RegisteredFolder, ARelativePathIsThatOfItsTime) {
  fs::create_directories("a");
  fs::create_directories("b");
  fs::current_path(path_ / "a");
  const auto in_a = open("model");
  write(*in_a, 1.0F);
  fs::current_path(path_ / "b");
  const auto in_b = open("model");
  EXPECT_EQ(must(in_b->list()).size(), 0U) << "another folder, another store";
}

TEST_F(RegisteredFolder, PathsThatExist) {
  fs::create_directories("model");
  fs::create_directory_symlink("model", "link");
  const std::string here = path_.string();
  EXPECT_TRUE(same_store("model", here + "/model"));
  EXPECT_TRUE(same_store("model", "link")) << "a link leads to the same store";
  EXPECT_TRUE(same_store("link/new", "model/new"));
  EXPECT_TRUE(same_store(".", here));
}

TEST_F(RegisteredFolder, ThePathStaysTheSameStoreWhenItAppears) {
  const auto before = open("later");
  write(*before, 3.0F);
  fs::create_directories("later");
  EXPECT_EQ(read(*open("later")), 3.0F);
}

TEST_F(RegisteredFolder, WrongPaths) {
  EXPECT_TRUE(fails(Store::open("", kSmall), kInvalid, "path"));
  EXPECT_TRUE(fails(Store::open(std::string_view("a\0b", 3), kSmall), kInvalid, "path"));
  EXPECT_TRUE(fails(Store::open(std::string_view(":memory:\0", 9), kSmall), kInvalid, "path"));
  EXPECT_TRUE(fails(Store::open("/" + std::string(5000, 'x'), kSmall), kInvalid, "path"));
  fs::create_symlink("loop", "loop");
  EXPECT_TRUE(fails(Store::open("loop/model", kSmall), kInvalid, "path"));
}

TEST(Registry, OptionsMustBeEqualOrDefaults) {
  const auto store = open(":memory:options", {.memory_bytes = 64 * kMiB, .threads = 2});
  EXPECT_TRUE(ok(Store::open(":memory:options", {})));
  EXPECT_TRUE(ok(Store::open(":memory:options", {.threads = 2})));
  EXPECT_TRUE(ok(Store::open(":memory:options", {.memory_bytes = 64 * kMiB})));
  EXPECT_TRUE(fails(Store::open(":memory:options", {.threads = 3}), StatusCode::kConflict,
                    "threads: it has 2, received 3"));
  EXPECT_TRUE(fails(Store::open(":memory:options", {.memory_bytes = 65 * kMiB}),
                    StatusCode::kConflict, "memoryBytes"));
  EXPECT_TRUE(fails(Store::open(":memory:options", {.memory_bytes = 1}),
                    StatusCode::kInvalidArgument, "memoryBytes"));
  EXPECT_EQ(stats_of(*store).threads, 2U);
}

TEST(Registry, DefaultsAreMadeOfTheMachine) {
  const auto store = must(Store::open(":memory:", {}));
  const StoreStats stats = stats_of(*store);
  EXPECT_GE(stats.threads, 1U);
  EXPECT_GT(stats.memory_bytes, 16 * kMiB);
  EXPECT_EQ(stats.memory_used_bytes, 0U);
}

TEST(Registry, AnotherOpenerGoesOnAfterAClose) {
  const auto a = open(":memory:close");
  const auto b = open(":memory:close");
  const auto table = must(a->table("t", {.dim = 1}));
  write(*a, 4.0F);
  a->close();
  a->close();
  EXPECT_TRUE(fails(a->table("t", {.dim = 1}), StatusCode::kClosed, ":memory:close"));
  EXPECT_EQ(read(*b), 4.0F);
  EXPECT_EQ(lookup(*table, {1}), std::vector<float>{4.0F}) << "the table is the store's";
  b->close();
  std::vector<float> row(1);
  EXPECT_TRUE(fails(table->lookup(std::vector<uint64_t>{1}, row), StatusCode::kClosed));
  EXPECT_EQ(must(open(":memory:close")->list()).size(), 0U) << "a new store";
}

TEST(Registry, AClosedHandleAnswersClosed) {
  const auto store = open(":memory:");
  const auto table = must(store->table("t", {.dim = 1}));
  const auto dense = must(store->dense("d", {.shape = {2}}));
  store->close();
  constexpr auto kClosed = StatusCode::kClosed;
  std::vector<float> two(2);
  EXPECT_TRUE(fails(store->table("t", {.dim = 1}), kClosed));
  EXPECT_TRUE(fails(store->dense("d", {.shape = {2}}), kClosed));
  EXPECT_TRUE(fails(store->list(), kClosed));
  EXPECT_TRUE(fails(store->drop("t"), kClosed));
  EXPECT_TRUE(fails(store->stats(), kClosed));
  EXPECT_TRUE(fails(store->lookup_all({}), kClosed));
  EXPECT_TRUE(fails(store->push_all({}), kClosed));
  EXPECT_TRUE(fails(table->stats(), kClosed));
  EXPECT_TRUE(fails(dense->pull(two), kClosed));
  EXPECT_TRUE(fails(dense->push(two), kClosed));
  EXPECT_TRUE(fails(dense->update(two), kClosed));
  EXPECT_EQ(store->path(), ":memory:");
}

TEST(Registry, HandlesMayOutliveTheStoreObject) {
  std::shared_ptr<Table> table;
  std::shared_ptr<Dense> dense;
  {
    const auto store = open(":memory:");
    table = must(store->table("t", {.dim = 1}));
    dense = must(store->dense("d", {.shape = {2}}));
    write(*store, 1.0F);
  }
  std::vector<float> two(2);
  EXPECT_TRUE(fails(table->stats(), StatusCode::kClosed));
  EXPECT_TRUE(fails(dense->pull(two), StatusCode::kClosed));
}

TEST(Registry, ThreadsOpenOneStoreTogether) {
  for (uint64_t round = 0; round < scaled(100); ++round) {
    std::vector<std::shared_ptr<Store>> stores(4);
    in_threads(4, [&](uint32_t thread) {
      stores[thread] = open(":memory:together");
      const auto table = must(stores[thread]->table("t", sum_table(1)));
      must(table->push(std::vector<uint64_t>{1}, std::vector<float>{1.0F}));
    });
    ASSERT_EQ(lookup(*must(stores[0]->table("t", sum_table(1))), {1}), std::vector<float>{4.0F});
    in_threads(4, [&](uint32_t thread) { stores[thread]->close(); });
    ASSERT_EQ(must(open(":memory:together")->list()).size(), 0U);
  }
}

TEST(Registry, OpeningAndClosingAtOnceNeverMixesStores) {
  std::atomic<uint64_t> opened{0};
  in_threads(4, [&](uint32_t thread) {
    for (uint64_t round = 0; round < scaled(200); ++round) {
      const auto store = open(":memory:churn");
      const auto table = must(store->table("t", sum_table(1)));
      // While this handle is open the store lives, so the row is never lost.
      must(table->push(std::vector<uint64_t>{thread}, std::vector<float>{1.0F}));
      ASSERT_GE(lookup(*table, {thread})[0], 1.0F);
      store->close();
      ++opened;
    }
  });
  EXPECT_EQ(opened, 4 * scaled(200));
}

}  // namespace
}  // namespace hotrow::test
