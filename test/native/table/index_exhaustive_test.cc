// The bucket protocol under every interleaving of two calls, in buckets of two places: what a
// lookup may see beside each kind of change, and two changes beside each other. Of long changes,
// every interleaving with at most four switches.
//
// Each call is explored at every operation on the shard's buckets, its lock and the rows. A
// sequence of operations stands for what processors do because x86 reorders none of them but a
// store past a later load, which the protocol's readers never rely on.
#include <gtest/gtest.h>

#include <array>
#include <vector>

#include "support/explore.h"
#include "support/hash_inverse.h"
#include "support/index_map.h"

namespace hotrow::test {
namespace {

#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
constexpr bool kContexts = false;  // sanitizers do not follow a change of stacks
#else
constexpr bool kContexts = true;
#endif

using SmallBucket = Bucket<2, false, ExploredAtom>;
using Small = BasicIndex<SmallBucket>;

struct ExploredRow {
  ExploredAtom<uint64_t> a{0};
  ExploredAtom<uint64_t> b{0};
};

/// Four keys of one home, in a chain of buckets: numbers 0 and 1 lie at home, 2 in the next one;
/// 3 is not there. ExploredRow n of the first three holds 10 n. Each run takes another shard of an
/// index.
struct World {
  World(IndexMap<SmallBucket>& index, uint32_t its_shard)
      : map(index), shard(its_shard), keys(keys_of_first_home(its_shard, 4)) {
    for (uint32_t i = 0; i < 3; ++i) {
      map.insert(keys[i], i);
      rows[i].a.store(10 * i);
      rows[i].b.store(10 * i);
    }
  }

  void watch(Explorer& explorer) const {
    const auto* const home = map.index.home_of(mix64(keys[0]));
    explorer.watch(home, home + 3);
    explorer.watch(rows.data(), rows.data() + rows.size());
  }

  /// The row of a key as a lookup gives it: {a, b}, or nothing.
  std::vector<uint64_t> read(size_t number) const {
    const EpochGuard guard;
    for (;;) {
      const auto sight = map.index.probe(keys[number], mix64(keys[number]));
      if (sight.handle == Small::kNoHandle) return {};
      const uint64_t a = rows[sight.handle].a.load();
      const uint64_t b = rows[sight.handle].b.load();
      if (Small::still(sight)) return {a, b};
      Explorer::wait_point();
    }
  }
  void add(size_t number, uint64_t amount) {
    change(number, [&](Small::Writer&, Small::Writer::Hold& hold) {
      ExploredRow& row = rows[hold.handle()];
      const uint64_t value = row.a.load() + amount;
      row.a.store(value);
      row.b.store(value);
    });
  }
  void erase(size_t number) {
    change(number, [](Small::Writer& writer, Small::Writer::Hold& hold) { writer.erase(hold); });
  }
  /// Number 3 gets row `handle`, written beforehand.
  void insert(uint32_t handle) {
    const EpochGuard guard;
    rows[handle].a.store(30);
    rows[handle].b.store(30);
    Small::Writer writer(map.index);
    writer.enter(shard);
    auto hold = writer.find(keys[3], mix64(keys[3]));
    writer.begin(hold);
    EXPECT_TRUE(writer.insert(hold, keys[3], handle));
    writer.end(hold);
  }
  void grow() { EXPECT_TRUE(map.grow(shard, 0, true, Growth::kAlways)); }

  template <class Work>
  void change(size_t number, const Work& work) {
    const EpochGuard guard;
    Small::Writer writer(map.index);
    writer.enter(shard);
    auto hold = writer.find(keys[number], mix64(keys[number]));
    ASSERT_TRUE(hold.found());
    writer.begin(hold);
    work(writer, hold);
    writer.end(hold);
  }

  IndexMap<SmallBucket>& map;
  const uint32_t shard;
  const std::vector<uint64_t> keys;
  std::array<ExploredRow, 4> rows;
};

/// A new world for each run.
class Worlds {
 public:
  World& next() {
    if (used_ == 0) map_ = std::make_unique<IndexMap<SmallBucket>>(uint64_t{1} << 26);
    world_.emplace(*map_, used_);
    used_ = (used_ + 1) % IndexShards::kCount;
    return *world_;
  }
  World& now() { return *world_; }

 private:
  std::unique_ptr<IndexMap<SmallBucket>> map_;
  std::optional<World> world_;
  uint32_t used_ = 0;
};

using Seen = std::vector<uint64_t>;

class Exhaustive : public testing::Test {
 protected:
  void SetUp() override {
    if (!kContexts) GTEST_SKIP() << "sanitizers do not follow a change of stacks";
  }

  /// Runs `change` beside a lookup of `number`, in every interleaving; the lookup must see one of
  /// `allowed`.
  template <class Change>
  void lookup_beside(size_t number, const Change& change, const std::vector<Seen>& allowed,
                     size_t switches = SIZE_MAX) {
    Explorer explorer;
    explorer.at_most(switches);
    explorer.first_only_reads();
    Worlds worlds;
    Seen seen;
    std::vector<bool> met(allowed.size());
    const uint64_t runs = explorer.explore(
        [&](Explorer& its) {
          worlds.next().watch(its);
          return std::array<std::function<void()>, 2>{[&] { seen = worlds.now().read(number); },
                                                      [&] { change(worlds.now()); }};
        },
        [&] {
          const auto which = std::ranges::find(allowed, seen);
          if (which == allowed.end()) {
            ADD_FAILURE() << "a lookup saw " << testing::PrintToString(seen);
            explorer.stop();
          } else {
            met[static_cast<size_t>(which - allowed.begin())] = true;
          }
        });
    EXPECT_GT(runs, 100U);
    RecordProperty("interleavings", static_cast<int>(runs));
    EXPECT_EQ(std::ranges::count(met, false), 0) << "every outcome that may be, happens";
  }
};

TEST_F(Exhaustive, LookupBesideAWrite) {
  for (const size_t number : {size_t{0}, size_t{2}}) {
    const uint64_t before = 10 * number;
    lookup_beside(number, [&](World& world) { world.add(number, 5); },
                  {{before, before}, {before + 5, before + 5}});
  }
}

TEST_F(Exhaustive, LookupBesideAWriteOfItsNeighbour) {
  lookup_beside(0, [](World& world) { world.add(1, 5); }, {{0, 0}});
}

TEST_F(Exhaustive, LookupBesideAnErase) {
  lookup_beside(1, [](World& world) { world.erase(1); }, {{10, 10}, {}});
  lookup_beside(2, [](World& world) { world.erase(2); }, {{20, 20}, {}});
  lookup_beside(2, [](World& world) { world.erase(0); }, {{20, 20}});
}

TEST_F(Exhaustive, LookupBesideAnInsert) {
  constexpr size_t kSwitches = 4;
  lookup_beside(3, [](World& world) { world.insert(3); }, {{}, {30, 30}}, kSwitches);
  lookup_beside(2, [](World& world) { world.insert(3); }, {{20, 20}}, kSwitches);
}

// The place and the row of one key become another's at once.
TEST_F(Exhaustive, LookupBesideAReplacement) {
  const auto replace = [](World& world) {
    world.erase(1);
    world.insert(1);
  };
  constexpr size_t kSwitches = 4;
  lookup_beside(1, replace, {{10, 10}, {}}, kSwitches);
  lookup_beside(3, replace, {{}, {30, 30}}, kSwitches);
  lookup_beside(0, replace, {{0, 0}}, kSwitches);
}

TEST_F(Exhaustive, LookupBesideARebuild) {
  constexpr size_t kSwitches = 4;
  lookup_beside(0, [](World& world) { world.grow(); }, {{0, 0}}, kSwitches);
  lookup_beside(2, [](World& world) { world.grow(); }, {{20, 20}}, kSwitches);
  lookup_beside(3, [](World& world) { world.grow(); }, {{}}, kSwitches);
}

TEST_F(Exhaustive, WritesLoseNothing) {
  Explorer explorer;
  Worlds worlds;
  const uint64_t runs = explorer.explore(
      [&](Explorer& its) {
        worlds.next().watch(its);
        return std::array<std::function<void()>, 2>{[&] { worlds.now().add(0, 1); },
                                                    [&] { worlds.now().add(0, 2); }};
      },
      [&] {
        const Seen seen = worlds.now().read(0);
        EXPECT_EQ(seen, (Seen{3, 3}));
        if (HasFailure()) explorer.stop();
      });
  EXPECT_GT(runs, 10U);
}

}  // namespace
}  // namespace hotrow::test
