// The bucket protocol under many interleavings of its atomic operations: readers against writers of
// the same chain, rows that are used again at once, and rebuilds in the middle.
//
// A failure prints its seed, which repeats the interleaving.
#include <gtest/gtest.h>

#include <array>
#include <functional>
#include <vector>

#include "support/hash_inverse.h"
#include "support/index_map.h"
#include "support/interleave.h"
#include "support/scale.h"

namespace hotrow::test {
namespace {

using ScheduledBucket = Bucket<5, false, ScheduledAtom>;
using Scheduled = BasicIndex<ScheduledBucket>;

constexpr uint64_t kCounts = 1000;  // a row's words are number of the key * kCounts + count

/// Two words per row that a reader must always see equal.
struct Row {
  ScheduledAtom<uint64_t> a{0};
  ScheduledAtom<uint64_t> b{0};
};

/// Keys of one home, by number: 0 and 1 stay, the others come and go, the last never comes.
class Scenario {
 public:
  explicit Scenario(uint64_t seed, bool last_home = false)
      : interleaver_(seed),
        random_(seed + 1),
        keys_(last_home ? keys_of_last_home(6, kKeys) : keys_of_first_home(6, kKeys)) {
    for (uint32_t handle = kRows; handle > 0; --handle) free_.push_back(handle - 1);
    for (size_t number : {size_t{0}, size_t{1}, size_t{2}, size_t{4}}) insert(number);
  }

  void run(const std::vector<std::function<void()>>& work) { interleaver_.run(work); }

  /// Adds 1 to the row of a key that is there.
  void write(size_t number) {
    const EpochGuard guard;
    Scheduled::Writer writer(map_.index);
    writer.enter(6);
    auto hold = writer.find(keys_[number], mix64(keys_[number]));
    EXPECT_TRUE(hold.found()) << "key " << number << " is lost";
    if (!hold.found()) return;
    writer.begin(hold);
    Row& row = rows_[hold.handle()];
    const uint64_t value = row.a.load() + 1;
    row.a.store(value);
    row.b.store(value);
    writer.end(hold);
  }

  /// By one thread only: the free rows are not shared.
  void insert(size_t number) {
    const EpochGuard guard;
    Scheduled::Writer writer(map_.index);
    writer.enter(6);
    auto hold = writer.find(keys_[number], mix64(keys_[number]));
    if (hold.found()) return;
    const uint32_t handle = free_.back();
    rows_[handle].a.store(number * kCounts);
    rows_[handle].b.store(number * kCounts);
    for (bool inserted = false; !inserted;) {
      writer.begin(hold);
      inserted = writer.insert(hold, keys_[number], handle);
      writer.end(hold);
      if (inserted) break;
      ASSERT_TRUE(writer.grow(1, true, Growth::kAlways));
      hold = writer.find(keys_[number], mix64(keys_[number]));
    }
    free_.pop_back();
  }
  void erase(size_t number) {
    const EpochGuard guard;
    Scheduled::Writer writer(map_.index);
    writer.enter(6);
    auto hold = writer.find(keys_[number], mix64(keys_[number]));
    if (!hold.found()) return;
    free_.push_back(hold.handle());
    writer.begin(hold);
    writer.erase(hold);
    writer.end(hold);
  }
  void churn() {
    const size_t number = 2 + random_.below(kKeys - 3);
    random_.one_in(2) ? insert(number) : erase(number);
  }

  /// Reads as a lookup does. Rows must be whole and their key's own; those that stay must be there
  /// and never fall.
  void read(size_t number, std::array<uint64_t, 2>& seen) {
    const EpochGuard guard;
    for (;;) {
      const auto sight = map_.index.probe(keys_[number], mix64(keys_[number]));
      if (sight.handle == Scheduled::kNoHandle) {
        EXPECT_GE(number, 2U) << "a key that stays was not found";
        return;
      }
      const uint64_t a = rows_[sight.handle].a.load();
      const uint64_t b = rows_[sight.handle].b.load();
      if (!Scheduled::still(sight)) continue;
      EXPECT_EQ(a, b) << "half a row of key " << number;
      EXPECT_EQ(a / kCounts, number) << "the row of another key";
      EXPECT_NE(number, kKeys - 1) << "this key was never inserted";
      if (number < 2) {
        EXPECT_GE(a, seen[number]) << "back in time";
        seen[number] = a;
      }
      return;
    }
  }
  void read_some(int reads) {
    std::array<uint64_t, 2> seen = {};
    for (int i = 0; i < reads; ++i) read(static_cast<size_t>(i) % kKeys, seen);
  }

  void grow() { EXPECT_TRUE(map_.grow(6, 0, true, Growth::kAlways)); }
  uint64_t count(size_t number) { return rows_[map_.find(keys_[number])].a.load() % kCounts; }

  static constexpr size_t kKeys = 11;

 private:
  static constexpr uint32_t kRows = 12;

  Interleaver interleaver_;
  Random random_;
  std::vector<uint64_t> keys_;
  IndexMap<ScheduledBucket> map_;
  std::array<Row, kRows> rows_;
  std::vector<uint32_t> free_;
};

template <class Run>
void many_interleavings(uint64_t runs, const Run& run) {
  for (uint64_t seed = 1; seed <= scaled(runs); ++seed) {
    SCOPED_TRACE(testing::Message() << "seed " << seed);
    run(seed);
    if (testing::Test::HasFailure()) return;
  }
}

void repeat(int times, const std::function<void()>& work) {
  for (int i = 0; i < times; ++i) work();
}

TEST(Interleavings, ReadersSeeWholeRows) {
  many_interleavings(300, [](uint64_t seed) {
    Scenario scenario(seed);
    scenario.run({[&] { repeat(8, [&] { scenario.write(0); }); },
                  [&] { repeat(6, [&] { scenario.write(0); }); }, [&] { scenario.read_some(22); }});
    EXPECT_EQ(scenario.count(0), 14U);
  });
}

TEST(Interleavings, RowsThatAreUsedAgainAtOnce) {
  many_interleavings(300, [](uint64_t seed) {
    Scenario scenario(seed);
    scenario.run({[&] { repeat(12, [&] { scenario.churn(); }); }, [&] { scenario.read_some(33); },
                  [&] { repeat(6, [&] { scenario.write(1); }); }});
    EXPECT_EQ(scenario.count(1), 6U);
  });
}

TEST(Interleavings, RebuildsInTheMiddle) {
  many_interleavings(300, [](uint64_t seed) {
    Scenario scenario(seed);
    scenario.run({[&] { repeat(3, [&] { scenario.grow(); }); },
                  [&] { repeat(8, [&] { scenario.churn(); }); },
                  [&] { repeat(6, [&] { scenario.write(0); }); }, [&] { scenario.read_some(22); }});
    EXPECT_EQ(scenario.count(0), 6U);
  });
}

TEST(Interleavings, RebuildsOfAChainInTheTail) {
  many_interleavings(200, [](uint64_t seed) {
    Scenario scenario(seed, true);
    scenario.run({[&] { repeat(2, [&] { scenario.grow(); }); },
                  [&] { repeat(8, [&] { scenario.churn(); }); },
                  [&] { repeat(4, [&] { scenario.write(1); }); }, [&] { scenario.read_some(22); }});
    EXPECT_EQ(scenario.count(1), 4U);
  });
}

}  // namespace
}  // namespace hotrow::test
