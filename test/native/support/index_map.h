// An index with the calls of a map, and the map it must equal.
#ifndef HOTROW_TEST_SUPPORT_INDEX_MAP_H_
#define HOTROW_TEST_SUPPORT_INDEX_MAP_H_

#include <gtest/gtest.h>

#include <unordered_map>
#include <vector>

#include "memory/epoch.h"
#include "support/status.h"
#include "table/index.h"

namespace hotrow::test {

/// Calls `index` as a table's push and erase do.
template <class BucketT = PlainBucket>
class IndexMap {
 public:
  explicit IndexMap(uint64_t limit = uint64_t{1} << 30) : budget(limit), index(budget) {
    must(index.open());
  }
  // What was retired refers to the index.
  ~IndexMap() { EpochDomain::instance().synchronize(); }

  /// False when the key was there. A shard that is full grows for `more` keys at once.
  bool insert(uint64_t key, uint32_t handle, uint64_t more = 1) {
    const EpochGuard guard;
    const uint64_t hash = mix64(key);
    Writer writer(index);
    writer.enter(IndexShards::of(hash));
    auto hold = writer.find(key, hash);
    if (!hold.found() && writer.wants_growth()) {
      EXPECT_TRUE(writer.grow(more, false, Growth::kAlways));
      hold = writer.find(key, hash);
    }
    while (!hold.found()) {
      writer.begin(hold);
      const bool inserted = writer.insert(hold, key, handle);
      writer.end(hold);
      if (inserted) return true;
      EXPECT_TRUE(writer.grow(1, true, Growth::kAlways));
      hold = writer.find(key, hash);
    }
    return false;
  }

  bool erase(uint64_t key) {
    const EpochGuard guard;
    Writer writer(index);
    writer.enter(IndexShards::of(mix64(key)));
    auto hold = writer.find(key, mix64(key));
    if (!hold.found()) return false;
    writer.begin(hold);
    writer.erase(hold);
    writer.end(hold);
    return true;
  }

  bool grow(uint32_t shard, uint64_t more, bool force, Growth growth = Growth::kWithinBudget) {
    const EpochGuard guard;
    Writer writer(index);
    writer.enter(shard);
    return writer.grow(more, force, growth);
  }
  bool wants_growth(uint32_t shard) {
    Writer writer(index);
    writer.enter(shard);
    return writer.wants_growth();
  }

  /// kNoHandle when there is none.
  uint32_t find(uint64_t key) const {
    const EpochGuard guard;
    return index.probe(key, mix64(key)).handle;
  }

  using Index_ = BasicIndex<BucketT>;
  using Writer = typename Index_::Writer;
  static constexpr uint32_t kNone = Index_::kNoHandle;

  MemoryBudget budget;
  Index_ index;
};

template <class BucketT>
testing::AssertionResult same_keys(const IndexMap<BucketT>& index,
                                   const std::unordered_map<uint64_t, uint32_t>& expected) {
  if (index.index.size() != expected.size()) {
    return testing::AssertionFailure()
           << "size " << index.index.size() << ", expected " << expected.size();
  }
  for (const auto& [key, handle] : expected) {
    if (index.find(key) == handle) continue;
    return testing::AssertionFailure()
           << "key " << key << " has handle " << index.find(key) << ", expected " << handle;
  }
  return testing::AssertionSuccess();
}

}  // namespace hotrow::test

#endif  // HOTROW_TEST_SUPPORT_INDEX_MAP_H_
